"""Certificates by ACME (RFC 8555): pebble, an authority for tests, looks for its challenges on
--http-redirect, and lego and certbot get certificates while the server goes on. Part of `make test-tls`;
alone by `make test-tls TEST=test_acme`."""
import json
import os
import pathlib
import re
import shlex
import signal
import socket
import socketserver
import ssl
import subprocess
import tempfile
import threading
import time
import unittest
import urllib.error
import urllib.request

PROJECT = pathlib.Path(__file__).resolve().parents[2]
SERVER = PROJECT / ".build/release/server"
APP = PROJECT / ".build/apps/hello_world_app.so"
HOST = "a.test"


def self_signed(name: str, key: pathlib.Path, certificate: pathlib.Path) -> None:
  """A certificate that signs itself, for one name (`DNS:…` or `IP:…`)."""
  kind = "req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2 -subj /CN=Test"
  done = subprocess.run(
    ["openssl", *kind.split(), "-addext", f"subjectAltName={name}", "-keyout", key, "-out", certificate],
    text=True, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=60)
  if done.returncode: raise AssertionError(done.stdout)


class Names(socketserver.BaseRequestHandler):
  """A name server that knows each name at 127.0.0.1 (RFC 1035 §4)."""

  def handle(self):
    question, reply = self.request
    # Behind the header the name, which ends with a 0, its type and its class.
    end = question.index(0, 12) + 5
    is_address = question[end - 4:end - 2] == b"\x00\x01"
    record = b"\xc0\x0c\x00\x01\x00\x01\x00\x00\x00\x00\x00\x04\x7f\x00\x00\x01" if is_address else b""
    head = question[:2] + b"\x85\x80\x00\x01" + bytes([0, int(is_address), 0, 0, 0, 0])
    reply.sendto(head + question[12:end] + record, self.client_address)


def free_port() -> int:
  with socket.create_server(("127.0.0.1", 0)) as listener: return listener.getsockname()[1]


class AcmeTests(unittest.TestCase):
  @classmethod
  def setUpClass(cls):
    folder = tempfile.TemporaryDirectory(prefix="acme-")
    cls.addClassCleanup(folder.cleanup)
    cls.place = pathlib.Path(folder.name)
    cls.webroot = cls.place / "webroot"
    # Where lego puts what it gets.
    certificates = cls.place / "lego/certificates"
    for path in (cls.webroot, certificates): path.mkdir(parents=True)
    cls.certificate, cls.key = certificates / f"{HOST}.crt", certificates / f"{HOST}.key"
    self_signed(f"DNS:{HOST}", cls.key, cls.certificate)
    cls.ctl = [str(SERVER), "ctl", "--control-socket", str(cls.place / "ctl")]
    cls.server = cls.start(
      "server", [SERVER, "--app", APP, "-p", "1", "--control-socket", cls.place / "ctl", "--https-socket",
                 f"127.0.0.1:0,{cls.certificate},{cls.key}", "--http-redirect", "127.0.0.1:0",
                 "--acme-webroot", cls.webroot])
    cls.port = int(cls.wait("server", r"https socket 127\.0\.0\.1:(\d+) ready"))
    cls.start_pebble(int(cls.wait("server", r"redirect socket 127\.0\.0\.1:(\d+) ready")))

  @classmethod
  def start_pebble(cls, port: int):
    """The authority, which finds challenges at this port of each name."""
    names = socketserver.UDPServer(("127.0.0.1", 0), Names)
    cls.addClassCleanup(names.server_close)
    threading.Thread(target=names.serve_forever, daemon=True).start()
    cls.addClassCleanup(names.shutdown)
    cls.trust = cls.place / "pebble.pem"
    self_signed("IP:127.0.0.1", cls.place / "pebble.key", cls.trust)
    api, management = free_port(), free_port()
    (cls.place / "pebble.json").write_text(json.dumps({"pebble": {
      "listenAddress": f"127.0.0.1:{api}", "managementListenAddress": f"127.0.0.1:{management}",
      "certificate": str(cls.trust), "privateKey": str(cls.place / "pebble.key"), "httpPort": port,
      "tlsPort": port, "ocspResponderURL": "", "externalAccountBindingRequired": False}}))
    environment = {
      name: value for name, value in os.environ.items() if not name.startswith("PEBBLE_")}
    environment |= {"PEBBLE_VA_NOSLEEP": "1", "PEBBLE_WFE_NONCEREJECT": "0", "PEBBLE_AUTHZREUSE": "0"}
    pebble = cls.start(
      "pebble", ["pebble", "-config", cls.place / "pebble.json", "-dnsserver",
                 f"127.0.0.1:{names.server_address[1]}"], environment, (0, -signal.SIGTERM))
    cls.directory = f"https://127.0.0.1:{api}/dir"
    # Made anew at each start.
    root = cls.fetch(pebble, f"https://127.0.0.1:{management}/roots/0")
    cls.fetch(pebble, cls.directory)
    cls.root = ssl.create_default_context(cadata=root)

  @classmethod
  def fetch(cls, pebble: subprocess.Popen, address: str) -> str:
    """What pebble says there, as soon as it says anything."""
    trust = ssl.create_default_context(cafile=str(cls.trust))
    # Whatever proxy is set, it is not for this machine.
    opener = urllib.request.build_opener(
      urllib.request.ProxyHandler({}), urllib.request.HTTPSHandler(context=trust))
    end = time.monotonic() + 60
    while time.monotonic() < end and pebble.poll() is None:
      try:
        with opener.open(address, timeout=10) as answer: return answer.read().decode()
      except ConnectionRefusedError: pass
      except urllib.error.URLError as error:
        if not isinstance(error.reason, ConnectionRefusedError): raise
      time.sleep(0.02)
    raise AssertionError(f"nothing at {address}:\n{cls.log('pebble')}")

  @classmethod
  def log(cls, name: str) -> str: return (cls.place / f"{name}.log").read_text(errors="replace")

  @classmethod
  def start(cls, name: str, words: list, environment=None, endings=(0,)) -> subprocess.Popen:
    """Starts a program whose output is its log, and that ends in one of these ways behind the tests."""
    with open(cls.place / f"{name}.log", "w") as log:
      process = subprocess.Popen(words, stdout=log, stderr=log, stdin=subprocess.DEVNULL, env=environment)

    def stop():
      process.send_signal(signal.SIGTERM)
      status = process.wait(60)
      assert status in endings, f"{name} ended with {status}:\n{cls.log(name)}"
    cls.addClassCleanup(stop)
    return process

  @classmethod
  def wait(cls, name: str, pattern: str) -> str:
    """The first group of a line of the log, once it is there."""
    end = time.monotonic() + 60
    while time.monotonic() < end and cls.server.poll() is None:
      if found := re.search(pattern, cls.log(name)): return found[1]
      time.sleep(0.02)
    raise AssertionError(f"no {pattern} in:\n{cls.log(name)}")

  def run_program(self, *words) -> tuple[int, str]:
    environment = {name: value for name, value in os.environ.items() if not name.lower().endswith("_proxy")}
    environment |= {"LEGO_CA_CERTIFICATES": str(self.trust), "REQUESTS_CA_BUNDLE": str(self.trust)}
    done = subprocess.run(words, text=True, errors="replace", stdin=subprocess.DEVNULL, cwd=self.place,
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=300, env=environment)
    return done.returncode, done.stdout

  def lego(self, path: str, webroot: pathlib.Path) -> tuple[int, str]:
    return self.run_program(
      "lego", "--server", self.directory, "--accept-tos", "--email", f"admin@{HOST}", "--domains", HOST,
      "--path", str(self.place / path), "--http", "--http.webroot", str(webroot), "run")

  def presented(self, context: ssl.SSLContext) -> bytes:
    """The certificate on the https socket, if it is of this authority."""
    with socket.create_connection(("127.0.0.1", self.port), 60) as plain:
      with context.wrap_socket(plain, server_hostname=HOST) as sealed: return sealed.getpeercert(True)

  def check_presented(self, certificate: pathlib.Path):
    """The socket presents the first certificate of this file, which is of pebble."""
    first = certificate.read_text().split("-----END CERTIFICATE-----")[0] + "-----END CERTIFICATE-----\n"
    self.assertEqual(self.presented(self.root), ssl.PEM_cert_to_DER_cert(first.lstrip()))

  def test_certbot_gets_one_and_its_hook_has_it_presented(self):
    live = self.place / f"certbot/live/{HOST}"
    hook = " && ".join(shlex.join(map(str, words)) for words in [
      ("cp", live / "fullchain.pem", self.certificate), ("cp", live / "privkey.pem", self.key),
      (*self.ctl, "tls-reload")])
    status, output = self.run_program(
      "certbot", "certonly", "--non-interactive", "--agree-tos", "--register-unsafely-without-email",
      "--server", self.directory, "--webroot", "-w", str(self.webroot), "-d", HOST, "--deploy-hook", hook,
      "--config-dir", str(self.place / "certbot"), "--work-dir", str(self.place / "certbot-work"),
      "--logs-dir", str(self.place / "certbot-logs"))
    self.assertEqual(status, 0, f"{output}\n{self.log('pebble')}")
    self.check_presented(live / "fullchain.pem")

  def test_lego_gets_one_and_a_reload_presents_it(self):
    before = self.certificate.read_text()
    status, output = self.lego("lego", self.webroot)
    self.assertEqual(status, 0, f"{output}\n{self.log('pebble')}")
    self.assertNotEqual(self.certificate.read_text(), before)
    status, output = self.run_program(*self.ctl, "tls-reload")
    self.assertEqual((status, output), (0, "the new certificates are presented\n"))
    self.check_presented(self.certificate)

  def test_a_challenge_that_is_not_there_gets_none(self):
    elsewhere = self.place / "elsewhere"
    elsewhere.mkdir()
    status, output = self.lego("lego-elsewhere", elsewhere)
    self.assertNotEqual(status, 0, output)
    self.assertFalse((self.place / f"lego-elsewhere/certificates/{HOST}.crt").exists(), output)


if __name__ == "__main__":
  unittest.main()
