"""The room of apps/chat in a real browser: two tabs hear each other through nginx by uwsgi, through lighttpd,
and over TLS without a web server, with the files of docs/deploy."""
import os
import pathlib
import re
import shutil
import socket
import subprocess
import tempfile
import time
import unittest

from chromium import PROJECT, Chromium

SERVER = PROJECT / ".build/release/server"
APP = PROJECT / ".build/apps/chat.so"
PLACES = os.pathsep.join([os.environ["PATH"], "/usr/sbin", "/sbin"])
NGINX = """daemon off;
master_process off;
pid {folder}/pid;
error_log stderr;
events {{}}
http {{
  access_log off;
{temporary}
  include {site};
}}
"""
LIGHTTPD = """server.bind = "127.0.0.1"
server.port = {port}
server.document-root = "{folder}"
server.upload-dirs = ( "{folder}" )
server.modules = ()
include "{site}"
"""


class ChatTest(unittest.TestCase):
  @classmethod
  def setUpClass(cls):
    # The certificate is the test's own.
    cls.browser = cls.enterClassContext(Chromium("--ignore-certificate-errors"))

  def setUp(self):
    self.folder = pathlib.Path(self.enterContext(tempfile.TemporaryDirectory(prefix="chat-")))

  def start(self, name: str, *words) -> pathlib.Path:
    """A process that ends with the test; its log."""
    log = self.folder / f"{name}.log"
    with open(log, "w", encoding="utf-8") as file:
      process = subprocess.Popen([*map(str, words)], cwd=self.folder, stdout=file, stderr=file)
    self.addCleanup(self.stop, process)
    return log

  @staticmethod
  def stop(process: subprocess.Popen):
    """Ends it. An nginx without a master may look at the signal with its next event only."""
    process.terminate()
    try:
      process.wait(10)
    except subprocess.TimeoutExpired:
      process.kill()
      process.wait()

  def until(self, what: str, log: pathlib.Path, ask):
    """The answer of `ask`, as soon as it is one."""
    end = time.monotonic() + 30
    while not (answer := ask()):
      self.assertLess(time.monotonic(), end, f"{what}: {log.read_text(encoding='utf-8')}")
      time.sleep(0.05)
    return answer

  def serve(self, kind: str, place: str) -> str:
    """Two workers of the chat with a socket of this kind; its address."""
    log = self.start("server", SERVER, "--app", APP, "-p", "2", "-L", f"--{kind}-socket", place,
                     "--runtime-dir", self.folder, "--websocket-origin", "self")
    pattern = re.compile(rf"^server: {kind} socket (\S+) ready$", re.M)
    return self.until("the server", log, lambda: pattern.search(log.read_text(encoding="utf-8")))[1]

  def front(self, file: str, fixed: str, address: str) -> int:
    """A web server with a file of docs/deploy, in which `fixed` is the server's port; its own port."""
    with socket.socket() as one:
      one.bind(("127.0.0.1", 0))
      port = one.getsockname()[1]
    text = (PROJECT / "docs/deploy" / file).read_text(encoding="utf-8")
    # In two steps, because a chosen port may hold the digits of a fixed one.
    text = text.replace("8000", "<web>").replace(fixed, "<server>")
    text = text.replace("<web>", str(port)).replace("<server>", address.rsplit(":", 1)[1])
    site, main = self.folder / "site.conf", self.folder / "main.conf"
    site.write_text(text, encoding="utf-8")
    name = file.split("/", maxsplit=1)[0]
    program = shutil.which(name, path=PLACES)
    self.assertTrue(program, name)
    if name == "nginx":
      for params in ("scgi_params", "uwsgi_params"): (self.folder / params).symlink_to(f"/etc/nginx/{params}")
      temporary = "\n".join(f"  {kind}_temp_path {self.folder}/{kind};"
                            for kind in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi"))
      main.write_text(NGINX.format(folder=self.folder, temporary=temporary, site=site), encoding="utf-8")
      log = self.start(name, program, "-p", self.folder, "-c", main, "-e", "stderr")
    else:
      main.write_text(LIGHTTPD.format(folder=self.folder, port=port, site=site), encoding="utf-8")
      log = self.start(name, program, "-D", "-f", main)

    def answers() -> bool:
      try:
        socket.create_connection(("127.0.0.1", port), 5).close()
        return True
      except OSError:
        return False

    self.until(name, log, answers)
    return port

  def say(self, text: str):
    """As a person does: into the field, and the button."""
    self.browser.run(f"document.getElementById('text').value = '{text}';"
                     "document.querySelector('button').click()")

  def hears(self, text: str) -> str:
    """Waits until the current tab shows it."""
    return self.browser.wait(f"document.getElementById('log').textContent.includes('{text}')")

  def chat(self, url: str, name: str):
    """Two tabs hear each other, and one hears that the other has left."""
    browser, tabs = self.browser, []
    for place in range(2):
      tabs.append(browser.tab())
      browser.open(url)
      self.hears("(you are in)")
      self.assertEqual(browser.complaints(), [], f"tab {place}")
    # Workers may need a moment until they are introduced.
    for place in range(300):
      browser.turn(tabs[0])
      self.say(f"probe {place}")
      self.hears(f"probe {place}")
      browser.turn(tabs[1])
      if browser.run("document.getElementById('log').textContent.includes('probe')"): break
      time.sleep(0.1)
    for speaker, hearer, text in ((0, 1, "gr\\u00fc\\u00dfe \\u20ac"), (1, 0, "<b>back</b>")):
      browser.turn(tabs[speaker])
      self.say(text)
      for tab in (tabs[speaker], tabs[hearer]):
        browser.turn(tab)
        self.hears(text)
      self.assertEqual(browser.run("document.querySelectorAll('#log b').length"), 0)
    browser.look(800, 600)
    browser.screenshot(f"chat-{name}")
    browser.turn(tabs[1])
    browser.leave()
    browser.turn(tabs[0])
    self.hears("(somebody has left with 100")
    browser.leave()

  def test_through_nginx_by_uwsgi(self):
    port = self.front("nginx/websocket.conf", "8082", self.serve("uwsgi", "127.0.0.1:0"))
    self.chat(f"http://127.0.0.1:{port}/uwsgi", "nginx")

  def test_through_lighttpd(self):
    port = self.front("lighttpd/websocket.conf", "8080", self.serve("http", "127.0.0.1:0"))
    self.chat(f"http://127.0.0.1:{port}/", "lighttpd")

  def test_directly_over_tls(self):
    words = ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes",
             "-keyout", "key.pem", "-out", "cert.pem", "-days", "2", "-subj", "/CN=localhost",
             "-addext", "subjectAltName=DNS:localhost,IP:127.0.0.1"]
    subprocess.run(words, cwd=self.folder, check=True, capture_output=True, timeout=60)
    address = self.serve("https", f"127.0.0.1:0,{self.folder}/cert.pem,{self.folder}/key.pem")
    self.chat(f"https://{address}/", "tls")


if __name__ == "__main__":
  unittest.main()
