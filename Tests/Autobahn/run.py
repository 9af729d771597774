"""Autobahn's test suite for WebSockets against an echo of ours, over plain HTTP/1.1: `make test-autobahn`.

Its fuzzing client talks to a native application (apps/ws_echo), and to one over ASGI. A case passes if its
behaviour and its end are OK or INFORMATIONAL: NON-STRICT fails. The report of each way and part stays in
.build/autobahn/reports, as pages (index.html) and with the log of the client.
"""
import argparse
import json
import os
import pathlib
import re
import shutil
import subprocess
import sys
import time

PROJECT = pathlib.Path(__file__).resolve().parents[2]
SERVER = PROJECT / ".build/release/server"
SUITE = PROJECT / ".build/autobahn"
# What scripts/install.sh has found and installed: the interpreter, and the packages beside it.
PYTHON, PACKAGES = SUITE / "python", SUITE / "packages"
# The largest case has 16 MiB, and comes back as one message.
LIMITS = ["--websocket-max-message", str(32 << 20), "--websocket-queue", str(64 << 20)]
WAYS = {
  "native": ["--app", PROJECT / ".build/apps/ws_echo.so"],
  "asgi": ["--plugin", "python3", "--pythonpath", PROJECT / "Tests/Fixtures/python", "-w", "asgi_sockets"],
}
PLAIN = {"frames": [f"{number}.*" for number in (1, 2, 3, 4, 5, 6, 7, 10)], "limits": ["9.*"]}
# Compression: 18 cases of 1,000 messages in each part.
COMPRESSION = {f"{group}.{number}": [f"{group}.{number}.*"]
               for group, most in ((12, 5), (13, 7)) for number in range(1, most + 1)}
PARTS = PLAIN | COMPRESSION
GOOD = {"OK", "INFORMATIONAL"}


class Failure(Exception):
  """A part that could not be run."""


class Server:
  """An echo on a port that the kernel chooses; a context manager."""

  def __init__(self, way: str):
    self.path = SUITE / f"{way}.log"
    command = [SERVER, "--no-master", "-L", "--http-socket", "127.0.0.1:0", *LIMITS, *WAYS[way]]
    with open(self.path, "w", encoding="utf-8") as log:
      self.process = subprocess.Popen([*map(str, command)], cwd=SUITE, stdout=log, stderr=log)

  def __enter__(self) -> "Server":
    end = time.monotonic() + 30
    while not (ready := re.search(r"^server: http socket (\S+) ready$", self.text(), re.M)):
      if self.process.poll() is not None or time.monotonic() > end:
        self.__exit__()
        raise Failure(f"the server does not start:\n{self.text()}")
      time.sleep(0.05)
    self.url = f"ws://{ready[1]}"
    return self

  def text(self) -> str:
    """Its log."""
    return self.path.read_text(encoding="utf-8", errors="replace")

  def __exit__(self, *_):
    self.process.terminate()
    try:
      self.process.wait(30)
    except subprocess.TimeoutExpired:
      self.process.kill()
      self.process.wait()


def run_part(server: Server, way: str, part: str, cases: list[str], patience: float) -> dict[str, dict]:
  """The result of each case."""
  report = SUITE / "reports" / way / part
  shutil.rmtree(report, ignore_errors=True)
  report.mkdir(parents=True)
  specification, log = report / "specification.json", report / "client.log"
  document = {"outdir": str(report), "servers": [{"agent": way, "url": server.url}], "cases": cases,
              "exclude-cases": [], "exclude-agent-cases": {}}
  specification.write_text(json.dumps(document, indent=1), encoding="utf-8")
  command = [PYTHON, "-m", "autobahntestsuite.wstest", "-m", "fuzzingclient", "-s", specification]
  environment = dict(os.environ, PYTHONPATH=str(PACKAGES), PYTHONUNBUFFERED="1")
  with open(log, "w", encoding="utf-8") as output:
    try:
      status = subprocess.run([*map(str, command)], cwd=report, env=environment, stdin=subprocess.DEVNULL,
                              stdout=output, stderr=output, timeout=patience, check=False).returncode
    except subprocess.TimeoutExpired:
      raise Failure(f"not done in {patience:g} s: {log}") from None
  text = log.read_text(encoding="utf-8", errors="replace")
  announced = re.search(r"will run (\d+) test cases", text)
  if status != 0 or not announced or not (report / "index.json").exists():
    raise Failure("\n".join(["the client has failed:", *text.splitlines()[-10:]]))
  found = json.loads((report / "index.json").read_text(encoding="utf-8")).get(way, {})
  if len(found) != int(announced[1]) or not found:
    raise Failure(f"{len(found)} of {announced[1]} cases have a result: {log}")
  return found


def is_good(result: dict) -> bool:
  """Of a case."""
  return result["behavior"] in GOOD and result["behaviorClose"] in GOOD


def key(case: str) -> list[int]:
  """For the order of cases: 9 before 10."""
  return [int(number) for number in case.split(".")]


def run_way(way: str, parts: list[str], patience: float) -> int:
  """How many cases, or parts that could not be run, are bad."""
  bad = 0
  with Server(way) as server:
    for part in parts:
      began = time.monotonic()
      try:
        found = run_part(server, way, part, PARTS[part], patience)
      except Failure as failure:
        print(f"{way}, {part}: {failure}", flush=True)
        bad += 1
        if server.process.poll() is not None:
          print(f"the server has ended:\n{server.text()[-2000:]}")
          break
        continue
      wrong = sorted((case for case in found if not is_good(found[case])), key=key)
      told = sum(found[case]["behavior"] == "INFORMATIONAL" for case in found)
      print(f"{way}, {part}: {len(found) - len(wrong)} of {len(found)} cases are good, {told} of them "
            f"informational, in {time.monotonic() - began:.0f} s", flush=True)
      for case in wrong:
        print(f"  {case}: {found[case]['behavior']}, its end {found[case]['behaviorClose']}")
      bad += len(wrong)
  return bad


def main():
  """Exits with 1 if anything is bad."""
  parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
  add = parser.add_argument
  add("--ways", nargs="+", choices=list(WAYS), default=list(WAYS), help="(default: all)")
  add("--parts", nargs="+", choices=list(PARTS), help="(default: those without compression)")
  add("--all", action="store_true", help="every part, those with compression (12.1 to 13.7) too")
  add("--patience", type=float, default=1800, metavar="SECONDS", help="for each part (default: 1800)")
  options = parser.parse_args()
  parts = options.parts or list(PARTS if options.all else PLAIN)
  SUITE.mkdir(parents=True, exist_ok=True)
  bad = 0
  for way in options.ways:
    try:
      bad += run_way(way, parts, options.patience)
    except Failure as failure:
      print(f"{way}: {failure}")
      bad += 1
  print(f"Reports: {SUITE / 'reports'}")
  sys.exit(1 if bad else 0)


if __name__ == "__main__":
  main()
