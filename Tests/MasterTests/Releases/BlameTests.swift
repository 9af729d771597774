// Evidence: of several applications only the build that failed goes back, each is on probation for its own
// time, and what is told is what serves.
import Config
import Testing

@testable import Master

@Suite struct BlameTests {
  private func server(workers: Int = 1, _ adjust: (inout Settings) -> Void = { _ in }) -> Script {
    var script = Script(workers: workers, mounts: ["/a", "/b"]) {
      $0.supervision.probationSeconds = 60
      adjust(&$0)
    }
    script.settle()
    return script
  }

  private func generations(_ script: Script) -> [Int] {
    script.releases.current?.builds.map(\.generation) ?? []
  }

  private func withdrawn(_ script: Script, _ mount: String) -> [Int] {
    (script.releases.history.builds[mount] ?? []).filter(\.status.isWithdrawn).map(\.generation)
  }

  @Test("a crash in another application takes no build back; one in its own, or nobody knows where, does")
  func crash() {
    for (app, goesBack) in [(1, false), (0, true), (nil, true)] as [(Int?, Bool)] {
      var script = server()
      script.roll(script.build("/a"), by: 1)
      script.die(script.serving[0], in: app)
      script.settle()
      #expect(generations(script) == (goesBack ? [1, 1] : [2, 1]), "\(String(describing: app))")
      #expect(withdrawn(script, "/a") == (goesBack ? [2] : []))
      #expect((script.releases.probation == nil) == goesBack)
    }
  }

  @Test("a build on probation that workers cannot load any more is taken back, and its application serves on")
  func cannotStart() throws {
    for workers in [1, 2] {
      var script = server(workers: workers)
      script.roll(script.build("/a"), by: 1)
      // Nothing that was answered speaks against it; who is to follow finds something missing.
      script.die(script.serving[0], .killed(9))
      for start in 1...Seat.startsOnTrial {
        #expect(generations(script) == [2, 1], "\(start)")
        if script.loading.isEmpty { script.take(.alarm(.seat(0)), after: 31) }
        let id = try #require(script.loading.first)
        script.die(id, .exited(22), requests: 0)
      }
      #expect(generations(script) == [1, 1] && withdrawn(script, "/a") == [2])
      #expect(script.counted.contains("taken_back"), "\(script.counted)")
      script.settle()
      #expect(script.serving.count == workers && script.running.allSatisfy { $0 == [1, 1] || $0 == [1] })
    }
  }

  @Test("that the system gives no process for a worker says nothing against a build")
  func noProcess() throws {
    var script = server(workers: 2) { $0.supervision.probationSeconds = 600 }
    script.roll(script.build("/a"), by: 1)
    script.die(script.serving[0], .killed(9))
    for _ in 0..<8 {
      if script.loading.isEmpty { script.take(.alarm(.seat(0)), after: 31) }
      var end = WorkerEnding(ending: .exited(1), sentence: "no process for a new worker", code: 1)
      end.hadProcess = false
      script.take(.ended(try #require(script.loading.first), end), after: 0.01)
    }
    #expect(generations(script) == [2, 1] && script.releases.probation != nil && script.serving.count == 1)
  }

  @Test("a build that has proven itself is not taken back for workers that cannot start")
  func cannotStartLater() {
    var script = server(workers: 2)
    script.roll(script.build("/a"), by: 1)
    script.take(.alarm(.probation(release: script.releases.current!.number)), after: 61)
    script.die(script.serving[0], .killed(9))
    for _ in 0..<8 {
      if script.loading.isEmpty { script.take(.alarm(.seat(0)), after: 31) }
      if let id = script.loading.first { script.die(id, .exited(22), requests: 0) }
    }
    #expect(generations(script) == [2, 1] && script.serving.count == 1)
  }

  @Test("a crash in another application refuses no build on its way, and its place gets the next worker")
  func crashMeanwhile() {
    for (app, isRefused) in [(0, false), (1, true), (nil, true)] as [(Int?, Bool)] {
      var script = server(workers: 2)
      script.swap([script.build("/b")], by: 1)
      script.ready(script.loading[0])
      let canary = script.serving.max()!
      script.die(canary, in: app)
      #expect(script.outcome(1).hasPrefix("refused: its worker crashed") == isRefused, "\(script.outcome(1))")
      script.settle()
      script.soak()
      script.settle()
      #expect(generations(script) == (isRefused ? [1, 1] : [1, 2]))
      #expect(script.outcome(1).hasPrefix(isRefused ? "refused" : "done"), "\(script.outcome(1))")
    }
  }

  @Test("a crash in the build on probation takes that one back, also in a worker of what is rolled out")
  func crashInOther() {
    var script = server(workers: 2)
    script.roll(script.build("/a"), by: 1)
    script.swap([script.build("/b")], by: 2)
    script.ready(script.loading[0])
    script.die(script.serving.max()!, in: 0)
    #expect(
      script.outcome(2).contains("a generation 2, which it follows, is taken back"), "\(script.outcome(2))")
    script.settle()
    #expect(
      generations(script) == [1, 1] && withdrawn(script, "/a") == [2] && withdrawn(script, "/b").isEmpty)
  }

  @Test("options that a reload has changed answer for every application")
  func reload() {
    var script = server(workers: 2)
    script.take(.asked(.reload(cause: "ctl"), by: 1))
    let ticket = script.releases.request!.ticket
    script.take(.staged(ticket: ticket, .configured))
    let current = script.releases.current!
    let target = Release(
      number: 77, configuration: 77, arguments: ["--other"], settings: current.settings,
      builds: current.builds)
    script.take(.staged(ticket: ticket, .built(target, fresh: [], obstacle: nil)))
    script.ready(script.loading[0])
    script.die(script.serving.max()!, in: 0)
    #expect(script.outcome(1).hasPrefix("refused: its worker crashed"))
  }

  // MARK: In place

  /// A server whose `/b` is being replaced in place, and the worker that was asked.
  private func inPlace() -> (script: Script, asked: Int) {
    var script = server(workers: 2) { $0.supervision.swap = .inPlace }
    script.roll(script.build("/a"), by: 1)
    script.releases.current!.builds[1].isUnloadable = true
    script.swap([script.build("/b", unloadable: true)], by: 2)
    let asked = script.releases.workers.first { $0.value.asked != nil }!.key
    return (script, asked)
  }

  @Test("in place, a worker that dies of the build it was asked to load says nothing about the others")
  func askedDies() {
    var (script, asked) = inPlace()
    script.die(asked)
    #expect(script.outcome(2).hasPrefix("refused: it died; still serving a generation 2, b generation 1"))
    script.settle()
    #expect(generations(script) == [2, 1] && withdrawn(script, "/a").isEmpty)
    #expect(script.releases.probation?.fresh.map(\.mount) == ["/a"])
  }

  @Test("in place, a worker that has the build and dies of it ends the swap; of another, it does not")
  func changedDies() {
    for app in [1, nil] {
      var (script, asked) = inPlace()
      script.take(.swapped(asked, app: 1, generation: 2))
      script.die(asked, in: app)
      #expect(script.outcome(2).hasPrefix("refused: its worker crashed"), "\(script.outcome(2))")
      script.settle()
      #expect(generations(script) == [2, 1] && script.running == [[2, 1], [2, 1]])
    }
    var (script, asked) = inPlace()
    script.die(asked, in: 0)
    #expect(
      script.outcome(2).contains("a generation 2, which it follows, is taken back"), "\(script.outcome(2))")
    script.settle()
    #expect(generations(script) == [1, 1])
  }

  @Test(
    "in place, an asked worker that crashes in an application as it was is followed, and the swap goes on")
  func askedDiesOfOther() {
    var script = server(workers: 2) { $0.supervision.swap = .inPlace }
    script.releases.current!.builds[1].isUnloadable = true
    script.swap([script.build("/b", unloadable: true)], by: 1)
    let asked = script.releases.workers.first { $0.value.asked != nil }!.key
    script.die(asked, in: 0)
    #expect(script.outcome(1) == "0 answers")
    for _ in 0..<4 {
      while let id = script.loading.first { script.ready(id) }
      guard let id = script.releases.workers.first(where: { $0.value.asked != nil })?.key else { break }
      script.take(.swapped(id, app: 1, generation: 2))
    }
    #expect(script.outcome(1).hasPrefix("done"), "\(script.outcome(1))")
    #expect(script.running.joined().count == 4 && generations(script) == [1, 2])
  }

  // MARK: Probation

  @Test("who asked is told what serves once the build before is taken back")
  func told() {
    var script = server()
    script.roll(script.build("/a"), by: 1)
    let number = script.releases.current!.number
    script.swap([script.build("/b")], by: 2)
    script.take(.evidence(release: number, "5 of 5 answers were 5xx", mount: "/a"))
    let text = "still serving a generation 1, b generation 1; workers that are still to change: 1"
    #expect(script.outcome(2).hasSuffix(text), "\(script.outcome(2))")
  }

  @Test("the swap of one application, and a reload of options, leave another on probation for its own time")
  func merged() {
    var script = server(workers: 2)
    script.roll(script.build("/a"), by: 1)
    let end = script.releases.probation?.end
    script.now &+= 30_000_000_000
    script.roll(script.build("/b"), by: 2)
    script.reload(by: 3) { $0.limits.gracefulSeconds = 5 }
    #expect(script.outcome(2).hasPrefix("done") && script.outcome(3).hasPrefix("done"))
    let probation = script.releases.probation
    #expect(probation?.release == script.releases.current?.number)
    #expect(probation?.fresh.map(\.mount) == ["/a", "/b"] && probation?.trials.first?.end == end)

    var early = script
    early.take(.evidence(release: early.releases.current!.number, "5 of 5", mount: "/a"))
    early.settle()
    #expect(generations(early) == [1, 2] && withdrawn(early, "/b").isEmpty)
    #expect(early.releases.current?.settings.limits.gracefulSeconds == 5, "the options stay")
    #expect(early.releases.probation?.fresh.map(\.mount) == ["/b"])
    early.die(early.serving[0], in: 1)
    early.settle()
    #expect(generations(early) == [1, 1] && early.releases.probation == nil)

    script.take(.alarm(.probation(release: script.releases.current!.number)), after: 30)
    #expect(script.releases.probation?.fresh.map(\.mount) == ["/b"], "/a has proven itself")
    script.die(script.serving[0], in: 0)
    #expect(generations(script) == [2, 2])
    script.settle()
    // Nobody knows which: what came last is the likeliest.
    script.die(script.serving[0])
    script.settle()
    #expect(generations(script) == [2, 1])
  }

  @Test("the build that came last goes back first, and with it neither an older one nor its probation")
  func youngest() {
    var script = server()
    script.roll(script.build("/a"), by: 1)
    script.roll(script.build("/b"), by: 2)
    script.die(script.serving[0])
    script.settle()
    #expect(generations(script) == [2, 1] && script.releases.probation?.fresh.map(\.mount) == ["/a"])
    script.die(script.serving[0])
    script.settle()
    #expect(generations(script) == [1, 1] && script.releases.probation == nil)
  }

  @Test("an older build that went back does not come again when a younger one does")
  func olderFirst() {
    var script = server()
    script.roll(script.build("/a"), by: 1)
    script.roll(script.build("/b"), by: 2)
    script.die(script.serving[0], in: 0)
    script.settle()
    #expect(generations(script) == [1, 2])
    script.die(script.serving[0], in: 1)
    script.settle()
    #expect(generations(script) == [1, 1])
  }

  @Test("a rollback of one application leaves the other on probation")
  func rollback() {
    var script = server()
    script.roll(script.build("/a"), by: 1)
    script.roll(script.build("/b"), by: 2)
    script.take(.asked(.rollback(mount: "/a"), by: 3))
    script.settle()
    #expect(generations(script) == [1, 2] && script.releases.probation?.fresh.map(\.mount) == ["/b"])
  }

  @Test("each probation crosses an upgrade with its own end")
  func upgrade() throws {
    var script = server()
    script.roll(script.build("/a"), by: 1)
    script.now &+= 30_000_000_000
    script.roll(script.build("/b"), by: 2)
    let ends = try #require(script.releases.probation).trials.map(\.end)
    let bequest = script.releases.bequest
    let kept = bequest.kept.map { Build($0, copy: 9, path: "/new") }
    var heir = Script(
      following: Past(builds: kept, counters: bequest.counters, trial: bequest.trial),
      script.releases.current!)
    heir.now = script.now
    heir.begin()
    heir.settle()
    #expect(heir.releases.probation?.trials.map(\.end) == ends)
    heir.die(heir.serving[0], in: 0)
    heir.settle()
    #expect(generations(heir) == [1, 2] && heir.releases.probation?.fresh.map(\.mount) == ["/b"])
  }
}
