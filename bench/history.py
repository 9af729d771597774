#!/usr/bin/env python3
"""What each release costs, and what has changed since.

  history.py record [FILE]          writes bench/history/VERSION.json
  history.py compare OLD [NEW]      says what changed beyond the noise; NEW: what is measured and built now

A release has the figures of the budgets, which do not drift (they are measured now: two minutes); the ratios
to bare C out of the last run of `make bench`, if that was of this build; and the machine. Exits with 1 if
something has become worse.
"""
import argparse
import json
import os
from pathlib import Path
from statistics import median, quantiles
import subprocess
import sys
import time

import machine
from servers import OUT, ROOT, SERVER

HISTORY = ROOT / "bench" / "history"
RESULTS = OUT / "results.json"
# Instructions come out the same within this part, on a busy machine too (docs/BENCHMARKS.md); the other
# figures are counts, of which what happens once in fifty requests is no cost of a request.
INSTRUCTIONS, COUNTS = 0.005, 0.02
TITLES = {"instructions": "instructions", "system_calls": "system calls", "allocations": "allocations",
          "frees": "frees", "retains": "retains", "releases": "releases", "ratio": "CPU time, bare C = 1"}
AGAIN = "A/A"


def git(*words: str) -> str:
  """What git says of this checkout."""
  return subprocess.run(["git", "-C", str(ROOT), *words], capture_output=True, text=True).stdout.strip()


def commit() -> str:
  """This one, with a plus if files differ from it."""
  return git("rev-parse", "--short=10", "HEAD") + ("+" if git("status", "--porcelain", "-uno") else "")


def spread(values: list[float]) -> dict[str, float]:
  """Median and quartiles, which hold half of the rounds."""
  if len(values) < 4:
    low, high = min(values), max(values)
  else:
    low, _, high = quantiles(values, n=4)
  return {"median": round(median(values), 3), "low": round(low, 3), "high": round(high, 3)}


def ratios_of(rows: list[dict]) -> dict[str, dict]:
  """Of this server and of the reference against itself, by workload and server; not of peers."""
  found = {}
  for row in rows:
    if row.get("kind") == "LOAD" and (row["server"].startswith("nsgi") or row["server"] == AGAIN):
      found[f"{row['workload']}/{row['server']}"] = spread(row["ratios"])
  return found


def budgets_now() -> dict[str, dict]:
  """Measured now."""
  file = OUT / "budgets.json"
  file.unlink(missing_ok=True)
  command = [str(ROOT / "bench" / "budget.sh"), "--json", str(file)]
  subprocess.run(command, check=False, stdout=subprocess.DEVNULL)
  if not file.exists():
    raise SystemExit("history.py: the budgets could not be measured: make bench-budget says why")
  return json.loads(file.read_text())


def now() -> dict:
  """A release as it would be recorded now."""
  said = subprocess.run([str(SERVER), "--version"], capture_output=True, text=True, check=True).stdout
  release = {"release": said.split()[-1], "date": time.strftime("%Y-%m-%d"), "commit": commit(),
             "machine": machine.describe(), "budgets": budgets_now(), "ratios": {}}
  if not RESULTS.exists() or RESULTS.stat().st_mtime < SERVER.stat().st_mtime:
    print("history.py: no ratios: `make bench` has not been run since the server was built", file=sys.stderr)
  else:
    release["ratios"] = ratios_of(json.loads(RESULTS.read_text()))
  return release


def changes_of_budgets(old: dict, new: dict) -> list[tuple[str, str, float, float, bool]]:
  """(path, figure, before, after, whether it is worse) of what is beyond the noise."""
  found = []
  for name in sorted(old["budgets"].keys() & new["budgets"].keys()):
    before, after = old["budgets"][name], new["budgets"][name]
    for key in (key for key in TITLES if key in before and key in after):
      noise = before[key] * INSTRUCTIONS if key == "instructions" else COUNTS
      if abs(after[key] - before[key]) > noise:
        found.append((name, key, before[key], after[key], after[key] > before[key]))
  return found


def noise_of(release: dict, workload: str) -> float:
  """By how much the reference differs from itself in a workload: what its ratios can resolve."""
  again = release["ratios"].get(f"{workload}/{AGAIN}")
  return max(abs(again["low"] - 1), abs(again["high"] - 1)) if again else 0.0


def changes_of_ratios(old: dict, new: dict) -> list[tuple[str, str, float, float, bool]]:
  """The same of ratios: the quartiles lie apart, and the medians by more than bare C is from itself."""
  found = []
  for name in sorted(old["ratios"].keys() & new["ratios"].keys()):
    workload, _, server = name.rpartition("/")
    before, after = old["ratios"][name], new["ratios"][name]
    lie_apart = before["high"] < after["low"] or after["high"] < before["low"]
    noise = max(noise_of(old, workload), noise_of(new, workload))
    if server != AGAIN and lie_apart and abs(after["median"] / before["median"] - 1) > noise:
      found.append((name, "ratio", before["median"], after["median"], after["median"] > before["median"]))
  return found


def comparison(old: dict, new: dict) -> tuple[str, bool]:
  """What to print, and whether nothing has become worse."""
  names = [f"{one['release']} ({one['commit']}, {one['date']})" for one in (old, new)]
  lines = [" → ".join(names)]
  if old["machine"] != new["machine"]:
    lines.append(f"Other machines: {old['machine']}; now {new['machine']}. Ratios may differ by that alone.")
  changes = changes_of_budgets(old, new) + changes_of_ratios(old, new)
  if changes:
    lines += ["", "| path | figure | before | after | change | |", "|---|---|--:|--:|--:|---|"]
  for name, key, before, after, is_worse in changes:
    share = f"{after / before - 1:+.1%}" if before else f"{after - before:+.2f}"
    word = "worse" if is_worse else "better"
    lines.append(f"| {name} | {TITLES[key]} | {before:g} | {after:g} | {share} | {word} |")
  seen = sum(len(old[part].keys() & new[part].keys()) for part in ("budgets", "ratios"))
  lines += ["", f"{len(changes)} changes beyond the noise in {seen} rows."]
  for part in ("budgets", "ratios"):
    before, after = old[part].keys(), new[part].keys()
    for word, rows in (("new", after - before), ("gone", before - after)):
      if rows:
        lines.append(f"{part}, {word}: {', '.join(sorted(rows))}.")
  return "\n".join(lines), not any(is_worse for *_, is_worse in changes)


def read(path: str) -> dict:
  """A release of the history, by its file or its version."""
  file = Path(path) if os.path.exists(path) else HISTORY / f"{path}.json"
  if not file.exists():
    there = ", ".join(sorted(known.stem for known in HISTORY.glob("*.json"))) or "none"
    raise SystemExit(f"history.py: no {path}; recorded releases: {there}")
  return json.loads(file.read_text())


def main() -> int:
  """One of the two."""
  raw = argparse.RawDescriptionHelpFormatter
  parser = argparse.ArgumentParser(description=__doc__, formatter_class=raw)
  verbs = parser.add_subparsers(dest="verb", required=True)
  verbs.add_parser("record").add_argument("file", nargs="?")
  compare = verbs.add_parser("compare")
  compare.add_argument("old")
  compare.add_argument("new", nargs="?")
  arguments = parser.parse_args()
  if arguments.verb == "record":
    release = now()
    file = Path(arguments.file or HISTORY / f"{release['release']}.json")
    file.write_text(json.dumps(release, indent=1) + "\n")
    print(file)
    return 0
  old = read(arguments.old)
  text, is_good = comparison(old, read(arguments.new) if arguments.new else now())
  print(text)
  return 0 if is_good else 1


if __name__ == "__main__":
  sys.exit(main())
