"""The hello world of each language whose compiler CI does not have: served, swapped, crashed; and the
templates of `server new` for them, and the page about three of them: `make test-languages`, which builds the
applications first."""
import functools
import os
import pathlib
import re
import signal
import subprocess
import sys
import tempfile
import time
import unittest
import urllib.error
import urllib.request

PROJECT = pathlib.Path(__file__).resolve().parents[2]
SERVER = PROJECT / ".build/release/server"
LANGUAGES = re.search(r"^LANGUAGES := (.*)$", (PROJECT / "apps/languages.mk").read_text(), re.M)[1].split()
GREETING = b"Hello World!\n"
SWAPS = 20


class Server:
  """A server of one worker; a context manager that ends it in order."""

  def __init__(self, words: list[str], folder: pathlib.Path):
    self.control = folder / "control"
    self.log = open(folder / "log", "w+")
    at_once = ["--swap-soak", "0", "--swap-probation", "0"]
    self.process = subprocess.Popen(
      [SERVER, *words, "-p", "1", "--control-socket", self.control, *at_once], stderr=self.log, cwd=PROJECT)
    self.url = self.wait(r"http socket (\S+) ready")

  def text(self) -> str:
    self.log.seek(0)
    return self.log.read()

  def wait(self, pattern: str) -> str:
    """The first group of a line of the log, once it is there."""
    end = time.monotonic() + 60
    while time.monotonic() < end and self.process.poll() is None:
      if found := re.search(pattern, self.text()): return found[1]
      time.sleep(0.02)
    raise AssertionError(f"no {pattern} in:\n{self.text()}")

  def get(self, path: str = "/") -> tuple[int, bytes]:
    try:
      with urllib.request.urlopen(f"http://{self.url}{path}", timeout=30) as answer:
        return answer.status, answer.read()
    except urllib.error.HTTPError as error:
      return error.code, error.read()

  def ctl(self, *words: str) -> str:
    done = subprocess.run([SERVER, "ctl", "--control-socket", self.control, *words], text=True, timeout=120,
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    if done.returncode: raise AssertionError(f"{words}: {done.stdout}\n{self.text()}")
    return done.stdout

  def __enter__(self):
    return self

  def __exit__(self, kind, *_):
    self.process.send_signal(signal.SIGTERM)
    status = self.process.wait(60)
    text = self.text()
    self.log.close()
    if kind is None and status != 0: raise AssertionError(f"it ended with {status}:\n{text}")


def each(test):
  """A test of one language and its library, for all of them."""
  @functools.wraps(test)
  def of_all(self):
    for language in LANGUAGES:
      with self.subTest(language=language):
        test(self, language, PROJECT / f".build/apps/hello_{language}.so")
  return of_all


class LanguagesTest(unittest.TestCase):
  def setUp(self):
    folder = tempfile.TemporaryDirectory()
    self.addCleanup(folder.cleanup)
    self.folder = pathlib.Path(folder.name)

  def serve(self, library: pathlib.Path) -> Server:
    return Server(["--app", str(library), "--http-socket", "127.0.0.1:0"], self.folder)

  @each
  def test_readme(self, language, library):
    text = (PROJECT / f"apps/hello_{language}/README.md").read_text()
    run, test, answer = (re.search(rf"^## {heading}:\n\n```\w+\n(.*?)```$", text, re.M | re.S)[1]
                         for heading in ("Run", "Test", "Answer"))
    command = run.strip().splitlines()[-1].replace(":8080", ":0").split()
    self.assertEqual(command[0], ".build/release/server")
    with Server(command[1:], self.folder) as server:
      ask = test.strip().replace("127.0.0.1:8080", server.url)
      said = subprocess.run(["/bin/sh", "-c", ask], check=True, capture_output=True, text=True).stdout
      self.assertEqual(said, answer)

  @each
  def test_check(self, language, library):
    done = subprocess.run([SERVER, "check", library, "--load", "--exercise"], capture_output=True, text=True,
                          timeout=120)
    self.assertEqual(done.returncode, 0, done.stdout + done.stderr)
    self.assertIn("verdict     good", done.stdout)

  @each
  def test_swap(self, language, library):
    """Twenty builds that differ in what they answer, one after the other."""
    build = library.read_bytes()
    self.assertEqual(build.count(GREETING), 1)
    app = self.folder / "app.so"
    app.write_bytes(build)
    with self.serve(app) as server:
      self.assertEqual(server.get(), (200, GREETING))
      for number in range(SWAPS):
        greeting = b"Hello No. %02d\n" % number
        new = app.with_suffix(".new")
        new.write_bytes(build.replace(GREETING, greeting))
        new.rename(app)
        server.ctl("swap")
        self.assertEqual(server.get(), (200, greeting))
      self.assertNotIn("crash", server.text())

  @each
  def test_crash(self, language, library):
    """The client of a call that crashes loses its request, the next one is served, and the log says so."""
    with self.serve(library) as server:
      self.assertEqual(server.get(), (200, GREETING))
      with self.assertRaises(OSError): server.get("/crash")
      end = time.monotonic() + 60
      while True:
        try:
          answer = server.get()
          break
        except OSError:
          if time.monotonic() > end: raise
          time.sleep(0.05)
      self.assertEqual(answer, (200, GREETING))
      died = rf"died of SIG\w+ in hello_{language} generation 1 while serving GET /crash"
      self.assertRegex(server.text(), died)
      self.assertRegex(server.ctl("status"), died)

  def test_new(self):
    for language in ("go", "zig"):
      with self.subTest(language=language):
        place = self.folder / language
        new = [SERVER, "new", "mine", "--language", language, "--directory", place]
        subprocess.run(new, check=True, capture_output=True, cwd=PROJECT)
        if language == "go":
          source = place / "app.go"
          line = 'if path != "/"'
          panic = 'if path == "/panic" {\n\t\tpanic("told")\n\t}\n\t'
          source.write_text(source.read_text().replace(line, panic + line))
        zig = f"{PROJECT}/.build/ziglang/bin/python -m ziglang"
        built = subprocess.run(["make", f"SERVER={SERVER}", f"ZIG={zig}", "check"], cwd=place, text=True,
                               stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
        self.assertEqual(built.returncode, 0, built.stdout)
        self.assertIn("verdict     good", built.stdout)
        with self.serve(place / "mine.so") as server:
          self.assertEqual(server.get(), (200, GREETING))
          self.assertEqual(server.get("/elsewhere")[0], 404)
          if language == "go":
            self.assertEqual(server.get("/panic")[0], 500)
            self.assertEqual(server.get(), (200, GREETING))
            self.assertIn("panic: told", server.text())

  def test_page(self):
    """The guide to Swift, Go and Zig, followed as a reader does who has the compilers on the path."""
    zig = self.folder / "zig"
    zig.write_text(f'#!/bin/sh\nexec "{PROJECT}/.build/ziglang/bin/python" -m ziglang "$@"\n')
    zig.chmod(0o755)
    # Compilers whose caches are empty build their own library first.
    more = {"PATH": f"{self.folder}:{os.environ['PATH']}", "GUIDE_SECONDS": "900"}
    command = [sys.executable, PROJECT / "Tests/Guides/run.py", PROJECT / "docs/guides/swift-go-zig.md"]
    followed = subprocess.run(command, env={**os.environ, **more}, cwd=PROJECT, text=True,
                              stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    self.assertEqual(followed.returncode, 0, followed.stdout)


if __name__ == "__main__":
  unittest.main(verbosity=2)
