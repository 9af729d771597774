"""A page with a hundred pictures over HTTP/2 in a real browser: `make test-browser`."""
import pathlib
import re
import signal
import struct
import subprocess
import tempfile
import time
import unittest
import zlib

from chromium import PROJECT, Chromium

SERVER = PROJECT / ".build/release/server"
APP = PROJECT / ".build/apps/hello_world_app.so"
PICTURES = 100


def picture(number: int) -> bytes:
  """A PNG as wide as its number, and a few KiB long, so that several take their turns."""
  def chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
  rows = b"".join(b"\0" + bytes((7 * number * row + place) % 251 for place in range(number))
                  for row in range(40))
  head = struct.pack(">IIBBBBB", number, 40, 8, 0, 0, 0, 0)
  return (b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"tEXt", b"Comment\0" + b"x" * 8192)
          + chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b""))


class HTTP2Test(unittest.TestCase):
  def setUp(self):
    folder = tempfile.TemporaryDirectory(prefix="pictures-")
    self.addCleanup(folder.cleanup)
    self.place = pathlib.Path(folder.name)
    subprocess.run(
      ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days",
       "2", "-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost", "-keyout",
       self.place / "a.key", "-out", self.place / "a.pem"],
      check=True, capture_output=True, timeout=60)
    pages = self.place / "pages"
    pages.mkdir()
    for number in range(1, PICTURES + 1): (pages / f"{number}.png").write_bytes(picture(number))
    images = "".join(f'<img src="{number}.png" alt="">' for number in range(1, PICTURES + 1))
    (pages / "page.html").write_text(f"<!doctype html><title>Pictures</title>{images}")
    log = open(self.place / "log", "w")
    self.addCleanup(log.close)
    self.server = subprocess.Popen(
      [SERVER, "--app", APP, "--no-master", "--static-map", f"/pages={pages}",
       "--https-socket", f"127.0.0.1:0,{self.place}/a.pem,{self.place}/a.key"], stdout=log, stderr=log)
    self.addCleanup(self.stop)
    self.port = self.wait(r"https socket 127\.0\.0\.1:(\d+) ready")

  def wait(self, pattern: str) -> str:
    """The first group of a line of the log, once it is there."""
    end = time.monotonic() + 60
    while time.monotonic() < end and self.server.poll() is None:
      if found := re.search(pattern, (self.place / "log").read_text()): return found[1]
      time.sleep(0.02)
    raise AssertionError(f"no {pattern} in:\n{(self.place / 'log').read_text()}")

  def stop(self):
    if self.server.poll() is None: self.server.send_signal(signal.SIGTERM)
    try:
      self.server.wait(30)
    except subprocess.TimeoutExpired:
      self.server.kill()
      self.server.wait()

  def test_a_hundred_pictures_come_over_one_connection(self):
    with Chromium() as browser:
      # The certificate is its own authority.
      browser.ask("Security.setIgnoreCertificateErrors", ignore=True)
      browser.open(f"https://localhost:{self.port}/pages/page.html")
      browser.wait("[...document.images].every(image => image.complete)")
      widths = browser.run("[...document.images].map(image => image.naturalWidth)")
      self.assertEqual(widths, list(range(1, PICTURES + 1)))
      self.assertEqual(browser.complaints(), [])
      answers = [event["params"]["response"] for event in browser.events
                 if event.get("method") == "Network.responseReceived"]
      pictures = [answer for answer in answers if answer["url"].endswith(".png")]
      self.assertEqual(len(pictures), PICTURES)
      self.assertEqual({answer["protocol"] for answer in pictures}, {"h2"})
      self.assertEqual(len({answer["connectionId"] for answer in pictures}), 1)


if __name__ == "__main__":
  unittest.main()
