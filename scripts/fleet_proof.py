#!/usr/bin/env python3
"""Proves what docs/SCALING.md says of several hosts:  make fleet-proof

Network namespaces are the hosts: one with HAProxy and the clients, three with a server each, joined by a
bridge. A playbook rolls a build out under load while nothing happens, a host dies, is cut off, is slow, or
refuses the build. What has to hold: no safe request is lost but those that were under way on the host that
died, none is answered by another build once the playbook has ended, and all hosts end on one build. Times are
shown, and decide nothing.
Needs root for the namespaces; they are removed at the end.
"""
import contextlib
import dataclasses
import os
import pathlib
import shutil
import subprocess
import sys
import tempfile
import threading
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "Tests/Fleet"))
from hosts import (  # noqa: E402
  PROJECT, SERVER, TOOLS, Program, Server, build, haproxy_servers, placed, playbook, until)

NAMES = {"one": "10.0.0.11", "two": "10.0.0.12", "three": "10.0.0.13"}
RATE = float(os.environ.get("FLEET_RATE", "300"))
CLIENTS = 24


class Failed(Exception):
  """What does not hold."""


def run(*words):
  subprocess.run([*map(str, words)], check=True)


class Network:
  """The namespaces, named after this process, so that two proofs can run at once."""

  def __init__(self):
    self.front = f"nsgi-{os.getpid()}-front"
    self.names = {name: f"nsgi-{os.getpid()}-{name}" for name in NAMES}

  def __enter__(self):
    try:
      for space in (self.front, *self.names.values()):
        run("ip", "netns", "add", space)
        run("ip", "-n", space, "link", "set", "lo", "up")
      run("ip", "-n", self.front, "link", "add", "bridge", "type", "bridge")
      run("ip", "-n", self.front, "address", "add", "10.0.0.5/24", "dev", "bridge")
      run("ip", "-n", self.front, "link", "set", "bridge", "up")
      for name, space in self.names.items():
        peer = ["peer", "name", "eth0", "netns", space]
        run("ip", "-n", self.front, "link", "add", name, "type", "veth", *peer)
        run("ip", "-n", self.front, "link", "set", name, "master", "bridge", "up")
        run("ip", "-n", space, "address", "add", f"{NAMES[name]}/24", "dev", "eth0")
        run("ip", "-n", space, "link", "set", "eth0", "up")
    except BaseException:
      self.__exit__()
      raise
    return self

  def __exit__(self, *_):
    for space in (self.front, *self.names.values()):
      subprocess.run(["ip", "netns", "delete", space], stderr=subprocess.DEVNULL)

  def inside(self, space: str) -> list[str]:
    return ["ip", "netns", "exec", space]

  def link(self, name: str, state: str):
    """Pulls the host's cable, or puts it back."""
    run("ip", "-n", self.front, "link", "set", name, state)


@dataclasses.dataclass
class Row:
  """A line of the table."""
  what: str
  requests: int = 0
  lost: int = 0
  dead: int = 0
  wrong: int = 0
  p50: float = 0
  p99: float = 0
  longest: float = 0
  rollout: float = 0
  end: str = ""


class Fleet:
  def __init__(self, network: Network, folder: pathlib.Path):
    self.network, self.folder = network, folder
    self.letter, self.hosts, self.stack = "A", {}, contextlib.ExitStack()
    self.stats = folder / "haproxy.sock"
    self.least = 100

  def __enter__(self):
    old = build(self.folder, "A")
    for name in NAMES:
      words = ["--app", "app.so", "--http-socket", ":8080", "-p", "2", "--threads", "8", "-L",
               "--uid", "root", "--trusted-proxy", "10.0.0.5",
               "--ready-path", "/readyz", "--shutdown-delay", "5",
               "--agent-check", "*:8085", "--swap-soak", "1", "--swap-probation", "3"]
      host = Server(name, self.folder, words, prefix=self.network.inside(self.network.names[name]),
                    FLEET_SLOW=str(self.folder / f"slow-{name}"))
      shutil.copy(old, host.folder / "app.so")
      self.hosts[name] = host
      self.stack.callback(host.stop)
      host.start()
    config = self.folder / "haproxy.cfg"
    config.write_text(placed("haproxy.cfg", {"/run/haproxy/fleet.sock": str(self.stats)}))
    inside = self.network.inside(self.network.front)
    self.stack.callback(Program([*inside, "haproxy", "-db", "-f", config], self.folder, "haproxy").stop)
    until("HAProxy finds all hosts", lambda: self.stats.exists() and self.all_up())
    return self

  def __exit__(self, *error):
    self.stack.close()

  def servers(self) -> dict[str, dict[str, str]]:
    return haproxy_servers(self.stats)

  def all_up(self) -> bool:
    return all(row["status"].startswith("UP") and row["agent_status"].startswith("L7OK")
               for row in self.servers().values())

  def letters(self) -> dict[str, str]:
    """The build that each host serves, by its file and by the server's own word."""
    by_id = {}
    for host in self.hosts.values():
      by_id[host.name] = host.status()["apps"][0]["build"]
    return by_id

  def roll(self, letter: str) -> subprocess.CompletedProcess:
    ready = {name: f"http://{address}:8080/readyz" for name, address in NAMES.items()}
    return playbook(self.folder, list(self.hosts.values()), build(self.folder, letter), ready=ready,
                    prefix=self.network.inside(self.network.front), patience=30)

  def watch(self, name: str, is_over: threading.Event):
    """Notes the least weight that HAProxy has given a host."""
    while not is_over.wait(0.5): self.least = min(self.least, int(self.servers()[name]["weight"]))


class Ledger:
  """The clients, from the beginning of a scenario to its end."""

  def __init__(self, fleet: Fleet, name: str):
    self.file = fleet.folder / f"{name}.ledger"
    inside, client = fleet.network.inside(fleet.network.front), PROJECT / "Tests/Fleet/ledger.py"
    words = [*inside, sys.executable, client, "http://127.0.0.1:8000/", self.file, CLIENTS, RATE]
    self.program = Program(words, fleet.folder, f"{name}-client")
    until("the first answers", lambda: self.file.exists() and self.file.stat().st_size > 2000)

  def end(self) -> list[tuple[float, float, int, str]]:
    self.program.stop()
    rows = [line.split("\t") for line in self.file.read_text().splitlines()]
    return [(float(began), float(ended), int(status), text) for began, ended, status, text in rows]


def judge(row: Row, entries, ends: list[tuple[float, float, str]], died: float | None):
  """`ends` has for each end of a playbook: when it ended, when the next began, and the build that serves."""
  times = sorted(ended - began for began, ended, *_ in entries)
  row.requests = len(entries)
  row.p50, row.p99, row.longest = times[len(times) // 2], times[len(times) * 99 // 100], times[-1]
  lost = [entry for entry in entries if entry[2] != 200]
  dead = [entry for entry in lost if died is not None and entry[0] <= died <= entry[1]]
  row.lost, row.dead = len(lost) - len(dead), len(dead)
  for since, until_when, letter in ends:
    row.wrong += sum(since < began and ended < until_when and status == 200 and not text.startswith(letter)
                     for began, ended, status, text in entries)
  for entry in [entry for entry in lost if entry not in dead][:5]: print("lost:", entry)


def scenario(fleet: Fleet, what: str, letter: str, disturb=None, heal=None, refuses: bool = False) -> Row:
  """Rolls a build out; `disturb` happens once the first host has it, and `heal` when the playbook has ended.
  Where something has kept the build from a host, and is healed, the playbook runs once more."""
  row, before, far = Row(what), fleet.letter, float("inf")
  ledger = Ledger(fleet, letter)
  died: list[float | None] = [None]

  def interfere():
    until("the first host has the build", lambda: generation() > first)
    died[0] = disturb()

  def generation() -> int:
    return fleet.hosts["one"].status()["apps"][0]["generation"]

  first = generation()
  thread = threading.Thread(target=interfere) if disturb else None
  if thread: thread.start()
  began = time.monotonic()
  done = fleet.roll(letter)
  if thread: thread.join()
  ended = time.monotonic()
  row.rollout, is_done = ended - began, done.returncode == 0
  ends = [(ended, far, letter if is_done else before)]
  row.end = "done" if is_done else "taken back"
  if refuses and is_done: raise Failed(f"{what}: the build was to be refused\n{done.stdout}")
  if not is_done and disturb is None and not refuses: raise Failed(f"{what}: {done.stdout}{done.stderr}")
  time.sleep(3)
  if heal: heal()
  until("HAProxy finds all hosts again", fleet.all_up)
  if not is_done and not refuses:
    ends[0] = (ended, time.monotonic(), before)
    again = fleet.roll(letter)
    if again.returncode: raise Failed(f"{what}, once more: {again.stdout}{again.stderr}")
    ends.append((time.monotonic(), far, letter))
    row.end += ", then done"
    is_done = True
  time.sleep(2)
  judge(row, ledger.end(), ends, died[0])
  fleet.letter = letter if is_done else before
  if len(set(fleet.letters().values())) != 1: raise Failed(f"{what}: hosts end on {fleet.letters()}")
  return row


def refuse(fleet: Fleet, letter: str) -> Row:
  """The third host cannot load this build, and is started again without a word of it where the others are."""
  host = fleet.hosts["three"]
  host.stop()
  host.environment["FLEET_REFUSES"] = letter
  host.log.unlink()
  host.start()
  until("HAProxy finds all hosts again", fleet.all_up)
  return scenario(fleet, "one refuses the build", letter, refuses=True)


def slow(fleet: Fleet, letter: str) -> Row:
  flag, is_over = fleet.folder / "slow-two", threading.Event()
  watcher = threading.Thread(target=fleet.watch, args=("two", is_over))
  watcher.start()
  flag.touch()
  try:
    return scenario(fleet, "one is slow (5 s an answer)", letter, heal=flag.unlink)
  finally:
    is_over.set()
    watcher.join()


def prove(fleet: Fleet) -> list[Row]:
  three = fleet.hosts["three"]

  def die():
    at = time.monotonic()
    three.kill()
    return at

  def rise():
    three.log.unlink()
    three.start()

  def cut():
    fleet.network.link("three", "down")

  def join():
    fleet.network.link("three", "up")

  return [
    scenario(fleet, "nothing happens", "B"),
    scenario(fleet, "one dies (kill -9 of all)", "C", die, rise),
    scenario(fleet, "one is cut off (link down)", "D", cut, join),
    slow(fleet, "E"),
    refuse(fleet, "F"),
  ]


def show(rows: list[Row], fleet: Fleet):
  print(f"\nthree hosts of 2 workers, {CLIENTS} clients, {RATE:.0f} requests a second, GET\n")
  print("| what happens | requests | lost | under way on the dead host | wrong build | p50 ms | p99 ms "
        "| most s | rollout s | end |")
  print("|---|---|---|---|---|---|---|---|---|---|")
  for row in rows:
    print(f"| {row.what} | {row.requests} | {row.lost} | {row.dead} | {row.wrong} | {row.p50 * 1000:.1f} "
          f"| {row.p99 * 1000:.1f} | {row.longest:.1f} | {row.rollout:.0f} | {row.end} |")
  print(f"\nthe slow host's least weight: {fleet.least} of 100")


def missing() -> str | None:
  if os.geteuid() != 0: return "root, who may make network namespaces: sudo make fleet-proof"
  for name in ("ip", "haproxy", "cc"):
    if shutil.which(name, path=f"{os.environ['PATH']}:/usr/sbin:/sbin") is None:
      return f"{name}: scripts/install.sh fleet"
  if not (TOOLS / "ansible-playbook").exists(): return "ansible: scripts/install.sh fleet"
  if not os.access(SERVER, os.X_OK): return "the server: make build"
  return None


def main() -> int:
  if needs := missing():
    print(f"fleet-proof needs {needs}", file=sys.stderr)
    return 1
  os.environ["PATH"] += ":/usr/sbin:/sbin"
  folder = tempfile.TemporaryDirectory(prefix="nsgi-fleet-", ignore_cleanup_errors=True)
  with folder as name, Network() as network, Fleet(network, pathlib.Path(name)) as fleet:
    rows = prove(fleet)
    show(rows, fleet)
  bad = [row for row in rows if row.lost or row.wrong]
  for row in bad: print(f"does not hold: {row}", file=sys.stderr)
  return 1 if bad else 0


if __name__ == "__main__":
  try:
    sys.exit(main())
  except (Failed, AssertionError) as error:
    sys.exit(f"fleet-proof: {error}")
