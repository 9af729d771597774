// A new build against the one before, in the same time: what is worse is told with its figures, and what
// differs by chance is not.
import Config
import Control
import Testing

@testable import Master

/// Workers of both builds, whose figures are made up.
private struct Trial {
  var comparison: Comparison
  var figures: [Int: WorkerFigures] = [:]
  var fresh: Set<Int> = [10]

  init(isInPlace: Bool = false, _ adjust: (inout SwapGate) -> Void = { _ in }) {
    var gate = SwapGate()
    adjust(&gate)
    comparison = Comparison(
      release: 1, gate, [.init(mount: "", new: 0, before: 0)], isInPlace: isInPlace)
    for id in [1, 2, 10] {
      figures[id] = WorkerFigures(tallies: [Tally()], requests: 0, resident: 30 << 20, descriptors: 20)
    }
  }

  /// A worker answers so many requests, each in so many microseconds, some with 5xx.
  mutating func answer(_ id: Int, _ count: Int, in microseconds: UInt64 = 4000, failing: Int = 0) {
    var values = figures[id]!.tallies[0].values
    values[Tally.Cell.classes + 1] += UInt64(count - failing)
    values[Tally.Cell.classes + 4] += UInt64(failing)
    values[Tally.Cell.buckets + Latency.bucket(microseconds)] += UInt64(count)
    figures[id]!.tallies[0] = Tally(values)
    figures[id]!.requests += count
  }

  mutating func look() {
    let fresh = fresh
    comparison.look(figures) { fresh.contains($0) ? .new : .before }
  }

  /// The new build has warmed up, and both have answered these.
  mutating func run(_ rounds: Int = 10, new: (inout Trial) -> Void, before: (inout Trial) -> Void) {
    look()
    answer(10, comparison.gate.requests / 4)
    look()
    for _ in 0..<rounds {
      new(&self)
      before(&self)
      look()
    }
  }

  func verdict(_ compares: Bool = true) -> Comparison.Verdict? { comparison.verdict(compares: compares) }
}

@Suite struct ComparisonTests {
  @Test("equal builds are equal, whatever the number of requests")
  func equal() {
    for count in [1, 30, 3000] {
      var trial = Trial()
      trial.run(
        new: { $0.answer(10, count, failing: count / 100) },
        before: {
          $0.answer(1, count, failing: count / 100)
          $0.answer(2, count, failing: count / 100)
        })
      #expect(trial.verdict() == nil, "\(count)")
    }
  }

  @Test("nothing is said before both have answered enough, nor of what the new build did while it warmed up")
  func tooFew() {
    var trial = Trial()
    trial.answer(10, 49, in: 900_000, failing: 49)
    trial.run(1, new: { $0.answer(10, 199, failing: 199) }, before: { $0.answer(1, 1000) })
    #expect(trial.verdict() == nil && trial.comparison.text?.contains("too few") == true)
    trial.answer(10, 1)
    trial.look()
    #expect(trial.verdict()?.figure == .errors)
    var lonely = Trial()
    lonely.run(new: { $0.answer(10, 1000, failing: 1000) }, before: { $0.answer(1, 19) })
    #expect(lonely.verdict() == nil, "the build before has answered 190")
  }

  @Test("500 on one request of a hundred is told with the figures of both")
  func failures() throws {
    var trial = Trial()
    trial.run(
      20, new: { $0.answer(10, 100, failing: 1) },
      before: {
        $0.answer(1, 100)
        $0.answer(2, 100)
      })
    let verdict = try #require(trial.verdict())
    #expect(verdict.figure == .errors)
    #expect(
      verdict.sentence == "20 of 2000 answers were 5xx (1 %), against 0 of 4000 (0 %) of the build before in "
        + "the same time (--swap-gate errors=2)")
    var usual = Trial()
    usual.run(
      20, new: { $0.answer(10, 100, failing: 1) },
      before: { $0.answer(1, 100, failing: 1) })
    #expect(usual.verdict() == nil, "the build before fails as often")
    var off = Trial { $0.factors[.errors] = 0 }
    off.run(20, new: { $0.answer(10, 100, failing: 50) }, before: { $0.answer(1, 100) })
    #expect(off.verdict() == nil)
  }

  @Test(
    "ten times slower is told, on all requests and on some; twice as slow is not", arguments: [100, 5, 0])
  func slow(share: Int) throws {
    var trial = Trial()
    trial.run(
      new: {
        $0.answer(10, 100 - share)
        $0.answer(10, share, in: 40_000)
      }, before: { $0.answer(1, 100) })
    guard share > 0 else { return #expect(trial.verdict() == nil) }
    let verdict = try #require(trial.verdict())
    #expect(verdict.figure == (share == 100 ? .p50 : .p99))
    #expect(
      verdict.sentence.contains("against 5 ms over 1000") || verdict.sentence.contains("against 3.5 ms"))
    var twice = Trial()
    twice.run(new: { $0.answer(10, 100, in: 8000) }, before: { $0.answer(1, 100) })
    #expect(twice.verdict() == nil)
    var few = Trial()
    few.run(
      new: {
        $0.answer(10, 99)
        $0.answer(10, 1, in: 40_000)
      }, before: { $0.answer(1, 100) })
    #expect(few.verdict() == nil, "one of a hundred may be longer than p99")
  }

  @Test("the time before counts for neither: a build before that was slow once does not excuse the new one")
  func sameTime() {
    var trial = Trial()
    trial.answer(1, 100_000, in: 500_000, failing: 90_000)
    trial.run(new: { $0.answer(10, 100, in: 40_000) }, before: { $0.answer(1, 100) })
    #expect(trial.verdict()?.figure == .p50)
    // And both are slow together.
    var both = Trial()
    both.run(new: { $0.answer(10, 100, in: 40_000) }, before: { $0.answer(1, 100, in: 40_000) })
    #expect(both.verdict() == nil)
  }

  @Test("a worker that holds more than those before and grows on leaks, in the soak and after it")
  func memory() throws {
    func trial(_ gains: [Int], before: Int = 0) -> Trial {
      var trial = Trial()
      var rest = gains
      trial.run(
        gains.count,
        new: {
          $0.answer(10, 50)
          $0.figures[10]!.resident += rest.removeFirst() << 20
        },
        before: {
          $0.answer(1, 50)
          $0.figures[1]!.resident += before << 20
        })
      return trial
    }
    let leaks = trial([5, 5, 5, 5, 5, 5])
    let verdict = try #require(leaks.verdict())
    #expect(verdict.figure == .rss && leaks.verdict(false)?.figure == .rss)
    #expect(
      verdict.sentence
        == "a worker grows by 100 MiB with 1000 requests and holds 60 MiB, against 0 MiB and 30 MiB "
        + "of the build before in the same time (--swap-gate rss=2)", "\(verdict.sentence)")
    #expect(trial([25, 5, 0, 0, 0, 0, 0, 0]).verdict() == nil, "what fills and stays is no leak")
    #expect(trial([4, 4, 4, 0, 4, 4]).verdict() == nil, "it has not grown each time")
    #expect(trial([2, 2, 2, 2, 2, 2]).verdict() == nil, "it holds hardly more than those before")
    #expect(trial([5, 5, 5, 5, 5, 5], before: 4).verdict() == nil, "the build before grows as much")
  }

  @Test("descriptors that are never closed are told; where nobody may look at them nothing is said")
  func descriptors() throws {
    func trial(_ isKnown: Bool) -> Trial {
      var trial = Trial()
      if !isKnown { for id in trial.figures.keys { trial.figures[id]!.descriptors = nil } }
      trial.run(
        new: {
          $0.answer(10, 50)
          if isKnown { $0.figures[10]!.descriptors! += 10 }
        }, before: { $0.answer(1, 50) })
      return trial
    }
    let verdict = try #require(trial(true).verdict(false))
    #expect(verdict.figure == .fds)
    #expect(verdict.sentence.hasPrefix("a worker opens 200 descriptors with 1000 requests and holds 120"))
    #expect(trial(false).verdict() == nil)
  }

  @Test("in place a worker warms up anew, and what it has answered before counts for neither build")
  func inPlace() throws {
    var trial = Trial(isInPlace: true)
    trial.answer(10, 100_000, in: 900_000, failing: 90_000)
    trial.look()
    trial.answer(10, 49, failing: 49)
    trial.look()
    #expect(trial.comparison.text == nil, "it has not warmed up")
    trial.answer(10, 1)
    trial.look()
    for _ in 0..<10 {
      trial.answer(10, 30)
      trial.answer(1, 30)
      trial.look()
    }
    let text = try #require(trial.comparison.text)
    #expect(text.hasPrefix("/ new: 300 requests, 0 % failed") && trial.verdict() == nil, "\(text)")
    #expect(text.contains("before: 300 requests, 0 % failed"), "\(text)")
    trial.answer(10, 60, failing: 30)
    trial.look()
    #expect(trial.verdict()?.figure == .errors)
  }

  @Test("what workers have shown before they followed is still known when all run the new build")
  func followed() throws {
    var trial = Trial(isInPlace: true)
    trial.run(
      new: { $0.answer(10, 50) },
      before: {
        $0.answer(1, 50)
        $0.answer(2, 50)
      })
    #expect(trial.verdict() == nil)
    trial.fresh = [1, 2, 10]
    trial.look()
    #expect(trial.comparison.text?.contains("before: 1000 requests") == true)
    for _ in 0..<10 {
      trial.answer(1, 50)
      trial.figures[1]!.resident += 5 << 20
      trial.look()
    }
    let verdict = try #require(trial.verdict(false))
    #expect(verdict.figure == .rss && verdict.sentence.contains("against 0 MiB and 30 MiB"), "\(verdict)")
  }

  @Test("the bound on chance: what is likely is no evidence, what is unlikely is")
  func chance() {
    #expect(Comparison.evidence(0.01, against: 0.01, of: 1e6) == 0)
    #expect(Comparison.evidence(0.06, against: 0.01, of: 100) < 7)
    #expect(Comparison.evidence(0.08, against: 0.01, of: 100) > 7)
    #expect(
      Comparison.evidence(1, against: 0.5, of: 10) < 7 && Comparison.evidence(1, against: 0.5, of: 11) > 7)
    for (share, expected, count) in [
      (1.0, 0.0, 5.0), (1, 1, 5), (.nan, 0.5, 5), (0.5, .nan, 5), (0.5, 0.1, 0),
    ] {
      #expect(Comparison.evidence(share, against: expected, of: count) == 0)
    }
    #expect(
      Comparison.text(-0.04) == "0" && Comparison.text(12.34) == "12.3" && Comparison.text(-1.5) == "-1.5")
    #expect(Comparison.text(.infinity).hasPrefix("1000"))
  }

  @Test("a gate takes a build back on its way and on probation, and says why; without a gate nobody asks")
  func decision() throws {
    var script = Script(workers: 2) {
      $0.supervision.gate = SwapGate()
      $0.supervision.probationSeconds = 60
    }
    script.settle()
    #expect(!script.releases.wantsFigures)
    func figures(_ script: Script, failing: Int = 0, resident: Int = 30) -> [Int: WorkerFigures] {
      var all: [Int: WorkerFigures] = [:]
      let requests = Int(script.now / 5_000_000)
      for (id, worker) in script.releases.workers {
        let isNew = worker.plan.generations != [1]
        let failed = isNew ? requests * failing / 100 : 0
        var values = Tally().values
        (values[1], values[4]) = (UInt64(requests - failed), UInt64(failed))
        values[Tally.Cell.buckets + 8] = UInt64(requests)
        all[id] = WorkerFigures(
          tallies: [Tally(values)], requests: requests, resident: (isNew ? resident : 30) << 20,
          descriptors: 9)
      }
      return all
    }
    script.swap([script.build()], by: 1)
    script.ready(script.loading[0])
    for _ in 0..<20 where script.releases.wantsFigures {
      script.take(.measured(figures(script, failing: 2)), after: 0.25)
    }
    #expect(script.outcome(1).hasPrefix("refused: "), "\(script.outcome(1))")
    #expect(script.outcome(1).contains("(--swap-gate errors=2); still serving a generation 1"))
    #expect(script.releases.journal.records.last?.figures.contains("/ new: ") == true)
    #expect(script.releases.history.builds[""]?.contains { $0.generation == 2 } != true)
    script.settle()
    #expect(script.running == [[1], [1]])

    script.swap([script.build()], by: 2)
    script.ready(script.loading[0])
    for _ in 0..<20 { script.take(.measured(figures(script)), after: 0.25) }
    script.soak()
    #expect(script.logged.contains { $0.hasPrefix("compared: / new: ") }, "\(script.logged)")
    script.settle()
    #expect(script.outcome(2).hasPrefix("done") && script.running == [[3], [3]])
    // Slow poison.
    for step in 0..<40 where script.releases.wantsFigures {
      script.take(.measured(figures(script, resident: 30 + 4 * step)), after: 0.25)
    }
    #expect(script.did { if case .gateClosed(.rss) = $0 { true } else { false } })
    script.settle()
    #expect(script.running == [[1], [1]] && script.releases.journal.records.last?.end == .takenBack)
    #expect(script.releases.lastOutcome?.contains("--swap-gate rss=2") == true)

    var plain = Script(workers: 2)
    plain.settle()
    plain.swap([plain.build()], by: 1)
    plain.ready(plain.loading[0])
    #expect(!plain.releases.wantsFigures)
  }
}
