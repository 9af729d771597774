"""How long a swap takes from command to commit, and what requests notice: the generator's percentiles with
and without swaps, interleaved. Rolling and in place; run by `make bench-swap`. Then what a replay of 200
requests adds to a swap, and what a request costs while replays are off and on (bench/budget.py). Ends with 1
if a replay adds more than 2 s, or a budget does not hold.

The two builds are apps/bench compiled twice. The server has one worker on CPU 0 beside its master, the
generator is on CPU 1 with `server ctl`.
"""
import argparse
import json
import re
import shlex
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.request
from pathlib import Path

import machine
from servers import BIN, ROOT, SERVER

SOURCE = ROOT / "apps/bench/bench_app.c"
COMPILE = f"cc -D_GNU_SOURCE -O2 -fPIC -shared -fvisibility=hidden -I {ROOT}/Sources/CNSGI/include {SOURCE}"


def build(directory: Path) -> list[Path]:
  """Two builds of one app."""
  files = []
  for name in ("1", "2"):
    file = directory / f"bench{name}.so"
    subprocess.run([*shlex.split(COMPILE), f'-DVERSION="{name}"', "-o", str(file)], check=True)
    files.append(file)
  return files


def start(directory: Path, app: Path, mode: str, more: str = "") -> tuple[subprocess.Popen, str, Path]:
  """A server with a control socket of its own: process, address, socket."""
  control = directory / f"{mode}.ctl"
  command = (f"taskset -c {machine.CPU_SERVER} {SERVER} -L -p 1 --app {app} --http-socket 127.0.0.1:0 "
             f"--listen 4096 --control-socket {control} --swap {mode} --swap-soak 0 --swap-probation 0 "
             + more)
  process = subprocess.Popen(shlex.split(command), stderr=subprocess.PIPE, text=True)
  for line in process.stderr:
    if ready := re.match(r"server: http socket (\S+) ready$", line): return process, ready[1], control
  raise SystemExit(f"the server has ended with {process.wait()}: {command}")


def load(address: str, seconds: float) -> subprocess.Popen:
  """The generator: 64 keep-alive connections."""
  command = (f"taskset -c {machine.CPU_LOAD} {BIN}/gwload -p http -a {address} -c 64 -k 1 -u / "
             f"-d {seconds:g} -w 0.2")
  return subprocess.Popen(shlex.split(command), stdout=subprocess.PIPE, text=True)


def measure(mode: str, rounds: int, seconds: float, directory: Path) -> dict:
  """Rounds of load, one without and one with swaps."""
  builds = build(directory)
  process, address, control = start(directory, builds[0], mode)
  quiet, busy, times, swaps = [], [], [], 0
  try:
    for _ in range(rounds):
      quiet.append(json.loads(load(address, seconds).communicate()[0].splitlines()[-1]))
      generator = load(address, seconds)
      end = time.monotonic() + seconds
      while time.monotonic() < end - 0.3:
        swaps += 1
        began = time.monotonic()
        command = [str(SERVER), "ctl", "--control-socket", str(control), "swap", "/", str(builds[swaps % 2])]
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
        times.append((time.monotonic() - began) * 1000)
        time.sleep(0.2)
      busy.append(json.loads(generator.communicate()[0].splitlines()[-1]))
  finally:
    process.terminate()
    process.wait()
  return {"swaps": swaps, "times": times, "quiet": quiet, "busy": busy}


def row(mode: str, result: dict) -> str:
  """One line of the table."""
  def median(reports: list[dict], key: str) -> float:
    return statistics.median(report[key] for report in reports)
  times = sorted(result["times"])
  errors = sum(report["errors"] for report in result["busy"])
  cells = [mode, str(result["swaps"]), f"{statistics.median(times):.0f}", f"{times[-1]:.0f}"]
  for key in ("p50_us", "p99_us", "p999_us"):
    cells.append(f"{median(result['quiet'], key):.0f} / {median(result['busy'], key):.0f}")
  return "| " + " | ".join(cells + [str(errors)]) + " |"


REPLAYED = 200
# A replay of so many may add so many milliseconds to a swap.
MOST_MORE = 2000
# Of bench/budgets: a request while nothing is remembered, and while it is.
BUDGETS = ["http_keep_full", "http_keep_replay"]


def replays(mode: str, rounds: int, directory: Path) -> tuple[list[float], list[float]]:
  """Milliseconds of swaps without load: those that replay nothing, and those that replay 200 requests."""
  builds = build(directory)
  process, address, control = start(directory, builds[0], mode, f"--swap-replay {REPLAYED}")
  plain, replayed = [], []
  try:
    for number in range(2 * rounds):
      # A worker that has just been started remembers nothing.
      for request in range(REPLAYED):
        urllib.request.urlopen(f"http://{address}/?{request}").read()
      wanted = number % 2 * REPLAYED
      command = [str(SERVER), "ctl", "--control-socket", str(control), "swap", "--replay", str(wanted), "/",
                 str(builds[(number + 1) % 2])]
      began = time.monotonic()
      output = subprocess.run(command, check=True, capture_output=True, text=True).stdout
      (replayed if wanted else plain).append((time.monotonic() - began) * 1000)
      if wanted and f"{REPLAYED} requests replayed" not in output:
        raise SystemExit(f"the requests were not replayed: {output}")
  finally:
    process.terminate()
    process.wait()
  return plain, replayed


def replay_row(mode: str, plain: list[float], replayed: list[float]) -> str:
  """One line of the second table."""
  (without, given) = (statistics.median(plain), statistics.median(replayed))
  return f"| {mode} | {len(replayed)} | {without:.0f} | {given:.0f} | {given - without:.0f} |"


def show_load(rounds: int, seconds: float) -> None:
  """The first table."""
  print("| swap | swaps | ms (median) | ms (most) | p50 µs without / with | p99 µs | p999 µs | errors |")
  print("|---|--:|--:|--:|--:|--:|--:|--:|")
  for mode in ("rolling", "in-place"):
    with tempfile.TemporaryDirectory() as directory:
      print(row(mode, measure(mode, rounds, seconds, Path(directory))), flush=True)


def show_replays(rounds: int) -> bool:
  """The second table; whether a replay adds no more than it may."""
  most = 0.0
  print(f"\n| swap, {REPLAYED} requests replayed | swaps | ms without | ms with | ms more |")
  print("|---|--:|--:|--:|--:|")
  for mode in ("rolling", "in-place"):
    with tempfile.TemporaryDirectory() as directory:
      plain, replayed = replays(mode, rounds, Path(directory))
      most = max(most, statistics.median(replayed) - statistics.median(plain))
      print(replay_row(mode, plain, replayed), flush=True)
  if most > MOST_MORE:
    print(f"a replay adds {most:.0f} ms, and may add {MOST_MORE}")
  return most <= MOST_MORE


def main() -> int:
  """Prints the tables; 1 if a limit does not hold."""
  parser = argparse.ArgumentParser(description=__doc__)
  parser.add_argument("--rounds", type=int, default=5)
  parser.add_argument("--seconds", type=float, default=4, help="of load in each half of a round")
  parser.add_argument("--only", choices=["load", "replay", "budgets"], help="one of the three parts")
  arguments = parser.parse_args()
  holds = True
  if arguments.only in (None, "load"):
    show_load(arguments.rounds, arguments.seconds)
  if arguments.only in (None, "replay"):
    holds = show_replays(arguments.rounds)
  if arguments.only in (None, "budgets"):
    print(flush=True)
    holds = subprocess.run([str(ROOT / "bench/budget.sh"), *BUDGETS]).returncode == 0 and holds
  return 0 if holds else 1


if __name__ == "__main__":
  sys.exit(main())
