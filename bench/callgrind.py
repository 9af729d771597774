#!/usr/bin/env python3
"""Reads callgrind's output: instructions of each function, and how often each calls which.

  callgrind.py SMALL LARGE REQUESTS [ROWS]   the profile of one request, from two runs that differ by REQUESTS
"""
from collections import Counter
from dataclasses import dataclass, field
import os
import re
import subprocess
import sys

RETAINS = {"swift_retain", "swift_retain_n", "swift_bridgeObjectRetain", "swift_unknownObjectRetain"}
RELEASES = {"swift_release", "swift_release_n", "swift_bridgeObjectRelease", "swift_unknownObjectRelease"}
ALLOCATIONS = {"malloc", "calloc", "realloc", "free", "posix_memalign"}


@dataclass
class Profile:
  """Totals of one run, or of the difference of two divided by the requests between them."""
  # (name of the object's file, function) -> instructions. Its name alone: a generation's private copy lies
  # elsewhere in each run, and what it costs would not be subtracted from what it costs.
  own: Counter = field(default_factory=Counter)
  edges: Counter = field(default_factory=Counter)  # (caller, callee) -> calls

  def instructions(self, program: str | None = None) -> float:
    """Of all objects, or of those of one file's name."""
    return sum(count for (name, _), count in self.own.items() if program is None or name == program)

  def calls(self, names: set[str]) -> float:
    """Calls of functions from outside the group: a bridge's retain is one, not two."""
    return sum(count for (caller, callee), count in self.edges.items()
               if callee in names and caller not in names)

  def callers(self, names: set[str]) -> list[tuple[float, str, str]]:
    """Who calls these functions, most often first."""
    found = [(count, caller, callee) for (caller, callee), count in self.edges.items()
             if callee in names and caller not in names and count > 0.005]
    return sorted(found, reverse=True)

  def without(self, functions: tuple[str, ...]) -> "Profile":
    """The same but for functions with one of these texts in their mangled names, and for their calls."""
    def stays(name: str) -> bool:
      return not any(text in name for text in functions)
    own = {key: count for key, count in self.own.items() if stays(key[1])}
    edges = {key: count for key, count in self.edges.items() if stays(key[0])}
    return Profile(Counter(own), Counter(edges))

  def per_request(self, smaller: "Profile", requests: int) -> "Profile":
    """What one request costs: the difference to a run with fewer of them."""
    result = Profile()
    for mine, other, into in ((self.own, smaller.own, result.own), (self.edges, smaller.edges, result.edges)):
      for key, count in mine.items():
        into[key] = (count - other[key]) / requests
    return result


class _Names:
  """Callgrind writes a name once, as "(7) name", and afterwards "(7)"."""

  def __init__(self):
    self._known: dict[str, str] = {}

  def full(self, text: str) -> str:
    """The name that `text` stands for, without the mark of a recursion level."""
    match = re.match(r"\((\d+)\)(?: (.*))?$", text)
    if not match:
      return text
    if match[2]:
      self._known[match[1]] = re.sub(r"'\d+$", "", match[2])
    return self._known[match[1]]


def read(path: str) -> Profile:
  """A file of `valgrind --tool=callgrind --callgrind-out-file=path`."""
  profile, functions, objects = Profile(), _Names(), _Names()
  where = caller = callee = ""
  is_call = False
  with open(path) as file:
    for line in file:
      line = line.rstrip("\n")
      if line.startswith("fn="):
        caller = functions.full(line[3:])
      elif line.startswith("ob="):
        where = os.path.basename(objects.full(line[3:]))
      elif line.startswith("cfn="):
        callee = functions.full(line[4:])
      elif line.startswith("cob="):
        objects.full(line[4:])
      elif line.startswith("calls="):
        profile.edges[caller, callee] += int(line[6:].split()[0])
        is_call = True
      elif line[:1].isdigit() or line[:1] in "+-*" and line:
        # The line after "calls=" is what the callee cost.
        words = line.split()
        if not is_call and len(words) > 1:
          profile.own[where, caller] += int(words[1])
        is_call = False
  return profile


def demangled(names: list[str]) -> list[str]:
  """Swift's names in words, where the toolchain is there."""
  try:
    done = subprocess.run(["swift", "demangle", "--compact"], input="\n".join(names), text=True,
                          capture_output=True, check=True)
  except (OSError, subprocess.CalledProcessError):
    return names
  return done.stdout.splitlines()


def main():
  """Prints a profile."""
  small, large, requests = read(sys.argv[1]), read(sys.argv[2]), int(sys.argv[3])
  profile = large.per_request(small, requests)
  rows = int(sys.argv[4]) if len(sys.argv) > 4 else 15
  in_server = profile.instructions("server")
  print(f"{profile.instructions():.0f} instructions a request, {in_server:.0f} in the server")
  top = profile.own.most_common(rows)
  called = Counter()
  for (_, callee), count in profile.edges.items():
    called[callee] += count
  for ((_, mangled), count), name in zip(top, demangled([name for (_, name), _ in top])):
    print(f"{count:8.0f}  {called[mangled]:6.2f}x  {name[:200]}")
  for names in (RETAINS, RELEASES, ALLOCATIONS):
    for count, caller, callee in profile.callers(names):
      print(f"{count:8.2f}  {callee} from {demangled([caller])[0][:200]}")


if __name__ == "__main__":
  main()
