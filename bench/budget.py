#!/usr/bin/env python3
"""What a request of each main path costs, held against bench/budgets/*.json; exits with 1 above a budget.

One connection sends N and 2N requests; the difference is free of start-up. Allocations are counted by a
preloaded library, system calls by strace, instructions, retains and releases by callgrind. The figures are
the same on an idle and on a busy machine, and paths are measured side by side. `--update` writes what was
measured, but for `limits`, which are aims; `--profile` prints where the instructions go.

A budget names what is served: `app` (below .build/apps) or `module` (of peers/), and perhaps `options` of the
server, `master` for a worker under one (whose instructions nobody counts), `files` with their sizes (in
{files}), the `path` that is asked for, `log` for lines of requests.
`per_request` is what is held; `why` says of a figure why it is what it is.
"""
import argparse
from concurrent.futures import ThreadPoolExecutor
import contextlib
from dataclasses import replace
import json
import os
from pathlib import Path
import re
import signal
import socket
import ssl
import struct
import subprocess
import sys
import tempfile
import threading
import time

import callgrind
from running import Running, ServerError
from servers import BIN, OUT, PYTHON_PLUGIN, ROOT, SERVER, TLS_LIBRARY, Spec, nsgi, wsgi

BUDGETS = ROOT / "bench" / "budgets"
FILES = OUT / "files"
CERTIFICATE, KEY = OUT / "budget.pem", OUT / "budget.key"
REQUESTS = 1000
# Seconds for a start, and for all requests, under a tool on a machine that is busy with other things.
PATIENCE = 300
# What comes by the clock and not by the request: system calls of the watchdog and, if it is woken in less
# than half of the requests, of who wakes it; its functions and those of the timers, by their mangled names.
TIMED_CALLS = {"clock_nanosleep", "restart_syscall", "futex"}
WAKING_CALLS = {"read", "write"}
TIMED_FUNCTIONS = ("startWatchdog", "timePasses")
TITLES = {
  "instructions": "instructions in the server and its plugin", "system_calls": "system calls",
  "allocations": "allocations", "frees": "frees", "retains": "retains", "releases": "releases",
  "share_percent": "% of all instructions in the server and its plugin",
}


def stripped(program: Path) -> Path:
  """A copy without debug information, which the tools' readers stumble over; names of functions stay."""
  copy = OUT / "stripped" / program.name
  copy.parent.mkdir(exist_ok=True)
  subprocess.run(["objcopy", "--strip-debug", str(program), str(copy)], check=True)
  return copy


def path_of(budget: dict) -> Spec:
  """The server that a budget file describes: with an app, or the Python application of the peers."""
  name, server = budget["name"], OUT / "stripped" / SERVER.name
  if "app" in budget:
    spec = nsgi(name, name, budget["app"], server)
  else:
    spec = wsgi(name, name, server, budget.get("module", "wsgi_hello"))
  # One plain process, since a worker serves in the same way under a master; what a worker does for a master
  # alone is counted with that. On epoll: with io_uring it did not end at SIGTERM under valgrind, which then
  # counted nothing.
  options = budget.get("options", "").replace("{files}", str(FILES))
  ways = f"{'-p 1' if budget.get('master') else '--no-master'} --io epoll {options}"
  commands = {name: f"{command} {ways}" for name, command in spec.commands.items()}
  if "log" in budget:
    commands = {name: command.replace(" -L ", " ") for name, command in commands.items()}
  if budget["protocol"] == "https":
    sealed = f"--https-socket {{address}},{CERTIFICATE},{KEY}"
    commands["https"] = commands["http"].replace("--http-socket {address}", sealed)
  return replace(spec, commands=commands)


def make_files(budget: dict):
  """The files of a budget; of yesterday, since what has just changed may change once more and is not kept."""
  for name, size in budget.get("files", {}).items():
    FILES.mkdir(exist_ok=True)
    (FILES / name).write_bytes(bytes(size))
    os.utime(FILES / name, (time.time() - 86400,) * 2)


def make_certificate():
  """A certificate that signs itself, and its key."""
  kind = "req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 2 -subj /CN=localhost"
  names = ["-addext", "subjectAltName=DNS:localhost", "-keyout", str(KEY), "-out", str(CERTIFICATE)]
  subprocess.run(["openssl", *kind.split(), *names], check=True, capture_output=True)


def wrapped(spec: Spec, *prefix: str) -> Spec:
  """The server under a tool, on any CPU: nothing here depends on its pace."""
  commands = {name: " ".join([*prefix, command]) for name, command in spec.commands.items()}
  cpus = ",".join(str(cpu) for cpu in sorted(os.sched_getaffinity(0)))
  return replace(spec, commands=commands, cpus=cpus)


@contextlib.contextmanager
def stopped(running: Running):
  """The server does not run meanwhile."""
  pids = running.pids()
  for pid in pids:
    os.kill(pid, signal.SIGSTOP)
  try:
    yield
  finally:
    for pid in pids:
      os.kill(pid, signal.SIGCONT)


def send_sealed(running: Running, path: str, requests: int):
  """Exactly so many requests over TLS, one after the other on one connection."""
  context = ssl.create_default_context(cafile=str(CERTIFICATE))
  with running.connect() as plain, context.wrap_socket(plain, server_hostname="localhost") as connection:
    answers = connection.makefile("rb")
    for _ in range(requests):
      connection.sendall(f"GET {path} HTTP/1.1\r\nHost: localhost\r\n\r\n".encode())
      status, length = answers.readline(), 0
      while line := answers.readline().strip():
        if line.lower().startswith(b"content-length:"):
          length = int(line.split(b":")[1])
      if not status.startswith(b"HTTP/1.1 200 ") or len(answers.read(length)) != length:
        raise ServerError(f"answered with {status!r}")


def send(running: Running, protocol: str, requests: int, path: str = "/"):
  """Exactly so many requests: one after the other on one connection, or one connection each.

  In the latter case all of them wait, requests sent, before the server sees the first: else it would be
  chance how often it looks for the next one in vain.
  """
  if protocol == "https":
    return send_sealed(running, path, requests)
  is_kept = protocol in ("http", "fcgi-keep")
  command = [str(BIN / "gwload"), "-p", protocol, "-a", running.address, "-n", str(requests), "-t",
             str(PATIENCE)]
  command += ["-u", path, "-c", "1" if is_kept else str(requests)]
  with contextlib.ExitStack() as before:
    if not is_kept:
      before.enter_context(stopped(running))
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    process.stdout.readline()
  # Not communicate(): with a time limit it reads past what readline() has taken ahead.
  limit = threading.Timer(PATIENCE, process.kill)
  limit.start()
  output = process.stdout.read()
  process.wait()
  limit.cancel()
  if not output:
    raise ServerError(f"{requests} requests were not answered in {PATIENCE} seconds")
  report = json.loads(output)
  if report["errors"] or report["total"] != requests:
    raise ServerError(f"{report['errors']} errors, {report['total']} of {requests} requests answered")


def tool_of(folder: Path, *words: str) -> tuple[str, ...]:
  """How a tool is called: where temporary files go, and seeds of tables by which start-ups are alike."""
  # What killed servers have left elsewhere is looked at once at the start: not here.
  return ("env", f"TMPDIR={folder}", "SWIFT_DETERMINISTIC_HASHING=1", "PYTHONHASHSEED=0", *words)


def under_tool(spec: Spec, budget: dict, requests: int, *prefix: str):
  """A whole life of the server under a tool, with so many requests in it."""
  with Running(wrapped(spec, *prefix), budget["protocol"], "unix", patience=PATIENCE) as running:
    send(running, budget["protocol"], requests, budget.get("path", "/"))


def allocations(spec: Spec, budget: dict, folder: Path) -> dict[str, float]:
  """Calls of the allocator for each request after the first hundred."""
  file, protocol, path = folder / "counts", budget["protocol"], budget.get("path", "/")
  prefix = tool_of(folder, f"ALLOCATION_COUNTS={file}", f"LD_PRELOAD={BIN / 'counter.so'}")
  with Running(wrapped(spec, *prefix), protocol, "unix", patience=PATIENCE) as running:
    send(running, protocol, 100, path)
    before = struct.unpack("4Q", file.read_bytes()[:32])
    send(running, protocol, REQUESTS, path)
    after = struct.unpack("4Q", file.read_bytes()[:32])
  malloc, calloc, realloc, free = [b - a for a, b in zip(before, after)]
  return {"allocations": (malloc + calloc + realloc) / REQUESTS, "frees": free / REQUESTS}


def traced(spec: Spec, budget: dict, requests: int, folder: Path) -> dict[str, int]:
  """Successful system calls of one life of the server."""
  out = folder / f"strace.{requests}"
  under_tool(spec, budget, requests, *tool_of(folder, "strace", "-f", "-c", "-o", str(out)))
  calls = {}
  for line in out.read_text().splitlines():
    match = re.match(r"\s*[\d.]+\s+[\d.]+\s+\d+\s+(\d+)\s+(\d*)\s*(\w+)$", line)
    if match and match[3] not in TIMED_CALLS | {"total"}:
      calls[match[3]] = int(match[1]) - int(match[2] or 0)
  return calls


def system_calls(spec: Spec, budget: dict, folder: Path) -> dict[str, float]:
  """Successful system calls for each request, by name."""
  small, large = (traced(spec, budget, count, folder) for count in (REQUESTS, 2 * REQUESTS))
  each = {name: (count - small.get(name, 0)) / REQUESTS for name, count in large.items()}
  least = {name: 0.5 if name in WAKING_CALLS else 0.02 for name in each}
  return {name: round(count, 2) for name, count in each.items() if count > least[name]}


def profile(spec: Spec, budget: dict, folder: Path) -> callgrind.Profile:
  """The profile of one request."""
  lives = []
  for count in (REQUESTS, 2 * REQUESTS):
    out = str(folder / f"callgrind.{count}")
    tool = ("valgrind", "-q", "--tool=callgrind", f"--callgrind-out-file={out}")
    under_tool(spec, budget, count, *tool_of(folder, *tool))
    lives.append(callgrind.read(out))
  return lives[1].per_request(lives[0], REQUESTS).without(TIMED_FUNCTIONS)


def measure(budget: dict) -> dict:
  """Everything of one path."""
  spec = path_of(budget)
  if lacks := spec.lacks():
    raise ServerError(f"{lacks[0]} is not there: make build plugins apps")
  with tempfile.TemporaryDirectory(prefix="budget-") as name:
    folder = Path(name)
    found = allocations(spec, budget, folder)
    calls = system_calls(spec, budget, folder)
    # A master starts its workers from /proc/self/exe, which under valgrind is valgrind's own program.
    costs = callgrind.Profile() if budget.get("master") else profile(spec, budget, folder)
  ours = (SERVER.resolve().name, PYTHON_PLUGIN, TLS_LIBRARY)
  found["with_libraries"] = costs.instructions()
  if not budget.get("master"):
    found["instructions"] = sum(costs.instructions(name) for name in ours)
    found["share_percent"] = 100 * found["instructions"] / found["with_libraries"]
    found["retains"], found["releases"] = costs.calls(callgrind.RETAINS), costs.calls(callgrind.RELEASES)
  found["system_calls"] = sum(calls.values())
  found["calls"] = calls
  found["culprits"] = costs.callers(callgrind.RETAINS | callgrind.RELEASES | callgrind.ALLOCATIONS)
  found["profile"] = costs
  return found


def show_profile(costs: callgrind.Profile):
  """The functions that cost most."""
  top = costs.own.most_common(15)
  for ((_, _), count), text in zip(top, callgrind.demangled([name for (_, name), _ in top])):
    print(f"  {count:7.0f}  {text[:140]}")


def verdict(key: str, allowed: float, found: float, tolerance: dict) -> tuple[str, bool]:
  """What to print, and whether it is within the budget."""
  percent = tolerance.get(key, 0)
  # What happens once in fifty requests is no cost of a request.
  limit = allowed * (1 + percent / 100) + 0.02
  if found > limit:
    return f"over the budget (tolerance {percent:g} %)", False
  if key == "instructions" and found < allowed * 0.97:
    return "below: lower the budget", True
  return "", True


def check(file: Path, budget: dict, found: dict, arguments: argparse.Namespace) -> bool:
  """Prints the lines of one path; whether it keeps its budget."""
  if arguments.profile:
    show_profile(found["profile"])
  within, limits = True, budget.get("limits", {})
  for key, label in TITLES.items():
    # "+ 0.0" turns a rounded -0.0 into 0.0.
    allowed = budget["per_request"].get(key, limits.get(key))
    if allowed is None:
      continue
    value = round(found[key], 2) + 0.0
    text, good = verdict(key, allowed, value, budget["tolerance_percent"])
    within = within and good
    print(f"| {budget['name']} | {label} | {allowed:g} | {value:.2f} | {value - allowed:+.2f} | {text} |")
  if not within or arguments.profile:
    for count, caller, callee in found["culprits"]:
      print(f"  {count:.2f} {callee} from {callgrind.demangled([caller])[0][:160]}")
  print(f"  with libraries {found['with_libraries']:.0f} instructions; {found['calls']}", file=sys.stderr)
  if arguments.update:
    budget["per_request"] = {key: round(found[key], 1) + 0.0 for key in budget["per_request"]}
    if "instructions" in found:
      budget["per_request"]["instructions"] = round(found["instructions"])
    file.write_text(json.dumps(budget, indent=2) + "\n")
  return within


def main() -> int:
  """Every budget, or the ones named."""
  raw = argparse.RawDescriptionHelpFormatter
  parser = argparse.ArgumentParser(description=__doc__, formatter_class=raw)
  parser.add_argument("names", nargs="*", help="of budgets; all when none is named")
  parser.add_argument("--update", action="store_true", help="write what was measured into the budgets")
  parser.add_argument("--profile", action="store_true", help="print where the instructions go")
  parser.add_argument("--json", metavar="FILE", help="write what was measured (history.py reads it)")
  arguments = parser.parse_args()
  wanted = arguments.names
  files = [file for file in sorted(BUDGETS.glob("*.json")) if not wanted or file.stem in wanted]
  if not files:
    raise SystemExit(f"budget.py: no such budget in {BUDGETS}")
  for built in (SERVER, SERVER.parent / PYTHON_PLUGIN, SERVER.parent / TLS_LIBRARY):
    if built.exists():
      stripped(built)
  make_certificate()
  print("| path | per request | budget | measured | difference | |\n|---|---|--:|--:|--:|---|")
  budgets = [json.loads(file.read_text()) for file in files]
  for budget in budgets:
    make_files(budget)
  results, figures = [], {}
  with ThreadPoolExecutor(os.cpu_count()) as pool:
    try:
      for file, budget, found in zip(files, budgets, pool.map(measure, budgets)):
        results.append(check(file, budget, found, arguments))
        figures[file.stem] = {key: round(found[key], 2) + 0.0 for key in TITLES if key in found}
    except ServerError as error:
      pool.shutdown(cancel_futures=True)
      raise SystemExit(f"budget.py: {error}") from None
  if arguments.json:
    Path(arguments.json).write_text(json.dumps(figures, indent=1) + "\n")
  return 0 if all(results) or arguments.update else 1


if __name__ == "__main__":
  OUT.mkdir(parents=True, exist_ok=True)
  os.environ.setdefault("SWIFT_BACKTRACE", "enable=no")
  sys.exit(main())
