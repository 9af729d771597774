#!/usr/bin/env python3
"""What open streams of server-sent events cost: CPU time and memory of this server, uvicorn and granian.

Each server runs peers/asgi_events.py in one process on CPU 0 and sends one event a second to each of so many
streams; this program reads them on CPU 1. Rounds are interleaved: each has every server once. Prints a
Markdown table; run by `make bench-asgi`.
"""
import argparse
import os
import resource
import selectors
import socket
from statistics import median
import time

import machine
from report import spread
from running import Running, ServerError
from servers import SPECS

SERVERS = ("nsgi-python", "uvicorn", "granian-asgi")
REQUEST = b"GET /events HTTP/1.1\r\nHost: localhost\r\nAccept: text/event-stream\r\n\r\n"
EVENT = b"data: tick"
# Seconds in which all streams have to begin.
PATIENCE = 60


class Streams:
  """So many streams, read by this thread; a context manager."""

  def __init__(self, running: Running, count: int):
    self.running, self.count, self.events = running, count, 0
    self.selector = selectors.DefaultSelector()
    self.sockets: list[socket.socket] = []

  def __enter__(self) -> "Streams":
    for _ in range(self.count):
      connection = self.running.connect()
      self.sockets.append(connection)
      connection.sendall(REQUEST)
      connection.setblocking(False)
      self.selector.register(connection, selectors.EVENT_READ)
    return self

  def read(self, seconds: float, until: int | None = None):
    """Counts the events that come in this time, or until there are so many."""
    end = time.monotonic() + seconds
    while (left := end - time.monotonic()) > 0 and (until is None or self.events < until):
      for key, _ in self.selector.select(left):
        data = key.fileobj.recv(65536)
        if not data:
          raise ServerError("a stream has ended")
        self.events += data.count(EVENT)

  def __exit__(self, *_):
    self.selector.close()
    for connection in self.sockets:
      connection.close()


def measure(name: str, streams: int, seconds: float) -> dict[str, float]:
  """One server once: microseconds of CPU for an event, and KiB for a stream."""
  with Running(SPECS[name], "http", "tcp", "asgi_events") as running:
    # Whatever is made for a first request is not a stream's.
    with Streams(running, 1) as first:
      first.read(PATIENCE, until=1)
    empty, _ = machine.memory_kib(running.pids())
    with Streams(running, streams) as open_ones:
      open_ones.read(PATIENCE, until=2 * streams)
      pids, events, cpu = running.pids(), open_ones.events, machine.cpu_seconds(running.pids())
      open_ones.read(seconds)
      cpu, events = machine.cpu_seconds(pids) - cpu, open_ones.events - events
      full, _ = machine.memory_kib(pids)
    if events < 0.8 * streams * seconds:
      raise ServerError(f"{events} events in {seconds:g} s to {streams} streams")
    return {"us": cpu / events * 1e6, "kib": (full - empty) / streams}


def rows(options: argparse.Namespace) -> list[str]:
  """The table, each server with its ratio to the better of the others."""
  found: dict[str, list[dict[str, float]]] = {name: [] for name in SERVERS}
  for number in range(options.rounds):
    turn = number % len(SERVERS)
    for name in SERVERS[turn:] + SERVERS[:turn]:
      lacks = SPECS[name].lacks()
      if lacks:
        continue
      try:
        found[name].append(measure(name, options.streams, options.seconds))
      except ServerError as error:
        print(f"{SPECS[name].title}: {error}", flush=True)
  lines = ["| server | CPU for an event, µs | memory of a stream, KiB | CPU to the better peer "
           "| memory to the better peer |", "|--|--:|--:|--:|--:|"]
  peers = [steps for name, steps in found.items() if name != SERVERS[0] and steps]
  for name, steps in found.items():
    if not steps:
      lines.append(f"| {SPECS[name].title} | not measured ||||")
      continue
    cells = [SPECS[name].title]
    cells += [spread([step[kind] for step in steps]) for kind in ("us", "kib")]
    for kind in ("us", "kib"):
      best = min((median(step[kind] for step in other) for other in peers), default=None)
      cells.append(f"{median(step[kind] for step in steps) / best:.2f}" if best else "–")
    lines.append(f"| {' | '.join(cells)} |")
  return lines


def main() -> None:
  """Prints the table."""
  parser = argparse.ArgumentParser(description=__doc__)
  parser.add_argument("--rounds", type=int, default=5)
  parser.add_argument("--streams", type=int, default=1000)
  parser.add_argument("--seconds", type=float, default=10, help="of reading in each step")
  options = parser.parse_args()
  # A server's descriptors too: it inherits the limit.
  most = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
  resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
  os.sched_setaffinity(0, {int(machine.CPU_LOAD)})
  print(f"{options.streams} streams, one event a second each, {options.rounds} rounds of "
        f"{options.seconds:g} s\n")
  print("\n".join(rows(options)))


if __name__ == "__main__":
  main()
