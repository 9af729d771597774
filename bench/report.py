"""The result: one Markdown table of medians and ratios, and its place in docs/BENCHMARKS.md."""
import json
from pathlib import Path
from statistics import median, quantiles
import time

import machine
import plot
from servers import ROOT, SPECS
from workloads import Kind, Workload

OURS = "nsgi-full"
DOCUMENT = ROOT / "docs" / "BENCHMARKS.md"
PLOT = ROOT / "docs" / "benchmarks.svg"
BEGIN, END = "<!-- results -->", "<!-- end of results -->"

LOAD_HEAD = ("| workload | server | CPU µs/request | ratio to bare C (quartiles) | ours ÷ this | requests/s "
             "| p50 µs | p99 µs | p999 µs | PSS MiB | RSS MiB | errors |\n"
             "|---|---|--:|--:|--:|--:|--:|--:|--:|--:|--:|--:|")


def title(name: str) -> str:
  """What the table calls a server."""
  if name == "A/A":
    return "bare C, epoll (A/A)"
  return SPECS[name].title if name in SPECS else "bare C"


def spread(values: list[float]) -> str:
  """Median and quartiles."""
  if len(values) < 4:
    return f"{median(values):.2f} ({min(values):.2f}–{max(values):.2f})"
  low, _, high = quantiles(values, n=4)
  return f"{median(values):.2f} ({low:.2f}–{high:.2f})"


class Document:
  """Rows as they come in."""

  def __init__(self, rounds: int, seconds: float):
    self.rounds, self.seconds = rounds, seconds
    self.rows: list[dict] = []
    self.missing: dict[str, str] = {}

  def add(self, workload: Workload, steps: dict[str, list[dict]]):
    """The medians of a workload's rounds."""
    for name, list_ in steps.items():
      numbers = {key for step in list_ for key, value in step.items() if isinstance(value, (int, float))}
      row = {key: median(step[key] for step in list_ if key in step) for key in numbers}
      row.update(workload=workload.name, workload_title=workload.title, server=name, server_title=title(name),
                 kind=workload.kind.name, rounds=len(list_))
      if workload.kind is Kind.LOAD:
        row["ratios"] = [step["ratio"] for step in list_]
        row["errors"] = sum(step["errors"] for step in list_)
      self.rows.append(row)

  def rows_of(self, kind: Kind) -> list[dict]:
    """The rows of one kind, workload by workload."""
    return [row for row in self.rows if row["kind"] == kind.name]

  def _load_table(self) -> list[str]:
    lines, ours = [LOAD_HEAD], {}
    for row in self.rows_of(Kind.LOAD):
      if row["server"] == OURS:
        ours[row["workload"]] = row["ratio"]
    previous = None
    for row in self.rows_of(Kind.LOAD):
      own = ours.get(row["workload"])
      against = "" if own is None or row["server"] == OURS else f"{own / row['ratio']:.2f}"
      name = row["workload_title"] if row["workload"] != previous else ""
      previous = row["workload"]
      cells = [name, row["server_title"], f"{row['us']:.2f}", spread(row["ratios"]), against,
               f"{row['rps']:,.0f}", f"{row['p50_us']:,.0f}", f"{row['p99_us']:,.0f}",
               f"{row['p999_us']:,.0f}", f"{row['pss_kib'] / 1024:.1f}", f"{row['rss_kib'] / 1024:.1f}",
               f"{row['errors']:.0f}"]
      lines.append("| " + " | ".join(cells) + " |")
    return lines

  def _other_tables(self) -> list[str]:
    lines = []
    if rows := self.rows_of(Kind.IDLE):
      lines += ["", "| 10,000 idle keep-alive connections | bytes each (PSS) | PSS MiB empty | with them |",
                "|---|--:|--:|--:|"]
      lines += [f"| {row['server_title']} | {row['each_bytes']:.0f} | {row['empty_pss_kib'] / 1024:.1f} "
                f"| {row['pss_kib'] / 1024:.1f} |" for row in rows]
    if rows := self.rows_of(Kind.START):
      # The memory is that of all its processes, once the first answer is there.
      lines += ["", "| Start to first answer | ms | CPU ms | PSS MiB | RSS MiB |", "|---|--:|--:|--:|--:|"]
      lines += [f"| {row['server_title']} | {row['ms']:.2f} | {row['cpu_ms']:.2f} "
                f"| {row['pss_kib'] / 1024:.1f} | {row['rss_kib'] / 1024:.1f} |" for row in rows]
    if rows := self.rows_of(Kind.CGI):
      lines += ["", "| CGI: start to end of the answer | ms | CPU ms |", "|---|--:|--:|"]
      lines += [f"| {row['server_title']} | {row['ms']:.2f} | {row['cpu_ms']:.2f} |" for row in rows]
    return lines

  def markdown(self) -> str:
    """Everything."""
    noise = [row["noise"] for row in self.rows_of(Kind.LOAD)]
    lines = [f"{time.strftime('%Y-%m-%d')}, commit {machine.commit()}: {machine.describe()}; "
             f"{self.rounds} rounds of {self.seconds:g} s."]
    if noise:
      lines[0] += f" CPU taken by others: median {median(noise):.1%} of one, at most {max(noise):.1%}."
    lines += [""] + (self._load_table() if noise else []) + self._other_tables()
    if self.missing:
      reasons = "; ".join(f"{name} ({why})" for name, why in self.missing.items())
      lines += ["", f"Not measured: {reasons}."]
    return "\n".join(lines)

  def save(self, folder: Path):
    """results.json, results.md and results.svg."""
    (folder / "results.json").write_text(json.dumps(self.rows, indent=1))
    (folder / "results.md").write_text(self.markdown() + "\n")
    (folder / "results.svg").write_text(plot.draw(self.rows_of(Kind.LOAD)))

  def publish(self):
    """Puts table and plot into docs/."""
    text = DOCUMENT.read_text()
    head, tail = text.split(BEGIN)[0], text.split(END)[1]
    DOCUMENT.write_text(f"{head}{BEGIN}\n{self.markdown()}\n{END}{tail}")
    PLOT.write_text(plot.draw(self.rows_of(Kind.LOAD)))
