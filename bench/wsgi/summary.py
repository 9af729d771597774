"""What rows say: for each cell its curve, which is the median of the rounds at each rate."""
from collections import defaultdict
from dataclasses import dataclass
import json
from pathlib import Path
from statistics import median

from wsgi.plan import Cell, cell_of

# Of these a curve has the median of the rounds.
FIGURES = ("rps", "p50_us", "p99_us", "p999_us", "us", "front_us", "load_busy", "lag_p99_us")


def read_rows(path: Path) -> list[dict]:
  """The rows of a file; none if it is not there. A last line that was cut by an interruption is left out."""
  rows = []
  for line in path.read_text().splitlines() if path.exists() else []:
    try:
      rows.append(json.loads(line))
    except json.JSONDecodeError:
      continue
  return rows


@dataclass(frozen=True)
class Point:
  """One rate of a curve."""
  rate: float
  figures: dict[str, float]
  rounds: int
  answered: int
  errors: int
  timeouts: int  # with those that had no answer at the end
  is_saturated: bool  # in most rounds
  limited: tuple[str, ...]  # why the generator may be what it shows
  bare: dict[str, float]


@dataclass(frozen=True)
class Curve:
  """All rates of a cell, rising."""
  cell: Cell
  points: tuple[Point, ...]
  memory: dict[str, float]  # MiB: rest, end, front

  @property
  def kept_up(self) -> Point | None:
    """The highest rate that the server keeps up with."""
    return max((point for point in self.points if not point.is_saturated), key=lambda point: point.rate,
               default=None)

  @property
  def most(self) -> float:
    """The most replies a second at any rate."""
    return max(point.figures["rps"] for point in self.points)

  @property
  def half(self) -> Point | None:
    """The rate next to half of what it keeps up with: where it is loaded, and not at its end."""
    top = self.kept_up
    if top is None:
      return None
    return min((point for point in self.points if not point.is_saturated),
               key=lambda point: abs(point.rate - top.rate / 2))


def point_of(rate: float, rows: list[dict]) -> Point:
  """The rounds of a rate."""
  figures = {name: median(row[name] for row in rows) for name in FIGURES}
  bare = {name: median(row["bare"][name] for row in rows) for name in rows[0]["bare"]}
  saturated = sum(row["saturated"] for row in rows) * 2 > len(rows)
  limited = tuple(sorted({row["limited"] for row in rows if row["limited"]}))
  return Point(rate, figures, len(rows), sum(row["answered"] for row in rows),
               sum(row["errors"] for row in rows), sum(row["timeouts"] + row["unanswered"] for row in rows),
               saturated, limited, bare)


def curves_of(rows: list[dict]) -> dict[Cell, Curve]:
  """Every cell that has points, in the order in which they came."""
  points: dict[Cell, dict[float, list[dict]]] = defaultdict(lambda: defaultdict(list))
  memory: dict[Cell, list[dict]] = defaultdict(list)
  for row in rows:
    if row["kind"] == "point":
      points[cell_of(row)][row["rate"]].append(row)
    elif row["kind"] == "memory":
      memory[cell_of(row)].append(row)
  curves = {}
  for cell, rates in points.items():
    sizes = {}
    if found := memory[cell]:
      for name, key in (("rest", "rest_pss_kib"), ("end", "pss_kib"), ("front", "front_pss_kib")):
        sizes[name] = median(row[key] for row in found) / 1024
    curves[cell] = Curve(cell, tuple(point_of(rate, rates[rate]) for rate in sorted(rates)), sizes)
  return curves


def differences(first: Curve, again: Curve) -> dict[str, float]:
  """By how much a server differs from itself, as a share: what the figures can resolve."""
  found = {"most": again.most / first.most - 1}
  rates = {point.rate: point for point in first.points if not point.is_saturated}
  pairs = [(rates[point.rate], point) for point in again.points
           if point.rate in rates and not point.is_saturated]
  for name in ("p50_us", "p99_us", "us"):
    ratios = [other.figures[name] / one.figures[name] - 1 for one, other in pairs if one.figures[name]]
    if ratios:
      found[name] = max(ratios, key=abs)
  return found
