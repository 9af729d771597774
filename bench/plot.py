#!/usr/bin/env python3
"""Bars of the ratios to the bare C reference: plot.py [results.json] > plot.svg"""
import json
import sys
from html import escape

LEFT, RIGHT, BAR, GAP = 330, 70, 14, 4
WIDTH = 860
COLORS = {"nsgi": "#0b7285", "limit": "#adb5bd", "A/A": "#adb5bd"}
PEER = "#e8a33d"


def color(server: str) -> str:
  """Ours, the references, the peers."""
  return next((value for prefix, value in COLORS.items() if server.startswith(prefix)), PEER)


def draw(rows: list[dict]) -> str:
  """An SVG of the rows, in their order; the scale ends at four times the reference, longer bars are cut."""
  if not rows:
    return '<svg xmlns="http://www.w3.org/2000/svg"/>\n'
  scale_end = min(4.0, max(1.2, max(row["ratio"] for row in rows) * 1.05))
  unit = (WIDTH - LEFT - RIGHT) / scale_end
  body, y, previous = [], 34, None
  for row in rows:
    if row["workload"] != previous:
      y += 12 if previous else 0
      body.append(f'<text x="8" y="{y + 11}" class="w">{escape(row["workload_title"])}</text>')
      y += BAR + GAP
      previous = row["workload"]
    length = min(row["ratio"], scale_end) * unit
    body.append(f'<text x="{LEFT - 8}" y="{y + 11}" text-anchor="end">{escape(row["server_title"])}</text>')
    fill = color(row["server"])
    body.append(f'<rect x="{LEFT}" y="{y}" width="{length:.1f}" height="{BAR}" fill="{fill}"/>')
    body.append(f'<text x="{LEFT + length + 5:.1f}" y="{y + 11}">{row["ratio"]:.2f}</text>')
    y += BAR + GAP
  one, height = LEFT + unit, y + 10
  size = f'width="{WIDTH}" height="{height}"'
  head = [
    f'<svg xmlns="http://www.w3.org/2000/svg" {size} viewBox="0 0 {WIDTH} {height}">',
    '<style>text{font:12px sans-serif;fill:#212529}.w{font-weight:bold}</style>',
    f'<rect {size} fill="#fff"/>',
    '<text x="8" y="18" class="w">CPU time per request, bare C reference = 1 (shorter is better)</text>',
    f'<line x1="{one:.1f}" y1="28" x2="{one:.1f}" y2="{y}" stroke="#868e96" stroke-dasharray="3 3"/>',
  ]
  return "\n".join(head + body + ["</svg>"]) + "\n"


if __name__ == "__main__":
  path = sys.argv[1] if len(sys.argv) > 1 else ".build/bench/results.json"
  with open(path) as file:
    print(draw([row for row in json.load(file) if row["kind"] == "LOAD"]), end="")
