"""Rounds against a reference that runs all the while, measured just before and just after each step.

The ratio of a step is to the mean of the two. Rounds are interleaved: each has every server once, started
afresh, and the reference itself (A/A): how far that is from 1 is what a ratio may be off.
"""
from collections.abc import Callable

from running import Running, ServerError
from servers import Spec

AGAIN = "bare C, epoll (A/A)"


def present(specs: list[Spec], names: list[str], missing: dict[str, str]) -> list[Spec]:
  """Those servers, of these names if there are any, for which nothing lacks; why others are missing."""
  found = []
  for spec in specs:
    if names and spec.name not in names:
      continue
    lacks = spec.lacks()
    if lacks:
      missing[spec.title] = f"no {lacks[0]}"
    else:
      found.append(spec)
  return found


def step(spec: Spec | None, start: Callable[[Spec], Running], load: Callable[[Running, Spec | None], dict],
         reference: Running) -> dict:
  """What `load` found, its `us` to the reference's as `ratio`; without a spec of the reference itself."""
  before = load(reference, None)["us"]
  if spec is None:
    found = load(reference, None)
  else:
    with start(spec) as running:
      found = load(running, spec)
  after = load(reference, None)["us"]
  return {**found, "ratio": found["us"] / ((before + after) / 2)}


def rounds(count: int, reference_spec: Spec, specs: list[Spec], start: Callable[[Spec], Running],
           load: Callable[[Running, Spec | None], dict], missing: dict[str, str]) -> dict[str, list[dict]]:
  """The steps of each server, by its title; who has failed is not asked again, and is in `missing`.

  - start: makes a server that is to be entered.
  - load: loads one that runs; without a spec it is the reference.
  """
  rows: list[tuple[str, Spec | None]] = [(AGAIN, None), *((spec.title, spec) for spec in specs)]
  found: dict[str, list[dict]] = {title: [] for title, _ in rows}
  failed: set[str] = set()
  with start(reference_spec) as reference:
    for number in range(count):
      turn = number % len(rows)
      for title, spec in rows[turn:] + rows[:turn]:
        if title in failed:
          continue
        try:
          found[title].append(step(spec, start, load, reference))
        except ServerError as error:
          failed.add(title)
          missing[title] = str(error)
  return {title: steps for title, steps in found.items() if steps}
