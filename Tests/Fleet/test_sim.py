"""The model of bench/fleet_sim.py against what can be written down, and the table of docs/SCALING.md against
the model.

The seeds are fixed, so each test says the same each time; bounds are five standard errors of the closed form.
"""
import dataclasses
import math
import statistics
import sys
import unittest

from hosts import PROJECT

sys.path.insert(0, str(PROJECT / "bench"))
import fleet_sim  # noqa: E402
from fleet_sim import MARK, PAGE, POLICIES, Fleet, Gate, Policy, Rollout, runs, table  # noqa: E402

SMALL = Fleet(hosts=20, rate=20_000, workers=4, swap=0.01, others=0, step=1, poll=0.5, forks=20)


class SimulationTest(unittest.TestCase):
  def assert_near(self, samples: list[float], mean: float, deviation: float):
    error = deviation / math.sqrt(len(samples))
    self.assertAlmostEqual(statistics.fmean(samples), mean, delta=5 * error + 1e-9)

  def test_without_anybody_who_looks_failures_are_poisson(self):
    fleet = dataclasses.replace(SMALL, person=10)
    found = [run.met for run in runs(fleet, Policy("p", (20,), 0, 0, Gate.PERSON), 1e3, 300)]
    # From the swap to the person's word, and the way back.
    mean = fleet.rate / 1e3 * fleet.person
    self.assert_near(found, mean, math.sqrt(mean))
    self.assertAlmostEqual(statistics.variance(found) / mean, 1, delta=0.5)

  def test_the_share_of_a_soak_is_one_worker_s(self):
    """All hosts at once, a soak that never ends: 1/workers of all is exposed until a failure is noticed."""
    policy = Policy("soak", (20,), 1e9, 1e9, Gate.FLEET)
    found = [run.met for run in runs(SMALL, policy, 1e3, 400)]
    # The first one, and those of the time until all are back: one poll and a swap. The first one's own host
    # goes back by itself a swap later.
    each = SMALL.rate / SMALL.hosts / SMALL.workers / 1e3
    rest = each * ((SMALL.hosts - 1) * (SMALL.poll + SMALL.swap) + SMALL.swap)
    # Other hosts that fail meanwhile go back by themselves, a little earlier than all.
    self.assertLessEqual(statistics.fmean(found), 1 + rest + 5 * math.sqrt(rest / len(found)))
    alone = (SMALL.hosts - 1) * (1 - math.exp(-each * SMALL.poll))
    self.assertGreaterEqual(statistics.fmean(found), 1 + alone - 5 * math.sqrt(rest / len(found)))

  def test_hosts_that_come_through_one_after_the_other_are_geometric(self):
    policy = Policy("one by one", (1,), 4, 6, Gate.FLEET)
    fleet = dataclasses.replace(SMALL, hosts=200, rate=200_000)
    found = runs(fleet, policy, 1e5, 300)
    exposure = fleet.rate / fleet.hosts / 1e5 * (policy.soak / fleet.workers + policy.probation)
    caught = 1 - math.exp(-exposure)
    self.assert_near([run.reached for run in found], 1 / caught, math.sqrt(1 - caught) / caught)

  def test_a_build_goes_live_as_often_as_nobody_meets_it_in_time(self):
    policy = Policy("all", (20,), 2, 3, Gate.FLEET)
    found = [float(not run.is_back) for run in runs(SMALL, policy, 1e5, 400)]
    share = math.exp(-SMALL.rate / 1e5 * (policy.soak / SMALL.workers + policy.probation))
    self.assert_near(found, share, math.sqrt(share * (1 - share)))

  def test_each_host_for_itself_loses_one_each_at_most_but_those_of_the_way_back(self):
    policy = Policy("each", (20,), 5, 60, Gate.HOST)
    found = runs(SMALL, policy, 1e3, 50)
    for run in found: self.assertEqual((run.is_back, run.hosts), (True, SMALL.hosts))
    mean = SMALL.hosts * (1 + SMALL.rate / SMALL.hosts / 1e3 * SMALL.swap)
    self.assertLess(statistics.fmean(run.met for run in found), mean + 1)

  def test_a_good_build_goes_live_and_takes_the_time_of_its_waves(self):
    for policy in POLICIES:
      run = Rollout(Fleet(), policy, math.inf, 0).run()
      self.assertEqual((run.met, run.is_back), (0, False), policy.name)
      if policy.gate is Gate.PERSON: continue
      waves = math.ceil(1000 / policy.waves[0]) if len(policy.waves) == 1 else len(policy.waves)
      whole = waves * (0.036 + policy.soak + policy.probation) + (waves - 1) * Fleet().step
      self.assertAlmostEqual(run.seconds, whole, places=3, msg=policy.name)
      self.assertEqual(run.reached, 1000)

  def test_same_seed_same_run_and_a_rarer_failure_meets_no_more(self):
    for policy in POLICIES[1:3]:
      self.assertEqual(runs(SMALL, policy, 1e4, 5), runs(SMALL, policy, 1e4, 5))
    means = [statistics.fmean(run.met for run in runs(SMALL, POLICIES[0], n, 3)) for n in (1e3, 1e4, 1e5)]
    self.assertEqual(means, sorted(means, reverse=True))

  def test_the_table_of_the_page_is_the_model_s(self):
    parts = PAGE.read_text().split(MARK)
    self.assertEqual(len(parts), 3)
    self.assertEqual(parts[1].strip(), table(Fleet(), 40, POLICIES).strip(), "bench/fleet_sim.py --docs")
    self.assertEqual(fleet_sim.rounded(1234), "1,200")


if __name__ == "__main__":
  unittest.main()
