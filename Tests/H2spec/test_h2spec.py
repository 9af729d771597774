"""h2spec, a program that tests servers of HTTP/2, against the server with and without TLS:
`make test-h2spec`, which builds it. Tests/Fixtures/http2 tells its cases again, so that CI has them."""
import os
import pathlib
import re
import signal
import socket
import subprocess
import tempfile
import time
import unittest

PROJECT = pathlib.Path(__file__).resolve().parents[2]
SERVER = PROJECT / ".build/release/server"
APP = PROJECT / ".build/apps/hello_world_app.so"
H2SPEC = os.environ.get("H2SPEC", "")


class H2specTests(unittest.TestCase):
  @classmethod
  def setUpClass(cls):
    if not os.access(H2SPEC, os.X_OK):
      raise AssertionError(f"{H2SPEC!r} is no program; use make test-h2spec, which builds one")
    folder = tempfile.TemporaryDirectory(prefix="h2spec-")
    cls.addClassCleanup(folder.cleanup)
    place = pathlib.Path(folder.name)
    subprocess.run(
      ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days",
       "2", "-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost", "-keyout", place / "a.key",
       "-out", place / "a.pem"], check=True, capture_output=True, timeout=60)
    cls.log = place / "log"
    with open(cls.log, "w") as log:
      cls.server = subprocess.Popen(
        [SERVER, "--app", APP, "--no-master", "--http-socket", "127.0.0.1:0",
         "--https-socket", f"127.0.0.1:0,{place}/a.pem,{place}/a.key"], stdout=log, stderr=log)
    cls.addClassCleanup(cls.stop)

  @classmethod
  def stop(cls):
    cls.server.send_signal(signal.SIGTERM)
    status = cls.server.wait(60)
    assert status == 0, f"the server ended with {status}:\n{cls.log.read_text()}"

  def wait(self, pattern: str) -> str:
    """The first group of a line of the log, once it is there."""
    end = time.monotonic() + 60
    while time.monotonic() < end and self.server.poll() is None:
      if found := re.search(pattern, self.log.read_text(), re.M): return found[1]
      time.sleep(0.02)
    raise AssertionError(f"no {pattern} in:\n{self.log.read_text()}")

  def port(self, kind: str) -> str: return self.wait(rf"\b{kind} socket 127\.0\.0\.1:(\d+) ready")

  def run_all(self, kind: str, *words: str, failing: list[str]) -> None:
    port = self.port(kind)
    done = subprocess.run(
      [H2SPEC, "--host", "127.0.0.1", "--port", port, "--timeout", "5", *words], text=True, timeout=900,
      stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    counts = re.search(r"(\d+) tests, (\d+) passed, (\d+) skipped, (\d+) failed", done.stdout)
    self.assertIsNotNone(counts, done.stdout)
    failures = re.findall(r"^ +× \d+: (.*)$", done.stdout.partition("\nFailures:")[2], re.M)
    self.assertEqual((failures, int(counts[4])), (failing, len(failing)), done.stdout)
    self.assertGreater(int(counts[2]), 140, done.stdout)
    print(counts[0])

  def test_plain(self):
    # This socket speaks HTTP/1.1 too: what is no preface is a request of that, and is answered in it, which
    # h2spec cannot read.
    self.run_all("http", "--strict", failing=["Sends invalid connection preface"])

  def test_no_preface(self):
    with socket.create_connection(("127.0.0.1", int(self.port("http"))), timeout=60) as peer:
      peer.sendall(b"INVALID CONNECTION PREFACE\r\n\r\n")
      answer = b""
      while piece := peer.recv(65536): answer += piece
    self.assertRegex(answer, rb"^HTTP/1\.1 (400|505) ")

  def test_over_tls(self):
    self.run_all("https", "--strict", "--tls", "--insecure", failing=[])


if __name__ == "__main__":
  unittest.main()
