#!/usr/bin/env python3
"""How many users meet a bad build before a fleet has taken it back?  bench/fleet_sim.py [--docs]

A discrete-event model of a rollout over many hosts, each of which behaves as one server does: the new build
is staged, one worker serves it for the soak, the others follow, and it is on probation. A request in N
crashes its worker; the first crash in soak or probation has that host take the build back by itself. What
happens on the other hosts is the policy's. Requests are not simulated one by one: failures on a host are a
Poisson process whose rate is the host's requests a second, times the share of its workers that run the
build, divided by N, which is what independent failures of one request in N are. Constants are figures that
were measured (docs/BENCHMARKS.md, docs/SCALING.md). The same seed gives the same table: --docs writes it to
docs/SCALING.md, and a test compares.
"""
import argparse
import dataclasses
import enum
import heapq
import math
import pathlib
import random
import statistics

PAGE = pathlib.Path(__file__).resolve().parents[1] / "docs/SCALING.md"
MARK = "<!-- fleet-sim -->"


class Gate(enum.Enum):
  """Who takes the build back elsewhere when a host has met a failure."""
  PERSON = "a person"    # no server looks; somebody notices and takes it back everywhere
  HOST = "each host"     # each host takes it back for itself, and the rollout goes on
  FLEET = "the fleet"    # the first host that takes it back ends the rollout, and all go back
  ALARM = "fleet, alarm" # the same, and crashes after the probation are seen by an alarm on the metrics


@dataclasses.dataclass(frozen=True)
class Fleet:
  """The hosts, and what was measured of one."""
  hosts: int = 1000
  rate: float = 1_000_000.0    # requests a second, all hosts together
  workers: int = 2
  swap: float = 0.036          # seconds: a rolling swap without its soak (BENCHMARKS, Swaps)
  others: float = 5 / 300      # requests that a crash takes along beside its own (BENCHMARKS, Crashes)
  step: float = 5.0            # seconds of the playbook for a wave beside soak and probation (SCALING, proof)
  poll: float = 1.0            # seconds between two looks of the playbook at a host
  person: float = 600.0        # seconds until somebody has noticed and acted; an assumption
  scrape: float = 15.0         # seconds between two looks of the alarm; Prometheus's usual interval
  forks: int = 50              # hosts that the way back is taken on at once


@dataclasses.dataclass(frozen=True)
class Policy:
  name: str
  waves: tuple[int, ...]  # hosts of each wave; the last number is repeated
  soak: float
  probation: float
  gate: Gate


@dataclasses.dataclass
class Outcome:
  met: int = 0             # users whose request failed
  hosts: int = 0           # hosts on which somebody met it
  reached: int = 0         # hosts that had begun to serve it
  is_back: bool = False    # it was taken back everywhere
  seconds: float = 0       # until the last host was back, or until the rollout's end


POLICIES = [
  Policy("all at once, nobody looks", (1000,), 0, 0, Gate.PERSON),
  Policy("all at once, each host for itself", (1000,), 1, 30, Gate.HOST),
  Policy("all at once, first refusal ends it", (1000,), 1, 30, Gate.FLEET),
  Policy("100 at a time", (100,), 1, 30, Gate.FLEET),
  Policy("10 at a time", (10,), 1, 30, Gate.FLEET),
  Policy("1, 10, 100, rest", (1, 10, 100, 889), 1, 30, Gate.FLEET),
  Policy("1, 10, 100, rest; soak 60 s", (1, 10, 100, 889), 60, 30, Gate.FLEET),
  Policy("1, 10, 100, rest; probation 300 s", (1, 10, 100, 889), 1, 300, Gate.FLEET),
  Policy("1, 10, 100, rest; alarm", (1, 10, 100, 889), 1, 30, Gate.ALARM),
]


class Host:
  """One host: the share of its requests that the build answers, and whether it is watched."""
  __slots__ = ("share", "epoch", "watched", "has_met", "serves")

  def __init__(self):
    self.share, self.epoch, self.watched, self.has_met, self.serves = 0.0, 0, False, False, False


class Rollout:
  """One run of the model. Events are (time, number, what, host); the number keeps their order the same."""

  def __init__(self, fleet: Fleet, policy: Policy, one_in: float, seed: int):
    self.fleet, self.policy, self.one_in = fleet, policy, one_in
    self.random = random.Random(f"{policy.name}/{one_in}/{seed}")
    self.hosts = [Host() for _ in range(fleet.hosts)]
    self.events: list[tuple[float, int, str, int, int]] = []
    self.number, self.now, self.next_host, self.wave, self.open = 0, 0.0, 0, 0, 0
    self.is_ended = self.is_noticed = False
    self.outcome = Outcome()

  def at(self, delay: float, what: str, host: int = -1):
    epoch = self.hosts[host].epoch if host >= 0 else 0
    heapq.heappush(self.events, (self.now + delay, self.number, what, host, epoch))
    self.number += 1

  def run(self) -> Outcome:
    self.begin_wave()
    if self.policy.gate is Gate.PERSON and math.isfinite(self.one_in): self.at(self.fleet.person, "noticed")
    while self.events:
      self.now, _, what, host, epoch = heapq.heappop(self.events)
      # What was to happen to a host in a state that it has left happens no more.
      if host >= 0 and what != "back" and epoch != self.hosts[host].epoch: continue
      if getattr(self, "on_" + what)(host): break
    self.outcome.seconds = self.now
    return self.outcome

  # MARK: A host

  def serve(self, index: int, share: float):
    """From now on the build answers this share of the host's requests."""
    host = self.hosts[index]
    host.share, host.epoch = share, host.epoch + 1
    self.draw(index)

  def draw(self, index: int):
    """The host's next failure. The process has no memory: it is drawn anew whenever the rate changes."""
    share = self.hosts[index].share
    if share > 0 and math.isfinite(self.one_in):
      rate = self.fleet.rate / self.fleet.hosts * share / self.one_in
      self.at(self.random.expovariate(rate), "failure", index)

  def on_staged(self, index: int):
    host = self.hosts[index]
    self.outcome.reached += not host.serves
    host.serves, host.watched = True, self.policy.gate is not Gate.PERSON
    if self.policy.soak > 0:
      self.serve(index, 1 / self.fleet.workers)
      self.at(self.policy.soak, "soaked", index)
    else:
      self.on_soaked(index)

  def on_soaked(self, index: int):
    self.serve(index, 1.0)
    self.at(self.policy.probation, "proven", index)

  def on_proven(self, index: int) -> bool:
    self.hosts[index].watched = False
    return self.settled()

  def on_failure(self, index: int):
    host, outcome = self.hosts[index], self.outcome
    outcome.met += 1 + (self.random.random() < self.fleet.others)
    outcome.hosts += not host.has_met
    host.has_met = True
    if host.watched:
      # Its own word brings the build before back there; the failures of that time count.
      host.watched = False
      self.at(self.fleet.swap, "back", index)
      if self.policy.gate in (Gate.FLEET, Gate.ALARM): self.notice(self.fleet.poll)
    elif self.policy.gate is Gate.ALARM:
      # Looks come at fixed times: the next one is so far away.
      self.notice(self.fleet.scrape - self.now % self.fleet.scrape)
    self.draw(index)

  def on_back(self, index: int) -> bool:
    host = self.hosts[index]
    if host.share == 0: return False
    self.serve(index, 0.0)
    host.watched = False
    if self.is_ended:
      self.outcome.is_back = all(other.share == 0 for other in self.hosts)
      return self.outcome.is_back
    return self.settled()

  # MARK: The rollout

  def begin_wave(self):
    waves = self.policy.waves
    width = min(waves[min(self.wave, len(waves) - 1)], len(self.hosts) - self.next_host)
    self.wave, self.open = self.wave + 1, width
    for index in range(self.next_host, self.next_host + width): self.at(self.fleet.swap, "staged", index)
    self.next_host += width

  def on_next(self, _):
    if not self.is_ended: self.begin_wave()

  def settled(self) -> bool:
    """A host of the wave has come to its end. True at the end of everything that this policy looks at."""
    self.open -= 1
    if self.open > 0 or self.is_ended: return False
    if self.next_host < len(self.hosts):
      self.at(self.fleet.step, "next")
      return False
    if self.policy.gate is Gate.HOST: self.outcome.is_back = all(host.share == 0 for host in self.hosts)
    # Who waits for a person or an alarm waits on.
    return self.policy.gate in (Gate.HOST, Gate.FLEET) and not self.is_noticed \
      or self.policy.gate is Gate.ALARM and not math.isfinite(self.one_in)

  def notice(self, delay: float):
    if not self.is_noticed: self.at(delay, "noticed")
    self.is_noticed = True

  def on_noticed(self, _) -> bool:
    """The rollout ends, and every host goes back, so many at once."""
    self.is_ended = True
    serving = [index for index, host in enumerate(self.hosts) if host.share > 0]
    for host in self.hosts: host.epoch += host.share == 0
    for place, index in enumerate(serving):
      self.at(self.fleet.swap + place // self.fleet.forks * self.fleet.swap, "back", index)
    self.outcome.is_back = not serving
    return not serving


def runs(fleet: Fleet, policy: Policy, one_in: float, seeds: int) -> list[Outcome]:
  return [Rollout(fleet, policy, one_in, seed).run() for seed in range(seeds)]


def short(seconds: float) -> str:
  if seconds < 90: return f"{seconds:.0f} s"
  if seconds < 5400: return f"{seconds / 60:.0f} min"
  return f"{seconds / 3600:.1f} h"


def rounded(number: float) -> str:
  """Two digits that mean something."""
  if number < 10: return f"{number:.1f}".removesuffix(".0")
  return f"{round(number, 1 - int(math.log10(number))):,.0f}"


def cell(outcomes: list[Outcome]) -> str:
  """The mean of users, the most, and how often nobody noticed."""
  met = [outcome.met for outcome in outcomes]
  text = f"{rounded(statistics.fmean(met))} (at most {rounded(max(met))})"
  live = sum(not outcome.is_back for outcome in outcomes)
  return text + (f"; goes live {100 * live / len(outcomes):.0f} %" if live else "")


def table(fleet: Fleet, seeds: int, policies: list[Policy]) -> str:
  rarities = (1e4, 1e5, 1e6)
  heads = " | ".join(f"1 in {n:,.0f}" for n in rarities)
  lines = [f"| policy | who looks | a good build takes | {heads} |",
           "|---|---|--:|" + "--:|" * len(rarities)]
  for policy in policies:
    good = Rollout(fleet, policy, math.inf, 0)
    time = "at once" if policy.gate is Gate.PERSON else short(good.run().seconds)
    cells = " | ".join(cell(runs(fleet, policy, n, seeds)) for n in rarities)
    lines.append(f"| {policy.name} | {policy.gate.value} | {time} | {cells} |")
  return "\n".join(lines) + "\n"


def main():
  parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
  parser.add_argument("--hosts", type=int, default=1000)
  parser.add_argument("--rate", type=float, default=1e6, help="requests a second, all together")
  parser.add_argument("--seeds", type=int, default=40, help="runs of each policy")
  parser.add_argument("--docs", action="store_true", help="write the table to docs/SCALING.md")
  options = parser.parse_args()
  text = table(Fleet(hosts=options.hosts, rate=options.rate), options.seeds, POLICIES)
  print(text, end="")
  if options.docs:
    before, _, after = PAGE.read_text().split(MARK)
    PAGE.write_text(f"{before}{MARK}\n{text}{MARK}{after}")


if __name__ == "__main__":
  main()
