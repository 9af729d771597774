"""docs/benchmarks/wsgi.md, its plots and its rows:  python3 -m wsgi.page ROWS.jsonl [FOLDER]  (in bench/)

page.md.in has what is always said; what the rows say goes into its marks. Without rows the page says that
there are no figures yet, and how to make them.
"""
from dataclasses import replace
import json
import os
from pathlib import Path
import re
import subprocess
import sys

from servers import ROOT
from wsgi.plan import CONNECTIONS, MORE_CONNECTIONS, Cell
from wsgi.servers import AGAIN, PROTOCOLS, PYTHON, SERVERS
from wsgi.summary import Curve, curves_of, differences, read_rows

DOCS = ROOT / "docs" / "benchmarks"
TEMPLATE = Path(__file__).parent / "page.md.in"
PLOTS = {"rate-p99": "p99 from the intended moment, by the rate asked for; 64 kept connections",
         "rate-replies": "Replies a second, by the rate asked for; 64 kept connections",
         "memory": "Memory (PSS) of the server's processes, at rest and after the load; hello world",
         "protocols": "The most replies a second, by what is in front and the protocol; hello world"}
APPLICATIONS = {"hello": "Hello world", "flask": "The page of Flask", "django": "The page of Django"}
NO_FIGURES = ("No figures are here yet: they follow with `make bench-wsgi ARGS=--docs` on a quiet machine, "
              "which writes them\ninto this page, with plots and the raw rows.")


def number(value: float) -> str:
  """With as many digits as mean something."""
  return f"{value:,.0f}" if value >= 100 else f"{value:.1f}" if value >= 1 else f"{value:.2f}"


def line(*cells: str) -> str:
  """A line of a table."""
  return "| " + " | ".join(cells) + " |"


def head(*names: str) -> list[str]:
  """The first two lines of a table: words to the left, figures to the right."""
  return [line(*names), "|---|" + "--:|" * (len(names) - 1)]


def direct(curves: dict[Cell, Curve], app: str, connections: int = CONNECTIONS,
           kept: bool = True) -> list[Curve]:
  """The curves of servers that are asked directly, the quickest first."""
  found = [curve for cell, curve in curves.items() if cell.route.front == "direct" and cell.app == app
           and cell.connections == connections and cell.is_kept == kept]
  return sorted(found, key=lambda curve: -curve.most)


def failures(curve: Curve) -> tuple[str, str]:
  """Errors and timeouts: of rates that it keeps up with, and past them."""
  below = [point for point in curve.points if not point.is_saturated]
  past = [point for point in curve.points if point.is_saturated]
  return tuple(f"{sum(point.errors for point in points):,} / {sum(point.timeouts for point in points):,}"
               for points in (below, past))


def main_table(curves: list[Curve]) -> list[str]:
  """A line for each server."""
  lines = head("server", "keeps up to, requests/s", "most replies/s", "p50 ms at half of it", "p99 ms",
               "p99.9 ms", "CPU µs/request", "PSS MiB at rest", "at the end", "errors / timeouts",
               "past its end")
  for curve in curves:
    top, half = curve.kept_up, curve.half
    latencies = [f"{half.figures[name] / 1000:.2f}" if half else ""
                 for name in ("p50_us", "p99_us", "p999_us")]
    mark = " (g)" if any(point.limited for point in curve.points) else ""
    lines.append(line(SERVERS[curve.cell.route.server].title + mark, number(top.rate) if top else "none",
                      number(curve.most), *latencies, number(top.figures["us"]) if top else "",
                      number(curve.memory.get("rest", 0)), number(curve.memory.get("end", 0)),
                      *failures(curve)))
  return lines


def connections_table(curves: dict[Cell, Curve]) -> list[str]:
  """Hello world directly, by the number of connections: the most replies a second, and p99 at half."""
  columns = [(count, True) for count in sorted((CONNECTIONS, *MORE_CONNECTIONS))] + [(CONNECTIONS, False)]
  titles = [f"{count:,} kept" if kept else f"{count}, one a request" for count, kept in columns]
  found = {column: {curve.cell.route.server: curve for curve in direct(curves, "hello", *column)}
           for column in columns}
  if not any(found[column] for column in columns if column != (CONNECTIONS, True)):
    return []
  lines = ["", "### Connections", "",
           "The most replies a second, and p99 in ms at half of what it keeps up with.", ""]
  lines += head("server", *titles)
  for name in [curve.cell.route.server for curve in direct(curves, "hello")]:
    cells = []
    for column in columns:
      curve = found[column].get(name)
      half = curve.half if curve else None
      cells.append(f"{number(curve.most)} · {half.figures['p99_us'] / 1000:.1f}" if half else "")
    lines.append(line(SERVERS[name].title, *cells))
  return lines


def fronts_table(curves: dict[Cell, Curve]) -> list[str]:
  """Behind web servers."""
  found = [curve for cell, curve in curves.items() if cell.route.front != "direct"]
  if not found:
    return []
  lines = ["", "### Behind web servers", ""]
  lines += head("server", "in front", "protocol", "application", "keeps up to, requests/s", "most replies/s",
                "p99 ms at half of it", "CPU µs/request, server", "web server", "errors / timeouts",
                "past its end")
  for curve in sorted(found, key=lambda curve: (curve.cell.app, curve.cell.route.front, -curve.most)):
    route, top, half = curve.cell.route, curve.kept_up, curve.half
    lines.append(line(SERVERS[route.server].title, route.front, PROTOCOLS[route.protocol], curve.cell.app,
                      number(top.rate) if top else "none", number(curve.most),
                      f"{half.figures['p99_us'] / 1000:.2f}" if half else "",
                      number(top.figures["us"]) if top else "",
                      number(top.figures["front_us"]) if top else "", *failures(curve)))
  return lines


def noise_lines(rows: list[dict], curves: dict[Cell, Curve]) -> list[str]:
  """What the figures can resolve, and whether the machine was quiet."""
  points = [row for row in rows if row["kind"] == "point"]
  shares = sorted(max(row["steal"], row["foreign"]) for row in points)
  loud = sum(share >= 0.1 for share in shares)
  middle = shares[len(shares) // 2]
  lines = [f"Other processes and the hypervisor took {middle:.1%} of a CPU in the median of "
           f"{len(points):,} points, at most {shares[-1]:.1%}; {loud:,} of them had more than 10 %.", ""]
  pairs = [(curve, curves[again]) for cell, curve in curves.items() if cell.route.server == "nsgi"
           and (again := replace(cell, route=replace(cell.route, server=AGAIN))) in curves]
  names = {"most": "most replies/s", "p50_us": "p50", "p99_us": "p99", "us": "CPU time"}
  for first, again in pairs:
    found = differences(first, again)
    said = ", ".join(f"{names[name]} {share:+.1%}" for name, share in found.items())
    kept = "" if first.cell.is_kept else ", one a request"
    lines.append(f"- A/A, {first.cell.app}, {first.cell.connections} connections{kept}: {said} (the largest "
                 "difference at a rate that both keep up with).")
  return lines


def limits_lines(curves: dict[Cell, Curve]) -> list[str]:
  """Where the generator may be the limit."""
  lines = []
  for curve in curves.values():
    points = [point for point in curve.points if point.limited]
    if points:
      rates = ", ".join(number(point.rate) for point in points)
      reasons = "; ".join(sorted({reason for point in points for reason in point.limited}))
      lines.append(f"- {curve.cell.title}: at {rates} requests/s ({reasons})")
  if not lines:
    return ["At no point may the generator be the limit."]
  return ["Points at which the generator, and not the server, may be what is seen (g):", "", *lines]


def results(rows: list[dict], curves: dict[Cell, Curve], plots: list[str]) -> str:
  """Everything that rows say."""
  lines = noise_lines(rows, curves)
  for app, title in APPLICATIONS.items():
    if found := direct(curves, app):
      lines += ["", f"### {title}, directly", "", *main_table(found)]
  lines += connections_table(curves) + fronts_table(curves)
  for name in plots:
    lines += ["", f"![{PLOTS[name]}](wsgi-{name}.svg)"]
  return "\n".join(lines + ["", "### The generator", "", *limits_lines(curves)])


def missing(rows: list[dict]) -> str:
  """What could not be measured, each with the reason."""
  reasons = {SERVERS[row["server"]].title: row["why"] for row in rows if row["kind"] == "missing"}
  lines = [f"- {title}: {why}" for title, why in reasons.items()]
  failed = {}
  for row in rows:
    if row["kind"] == "failed":
      failed[f"{SERVERS[row['server']].title}, {row['front']} {row['protocol']}, {row['app']}"] = row["why"]
  lines += [f"- {title}: {why}" for title, why in failed.items()]
  return "\n".join(lines) or "Everything was measured."


def machine_lines(rows: list[dict]) -> str:
  """Where and when, and versions."""
  lines = []
  for run in (row for row in rows if row["kind"] == "run"):
    versions = dict(run["servers"], **run["fronts"])
    servers = ", ".join(f"{SERVERS[name].title if name in SERVERS else name} {version}"
                        for name, version in versions.items() if name != AGAIN)
    look = " A quick look, no claim." if run["quick"] else ""
    lines.append(f"- {run['time']}, commit {run['commit']}: {run['machine']}, {run['system']}, "
                 f"Python {run['python']}; {run['rounds']} rounds of {run['seconds']:g} s a rate.{look} "
                 f"{servers}.")
  return "\n".join(lines)


def unlike() -> str:
  """What is not like for like, server by server."""
  return "\n".join(f"- **{server.title}**: {server.note}." for server in SERVERS.values() if server.note)


def markdown(rows: list[dict], plots: list[str]) -> str:
  """The page."""
  curves = curves_of(rows)
  text = TEMPLATE.read_text()
  filled = {"UNLIKE": unlike(), "RESULTS": NO_FIGURES, "MISSING": "", "MACHINE": ""}
  if curves:
    filled.update(RESULTS=results(rows, curves, plots),
                  MACHINE="## Machine and versions\n\n" + machine_lines(rows),
                  MISSING="## Not measured\n\n" + missing(rows) + "\n\nEvery row: [wsgi.jsonl](wsgi.jsonl).")
  for name, value in filled.items():
    text = text.replace("{" + name + "}", value)
  return re.sub("\n{3,}", "\n\n", text).strip() + "\n"


def draws(python: Path | str) -> bool:
  """Whether an interpreter has matplotlib."""
  command = [str(python), "-c", "import matplotlib"]
  return os.path.exists(python) and subprocess.run(command, capture_output=True).returncode == 0


def draw(rows: Path, folder: Path) -> list[str]:
  """The plots, by the first interpreter that has matplotlib: ours may be any; which were drawn."""
  places = [PYTHON, ROOT / ".build" / "venv" / "bin" / "python", Path(sys.executable)]
  python = next((place for place in places if draws(place)), None)
  if python is None:
    raise SystemExit("page.py: no matplotlib: bench/wsgi/install.sh plots")
  done = subprocess.run([str(python), "-m", "wsgi.plots", str(rows), str(folder)], cwd=ROOT / "bench",
                        capture_output=True, text=True)
  if done.returncode:
    raise SystemExit(f"page.py: {done.stderr.strip()}")
  return done.stdout.split()


def write(path: Path, folder: Path):
  """The page, its plots and its rows into a folder."""
  rows = read_rows(path)
  folder.mkdir(parents=True, exist_ok=True)
  plots = []
  if any(row["kind"] == "point" for row in rows):
    plots = draw(path, folder)
    text = "".join(json.dumps(row, separators=(",", ":")) + "\n" for row in rows)
    (folder / "wsgi.jsonl").write_text(text)
  (folder / "wsgi.md").write_text(markdown(rows, plots))
  print(f"bench: {folder / 'wsgi.md'}", file=sys.stderr)


if __name__ == "__main__":
  write(Path(sys.argv[1]), Path(sys.argv[2]) if len(sys.argv) > 2 else DOCS)
