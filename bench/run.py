#!/usr/bin/env python3
"""Measures this server against the bare C references and the installed peers; prints one Markdown table.

Each step starts a server afresh on CPU 0 and loads it from CPU 1; the reference of the protocol is measured
just before and just after, and the step's CPU time per request is divided by the mean of the two. Steps are
interleaved: a round measures every server once. The row "A/A" is the reference against itself and should say
1.00.
"""
import argparse
import fcntl
import json
import signal
import sys
import time

import extras
import machine
import report
from running import IdleConnections, Running, ServerError, await_answer, load
from servers import OUT, REFERENCES, SPECS, Spec, base_protocol
from workloads import Kind, Workload, find

AGAIN = "A/A"


class Lock:
  """A lock file, held so that nobody who respects it builds meanwhile; others get it once a minute."""

  def __init__(self, path: str | None):
    self.file = open(path, "a") if path else None
    self.since: float | None = None

  def step(self):
    """Between two steps: takes the lock, after giving it up if that is due."""
    if not self.file:
      return
    if self.since is not None and time.monotonic() - self.since < 60:
      return
    if self.since is not None:
      fcntl.flock(self.file, fcntl.LOCK_UN)
      time.sleep(0.1)
    fcntl.flock(self.file, fcntl.LOCK_EX)
    self.since = time.monotonic()


class Run:
  """One run: the rounds of each workload, and what they gave."""

  def __init__(self, arguments: argparse.Namespace):
    self.arguments = arguments
    self.results = open(OUT / "results.jsonl", "a")
    self.lock = Lock(arguments.lock)
    self.identity = int(time.time())
    self.missing: dict[str, str] = {}

  def specs(self, workload: Workload) -> list[Spec]:
    """The servers of a workload that are here and speak its protocol."""
    found = []
    for name in workload.servers:
      spec = SPECS.get(name)
      if not spec:
        continue
      speaks = workload.kind is Kind.CGI or (
        base_protocol(workload.protocol) in spec.commands and workload.family in spec.families)
      if not speaks or (self.arguments.servers and name not in self.arguments.servers):
        continue
      lacks = spec.lacks()
      if lacks:
        self.missing[spec.title] = f"no {lacks[0]}"
      else:
        found.append(spec)
    return found

  def loaded(self, spec: Spec, workload: Workload, reference: Running) -> dict:
    """One step: reference, server, reference."""
    seconds = self.arguments.seconds
    # A big number of connections takes long to open; the reference is always measured without idle ones.
    warmup = 0.1 + workload.connections / 10000
    before = load(reference, workload, seconds * 0.5, warmup)
    with Running(spec, workload.protocol, workload.family, workload.module) as running:
      await_answer(running, workload)
      if workload.idle:
        with IdleConnections(running, workload, workload.idle) as idle:
          if idle.held < workload.idle:
            raise ServerError(f"holds only {idle.held} idle connections")
          step = load(running, workload, seconds, warmup)
      else:
        step = load(running, workload, seconds, warmup)
    after = load(reference, workload, seconds * 0.5, warmup)
    step["reference_us"] = (before["us"] + after["us"]) / 2
    step["ratio"] = step["us"] / step["reference_us"]
    step["noise"] = max(max(part["steal"], part["foreign"]) for part in (before, step, after))
    return step

  def quiet(self, spec: Spec, workload: Workload, reference: Running) -> dict:
    """The step, again (once) if others disturbed it; the quieter one counts."""
    best: dict | None = None
    for _ in range(1 if self.arguments.quick else 2):
      self.lock.step()
      step = self.loaded(spec, workload, reference)
      if best is None or step["noise"] < best["noise"]:
        best = step
      if best["noise"] < self.arguments.noise:
        break
    return best

  def measure(self, workload: Workload) -> dict[str, list[dict]]:
    """All rounds of a workload of requests."""
    reference_spec = REFERENCES[base_protocol(workload.protocol)]
    specs = [(AGAIN, reference_spec)] + [(spec.name, spec) for spec in self.specs(workload)]
    steps: dict[str, list[dict]] = {name: [] for name, _ in specs}
    failed: set[str] = set()
    with Running(reference_spec, workload.protocol, workload.family) as reference:
      for number in range(self.arguments.rounds):
        turn = number % len(specs)
        for name, spec in specs[turn:] + specs[:turn]:
          if name in failed:
            continue
          try:
            step = self.quiet(spec, workload, reference)
          except ServerError as error:
            self.missing[f"{spec.title}, {workload.title}"] = str(error)
            failed.add(name)
            continue
          steps[name].append(step)
          self.keep(workload, name, number, step)
    return {name: list_ for name, list_ in steps.items() if list_}

  def keep(self, workload: Workload, name: str, number: int, step: dict):
    """Every round goes to results.jsonl."""
    line = {"run": self.identity, "workload": workload.name, "server": name, "round": number, **step}
    self.results.write(json.dumps(line) + "\n")
    self.results.flush()

  def other(self, workload: Workload) -> dict[str, list[dict]]:
    """Memory, start and CGI: `extras` measures, here are the rounds."""
    steps: dict[str, list[dict]] = {}
    rounds = 1 if workload.kind is Kind.IDLE else self.arguments.rounds
    for number in range(rounds):
      for name, spec in [("limit", None)] + [(spec.name, spec) for spec in self.specs(workload)]:
        try:
          self.lock.step()
          step = extras.measure(workload, spec or REFERENCES["http"], is_reference=spec is None)
        except ServerError as error:
          self.missing[f"{name}, {workload.title}"] = str(error)
          continue
        steps.setdefault(name, []).append(step)
        self.keep(workload, name, number, step)
    return steps

  def go(self):
    """Everything, with the table growing as it goes."""
    for text in machine.warnings():
      print(f"bench: {text}", file=sys.stderr)
    document = report.Document(self.arguments.rounds, self.arguments.seconds)
    began = time.monotonic()
    for workload in find(self.arguments.only, self.arguments.quick):
      print(f"bench: {workload.title} ({time.monotonic() - began:.0f} s)", file=sys.stderr, flush=True)
      steps = self.measure(workload) if workload.kind is Kind.LOAD else self.other(workload)
      document.add(workload, steps)
      document.save(OUT)
    document.missing = self.missing
    document.save(OUT)
    print(document.markdown())
    if self.arguments.docs:
      document.publish()


def arguments() -> argparse.Namespace:
  """The command line."""
  raw = argparse.RawDescriptionHelpFormatter
  parser = argparse.ArgumentParser(description=__doc__, formatter_class=raw)
  add = parser.add_argument
  add("--rounds", type=int, default=10, help="rounds of each workload (default: 10)")
  add("--seconds", type=float, default=1, help="of load in each step (default: 1)")
  add("--only", nargs="*", default=[], metavar="WORKLOAD", help="these workloads (workloads.py), not all")
  add("--servers", nargs="*", default=[], metavar="SERVER", help="these servers, not all that are installed")
  add("--quick", action="store_true", help="a few workloads, three rounds: a look, no claim")
  add("--noise", type=float, default=0.1,
      help="repeat a step in which others took more than this of a CPU (default: 0.1)")
  add("--lock", metavar="FILE", help="hold this lock file while measuring; others get it once a minute")
  add("--docs", action="store_true", help="write the table and the plot into docs/")
  parsed = parser.parse_args()
  if parsed.quick:
    parsed.rounds, parsed.seconds = min(parsed.rounds, 3), min(parsed.seconds, 0.2)
    parsed.servers = parsed.servers or ["nsgi-full", "nsgi-plain", "nsgi-swift", "nginx"]
  return parsed


if __name__ == "__main__":
  signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))
  Run(arguments()).go()
