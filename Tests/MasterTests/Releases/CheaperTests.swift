// How many workers serve: the value that decides alone, and what the master's decisions make of it.
import Config
import Testing

@testable import Master

@Suite struct CheaperTests {
  /// A server under a script: how many workers there are, and what was decided.
  private struct Demand {
    var cheaper: Cheaper
    var (microseconds, requests): (UInt64, UInt64) = (0, 0)

    init(_ most: Int, _ change: (inout CheaperSettings) -> Void) {
      var settings = CheaperSettings()
      change(&settings)
      cheaper = Cheaper(settings, most: most)
    }

    /// Seconds in which so many workers are busy, all the time or for a share of it; the numbers of workers
    /// after each.
    mutating func run(
      _ seconds: Int, busy: Int, percent: Int = 0, backlog: Bool = false, mebibytes: Int64 = 0
    ) -> [Int] {
      (0..<seconds).map { _ in
        microseconds += UInt64(percent * cheaper.workers) * 10_000
        if busy > 0 || percent > 0 { requests += 1 }
        let look = Cheaper.Look(
          serving: cheaper.workers, busy: busy, microseconds: microseconds, requests: requests,
          hasBacklog: backlog, residentBytes: mebibytes << 20)
        _ = cheaper.look(look)
        return cheaper.workers
      }
    }
  }

  @Test("spare: all busy for a while brings more, step by step, up to all of them")
  func grows() {
    var demand = Demand(5) {
      $0.least = 1
      $0.step = 2
    }
    #expect(demand.cheaper.workers == 1)
    #expect(demand.run(3, busy: 1) == [1, 1, 3])
    #expect(demand.run(2, busy: 2) == [3, 3], "not all are busy")
    #expect(demand.run(3, busy: 3) == [3, 3, 5])
    #expect(demand.run(9, busy: 5) == Array(repeating: 5, count: 9))
  }

  @Test("spare: a moment changes nothing, and workers that are free leave one by one down to the least")
  func shrinks() {
    var demand = Demand(4) {
      $0.least = 2
      $0.initial = 4
    }
    #expect(demand.run(2, busy: 1) == [4, 4])
    #expect(demand.run(1, busy: 3) == [4])
    #expect(demand.run(6, busy: 1) == [4, 4, 3, 3, 3, 3], "two are to be free")
    #expect(demand.run(9, busy: 0) == [3, 3, 2, 2, 2, 2, 2, 2, 2])
  }

  @Test("busyness: by the share of time, over intervals; one that was stopped too early costs patience")
  func busyness() {
    var demand = Demand(4) {
      $0.least = 1
      $0.algorithm = .busyness
      $0.overload = 2
      $0.busynessMultiplier = 2
    }
    #expect(demand.run(4, busy: 1, percent: 80) == [1, 1, 1, 2], "the first look has nothing to compare")
    #expect(demand.run(4, busy: 1, percent: 40) == [2, 2, 2, 2], "between the bounds nothing changes")
    #expect(demand.run(4, busy: 0, percent: 10) == [2, 2, 2, 1])
    #expect(demand.run(2, busy: 1, percent: 80) == [1, 2])
    #expect(demand.run(8, busy: 0, percent: 10) == [2, 2, 2, 2, 2, 2, 2, 1], "twice two intervals now")
  }

  @Test("busyness: connections that wait bring more whatever the share")
  func backlog() {
    var demand = Demand(4) {
      $0.least = 1
      $0.algorithm = .busyness
      $0.backlogSeconds = 2
      $0.backlogStep = 2
    }
    #expect(demand.run(2, busy: 1, percent: 30, backlog: true) == [1, 3])
  }

  @Test("memory: above the soft bound none is started, above the hard one they leave, but for one")
  func memory() {
    var demand = Demand(4) {
      $0.least = 2
      $0.softBytes = 10 << 20
      $0.hardBytes = 20 << 20
    }
    #expect(demand.run(6, busy: 2, mebibytes: 15) == [2, 2, 2, 2, 2, 2])
    #expect(demand.run(3, busy: 2, mebibytes: 5) == [2, 2, 3])
    #expect(demand.run(4, busy: 3, mebibytes: 25) == [2, 1, 1, 1])
  }

  @Test("idle: without a request only the least are left, and the first work brings the others")
  func idle() {
    var demand = Demand(3) { $0.idleSeconds = 4 }
    #expect(demand.cheaper.workers == 3, "without --cheaper all serve at the start")
    #expect(demand.run(4, busy: 0) == [3, 3, 3, 1])
    #expect(demand.run(6, busy: 1) == [1, 1, 2, 2, 2, 2])
    #expect(demand.run(3, busy: 2) == [2, 2, 3])
    #expect(demand.run(9, busy: 1) == Array(repeating: 3, count: 9), "only idleness stops one")
  }

  // MARK: What becomes of it

  private static func look(_ script: Script, busy: Int, of places: Int? = nil) -> Event {
    .looked(
      Cheaper.Look(
        serving: places ?? script.serving.count, busy: busy, microseconds: 0, requests: UInt64(busy),
        hasBacklog: false,
        residentBytes: 0))
  }

  private func script() -> Script {
    var script = Script(workers: 3) { $0.supervision.cheaper = CheaperSettings(least: 1) }
    script.settle()
    return script
  }

  @Test("workers come and go at the last seats, and whoever goes finishes what it has")
  func seats() {
    var script = script()
    #expect(script.serving.count == 1)
    for _ in 0..<3 { script.take(Self.look(script, busy: 1), after: 1) }
    #expect(script.loading.count == 1 && script.serving.count == 1)
    script.settle()
    let first = script.serving[0]
    #expect(script.serving.count == 2)
    for _ in 0..<3 { script.take(Self.look(script, busy: 0), after: 1) }
    #expect(script.leaving.count == 1 && script.serving == [first])
    let retired = script.actions.contains { if case .retire(script.leaving[0]) = $0 { true } else { false } }
    #expect(retired)
    #expect(script.releases.cheaperText == "1 of 3 workers: 2 workers are free")
  }

  @Test("a swap goes over the seats that are in use, and nothing is resized meanwhile")
  func swap() {
    var script = script()
    script.swap([script.build()], by: 1)
    for _ in 0..<5 { script.take(Self.look(script, busy: 1), after: 1) }
    #expect(script.releases.cheaper?.workers == 1)
    script.settle()
    script.soak()
    script.settle()
    #expect(script.outcome(1).hasPrefix("done: ") && script.serving.count == 1)
    #expect(script.running == [[2], [], []])
  }

  @Test("an upgrade goes on with as many as served")
  func upgrade() {
    var script = script()
    for _ in 0..<8 {
      script.take(Self.look(script, busy: script.serving.count), after: 1)
      script.settle()
    }
    #expect(script.serving.count == 3)
    let bequest = script.releases.bequest
    let kept = bequest.kept.map { Build($0, copy: 9, path: "/new") }
    var heir = Script(
      following: Past(builds: kept, counters: bequest.counters, workers: bequest.workers),
      script.releases.current!)
    heir.now = script.now
    heir.begin()
    heir.settle()
    #expect(heir.serving.count == 3)
  }

  @Test("a reload with other bounds goes on with as many as served, as far as they allow")
  func reload() {
    for (change, count) in [
      ({ $0.supervision.cheaper = CheaperSettings(least: 2) }, 3),
      ({ $0.supervision.cheaper?.step = 2 }, 3), ({ $0.process.workers = 2 }, 2),
      ({ $0.process.workers = 5 }, 3),
    ] as [((inout Settings) -> Void, Int)] {
      var script = script()
      for _ in 0..<8 {
        script.take(Self.look(script, busy: script.serving.count), after: 1)
        script.settle()
      }
      script.reload(by: 1, change)
      script.settle()
      #expect(script.outcome(1).hasPrefix("done") && script.serving.count == count, "\(script.serving.count)")
    }
    var script = Script(workers: 3)
    script.settle()
    script.reload(by: 1) { $0.supervision.cheaper = CheaperSettings(least: 1) }
    #expect(script.serving.count == 3, "the first look decides, not the change")
  }

  @Test("a hot place, or one that cannot start, keeps nobody from coming or going")
  func troubledPlace() {
    var script = script()
    script.take(Self.look(script, busy: 1), after: 1)
    for _ in 0..<3 { script.take(Self.look(script, busy: 1), after: 1) }
    script.settle()
    #expect(script.serving.count == 2)
    // The place has a spare now.
    for _ in 0..<3 {
      script.die(script.serving[0])
      while let id = script.loading.first { script.ready(id) }
    }
    #expect(script.serving.count == 3 && script.releases.cheaper?.workers == 2)
    for _ in 0..<3 { script.take(Self.look(script, busy: 2, of: 2), after: 1) }
    #expect(script.releases.cheaper?.workers == 3)
    // The third cannot start.
    script.die(script.loading[0], .exited(1), requests: 0)
    for _ in 0..<4 { script.take(Self.look(script, busy: 0, of: 2), after: 1) }
    #expect(script.releases.cheaper?.workers == 2)
  }

  @Test("a worker that dies is followed, also when few are in use")
  func death() {
    var script = script()
    script.die(script.serving[0])
    script.settle()
    #expect(script.serving.count == 1)
  }
}

extension CheaperSettings {
  fileprivate init(least: Int) {
    self.init()
    self.least = least
  }
}
