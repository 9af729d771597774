"""What an application that crashes costs, and how soon killed workers are back; run by `make bench-crashes`.

A client asks at a fixed pace, a connection for each request, whether answers come or not. First every
hundredth request crashes its worker; then the same load without those. The ratio of the answers says what the
crashes took from the other requests. In a storm a random worker is killed five times a second under a third
of the load; what counts is the time from the last kill until every place has a worker again.
"""
import argparse
from dataclasses import dataclass, field
import json
import os
from pathlib import Path
import random
import selectors
import shlex
import signal
import socket
import statistics
import subprocess
import tempfile
import threading
import time

from servers import APPS, SERVER

APP = APPS / "misbehaving.so"
PATIENCE = 5.0  # seconds that a client waits for its answer


@dataclass
class Account:
  """What became of the requests that should be answered."""
  asked: int = 0
  answered: int = 0
  lost: int = 0
  late: int = 0  # sent more than 0.1 s behind the pace: the client had no time


class Client:
  """An open loop: each request has its time, however the ones before it fare."""

  def __init__(self, address: tuple[str, int]):
    self.address = address
    self.account = Account()
    self._selector = selectors.DefaultSelector()
    self._open: dict[socket.socket, tuple[float, bytearray, bool]] = {}

  def run(self, rate: float, seconds: float, crash_every: int, leaves_out: bool):
    """Asks for so long; of each `crash_every` requests one crashes its worker, or is left out."""
    began = time.monotonic()
    for index in range(int(rate * seconds)):
      due = began + index / rate
      while (now := time.monotonic()) < due:
        self._take(due - now)
      crashes = crash_every > 0 and index % crash_every == crash_every - 1
      if not (crashes and leaves_out):
        self.account.late += now > due + 0.1
        self._ask(crashes)
      self._take(0)
    end = time.monotonic() + PATIENCE
    while self._open and time.monotonic() < end:
      self._take(0.05)
    for connection in list(self._open):
      self._close(connection, False)

  def _ask(self, crashes: bool):
    connection = socket.socket()
    connection.setblocking(False)
    connection.connect_ex(self.address)
    self._open[connection] = (time.monotonic(), bytearray(), crashes)
    self.account.asked += not crashes
    self._selector.register(connection, selectors.EVENT_WRITE)

  def _take(self, seconds: float):
    for key, events in self._selector.select(max(0, seconds)):
      connection = key.fileobj
      _, answer, crashes = self._open[connection]
      try:
        if events & selectors.EVENT_WRITE:
          path = b"/crash" if crashes else b"/"
          connection.send(b"GET " + path + b" HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n")
          self._selector.modify(connection, selectors.EVENT_READ)
        elif piece := connection.recv(4096):
          answer += piece
        else:
          self._close(connection, answer.startswith(b"HTTP/1.1 200 ") and answer.endswith(b"well behaved\n"))
      except OSError:
        self._close(connection, False)

  def _close(self, connection: socket.socket, is_answered: bool):
    crashes = self._open.pop(connection)[2]
    self._selector.unregister(connection)
    connection.close()
    if not crashes:
      self.account.answered += is_answered
      self.account.lost += not is_answered


class Server:
  """The server with its workers on both CPUs, and its control socket; a context manager."""

  def __init__(self, workers: int, io: str):
    self.workers = workers
    self._directory = tempfile.TemporaryDirectory(prefix="bench-")
    self._control = Path(self._directory.name) / "ctl"
    command = (f"{SERVER} -L -p {workers} --app {APP} --http-socket 127.0.0.1:0 --listen 4096 --io {io} "
               f"--control-socket {self._control}")
    self._process = subprocess.Popen(shlex.split(command), stderr=subprocess.PIPE, text=True)
    while len(words := self._process.stderr.readline().split()) != 5 or words[4] != "ready":
      if self._process.poll() is not None:
        raise SystemExit(f"the server does not start: {command}")
    host, port = words[3].rsplit(":", 1)
    self.address = (host, int(port))
    # Crashes have much to say; nobody may have to wait for its reader.
    threading.Thread(target=self._process.stderr.read, daemon=True).start()

  def __enter__(self) -> "Server":
    return self

  def status(self) -> dict:
    """What `server ctl status` shows."""
    with socket.socket(socket.AF_UNIX) as connection:
      connection.connect(str(self._control))
      connection.sendall(b"json status\n")
      answer = b""
      while piece := connection.recv(65536):
        answer += piece
    return json.loads(answer.splitlines()[-1])["answer"]

  def serving(self) -> list[dict]:
    """The workers that serve."""
    return [worker for worker in self.status()["workers"] if worker["state"] == "serving"]

  def is_whole(self, without: int) -> bool:
    """Every place has a worker that serves, and a killed one is known to be gone."""
    serving = self.serving()
    is_gone = all(worker["pid"] != without for worker in serving)
    return is_gone and len({worker["place"] for worker in serving}) == self.workers

  def __exit__(self, *_):
    self._process.send_signal(signal.SIGTERM)
    self._process.wait()
    self._directory.cleanup()


@dataclass
class Looks:
  """How many workers serve, ten times a second."""
  counts: list[int] = field(default_factory=list)
  is_over: bool = False

  def watch(self, server: Server):
    """Until it is over."""
    while not self.is_over:
      self.counts.append(len(server.serving()))
      time.sleep(0.1)


def loaded(server: Server, options: argparse.Namespace, leaves_out: bool) -> tuple[Account, Looks]:
  """One run of the client, with the looks meanwhile."""
  client, looks = Client(server.address), Looks()
  watcher = threading.Thread(target=looks.watch, args=(server,))
  watcher.start()
  client.run(options.rate, options.seconds, options.every, leaves_out)
  looks.is_over = True
  watcher.join()
  return client.account, looks


def crashes(options: argparse.Namespace) -> list[str]:
  """The table of crashes: a row a round."""
  rows, ratios = [], []
  for _ in range(options.rounds):
    with Server(options.workers, options.io) as server:
      with_crashes, looks = loaded(server, options, leaves_out=False)
      respawns = server.status()["respawns"]
    with Server(options.workers, options.io) as server:
      without, _ = loaded(server, options, leaves_out=True)
    ratios.append(with_crashes.answered / max(1, without.answered))
    nobody = sum(count == 0 for count in looks.counts)
    late = with_crashes.late + without.late
    rows.append(f"| {respawns:,} | {with_crashes.answered:,} | {with_crashes.lost:,} "
                f"| {without.answered:,} | {without.lost:,} | {ratios[-1]:.3f} "
                f"| {nobody} of {len(looks.counts)} | {late:,} |")
  return rows + [f"\nMedian ratio: {statistics.median(ratios):.3f} (aim: 0.9 or more)"]


def storm(options: argparse.Namespace) -> float:
  """Seconds from the last kill to full strength."""
  with Server(options.workers, options.io) as server:
    client = Client(server.address)
    thread = threading.Thread(target=client.run, args=(options.rate / 3, options.storm + 3, 0, False))
    thread.start()
    end = time.monotonic() + options.storm
    while True:
      victim = 0
      if serving := server.serving():
        victim = random.choice(serving)["pid"]
        os.kill(victim, signal.SIGKILL)
      last = time.monotonic()
      if last >= end:
        break
      time.sleep(0.2)
    while not server.is_whole(victim):
      time.sleep(0.005)
    result = time.monotonic() - last
    thread.join()
  return result


def main() -> None:
  """Prints both tables."""
  parser = argparse.ArgumentParser(description=__doc__)
  parser.add_argument("--rounds", type=int, default=5)
  parser.add_argument("--seconds", type=float, default=20, help="of load in each half of a round")
  parser.add_argument("--rate", type=float, default=1500, help="requests a second")
  parser.add_argument("--every", type=int, default=100, help="requests of which one crashes")
  parser.add_argument("--workers", type=int, default=2)
  parser.add_argument("--storms", type=int, default=5)
  parser.add_argument("--storm", type=float, default=10, help="seconds of killing, five times a second")
  parser.add_argument("--io", default="auto", help="epoll, io_uring or auto")
  options = parser.parse_args()
  print("| crashes | answered | lost | answered without crashes | lost | ratio "
        "| looks without a worker | late |")
  print("|--:|--:|--:|--:|--:|--:|--:|--:|")
  print("\n".join(crashes(options)), flush=True)
  times = sorted(storm(options) * 1000 for _ in range(options.storms))
  print(f"Full strength after a storm of kills: {statistics.median(times):.0f} ms (median), "
        f"{times[-1]:.0f} ms (most) of {len(times)}")


if __name__ == "__main__":
  main()
