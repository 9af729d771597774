"""The status page in a real browser: `make test-browser`. Pictures of it land in .build/screenshots."""
import os
import pathlib
import re
import shutil
import signal
import subprocess
import tempfile
import threading
import time
import unittest
import urllib.request

from chromium import PROJECT, Chromium

SERVER = PROJECT / ".build/release/server"
APP = PROJECT / ".build/apps/bench_app.so"


class Watched:
  """A server of two workers with a status page; a context manager."""

  def __init__(self, *options: str):
    self.folder = tempfile.TemporaryDirectory(prefix="watched-")
    self.app = pathlib.Path(self.folder.name, "app.so")
    shutil.copy(APP, self.app)
    self.control = f"{self.folder.name}/control"
    self.log = open(f"{self.folder.name}/log", "w+", encoding="utf-8")
    self.process = subprocess.Popen(
      [SERVER, "--app", self.app, "-p", "2", "-L", "--http-socket", "127.0.0.1:0",
       "--status-page", "127.0.0.1:0", "--control-socket", self.control,
       "--runtime-dir", self.folder.name, *options],
      stdout=self.log, stderr=self.log)

  def __enter__(self) -> "Watched":
    end = time.monotonic() + 30
    while True:
      text = self.text()
      ready = dict(re.findall(r"^server: (\S+) socket (\S+) ready$", text, re.M))
      page = next((address for kind, address in ready.items() if "status" in kind), None)
      if "http" in ready and page:
        self.url, self.page = f"http://{ready['http']}", f"http://{page}/"
        return self
      if self.process.poll() is not None or time.monotonic() > end:
        raise RuntimeError(f"the server is not ready:\n{text}")
      time.sleep(0.05)

  def text(self) -> str:
    """Its log."""
    return pathlib.Path(self.log.name).read_text(encoding="utf-8")

  def ask(self, path: str = "/") -> bytes:
    """An answer of its application."""
    with urllib.request.urlopen(self.url + path, timeout=30) as answer:
      return answer.read()

  def ctl(self, *words: str) -> subprocess.CompletedProcess:
    """`server ctl`."""
    return subprocess.run([SERVER, "ctl", "--control-socket", self.control, *words], capture_output=True,
                          text=True, timeout=120, check=False)

  def __exit__(self, *_):
    self.process.terminate()
    try:
      self.process.wait(30)
    except subprocess.TimeoutExpired:
      self.process.kill()
      self.process.wait()
    self.log.close()
    self.folder.cleanup()


class Load:
  """Requests one after the other from two threads; a context manager."""

  def __init__(self, server: Watched, path: str = "/"):
    self._server, self._path, self._isOver = server, path, threading.Event()
    self._threads = [threading.Thread(target=self._run) for _ in range(2)]

  def _run(self):
    while not self._isOver.is_set():
      self._server.ask(self._path)

  def __enter__(self):
    for thread in self._threads: thread.start()

  def __exit__(self, *_):
    self._isOver.set()
    for thread in self._threads: thread.join()


class StatusPageTest(unittest.TestCase):
  @classmethod
  def setUpClass(cls):
    cls.browser = cls.enterClassContext(Chromium())

  def pictures(self, name: str):
    """Light, dark and on a phone; nothing is wider than any of them."""
    for kind, width, dark in (("light", 1200, False), ("dark", 1200, True), ("phone", 390, False)):
      self.browser.look(width, 900, dark)
      self.assertGreater(len(self.browser.screenshot(f"status-{name}-{kind}")), 10_000)
      self.assertLessEqual(self.browser.run("document.documentElement.scrollWidth"), width, f"{name} {kind}")
      back = self.browser.run("getComputedStyle(document.body).backgroundColor")
      self.assertEqual(sum(map(int, re.findall(r"\d+", back)[:3])) < 384, dark, back)
    self.browser.look(1200, 900)

  def rows(self, table: str) -> list[list[str]]:
    """The cells of a table's rows."""
    return self.browser.run(f"[...document.querySelectorAll('#{table} tr')].slice(1)"
                            ".map(row => [...row.cells].map(cell => cell.textContent))")

  def open(self, server: Watched):
    self.browser.look(1200, 900)
    self.browser.open(server.page)
    # The second look has something to compare with.
    self.browser.wait("document.getElementById('rate').textContent !== '–'")

  def close(self, server: Watched):
    """Nothing went wrong, and nothing was asked of anybody else."""
    self.assertEqual(self.browser.complaints(), [])
    for url in self.browser.requested(): self.assertTrue(url.startswith(server.page), url)
    self.browser.open("data:text/html,")

  def test_idle(self):
    with Watched() as server:
      self.open(server)
      self.assertEqual(self.browser.run("document.getElementById('state').textContent"), "serving")
      workers = self.rows("workers")
      self.assertEqual([row[1] for row in workers], ["serving"] * 2)
      for row in workers: os.kill(int(row[2]), 0)
      self.assertEqual(self.browser.run("document.getElementById('rate').textContent"), "0")
      self.assertIn("none since the start", self.browser.text())
      self.assertTrue(self.browser.run("document.getElementById('change').hidden"))
      # It looks only.
      self.assertEqual(self.browser.run("document.querySelectorAll('button, form, input, a').length"), 0)
      self.pictures("idle")
      self.close(server)

  def test_loaded(self):
    with Watched() as server:
      self.open(server)
      with Load(server), Load(server, "/sleep"):
        self.browser.wait("parseFloat(document.getElementById('rate').textContent.replace(',', '')) > 10")
        self.browser.wait("document.getElementById('p99').textContent !== '–'")
        self.browser.wait("document.getElementById('serving').innerText.includes('GET /sleep')")
        points = self.browser.wait("document.getElementById('rate-line').getAttribute('points')")
        self.assertGreaterEqual(len(points.split()), 2)
        self.pictures("loaded")
      total = sum(int(row[3].replace(",", "")) for row in self.rows("apps"))
      self.assertGreater(total, 10)
      self.close(server)

  def test_nothing_of_a_request_becomes_markup(self):
    with Watched() as server:
      self.open(server)
      with Load(server, "/sleep?<img/src=x/onerror=document.title='evil'>"):
        self.browser.wait("document.getElementById('serving').innerText.includes('<img')")
        self.assertEqual(self.browser.run("document.querySelectorAll('img').length"), 0)
      self.assertNotIn("evil", self.browser.run("document.title"))
      self.close(server)

  def test_swap_under_way(self):
    with Watched("--swap-soak", "4", "--swap-probation", "2") as server:
      self.open(server)
      old = {row[2] for row in self.rows("workers")}
      with server.app.open("ab") as file: file.write(b"another build")
      swap = threading.Thread(target=server.ctl, args=("swap",))
      swap.start()
      self.browser.wait("!document.getElementById('change').hidden")
      self.browser.wait("document.querySelectorAll('#workers tr').length > 3")
      self.assertNotEqual(self.browser.run("document.getElementById('change-text').textContent"), "")
      self.pictures("swap")
      swap.join()
      self.browser.wait("document.getElementById('change').hidden")
      self.browser.wait("document.getElementById('events').innerText.includes('swap')")
      self.browser.wait("document.querySelectorAll('#workers tr').length === 3")
      self.assertTrue(old.isdisjoint({row[2] for row in self.rows("workers")}))
      self.close(server)

  def test_worker_crashed(self):
    with Watched() as server:
      self.open(server)
      pid = int(self.rows("workers")[0][2])
      os.kill(pid, signal.SIGSEGV)
      self.browser.wait("document.querySelectorAll('#events .bad').length > 0")
      self.assertIn("SIGSEGV", self.browser.run("document.getElementById('events').innerText"))
      self.browser.wait("![...document.querySelectorAll('#workers td')]"
                        f".some(cell => cell.textContent === '{pid}')")
      self.browser.wait("document.querySelectorAll('#workers tr').length === 3")
      self.pictures("crash")
      self.close(server)

  def test_a_server_that_has_gone_is_told(self):
    with Watched() as server:
      self.open(server)
    self.browser.wait("document.getElementById('state').textContent === 'does not answer'")
    self.browser.screenshot("status-gone")
    self.browser.open("data:text/html,")


if __name__ == "__main__":
  unittest.main()
