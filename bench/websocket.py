#!/usr/bin/env python3
"""What WebSockets cost: CPU time of an echo, memory of idle sockets, and one message for ten thousand.

One process each on CPU 0, the generator (wsload) on CPU 1, no compression. Bare C (limit_ws) is the limit: it
is measured just before and just after each step, and a ratio is to the mean of the two. Rounds are
interleaved, each has every server once, and bare C itself (A/A): how far that is from 1 is what a ratio may
be off. Prints Markdown tables; run by `make bench-websocket`.
"""
import argparse
from dataclasses import dataclass
import json
import os
import resource
from statistics import median
import subprocess
import time

import machine
import paired
import peers
from report import spread
from running import Running, ServerError
from servers import BIN, SERVER, SPECS, Spec, nsgi, wsgi

# While sockets are opened and held, nobody is pinged.
QUIET = "--websocket-ping 3600"
MODULE = "asgi_socket"


def bare(name: str, more: str = "") -> Spec:
  """The reference."""
  return Spec(name, "bare C, epoll", {"http": "{bin}/limit_ws {reference_address}" + more},
              needs=("{bin}/limit_ws",), families=("tcp",))


def peer(name: str, title: str) -> Spec:
  """A library of PyPI with a program of ours."""
  return Spec(**peers.wsgi(name, title, f"{{here}}/peers/ws_{name}.py {{port}}"))


def room(name: str, title: str, more: str = "") -> Spec:
  """This server with bench/room.c."""
  command = f"{SERVER} --app {{bin}}/room.so -L --listen 4096 {QUIET} {more} --http-socket {{address}}"
  return Spec(name, title, {"http": command}, needs=(str(SERVER), "{bin}/room.so"), families=("tcp",))


ECHO = bare("limit_ws")
ECHOES = [
  nsgi("nsgi-ws", "nsgi-server, C app", "ws_echo.so", more=QUIET),
  nsgi("nsgi-ws-epoll", "nsgi-server, C app, on epoll", "ws_echo.so", more=f"{QUIET} --io epoll"),
  wsgi("nsgi-asgi", "nsgi-server, ASGI"),
  peer("picows", "picows, uvloop"),
  peer("socketify", "uWebSockets, handler in Python (socketify)"),
  peer("websockets", "websockets, uvloop"),
  SPECS["uvicorn"],
  SPECS["granian-asgi"],
]
BROADCAST = bare("limit_ws_broadcast", " broadcast")
ROOMS = [room("nsgi-room", "nsgi-server, C app"), room("nsgi-room-epoll", "nsgi-server, C app, on epoll",
                                                       "--io epoll")]


@dataclass(frozen=True)
class Work:
  """What the generator does in a step."""
  connections: int
  size: int
  is_broadcast: bool = False

  def command(self, running: Running, *more: str) -> list[str]:
    """The generator's."""
    words = ["taskset", "-c", machine.CPU_LOAD, str(BIN / "wsload"), "-a", running.address]
    words += ["-c", str(self.connections), "-b", str(self.size), *(["-x"] if self.is_broadcast else [])]
    return words + list(more)


def start(spec: Spec) -> Running:
  """A server that is to be entered, and then asked with `answer`."""
  return Running(spec, "http", "tcp", MODULE)


def answer(running: Running):
  """Waits for one echo: a server that listens may still be loading its application."""
  command = Work(1, 16).command(running, "-d", "0.05", "-t", "20")
  if subprocess.run(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, check=False).returncode:
    raise ServerError("does not answer a WebSocket")


def load(running: Running, work: Work, seconds: float) -> dict:
  """Loads a server; the generator's report with `us`, CPU microseconds for a message or a broadcast."""
  command = work.command(running, "-d", f"{seconds:g}", "-w", "0.3")
  with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
    if process.stdout.readline().strip() != "begin":
      raise ServerError(process.stderr.read().strip() or "the load generator has failed")
    pids = running.pids()
    meter, cpu, began = machine.NoiseMeter(), machine.cpu_seconds(pids), time.monotonic()
    line = process.stdout.readline()
    used, elapsed = machine.cpu_seconds(pids) - cpu, time.monotonic() - began
  step = json.loads(line or '{"rounds": 0, "errors": 1}')
  if not step["rounds"] or step["errors"]:
    raise ServerError(f"{step['errors']} errors, {step['rounds']} complete rounds")
  step["us"] = used / step["rounds"] * 1e6
  step["foreign"] = meter.result(elapsed, used + step["load_cpu"] * step["seconds"]).foreign
  return step


def idle(spec: Spec, sockets: int) -> float:
  """Bytes of memory (PSS) for each open WebSocket that has had one echo."""
  with start(spec) as running:
    answer(running)
    empty, _ = machine.memory_kib(running.pids())
    command = Work(sockets, 16).command(running, "-i", "600")
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
      try:
        words = process.stdout.readline().split()
        held = int(words[1].split("=")[1]) if words else 0
        full, _ = machine.memory_kib(running.pids())
      finally:
        process.kill()
    if held < sockets:
      raise ServerError(f"holds {held} of {sockets} sockets")
    return (full - empty) * 1024 / held


class Bench:
  """The servers that are here, and why the others are missing."""

  def __init__(self, options: argparse.Namespace):
    self.options = options
    self.missing: dict[str, str] = {}
    self.noise: list[float] = []

  def present(self, specs: list[Spec]) -> list[Spec]:
    """Those of the command line for which nothing lacks."""
    return paired.present(specs, self.options.servers, self.missing)

  def rounds(self, reference: Spec, specs: list[Spec], work: Work) -> dict[str, list[dict]]:
    """The steps of each server, by its title."""
    def loaded(running: Running, spec: Spec | None) -> dict:
      if spec:
        answer(running)
      return load(running, work, self.options.seconds)

    found = paired.rounds(self.options.rounds, reference, self.present(specs), start, loaded, self.missing)
    self.noise += [step["foreign"] for steps in found.values() for step in steps]
    return found

  def echo(self) -> list[str]:
    """The table of echoes."""
    work = Work(self.options.connections, self.options.bytes)
    lines = [f"Echoes of {work.size} bytes over {work.connections} connections:", "",
             "| server | CPU µs/message | ratio to bare C (quartiles) | messages/s | p50 µs | p99 µs |",
             "|---|--:|--:|--:|--:|--:|"]
    for title, steps in self.rounds(ECHO, ECHOES, work).items():
      of = {key: median(step[key] for step in steps) for key in ("us", "mps", "p50_us", "p99_us")}
      lines.append(f"| {title} | {of['us']:.2f} | {spread([step['ratio'] for step in steps])} "
                   f"| {of['mps']:,.0f} | {of['p50_us']:,.0f} | {of['p99_us']:,.0f} |")
    return lines

  def memory(self) -> list[str]:
    """The table of idle sockets: once each."""
    lines = [f"| {self.options.sockets:,} idle WebSockets | bytes each (PSS) |", "|---|--:|"]
    for spec in [ECHO, *self.present(ECHOES)]:
      try:
        lines.append(f"| {spec.title} | {idle(spec, self.options.sockets):,.0f} |")
      except ServerError as error:
        self.missing[f"{spec.title}, idle"] = str(error)
    return lines

  def broadcast(self) -> list[str]:
    """The table of one message for everybody."""
    work = Work(self.options.sockets, 100, is_broadcast=True)
    lines = [f"| one message of {work.size} bytes for {work.connections:,} sockets | CPU ms/broadcast "
             "| µs/socket | ratio to bare sends (quartiles) |", "|---|--:|--:|--:|"]
    for title, steps in self.rounds(BROADCAST, ROOMS, work).items():
      us = median(step["us"] for step in steps)
      lines.append(f"| {title} | {us / 1e3:.2f} | {us / work.connections:.2f} "
                   f"| {spread([step['ratio'] for step in steps])} |")
    return lines

  def go(self):
    """The tables that are asked for, as they come."""
    print(f"{machine.describe()}; {self.options.rounds} rounds of {self.options.seconds:g} s.\n", flush=True)
    for name in self.options.only:
      print("\n".join(getattr(self, name)()) + "\n", flush=True)
    if self.noise:
      print(f"CPU taken by others: median {median(self.noise):.1%} of one, at most {max(self.noise):.1%}.")
    if self.missing:
      print(f"Not measured: {'; '.join(f'{name} ({why})' for name, why in self.missing.items())}.")


def main():
  """Prints the tables."""
  parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
  add, tables = parser.add_argument, ["echo", "memory", "broadcast"]
  add("--rounds", type=int, default=7, help="(default: 7)")
  add("--seconds", type=float, default=1, help="of load in each step (default: 1)")
  add("--only", nargs="+", choices=tables, default=tables, help="(default: all)")
  add("--servers", nargs="+", default=[], metavar="NAME", help="these, beside bare C; not all that are here")
  add("--connections", type=int, default=64, help="of the echo (default: 64)")
  add("--bytes", type=int, default=16, help="of the echo, at most 125 (default: 16)")
  add("--sockets", type=int, default=10000, help="that idle, or hear a broadcast (default: 10000)")
  options = parser.parse_args()
  if not 0 <= options.bytes <= 125:
    parser.error("bare C echoes at most 125 bytes")
  if not (BIN / "limit_ws").exists():
    raise SystemExit("websocket.py: bench/build.sh has left limit_ws out: install libssl-dev")
  # A server's descriptors too: it inherits the limit.
  most = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
  resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
  os.sched_setaffinity(0, {int(machine.CPU_LOAD)})
  for text in machine.warnings():
    print(f"bench: {text}")
  Bench(options).go()


if __name__ == "__main__":
  main()
