"""The plots of the page:  python -m wsgi.plots ROWS.jsonl FOLDER  (in bench/); prints which it drew.

SVG without background, whose greys and colours read on white and on black.
"""
from pathlib import Path
import sys

import matplotlib

matplotlib.use("svg")

import matplotlib.pyplot as plot  # noqa: E402 - the backend comes first
from matplotlib.ticker import FuncFormatter, NullFormatter  # noqa: E402
import numpy  # noqa: E402

from wsgi.page import APPLICATIONS, direct  # noqa: E402
from wsgi.plan import Cell  # noqa: E402
from wsgi.servers import AGAIN, PROTOCOLS, SERVERS  # noqa: E402
from wsgi.summary import Curve, curves_of, read_rows  # noqa: E402

GREY = "#7f7f7f"  # as far from white as from black
OURS = "#d9480f"
COLOURS = ("#1c7ed6", "#2b9348", "#9c36b5", "#b08900", "#0c8599", "#c2255c", "#6741d9")
DASHES = ("-", "--", ":")
STYLE = {
  "svg.fonttype": "none", "svg.hashsalt": "wsgi", "font.family": "sans-serif", "font.size": 10,
  "text.color": GREY, "axes.labelcolor": GREY, "axes.edgecolor": GREY, "xtick.color": GREY,
  "ytick.color": GREY, "axes.titlecolor": GREY, "axes.facecolor": "none", "figure.facecolor": "none",
  "savefig.facecolor": "none", "legend.frameon": False, "grid.color": GREY, "grid.alpha": 0.3,
  "axes.grid": True, "axes.spines.top": False, "axes.spines.right": False,
}


def look(name: str) -> dict:
  """The same line for a server in every plot; ours stands out."""
  if name in ("nsgi", AGAIN):
    return {"color": OURS, "linestyle": "-" if name == "nsgi" else ":", "linewidth": 2.2, "zorder": 3}
  number = [other for other in SERVERS if other not in ("nsgi", AGAIN)].index(name)
  return {"color": COLOURS[number % len(COLOURS)], "linestyle": DASHES[number // len(COLOURS) % len(DASHES)],
          "linewidth": 1.2}


def save(figure, folder: Path, name: str):
  """Without a date: the same rows make the same file."""
  figure.savefig(folder / f"wsgi-{name}.svg", bbox_inches="tight", metadata={"Date": None})
  plot.close(figure)
  print(name)


def panels(curves: dict[Cell, Curve]):
  """A panel for each application that was measured."""
  apps = [app for app in APPLICATIONS if direct(curves, app)]
  if not apps:
    return None, [], []
  figure, axes = plot.subplots(1, len(apps), figsize=(5.2 * len(apps), 5), squeeze=False,
                              sharey=True)
  for axis, app in zip(axes[0], apps):
    axis.set_title(APPLICATIONS[app])
    axis.set_xscale("log")
    axis.set_yscale("log")
    axis.set_xlabel("requests asked for, a second")
  return figure, axes[0], apps


def tidy(axis, x: list[float], y: list[float]):
  """From a power of ten to another, which are labelled as numbers."""
  for one, values, limit in ((axis.xaxis, x, axis.set_xlim), (axis.yaxis, y, axis.set_ylim)):
    one.set_major_formatter(FuncFormatter(lambda value, _: f"{value:,g}"))
    one.set_minor_formatter(NullFormatter())
    logarithms = [numpy.log10(number) for number in values if number > 0] or [0.0]
    limit(10 ** numpy.floor(min(logarithms)), 10 ** numpy.ceil(max(logarithms) + 0.01))


def legend(figure, axes):
  """One for all panels, to their right."""
  lines = {}
  for axis in axes:
    handles, labels = axis.get_legend_handles_labels()
    lines.update(zip(labels, handles))
  figure.legend(lines.values(), lines.keys(), loc="center left", bbox_to_anchor=(0.92, 0.5))


def rates(curves: dict[Cell, Curve], folder: Path, name: str, label: str, value):
  """Lines over the rate. A ring marks a point at which the generator may be the limit."""
  figure, axes, apps = panels(curves)
  if not apps:
    return
  everything = [point for app in apps for curve in direct(curves, app) for point in curve.points]
  for axis, app in zip(axes, apps):
    tidy(axis, [point.rate for point in everything], [value(point) for point in everything])
    for curve in direct(curves, app):
      server = curve.cell.route.server
      x, y = [point.rate for point in curve.points], [value(point) for point in curve.points]
      axis.plot(x, y, label=SERVERS[server].title, marker=".", markersize=4, **look(server))
      rings = [(a, b) for a, b, point in zip(x, y, curve.points) if point.limited]
      if rings:
        axis.plot(*zip(*rings), linestyle="", marker="o", markersize=9, markerfacecolor="none",
                  markeredgecolor=GREY)
  axes[0].set_ylabel(label)
  legend(figure, axes)
  save(figure, folder, name)


def memory(curves: dict[Cell, Curve], folder: Path):
  """Bars, at rest and at the end."""
  found = [curve for curve in direct(curves, "hello") if curve.memory and curve.cell.route.server != AGAIN]
  if not found:
    return
  found.sort(key=lambda curve: -curve.memory["rest"])
  figure, axis = plot.subplots(figsize=(7, 0.35 * len(found) + 1.2))
  places = numpy.arange(len(found))
  for offset, key, title, alpha in ((0.2, "rest", "at rest", 0.55), (-0.2, "end", "after the load", 1)):
    colours = [look(curve.cell.route.server)["color"] for curve in found]
    axis.barh(places + offset, [curve.memory[key] for curve in found], 0.38, color=colours, alpha=alpha,
              label=title)
  axis.set_yticks(places, [SERVERS[curve.cell.route.server].title for curve in found])
  axis.set_xlabel("PSS, MiB (pale: at rest; full: after the load)")
  save(figure, folder, "memory")


def protocols(curves: dict[Cell, Curve], folder: Path):
  """A heat map: servers down, ways across, the most replies a second in each field."""
  best: dict[tuple[str, str], float] = {}
  for cell, curve in curves.items():
    if cell.app == "hello" and cell.connections == 64 and cell.is_kept and cell.route.server != AGAIN:
      front = "" if cell.route.front == "direct" else f"{cell.route.front}\n"
      best[(cell.route.server, f"{front}{PROTOCOLS[cell.route.protocol]}")] = curve.most
  if not best:
    return
  ways = sorted({way for _, way in best}, key=lambda way: ("\n" in way, way))
  servers = [name for name in SERVERS if any(server == name for server, _ in best)]
  values = numpy.array([[best.get((server, way), numpy.nan) for way in ways] for server in servers])
  figure, axis = plot.subplots(figsize=(0.95 * len(ways) + 2.5, 0.34 * len(servers) + 1.5))
  axis.grid(False)
  axis.imshow(numpy.log10(values), cmap="viridis", aspect="auto")
  low, high = numpy.nanmin(numpy.log10(values)), numpy.nanmax(numpy.log10(values))
  for row, column in zip(*numpy.where(~numpy.isnan(values))):
    is_light = (numpy.log10(values[row, column]) - low) > 0.6 * (high - low)
    axis.text(column, row, f"{values[row, column]:,.0f}", ha="center", va="center", fontsize=8,
              color="#000" if is_light else "#fff")
  axis.set_xticks(range(len(ways)), ways)
  axis.set_yticks(range(len(servers)), [SERVERS[server].title for server in servers])
  axis.tick_params(length=0)
  save(figure, folder, "protocols")


def main(rows: Path, folder: Path):
  """All of them."""
  curves = curves_of(read_rows(rows))
  with plot.rc_context(STYLE):
    rates(curves, folder, "rate-p99", "p99 from the intended moment, ms",
          lambda point: point.figures["p99_us"] / 1000)
    rates(curves, folder, "rate-replies", "replies a second", lambda point: point.figures["rps"])
    memory(curves, folder)
    protocols(curves, folder)


if __name__ == "__main__":
  main(Path(sys.argv[1]), Path(sys.argv[2]))
