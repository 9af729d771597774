"""One cell in one round: a server started afresh, asked at rates that rise until it no longer keeps up."""
from collections.abc import Callable
import json
import subprocess
import time

import machine
from running import Running, ServerError
from servers import BIN, REFERENCES
from wsgi.chain import Chain, expected
from wsgi.plan import Cell, rungs

WARMUP, TIMEOUT, GRACE = 0.3, 5, 1  # seconds
# Below this part of the rate a server does not keep up; with more failures than that neither.
KEEPS_UP, FAILURES = 0.97, 0.01
SATURATED_POINTS = 2
# The generator may be the limit: it is busy for more of the time, bare C does not keep up, or it sent late.
BUSY, LATE = 0.9, 0.2

Cpu = Callable[[], tuple[float, float]]


def openload(address: str, cell: Cell, path: str, body: int, rate: float, seconds: float) -> list[str]:
  """The generator's command."""
  command = ["taskset", "-c", machine.CPU_LOAD, str(BIN / "openload"), "-a", address, "-r", f"{rate:g}",
             "-c", str(cell.connections), "-d", f"{seconds:g}", "-w", f"{WARMUP:g}", "-t", f"{TIMEOUT:g}",
             "-g", f"{GRACE:g}", "-u", path, "-b", str(body)]
  return command if cell.is_kept else command + ["-1"]


def run(command: list[str], cpu: Cpu) -> dict:
  """The generator's report, with the CPU microseconds that a reply took, and what others took meanwhile."""
  with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
    if process.stdout.readline().strip() != "begin":
      raise ServerError("the load generator failed")
    meter, before, began = machine.NoiseMeter(), cpu(), time.monotonic()
    process.stdout.readline()
    after, elapsed = cpu(), time.monotonic() - began
    report = json.loads(process.stdout.readline())
  server, front = (b - a for a, b in zip(before, after))
  noise = meter.result(elapsed, server + front + report["load_cpu"] * report["seconds"])
  replies = max(report["replies"], 1)
  report.update(us=server / replies * 1e6, front_us=front / replies * 1e6, cpu=server / elapsed,
                front_cpu=front / elapsed, steal=noise.steal, foreign=noise.foreign)
  return report


def is_saturated(row: dict) -> bool:
  """Whether the server no longer keeps up with the rate."""
  asked = row["rate"] * row["seconds"]
  failures = row["errors"] + row["timeouts"] + row["unanswered"]
  return row["rps"] < KEEPS_UP * row["rate"] or failures > FAILURES * asked


def generator_limits(row: dict, bare: dict) -> str:
  """Why the generator, and not the server, may be what a point shows; empty: it is not."""
  if bare["rps"] < KEEPS_UP * bare["rate"]:
    return "bare C does not keep up"
  if row["load_busy"] > BUSY:
    return "the generator is busy all the time"
  if row["lag_p99_us"] > LATE * row["p99_us"]:
    return "the generator sends late"
  return ""


class References:
  """Bare C at the same rate, connections and way, once a round: what the generator and the kernel take."""

  def __init__(self, seconds: float):
    self.seconds = seconds
    self.known: dict[tuple, dict] = {}
    self.running: Running | None = None

  def at(self, cell: Cell, rate: float) -> dict:
    """Measured now, or earlier in this round."""
    key = (cell.connections, cell.is_kept, rate)
    if key not in self.known:
      with Running(REFERENCES["http"], "http", "tcp") as running:
        def measured() -> dict:
          command = openload(running.address, cell, "/", 12, rate, self.seconds)
          return run(command, lambda: (machine.cpu_seconds(running.pids()), 0.0))
        report = measured()
        if report["rps"] < KEEPS_UP * rate:  # once more: it may have been others that held it up
          report = max(report, measured(), key=lambda one: one["rps"])
      self.known[key] = {name: report[name] for name in ("rate", "rps", "p50_us", "p99_us", "p999_us", "us",
                                                         "load_busy", "lag_p99_us")}
    return self.known[key]


def capacity(chain: Chain, cell: Cell) -> float:
  """About how many requests a second are answered: a short closed loop, to begin at the right rates."""
  protocol = "http" if cell.is_kept else "http-close"
  rate = 0.0
  for seconds in (0.4, 3):
    command = ["taskset", "-c", machine.CPU_LOAD, str(BIN / "gwload"), "-p", protocol, "-a", chain.address,
               "-c", str(min(cell.connections, 16)), "-u", chain.path, "-d", f"{seconds:g}", "-t", "10"]
    lines = subprocess.run(command, stdout=subprocess.PIPE, text=True).stdout.splitlines()
    rate = json.loads(lines[-1])["rps"]
    if rate * seconds >= 20:
      break
  return rate


def memory(chain: Chain) -> dict[str, int]:
  """PSS in KiB of the server and of the front end."""
  server, front = chain.pids()
  return {"pss_kib": machine.memory_kib(server)[0], "front_pss_kib": machine.memory_kib(front)[0]}


class Sweep:
  """The points of one cell in one round."""

  def __init__(self, cell: Cell, references: References, seconds: float, below: int, step: int, noise: float):
    self.cell, self.references, self.seconds = cell, references, seconds
    self.below, self.step, self.noise = below, step, noise
    self.rows: list[dict] = []

  def point(self, chain: Chain, rate: float) -> dict:
    """A rate, again (once) if others disturbed it: the quieter one counts."""
    body = len(expected(self.cell.app))
    best: dict | None = None
    for _ in range(2):
      # A slow server gets longer, so that there are requests to take percentiles of.
      seconds = min(max(self.seconds, 200 / rate), 4 * self.seconds)
      command = openload(chain.address, self.cell, chain.path, body, rate, seconds)
      row = run(command, chain.cpu)
      if best is None or max(row["steal"], row["foreign"]) < max(best["steal"], best["foreign"]):
        best = row
      if max(best["steal"], best["foreign"]) < self.noise:
        break
    return best

  def go(self) -> list[dict]:
    """Up the ladder. A server that ends meanwhile has what it had so far, and an error as its last row."""
    with Chain(self.cell.route, self.cell.app) as chain:
      rest = memory(chain)
      saturated = 0
      for rate in rungs(capacity(chain, self.cell), self.below, self.step):
        bare = self.references.at(self.cell, rate)
        row = self.point(chain, rate)
        row["saturated"] = is_saturated(row)
        row["limited"] = generator_limits(row, bare)
        row["bare"] = {name: bare[name] for name in ("rps", "p50_us", "p99_us", "p999_us", "us")}
        self.rows.append({"kind": "point", **self.cell.key(), **row})
        saturated += row["saturated"]
        if saturated >= SATURATED_POINTS:
          break
      end = memory(chain)
    self.rows.append({"kind": "memory", **self.cell.key(), **{f"rest_{name}": value for name, value in
                                                              rest.items()}, **end})
    return self.rows
