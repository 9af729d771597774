"""The load generator of `make bench-wsgi`: its arithmetic, and its stopwatch against a stall.

Times are compared only where no clock is in it, or as "at least": a busy machine makes no answer earlier.
"""
import json
import math
import os
from pathlib import Path
import socket
import subprocess
import tempfile
import threading
import time
import unittest

BENCH = Path(__file__).resolve().parents[2] / "bench"
# Buckets are 0.4 % wide and a value is the middle of one; the report has hundredths of a microsecond.
RELATIVE, ABSOLUTE_US = 0.004, 0.01
SHARES = {"p50_us": 0.5, "p90_us": 0.9, "p99_us": 0.99, "p999_us": 0.999}


def build(folder: str) -> str:
  """The generator, in a folder of this test's own: two runs at once do not meet."""
  program = os.path.join(folder, "openload")
  sources = [*sorted(BENCH.glob("openload/*.c")),
             *(BENCH / "load" / f"{name}.c" for name in ("requests", "responses", "histogram", "address"))]
  flags = ["-std=gnu11", "-O2", "-Wall", "-Wextra", "-Werror"]
  subprocess.run([os.environ.get("CC", "cc"), *flags, "-o", program, *sources], check=True, timeout=120)
  return program


def at_share(values: list[float], share: float) -> float:
  """The value that so many of the sorted ones do not exceed."""
  return values[max(math.ceil(share * len(values)), 1) - 1]


def reckoned(rate: float, seconds: float, service_us: float, stall_at_ms: float,
             stall_ms: float) -> list[float]:
  """Latencies in us, from when each request was due, of a server that answers one after the other."""
  stall_at, stall_end, free_at, latencies = stall_at_ms * 1e3, (stall_at_ms + stall_ms) * 1e3, 0.0, []
  for number in range(round(rate * seconds)):
    due = number * 1e6 / rate
    begins = max(due, free_at)
    if stall_at <= begins < stall_end:
      begins = stall_end
    free_at = begins + service_us
    if begins < stall_at < free_at:
      free_at += stall_ms * 1e3
    latencies.append(free_at - due)
  return sorted(latencies)


class Stalling(threading.Thread):
  """Answers 12 bytes, one connection after the other; what `odd` says for a request by its number is done."""

  def __init__(self, odd: dict[int, str]):
    super().__init__(daemon=True)
    self.odd, self.count = odd, 0
    self.listener = socket.create_server(("127.0.0.1", 0))
    self.address = f"127.0.0.1:{self.listener.getsockname()[1]}"

  def run(self):
    while True:
      try:
        connection, _ = self.listener.accept()
      except OSError:
        return
      with connection:
        self.serve(connection)

  def serve(self, connection: socket.socket):
    """Until the client closes, or the odd thing to do is to close."""
    while True:
      try:
        request = connection.recv(4096)
      except ConnectionResetError:
        return
      if not request:
        return
      self.count += 1
      what = self.odd.get(self.count, "")
      if what == "close":
        return
      if what == "stall":
        time.sleep(0.3)
      status, body = ("503 Busy" if what == "status" else "200 OK"), b"Hello World\n"
      head = f"HTTP/1.1 {status}\r\nContent-Length: {len(body)}\r\n\r\n".encode()
      connection.sendall(head + (body[:5] if what == "short" else body))
      if what == "short" or b"Connection: close" in request:
        return


class OpenLoadTest(unittest.TestCase):
  @classmethod
  def setUpClass(cls):
    folder = tempfile.TemporaryDirectory()
    cls.addClassCleanup(folder.cleanup)
    cls.program = build(folder.name)

  def report(self, *words: str, given: str | None = None) -> dict:
    """The last line that the generator prints."""
    done = subprocess.run([self.program, *words], input=given, capture_output=True, text=True, timeout=120)
    self.assertEqual(done.returncode, 0, done.stderr)
    return json.loads(done.stdout.splitlines()[-1])

  def assert_agree(self, report: dict, latencies: list[float]):
    """The report's percentiles are those of the latencies."""
    for name, share in SHARES.items():
      exact = at_share(latencies, share)
      self.assertAlmostEqual(report[name], exact, delta=exact * RELATIVE + ABSOLUTE_US, msg=name)
    self.assertAlmostEqual(report["max_us"], latencies[-1], delta=ABSOLUTE_US)

  def test_percentiles_are_those_of_the_values(self):
    values = [round(1.001 ** number) + number % 7 for number in range(1, 25000)]
    report = self.report("-L", given="\n".join(map(str, values)))
    self.assertEqual(report["count"], len(values))
    self.assert_agree(report, sorted(value / 1e3 for value in values))

  def test_latency_counts_from_the_intended_moment(self):
    # 1 s of stall in 10: a tenth of the requests waits, and p99 is nine tenths of that second.
    for connections in ("1", "64", "2000"):
      with self.subTest(connections=connections):
        report = self.report("-S", "100,5000,1000", "-r", "1000", "-d", "10", "-c", connections)
        self.assert_agree(report, reckoned(1000, 10, 100, 5000, 1000))
        self.assertEqual((report["answered"], report["timeouts"], report["never_sent"]), (10000, 0, 0))
        self.assertGreater(report["p99_us"], 900_000)

  def test_a_closed_loop_would_not_have_seen_it(self):
    report = self.report("-S", "100,5000,1000", "-r", "1000", "-d", "10", "-c", "1")
    # From sending, one request of 10,000 was slow.
    self.assertLess(report["sent_p999_us"], 101)
    self.assertGreater(report["sent_max_us"], 1_000_000)
    self.assertGreater(report["p999_us"], 980_000)

  def test_past_saturation_the_queue_grows_and_counts(self):
    report = self.report("-S", "1000,0,0", "-r", "2000", "-d", "4", "-c", "64")
    self.assert_agree(report, reckoned(2000, 4, 1000, 0, 0))
    self.assertAlmostEqual(report["rps"], 1000, delta=1)

  def test_who_waits_too_long_times_out_and_stays_in_the_percentiles(self):
    report = self.report("-S", "100,5000,3000", "-r", "1000", "-d", "10", "-c", "4", "-t", "1")
    self.assertEqual(report["answered"] + report["timeouts"], 10000)
    # Due in the first two seconds of the three: older than the patience of one second when it ends.
    self.assertAlmostEqual(report["timeouts"], 2000, delta=10)
    self.assertAlmostEqual(report["never_sent"], report["timeouts"] - 4, delta=1)
    self.assertGreaterEqual(report["p90_us"], 990_000)

  def test_requests_of_the_warm_up_do_not_count(self):
    report = self.report("-S", "100,0,500", "-r", "1000", "-w", "1", "-d", "2", "-c", "64")
    self.assertEqual(report["answered"], 2000)
    self.assertAlmostEqual(report["max_us"], 100, delta=ABSOLUTE_US)

  def test_a_stall_of_a_real_server_shows(self):
    server = Stalling({50: "stall"})
    server.start()
    self.addCleanup(server.listener.close)
    words = ["-r", "200", "-d", "1", "-c", "1", "-t", "60", "-g", "60"]
    report = self.report("-a", server.address, *words)
    self.assertEqual((report["answered"], report["errors"], report["timeouts"]), (200, 0, 0))
    self.assertGreaterEqual(report["p999_us"], 298_000)
    # Sixty were due meanwhile: the middle one of them waited for half of it.
    self.assertGreaterEqual(report["p90_us"], 150_000)

  def test_every_kind_of_failure_is_counted(self):
    server = Stalling({10: "status", 20: "short", 30: "close"})
    server.start()
    self.addCleanup(server.listener.close)
    report = self.report("-a", server.address, "-r", "200", "-d", "0.5", "-c", "1", "-t", "60", "-g", "60")
    self.assertEqual((report["e_status"], report["e_length"], report["errors"]), (1, 1, 2))
    # Closed without a byte of an answer: asked again on a new connection.
    self.assertEqual((report["retried"], report["answered"], server.count), (1, 98, 101))

  def test_a_server_that_is_not_there_is_an_error(self):
    with socket.create_server(("127.0.0.1", 0)) as listener:
      address = f"127.0.0.1:{listener.getsockname()[1]}"
    report = self.report("-a", address, "-r", "100", "-d", "0.2", "-c", "4")
    self.assertEqual((report["answered"], report["e_connect"]), (0, 20))

  def test_each_request_gets_a_connection_if_told_so(self):
    server = Stalling({})
    server.start()
    self.addCleanup(server.listener.close)
    words = ["-r", "100", "-d", "0.2", "-c", "1", "-1", "-t", "60", "-g", "60"]
    report = self.report("-a", server.address, *words)
    self.assertEqual((report["opened"], report["answered"], report["kept"]), (20, 20, False))


if __name__ == "__main__":
  unittest.main()
