"""What a bystander notices of floods: the latency of requests at a fixed pace (openload, plain HTTP/1.1)
while a client does to the same worker what costs a server more than its client. Part of
`make bench-front-door`.

A flood goes as fast as its sender gets; when the server ends its connection, it begins anew. Server on CPU 0,
bystander on CPU 1; the sender is on CPU 2, if there is one, and behind the bystander on CPU 1 otherwise. So
there are two rows to compare with: no flood, and one that goes to somebody else.
"""
from dataclasses import dataclass
import json
import os
import socket
import struct
import subprocess
import sys
import time
from statistics import median

import machine
from running import Running, ServerError, free_port
from servers import APPS, BIN, SERVER, Spec

RATE, CONNECTIONS, WARMUP = 2000, 32, 0.5
# Far more than any limit: the server has to end it.
MANY = 5000

DATA, HEADERS, PRIORITY, RESET, SETTINGS, PING, WINDOW, CONTINUATION, UNKNOWN = 0, 1, 2, 3, 4, 6, 8, 9, 99
END_STREAM, END_HEADERS = 1, 4
# The method, http, `/`, and an authority of one letter (RFC 7541 appendix A).
GET, POST = b"\x82\x86\x84\x41\x01x", b"\x83\x86\x84\x41\x01x"
LARGE = b"\x82\x86\x04\x05/100k\x41\x01x"
# A field of 3,000 bytes that goes to the dynamic table, and ten thousand times its place there.
BOMB = GET + b"\x40\x01a\x7f\xb9\x16" + b"x" * 3000 + b"\xbe" * 10000


def frame(kind: int, flags: int, stream: int, payload: bytes = b"") -> bytes:
  """A frame (RFC 9113 §4.1)."""
  return len(payload).to_bytes(3, "big") + bytes([kind, flags]) + stream.to_bytes(4, "big") + payload


def number(value: int) -> bytes:
  """Four bytes, the highest first."""
  return value.to_bytes(4, "big")


def greeting(window: int = 65535) -> bytes:
  """What a client says first, with the window of its streams."""
  return b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + frame(SETTINGS, 0, 0, b"\x00\x04" + number(window))


def streams(*parts: tuple[int, int, bytes], count: int = MANY) -> bytes:
  """These frames on so many streams, one after the other."""
  return b"".join(frame(kind, flags, id, payload) for id in range(1, 2 * count, 2)
                  for kind, flags, payload in parts)


WHOLE = END_STREAM | END_HEADERS
# What a connection says, by the name of the flood.
FLOODS = {
  "resets": lambda: streams((HEADERS, WHOLE, GET), (RESET, 0, number(8))),
  "faulty streams": lambda: streams((HEADERS, END_HEADERS, POST), (WINDOW, 0, number(0))),
  "PING": lambda: frame(PING, 0, 0, b"12345678") * MANY,
  "SETTINGS": lambda: frame(SETTINGS, 0, 0) * MANY,
  "empty DATA": lambda: frame(HEADERS, END_HEADERS, 1, POST) + frame(DATA, 0, 1) * MANY,
  "PRIORITY": lambda: frame(PRIORITY, 0, 1, bytes(5)) * MANY,
  "WINDOW_UPDATE": lambda: frame(WINDOW, 0, 0, number(1)) * MANY,
  "unknown frames": lambda: frame(UNKNOWN, 0, 0) * MANY,
  "CONTINUATION": lambda: frame(HEADERS, END_STREAM, 1, GET) + frame(CONTINUATION, 0, 1) * MANY,
  "entries of SETTINGS": lambda: frame(SETTINGS, 0, 0, (b"\x00\x09" + number(1)) * 1000),
  "fields out of the table": lambda: frame(HEADERS, WHOLE, 1, BOMB),
  "greetings": lambda: b"",
}
# These say nothing more, and keep their connections.
HELD = "windows that stay shut"
HANDSHAKES = "TLS handshakes"
NONE, ELSEWHERE = "none", "PING, to somebody else"


# MARK: The sender, a process of its own


def connect(port: int) -> socket.socket:
  """A connection that leaves nothing behind when it is closed."""
  connection = socket.create_connection(("127.0.0.1", port), 5)
  connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
  return connection


def is_over(connection: socket.socket, patience: float) -> bool:
  """Takes what comes, waiting so many seconds for more; whether the server has ended its side."""
  connection.settimeout(patience)
  try:
    while connection.recv(65536):
      pass
    return True
  except (BlockingIOError, TimeoutError):
    return False
  except OSError:
    return True


def flood(port: int, said: bytes, patience: float) -> bool:
  """One connection that says all this, as far as it gets; whether the server has ended it."""
  with connect(port) as connection:
    for start in range(0, len(said), 16384):
      try:
        connection.settimeout(5)
        connection.sendall(said[start:start + 16384])
      except OSError:
        return True
      if is_over(connection, 0):
        return True
    return is_over(connection, patience)


def send(name: str, port: int, seconds: float) -> dict:
  """Floods for so long; how many connections it took, and how many of these the server has ended."""
  end, count, ended = time.monotonic() + seconds, 0, 0
  if name == HELD:
    held = [connect(port) for _ in range(8)]
    said = greeting(0) + streams((HEADERS, WHOLE, LARGE), count=100)
    for connection in held:
      connection.sendall(said)
    while time.monotonic() < end:
      time.sleep(0.01)
    return {"connections": len(held), "ended": sum(is_over(connection, 0) for connection in held)}
  said = greeting() + FLOODS["PING" if name == ELSEWHERE else name]()
  patience = 0.0 if name == "greetings" else 1.0
  while time.monotonic() < end:
    try:
      ended += flood(port, said, patience)
    except OSError as error:
      return {"connections": count, "ended": ended, "error": str(error)}
    count += 1
  return {"connections": count, "ended": ended}


def sink(port: int):
  """Somebody else: ends each connection after as much as this server takes of a flood."""
  with socket.create_server(("127.0.0.1", port), backlog=64) as listener:
    while True:
      connection, _ = listener.accept()
      with connection:
        left = 17000
        try:
          while left > 0 and (piece := connection.recv(left)):
            left -= len(piece)
        except OSError:
          pass


# MARK: The measurement


@dataclass(frozen=True)
class Step:
  """What one flood did."""
  report: dict  # of the bystander
  sent: dict  # of the sender


class Sender:
  """A flood that goes on in the background; a context manager."""

  def __init__(self, name: str, running: Running, https: int, seconds: float):
    self.name, self.processes, self.report = name, [], {}
    cpu = "2" if (os.cpu_count() or 1) > 2 else machine.CPU_LOAD
    self.prefix = ["taskset", "-c", cpu, "nice", "-n", "19"]
    port, self.words = int(running.address.rsplit(":", 1)[1]), []
    if name == HANDSHAKES:
      self.words = ["wrk", "-t1", "-c16", f"-d{seconds:.0f}s", "-H", "Connection: close",
                    f"https://127.0.0.1:{https}/"]
    elif name != NONE:
      if name == ELSEWHERE:
        port = free_port()
        self._start(sys.executable, __file__, "sink", str(port))
      self.words = [sys.executable, __file__, "send", str(port), f"{seconds:g}", name]

  def _start(self, *words: str) -> subprocess.Popen:
    self.processes.append(subprocess.Popen([*self.prefix, *words], stdout=subprocess.PIPE, text=True))
    return self.processes[-1]

  def __enter__(self) -> "Sender":
    if self.name == ELSEWHERE:
      time.sleep(0.3)  # until it listens
    if self.words:
      self._start(*self.words)
    return self

  def __exit__(self, kind, *_):
    if self.words and kind is None:
      output = self.processes[-1].communicate()[0]
      self.report = json.loads(output) if output.startswith("{") else {}
    for process in self.processes:
      process.kill()
      process.communicate()


def bystander(running: Running, seconds: float) -> dict:
  """Its report."""
  command = ["taskset", "-c", machine.CPU_LOAD, str(BIN / "openload"), "-a", running.address, "-r", str(RATE),
             "-c", str(CONNECTIONS), "-d", f"{seconds:g}", "-w", f"{WARMUP:g}"]
  found = subprocess.run(command, capture_output=True, text=True, check=False)
  lines = found.stdout.splitlines()
  if not lines or not lines[-1].startswith("{"):
    raise ServerError(found.stderr.strip() or "the load generator failed")
  return json.loads(lines[-1])


def step(name: str, certificate: str, key: str, seconds: float) -> Step:
  """One flood, to a server of its own."""
  https = free_port()
  command = (f"{SERVER} --app {APPS}/bench_app.so -L --listen 4096 --http-socket {{address}} "
             f"--https-socket 127.0.0.1:{https},{certificate},{key}")
  with Running(Spec("nsgi", "nsgi-server", {"http": command}), "http", "tcp") as running:
    with Sender(name, running, https, seconds + WARMUP + 0.5) as sender:
      report = bystander(running, seconds)
    return Step(report, sender.report)


def table(rounds: int, seconds: float, certificate: str, key: str) -> list[str]:
  """A row for each flood."""
  names = [NONE, ELSEWHERE, *FLOODS, HELD, HANDSHAKES]
  steps: dict[str, list[Step]] = {name: [] for name in names}
  failed: dict[str, str] = {}
  for count in range(rounds):
    turn = count % len(names)
    for name in names[turn:] + names[:turn]:
      if name in failed:
        continue
      try:
        steps[name].append(step(name, certificate, key, seconds))
      except (ServerError, OSError, ValueError) as error:
        failed[name] = str(error)
  lines = ["| flood | bystander's p50 µs | p99 µs (least–most) | less that of a flood elsewhere, ms "
           "| p999 µs | errors | connections a second | ended by the server |",
           "|---|--:|--:|--:|--:|--:|--:|--:|"]

  def value(name: str, what: str) -> float:
    return median(one.report[what] for one in steps[name])

  for name in (name for name in names if steps[name]):
    p99 = sorted(one.report["p99_us"] for one in steps[name])
    more = ""
    if name not in (NONE, ELSEWHERE) and steps[ELSEWHERE]:
      more = f"{(median(p99) - value(ELSEWHERE, 'p99_us')) / 1e3:+.2f}"
    errors = sum(one.report[what] for one in steps[name] for what in ("errors", "timeouts", "unanswered"))
    count = sum(one.sent.get("connections", 0) for one in steps[name])
    ended = sum(one.sent.get("ended", 0) for one in steps[name])
    share = f"{ended / count:.0%}" if count and name not in (ELSEWHERE, "greetings") else ""
    pace = f"{count / (len(steps[name]) * (seconds + WARMUP + 0.5)):,.0f}" if count else ""
    spread = f"{median(p99):,.0f} ({p99[0]:,.0f}–{p99[-1]:,.0f})"
    lines.append(f"| {name} | {value(name, 'p50_us'):,.0f} | {spread} | {more} "
                 f"| {value(name, 'p999_us'):,.0f} | {errors} | {pace} | {share} |")
  lines += ["", f"{RATE:,} requests a second over {CONNECTIONS} connections, beside each flood."]
  if failed:
    lines += ["", f"Not measured: {'; '.join(f'{name} ({why})' for name, why in failed.items())}."]
  return lines


if __name__ == "__main__":
  if sys.argv[1] == "sink":
    sink(int(sys.argv[2]))
  else:
    print(json.dumps(send(sys.argv[4], int(sys.argv[2]), float(sys.argv[3]))))
