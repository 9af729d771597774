"""The page of `make bench-wsgi` out of rows that are made up here, and the comparison of releases."""
import json
from pathlib import Path
import sys
import tempfile
import unittest
import xml.etree.ElementTree as xml

BENCH = Path(__file__).resolve().parents[2] / "bench"
sys.path.insert(0, str(BENCH))

import history  # noqa: E402 - of bench
from wsgi import check, measure, page, plan, summary  # noqa: E402
from wsgi.chain import Route, routes  # noqa: E402
from wsgi.servers import SERVERS  # noqa: E402

BARE = {"rps": 1000.0, "p50_us": 50.0, "p99_us": 90.0, "p999_us": 95.0, "us": 7.0}


def point(cell: plan.Cell, number: int, rate: float, capacity: float, p99_us: float, **more) -> dict:
  """A row of a server that answers up to `capacity`."""
  row = {"kind": "point", "round": number, **cell.key(), "rate": rate, "seconds": 1.0,
         "rps": min(rate, capacity), "answered": int(min(rate, capacity)), "p50_us": p99_us / 3,
         "p99_us": p99_us, "p999_us": p99_us * 2,
         "us": 40.0, "front_us": 0.0, "load_busy": 0.2, "lag_p99_us": 1.0, "errors": 0, "timeouts": 0,
         "unanswered": 0, "steal": 0.0, "foreign": 0.01, "bare": dict(BARE, rps=rate), "limited": "", **more}
  row["saturated"] = measure.is_saturated(row)
  return row


def rows_of(cell: plan.Cell, capacity: float, p99_us: float) -> list[dict]:
  """Three rounds up to past the capacity; the second is disturbed."""
  rows = []
  for number in range(3):
    disturbed = 50 if number == 1 else 1
    for rate in (100.0, 200.0, 400.0, 800.0):
      late = 1_000_000 if rate > capacity else p99_us * disturbed
      rows.append(point(cell, number, rate, capacity, late, unanswered=int(max(rate - capacity, 0))))
    rows.append({"kind": "memory", "round": number, **cell.key(), "rest_pss_kib": 20480,
                 "pss_kib": 30720 * disturbed, "rest_front_pss_kib": 0, "front_pss_kib": 0})
  return rows


def sample() -> list[dict]:
  """A run of few servers; one is missing, one does not answer."""
  def direct(server: str) -> Route:
    return Route(server, "direct", "http")
  servers = {"nsgi": "0.1.0", "nsgi-again": "0.1.0", "bjoern": "3.2.2"}
  rows = [{"kind": "run", "time": "2026-01-02 03:04", "machine": "a machine", "commit": "0123456789",
           "python": "3.11.2", "system": "Debian", "servers": servers, "fronts": {"lighttpd": "1.4.69"},
           "quick": False, "seconds": 1.0, "rounds": 3, "noise": 0.1},
          {"kind": "missing", "server": "meinheld", "why": "pip install meinheld failed: no wheel"}]
  for app in ("hello", "flask", "django"):
    figures = (("nsgi", 700, 1000.0), ("nsgi-again", 700, 1100.0), ("bjoern", 300, 2000.0))
    for server, capacity, p99_us in figures:
      rows += rows_of(plan.Cell(direct(server), app), capacity, p99_us)
  rows += rows_of(plan.Cell(direct("nsgi"), connections=500), 500, 3000.0)
  rows += rows_of(plan.Cell(Route("nsgi", "lighttpd", "uwsgi")), 450, 4000.0)
  cell = plan.Cell(Route("flup", "nginx", "fcgi"))
  return rows + [{"kind": "failed", "round": 0, **cell.key(), "why": "answers 502"}]


class SummaryTest(unittest.TestCase):
  def test_a_curve_is_the_median_of_its_rounds(self):
    curve = next(iter(summary.curves_of(sample()).values()))
    self.assertEqual([one.rate for one in curve.points], [100, 200, 400, 800])
    # One disturbed round of three moves no figure.
    self.assertEqual(curve.points[0].figures["p99_us"], 1000)
    self.assertEqual((curve.memory["rest"], curve.memory["end"]), (20, 30))
    self.assertEqual((curve.kept_up.rate, curve.half.rate, curve.most), (400, 200, 700))

  def test_failures_saturate_as_missing_replies_do(self):
    cell = plan.Cell(Route("nsgi", "direct", "http"))
    self.assertFalse(point(cell, 0, 1000, 980, 1.0)["saturated"])
    self.assertTrue(point(cell, 0, 1000, 960, 1.0)["saturated"])
    self.assertFalse(point(cell, 0, 1000, 1000, 1.0, errors=10)["saturated"])
    self.assertTrue(point(cell, 0, 1000, 1000, 1.0, errors=6, timeouts=5)["saturated"])

  def test_a_point_says_when_the_generator_may_be_the_limit(self):
    cell = plan.Cell(Route("nsgi", "direct", "http"))
    good = dict(BARE, rate=1000, rps=1000)
    row = point(cell, 0, 1000, 1000, 500.0)
    self.assertEqual(measure.generator_limits(row, good), "")
    self.assertIn("bare C", measure.generator_limits(row, dict(good, rps=900)))
    self.assertIn("busy", measure.generator_limits(dict(row, load_busy=0.95), good))
    self.assertIn("late", measure.generator_limits(dict(row, lag_p99_us=150), good))

  def test_all_servers_meet_the_same_rates(self):
    self.assertEqual(plan.rungs(1000, 3), [453, 640, 905, 1280, 1810, 2560, 3620, 5120])
    self.assertLessEqual(set(plan.rungs(5, 7)) | set(plan.rungs(70000, 7)), set(plan.LADDER))
    self.assertEqual(plan.rungs(0, 7)[0], plan.LADDER[0])

  def test_every_server_has_a_way_and_a_cell(self):
    cells = plan.full()
    self.assertEqual({cell.route.server for cell in cells}, set(SERVERS))
    self.assertEqual(len(set(cells)), len(cells))
    ways = {(route.front, route.protocol) for route in routes() if route.server == "nsgi"}
    gateways = {(front, protocol) for front in ("lighttpd", "nginx")
                for protocol in ("http", "uwsgi", "scgi", "fcgi")}
    self.assertEqual(ways, {("direct", "http"), ("lighttpd", "cgi")} | gateways)


class PageTest(unittest.TestCase):
  def setUp(self):
    folder = tempfile.TemporaryDirectory()
    self.addCleanup(folder.cleanup)
    self.folder = Path(folder.name)
    self.rows = self.folder / "rows.jsonl"

  def write(self, rows: list[dict]) -> str:
    """The page of rows, below the folder."""
    self.rows.write_text("".join(json.dumps(row) + "\n" for row in rows))
    page.write(self.rows, self.folder / "page")
    return (self.folder / "page" / "wsgi.md").read_text()

  def test_without_rows_the_page_says_so(self):
    text = self.write([])
    self.assertIn(page.NO_FIGURES, text)
    self.assertNotIn("{", text.replace("{", "", text.count("{{")))
    self.assertNotIn(".svg", text)

  def test_the_page_in_docs_is_that_of_its_rows(self):
    rows = summary.read_rows(page.DOCS / "wsgi.jsonl")
    plots = list(page.PLOTS) if rows else []
    self.assertEqual((page.DOCS / "wsgi.md").read_text(), page.markdown(rows, plots),
                     "use: cd bench && python3 -m wsgi.page ../docs/benchmarks/wsgi.jsonl")

  def test_the_page_has_what_the_rows_say(self):
    text = self.write(sample())
    for line in ("| nsgi-server | 400 | 700 | 0.33 | 1.00 | 2.00 | 40.0 | 20.0 | 30.0 | 0 / 0 | 0 / 300 |",
                 "| bjoern | 200 | 300 | 0.67 | 2.00 | 4.00 | 40.0 | 20.0 | 30.0 | 0 / 0 | 0 / 1,800 |"):
      self.assertIn(line, text)
    self.assertIn("| nsgi-server | lighttpd | uwsgi | hello | 400 | 450 | 4.00 | 40.0 | 0.00 |", text)
    self.assertIn("A/A, hello, 64 connections: most replies/s +0.0%, p50 +10.0%, p99 +10.0%, CPU time +0.0%",
                  text)
    self.assertIn("- meinheld: pip install meinheld failed: no wheel", text)
    self.assertIn("- flup, nginx fcgi, hello: answers 502", text)
    self.assertIn("2026-01-02 03:04, commit 0123456789: a machine", text)
    self.assertNotIn("{", text)

  def test_the_plots_are_drawn_and_the_rows_lie_beside(self):
    text = self.write(sample())
    for name in page.PLOTS:
      self.assertIn(f"(wsgi-{name}.svg)", text)
      root = xml.parse(self.folder / "page" / f"wsgi-{name}.svg").getroot()
      words = " ".join(root.itertext())
      self.assertIn("bjoern", words, name)
    again = summary.read_rows(self.folder / "page" / "wsgi.jsonl")
    self.assertEqual(again, sample())

  def test_a_line_that_was_cut_is_left_out(self):
    self.rows.write_text('{"kind":"run"}\n{"kind":"poi')
    self.assertEqual(summary.read_rows(self.rows), [{"kind": "run"}])

  def test_a_check_names_what_does_not_answer(self):
    route = Route("flup", "nginx", "fcgi")
    self.assertIn("nginx fcgi: answers 502", check.table({route: "answers 502"}))


class HistoryTest(unittest.TestCase):
  OLD = {"release": "1.0.0", "commit": "a", "date": "2026-01-01", "machine": "m",
         "budgets": {"http": {"instructions": 4000, "system_calls": 2.0, "allocations": 0.0}, "gone": {}},
         "ratios": {"http-keep/nsgi-full": {"median": 1.02, "low": 1.01, "high": 1.04},
                    "http-keep/A/A": {"median": 1.0, "low": 0.99, "high": 1.03}}}

  def compared(self, instructions: float = 4000, allocations: float = 0.0, ratio=(1.02, 1.01, 1.04)):
    """The old release against one with other figures."""
    new = json.loads(json.dumps(self.OLD))
    new["budgets"]["http"].update(instructions=instructions, allocations=allocations)
    new["ratios"]["http-keep/nsgi-full"] = dict(zip(("median", "low", "high"), ratio))
    return history.comparison(self.OLD, new)

  def test_noise_is_no_change(self):
    for text, good in (self.compared(4015), self.compared(allocations=0.01),
                       self.compared(ratio=(1.06, 1.03, 1.09)), self.compared(ratio=(1.045, 1.041, 1.05))):
      self.assertIn("0 changes beyond the noise", text)
      self.assertTrue(good)

  def test_a_change_is_told(self):
    text, good = self.compared(4100)
    self.assertIn("| http | instructions | 4000 | 4100 | +2.5% | worse |", text)
    self.assertFalse(good)
    text, good = self.compared(3900)
    self.assertIn("| http | instructions | 4000 | 3900 | -2.5% | better |", text)
    self.assertTrue(good)
    self.assertIn("| http | allocations | 0 | 1 | +1.00 | worse |", self.compared(allocations=1.0)[0])
    text, good = self.compared(ratio=(1.12, 1.10, 1.15))
    self.assertIn("| http-keep/nsgi-full | CPU time, bare C = 1 | 1.02 | 1.12 | +9.8% | worse |", text)

  def test_another_machine_and_rows_that_came_or_went_are_told(self):
    new = json.loads(json.dumps(self.OLD))
    new["machine"] = "another"
    del new["budgets"]["gone"]
    text, good = history.comparison(self.OLD, new)
    self.assertIn("Other machines: m; now another", text)
    self.assertIn("budgets, gone: gone.", text)
    self.assertTrue(good)

  def test_ratios_are_those_of_ours_and_of_the_noise(self):
    rows = [{"kind": "LOAD", "workload": "http-keep", "server": server, "ratios": [1.0, 1.1, 1.2, 1.3, 1.4]}
            for server in ("nsgi-full", "nginx", "A/A")]
    found = history.ratios_of(rows)
    self.assertEqual(set(found), {"http-keep/nsgi-full", "http-keep/A/A"})
    self.assertEqual(found["http-keep/nsgi-full"], {"median": 1.2, "low": 1.05, "high": 1.35})


if __name__ == "__main__":
  unittest.main()
