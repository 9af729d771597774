"""What dispatch keeps and what it costs: fast requests among calls that sleep, and the watched call against
the plain inline one. Two Markdown tables; run by `make bench-dispatch`.

The app is apps/bench: its answer at / is the fast request, /sleep holds a thread for a second. Its second
entry promises never to wait, so that the server calls it on the loop and watches nothing. The server is one
process on CPU 0, the generators are on CPU 1. Rounds are interleaved: each has every row once.
"""
import argparse
import json
import subprocess
import time
from statistics import median

from report import spread
from running import Running, ServerError, generator, load
from servers import APPS, SERVER, Spec
from workloads import Workload

WATCHED, INLINE = "", ":inline_nsgi_entry"
FAST = {count: Workload(f"fast-{count}", "fast requests", "http", (), connections=count) for count in (8, 64)}


def server(entry: str, threads: int) -> Spec:
  """This server with the bench app; its entry is that of an app that is watched, or called inline."""
  command = (f"{SERVER} --no-master --app {APPS}/bench_app.so{entry} --threads {threads} -L --listen 4096 "
             "--http-socket {address}")
  return Spec(f"nsgi{entry}", "nsgi-server", {"http": command})


class Sleepers:
  """So many calls that sleep for a second, always under way: each is made again when it ends. All of them
  begin together, which is as hard as it gets. A context manager."""

  def __init__(self, running: Running, count: int, seconds: float):
    self.count, self.seconds = count, seconds
    workload = Workload("sleep", "sleeping calls", "http", (), path="/sleep", connections=count)
    self.command = generator(running, workload, "-d", f"{seconds + 1.5:g}")
    self.process: subprocess.Popen | None = None

  def __enter__(self) -> "Sleepers":
    if self.count:
      self.process = subprocess.Popen(self.command, stdout=subprocess.PIPE, text=True)
      self.process.stdout.readline()
      time.sleep(0.3)
    return self

  def __exit__(self, kind, *_):
    if not self.process:
      return
    if kind:
      self.process.kill()
    report = json.loads(self.process.communicate()[0] or "{}")
    # One more each would end with the time; one less each means that they did not sleep side by side.
    if kind is None and (report["errors"] or report["requests"] < self.count * int(self.seconds)):
      raise ServerError(f"{report['requests']} calls of {self.count} sleepers, {report['errors']} errors")


def among_sleepers(rounds: int, seconds: float, threads: int) -> list[str]:
  """Fast requests with none, one and N-1 of N threads asleep."""
  counts = (0, 1, threads - 1)
  steps: dict[tuple[int, int], list[dict]] = {}
  for _ in range(rounds):
    for connections, workload in FAST.items():
      for count in counts:
        with Running(server(WATCHED, threads), "http", "tcp") as running:
          with Sleepers(running, count, seconds + 0.2):
            steps.setdefault((connections, count), []).append(load(running, workload, seconds, 0.2))
  lines = ["| busy connections | sleeping calls | requests/s | p50 µs | p99 µs (quartiles) | p999 µs "
           "| max µs | p99 less that without, ms | errors |", "|--:|--:|--:|--:|--:|--:|--:|--:|--:|"]
  for (connections, count), list_ in steps.items():
    def value(name: str) -> float:
      return median(step[name] for step in list_)
    extra = value("p99_us") - median(step["p99_us"] for step in steps[connections, 0])
    more = f"{extra / 1e3:+.2f}" if count else ""
    p99 = quartiles([step["p99_us"] for step in list_])
    errors = sum(step["errors"] for step in list_)
    lines.append(f"| {connections} | {count} of {threads} threads | {value('rps'):,.0f} "
                 f"| {value('p50_us'):,.0f} | {p99} | {value('p999_us'):,.0f} | {value('max_us'):,.0f} "
                 f"| {more} | {errors} |")
  return lines


def quartiles(values: list[float]) -> str:
  """Median and quartiles (all values, if they are few) of microseconds."""
  ordered = sorted(values)
  low, high = ordered[len(ordered) // 4], ordered[-1 - len(ordered) // 4]
  return f"{median(ordered):,.0f} ({low:,.0f}–{high:,.0f})"


def against_inline(rounds: int, seconds: float) -> list[str]:
  """The watched call, and the inline one twice, interleaved: ratios to the first inline one of the round."""
  rows = {"inline call (A)": INLINE, "inline call again (A/A)": INLINE, "watched call, hand-off": WATCHED}
  steps: dict[str, list[dict]] = {name: [] for name in rows}
  names = list(rows)
  for number in range(rounds):
    turn = number % len(names)
    for name in names[turn:] + names[:turn]:
      with Running(server(rows[name], 16), "http", "tcp") as running:
        steps[name].append(load(running, FAST[64], seconds, 0.2))
  lines = ["| dispatch | requests/s | to inline (quartiles) | CPU µs/request | to inline (quartiles) |",
           "|---|--:|--:|--:|--:|"]
  base = steps[names[0]]
  for name, list_ in steps.items():
    rps = [step["rps"] / other["rps"] for step, other in zip(list_, base)]
    cpu = [step["us"] / other["us"] for step, other in zip(list_, base)]
    ratios = ("", "") if list_ is base else (spread(rps), spread(cpu))
    lines.append(f"| {name} | {median(step['rps'] for step in list_):,.0f} | {ratios[0]} "
                 f"| {median(step['us'] for step in list_):.2f} | {ratios[1]} |")
  foreign = median(step["foreign"] for list_ in steps.values() for step in list_)
  return lines + ["", f"{rounds} rounds of {seconds:g} s; CPU taken by others: median {foreign:.1%} of one."]


def main():
  """Both tables, or one."""
  raw = argparse.RawDescriptionHelpFormatter
  parser = argparse.ArgumentParser(description=__doc__, formatter_class=raw)
  add = parser.add_argument
  add("table", nargs="?", choices=("sleepers", "inline"), help="one of the two tables (default: both)")
  add("--rounds", type=int, default=10, help="rounds of each table (default: 10)")
  add("--seconds", type=float, default=2, help="of load in each step (default: 2)")
  add("--threads", type=int, default=16, help="of the server among sleepers: N (default: 16)")
  parsed = parser.parse_args()
  lines: list[str] = []
  if parsed.table != "inline":
    lines += among_sleepers(parsed.rounds, parsed.seconds, parsed.threads)
    lines += ["", f"{parsed.rounds} rounds of {parsed.seconds:g} s; all sleepers begin together.", ""]
  if parsed.table != "sleepers":
    lines += against_inline(parsed.rounds, parsed.seconds)
  print("\n".join(lines))


if __name__ == "__main__":
  main()
