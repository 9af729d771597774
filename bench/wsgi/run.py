"""Measures many WSGI servers under an open-loop load: `make bench-wsgi ARGS="…"`.

Every cell (a server, a web server or none in front, a protocol, an application, a number of connections) has
its server started afresh on CPU 0 and is asked from CPU 1 at rates that rise until it no longer keeps up.
Rounds are interleaved; nsgi-again is nsgi against itself. Rows go to .build/bench-wsgi/rows.jsonl as they
come; --docs writes docs/benchmarks/wsgi.md, its plots and its rows out of them.
"""
import argparse
import json
import os
from pathlib import Path
import platform
import signal
import subprocess
import sys
import time

import machine
from running import ServerError
from wsgi import check, page, plan
from wsgi.measure import References, Sweep
from wsgi.servers import ENVIRONMENT, SERVERS, python_version
from wsgi.summary import read_rows

ROWS = ENVIRONMENT / "rows.jsonl"


def front_versions() -> dict[str, str]:
  """Of the web servers."""
  found, places = {}, os.environ.get("PATH", "") + ":/usr/sbin:/sbin"
  for name in ("lighttpd", "nginx"):
    try:
      done = subprocess.run([name, "-v"], capture_output=True, text=True, env={"PATH": places})
      words = (done.stdout + done.stderr).replace("nginx version: nginx/", "lighttpd/").split()[0]
      found[name] = words.split("/")[-1]
    except OSError:
      found[name] = "not installed"
  return found


class Run:
  """One run: rounds of cells, and the file that their rows go to."""

  def __init__(self, arguments: argparse.Namespace):
    self.arguments = arguments
    self.path = Path(arguments.rows)
    self.path.parent.mkdir(parents=True, exist_ok=True)
    if not arguments.resume and self.path.exists():
      self.path.rename(self.path.with_suffix(f".{int(self.path.stat().st_mtime)}.jsonl"))
    self.done = {(row["round"], plan.cell_of(row)) for row in read_rows(self.path)
                 if row["kind"] in ("memory", "failed")}
    self.file = open(self.path, "a")

  def keep(self, **row):
    """A row to the file, at once."""
    self.file.write(json.dumps(row, separators=(",", ":")) + "\n")
    self.file.flush()

  def cells(self) -> list[plan.Cell]:
    """What is asked for and installed; what is not has a row that says why."""
    arguments = self.arguments
    cells = plan.quick() if arguments.quick else plan.full(arguments.all)
    wanted = [cell for cell in cells if
              (not arguments.only or {cell.route.server, cell.route.name} & set(arguments.only)) and
              (not arguments.apps or cell.app in arguments.apps) and
              (not arguments.connections or cell.connections in arguments.connections)]
    if arguments.only and not wanted:
      raise SystemExit(f"run.py: nothing is called {' '.join(arguments.only)}; there are "
                       + ", ".join(sorted(SERVERS)) + ", or SERVER/FRONT/PROTOCOL as --check lists them")
    lacks = {name: server.lacks() for name, server in SERVERS.items()}
    for name, why in lacks.items():
      if why and any(cell.route.server == name for cell in wanted):
        self.keep(kind="missing", server=name, why=why)
        print(f"bench: {SERVERS[name].title} is left out: {why}", file=sys.stderr)
    return [cell for cell in wanted if not lacks[cell.route.server]]

  def describe(self):
    """The first row."""
    servers = {name: server.version() for name, server in SERVERS.items() if not server.lacks()}
    self.keep(kind="run", time=time.strftime("%Y-%m-%d %H:%M"), machine=machine.describe(),
              commit=machine.commit(), python=python_version(), servers=servers, fronts=front_versions(),
              system=platform.freedesktop_os_release().get("PRETTY_NAME", "Linux"),
              quick=self.arguments.quick, seconds=self.arguments.seconds, rounds=self.arguments.rounds,
              noise=self.arguments.noise)

  def measure(self, number: int, cell: plan.Cell, references: References):
    """A cell of a round."""
    arguments = self.arguments
    sweep = Sweep(cell, references, arguments.seconds, arguments.below, 2 if arguments.quick else 1,
                  arguments.noise)
    try:
      rows = sweep.go()
    except (ServerError, OSError, json.JSONDecodeError, IndexError) as error:
      rows = sweep.rows + [{"kind": "failed", **cell.key(), "why": str(error)}]
      print(f"bench: {cell.title}: {error}", file=sys.stderr)
    for row in rows:
      self.keep(round=number, **row)

  def go(self):
    """Everything."""
    for text in machine.warnings():
      print(f"bench: {text}", file=sys.stderr)
    cells = self.cells()
    self.describe()
    began = time.monotonic()
    for number in range(self.arguments.rounds):
      references = References(self.arguments.seconds)
      turn = number * 7 % len(cells)
      for place, cell in enumerate(cells[turn:] + cells[:turn]):
        if (number, cell) in self.done:
          continue
        print(f"bench: round {number + 1} of {self.arguments.rounds}, {place + 1} of {len(cells)}: "
              f"{cell.title} ({time.monotonic() - began:.0f} s)", file=sys.stderr, flush=True)
        self.measure(number, cell, references)


def arguments() -> argparse.Namespace:
  """The command line."""
  parser = argparse.ArgumentParser(prog="bench/wsgi.sh", description=__doc__,
                                   formatter_class=argparse.RawDescriptionHelpFormatter)
  add = parser.add_argument
  add("--check", action="store_true", help="start, ask and stop each server, and print versions: no load")
  add("--quick", action="store_true", help="few servers and short: a look, no claim, in 3 to 4 minutes")
  add("--all", action="store_true", help="Flask and Django behind the web servers too")
  add("--only", nargs="*", default=[], metavar="SERVER", help="these (nsgi, or nsgi/lighttpd/uwsgi), not all")
  add("--apps", nargs="*", default=[], metavar="APP", help="hello, flask or django, not all")
  add("--connections", nargs="*", type=int, default=[], metavar="N", help="1, 64, 500 or 2000, not all")
  add("--rounds", type=int, default=3, help="of everything (default: 3)")
  add("--seconds", type=float, default=1.5, help="of each rate (default: 1.5)")
  add("--below", type=int, default=7, help="rates below what the server can do (default: 7)")
  add("--noise", type=float, default=0.1,
      help="repeat a point in which others took more than this of a CPU (default: 0.1)")
  add("--rows", default=str(ROWS), metavar="FILE",
      help="where rows go (default: .build/bench-wsgi/rows.jsonl)")
  add("--resume", action="store_true", help="add to the rows what is not there yet, after an interruption")
  add("--docs", action="store_true", help="write docs/benchmarks/wsgi.md, plots and rows when it is done")
  parsed = parser.parse_args()
  if parsed.quick:
    parsed.rounds, parsed.seconds, parsed.below = 1, min(parsed.seconds, 0.6), 4
  return parsed


def main() -> int:
  """One of the verbs."""
  parsed = arguments()
  if parsed.check:
    return min(check.check(parsed.only, parsed.apps), 1)
  run = Run(parsed)
  run.go()
  page.write(run.path, page.DOCS if parsed.docs else ENVIRONMENT / "page")
  return 0


if __name__ == "__main__":
  signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))
  sys.exit(main())
