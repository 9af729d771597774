// What workers say of themselves that is not so, and processes that do not end.
import Config
import Testing

@testable import Master

@Suite struct HostileScenarioTests {
  @Test("a worker that says it runs other builds than it was started with has not started")
  func liesReady() {
    var script = Script(workers: 2) { $0.supervision.probationSeconds = 60 }
    script.settle()
    script.swap([script.build()], by: 1)
    let canary = script.loading[0]
    script.take(.ready(canary, generations: [999]))
    #expect(script.did { if case .terminate(canary, .some) = $0 { true } else { false } })
    #expect(!script.serving.contains(canary))
    script.die(canary, .killed(9), requests: 0)
    #expect(script.outcome(1).hasPrefix("refused"))
    script.settle()
    #expect(script.running == [[1], [1]])
  }

  @Test("whatever all workers say when they start, no place has more than it needs and one more")
  func manyLies() {
    var script = Script(workers: 2)
    var started = 0
    for _ in 0..<200 {
      guard let id = script.loading.first else {
        for seat in 0..<2 { script.take(.alarm(.seat(seat)), after: 0.5) }
        continue
      }
      started += 1
      script.take(.ready(id, generations: [999]), after: 0.01)
      #expect(script.present(0) <= 3 && script.present(1) <= 3)
      script.die(id, .killed(9), requests: 0)
      if case .stopping = script.releases.state { return }
    }
    #expect(started < 200, "starts that fail wait")
  }

  @Test("what a worker says it has put to work, and nobody has asked it for, is not believed")
  func liesSwapped() {
    var script = Script(workers: 2)
    script.settle()
    let ids = script.serving
    for id in ids {
      script.take(.swapped(id, app: 0, generation: 999))
      script.take(.swapped(id, app: 7, generation: 1))
    }
    #expect(script.serving == ids && script.loading.isEmpty && script.running == [[1], [1]])
  }

  /// A swap in place that is off, because the build that it was made from failed, and the worker that was
  /// asked for it and has not answered.
  private func abandoned() -> (script: Script, asked: Int) {
    var script = Script(workers: 2) {
      $0.supervision.swap = .inPlace
      $0.supervision.probationSeconds = 60
    }
    script.settle()
    script.roll(script.build(), by: 1)
    script.releases.current!.builds[0].isUnloadable = true
    script.swap([script.build(unloadable: true)], by: 2)
    let asked = script.releases.workers.first { $0.value.asked != nil }!.key
    script.take(.evidence(release: script.releases.current!.number, "5 of 5"))
    #expect(script.outcome(2).hasPrefix("refused"))
    return (script, asked)
  }

  @Test("a worker that was asked, and answers when the change is off, runs what it says, and is replaced")
  func lateSwap() {
    var (script, asked) = abandoned()
    script.take(.swapped(asked, app: 0, generation: 3))
    #expect(script.releases.workers[asked]?.running?.generations == [3])
    script.take(.swapped(asked, app: 0, generation: 2))
    #expect(script.releases.workers[asked]?.running?.generations == [3], "it was asked once")
    script.settle()
    #expect(script.running == [[1], [1]])
  }

  @Test("a worker that hangs in a load is ended also when the change that asked for it is off")
  func hangsWhenOff() {
    var (script, asked) = abandoned()
    script.take(.alarm(.swap(worker: asked)), after: 60)
    #expect(script.did { if case .terminate(asked, _) = $0 { true } else { false } })
    script.die(asked, .killed(9))
    script.settle()
    #expect(script.running == [[1], [1]])
  }

  @Test("a hot place has its spare during a rollout, and never more")
  func hotPlace() {
    var script = Script(workers: 1)
    script.settle()
    for _ in 0..<3 {
      script.die(script.serving[0])
      while let id = script.loading.first { script.ready(id) }
    }
    #expect(script.present(0) == 2)
    script.swap([script.build()], by: 1)
    for _ in 0..<8 {
      if let id = script.loading.first { script.ready(id) }
      #expect(script.present(0) <= 3 && !script.serving.isEmpty)
      script.soak()
      if let id = script.leaving.first {
        script.take(.deaf(id))
        script.die(id, .exited(0))
      }
    }
    #expect(script.outcome(1).hasPrefix("done") && script.running == [[2, 2]])
  }

  // MARK: Deadlines

  @Test("a rollout that does not go on is taken back at its deadline, which each place sets anew")
  func rolloutStands() {
    var script = Script(workers: 2)
    script.settle()
    script.swap([script.build()], by: 1)
    let ticket = script.releases.request!.ticket
    func isSet(_ script: Script) -> Bool {
      script.did { if case .alarm(.change(ticket), _) = $0 { true } else { false } }
    }
    #expect(isSet(script), "for the first place")
    script.ready(script.loading[0])
    #expect(isSet(script), "for the soak")
    script.soak()
    #expect(isSet(script), "for the second place")
    // Nothing is heard of its worker, and the alarm of that is lost.
    script.take(.alarm(.change(ticket)), after: 1000)
    #expect(script.outcome(1).hasPrefix("refused: place 2 did not change in time"), "\(script.outcome(1))")
    script.settle()
    #expect(script.running == [[1], [1]])
  }

  @Test("a deadline that rings when the rollout is over is nobody's")
  func lateDeadline() {
    var script = Script(workers: 1)
    script.settle()
    script.swap([script.build()], by: 1)
    let ticket = script.releases.request!.ticket
    script.ready(script.loading[0])
    script.soak()
    script.take(.deaf(script.leaving[0]))
    #expect(script.did { if case .cancel(.change(ticket)) = $0 { true } else { false } })
    script.settle()
    script.take(.alarm(.change(ticket)), after: 1)
    #expect(script.outcome(1).hasPrefix("done") && script.running == [[2]])
  }

  @Test("a start whose first builds are never staged ends, and says why")
  func neverStaged() {
    var releases = Releases()
    let began = releases.take(.began(seconds: 65), now: 1)
    #expect(began.contains { if case .alarm(.first, 65) = $0 { true } else { false } })
    let ended = releases.take(.alarm(.first), now: 65_000_000_001)
    #expect(ended.contains { if case .announceFailure(_, 22) = $0 { true } else { false } })
    #expect(releases.isDone)
    var script = Script(workers: 1)
    #expect(script.did { if case .cancel(.first) = $0 { true } else { false } }, "they were")
    script.take(.alarm(.first), after: 100)
    #expect(script.loading.count == 1)
  }

  // MARK: Held by the kernel

  /// Rings an alarm as often as it is set again.
  private func ring(_ script: inout Script, _ alarm: ReleaseAlarm) -> Int {
    var rings = 0
    script.take(.alarm(alarm), after: 70)
    while rings < 50, script.did({ if case .alarm(alarm, _) = $0 { true } else { false } }) {
      rings += 1
      script.take(.alarm(alarm), after: 1)
    }
    return rings
  }

  @Test("an old worker that does not even die holds up no rollout, and it is said")
  func oldOne() {
    var script = Script(workers: 1)
    script.settle()
    let old = script.serving[0]
    script.swap([script.build()], by: 1)
    script.ready(script.loading[0])
    script.soak()
    #expect(script.leaving == [old] && script.outcome(1) == "0 answers")
    #expect(ring(&script, .leave(worker: old)) == Worker.mostKills)
    #expect(script.outcome(1).hasPrefix("done") && script.running == [[2]])
    #expect(script.logged.contains { $0.contains("does not end although it is killed") })
    // It does in the end.
    script.die(old, .killed(9))
    #expect(script.running == [[2]])
  }

  @Test("a new worker that does not even die is a failed start", arguments: [true, false])
  func newOne(lies: Bool) {
    var script = Script(workers: 1)
    script.settle()
    script.swap([script.build()], by: 1)
    let new = script.loading[0]
    if lies { script.take(.ready(new, generations: [999])) }
    #expect(ring(&script, .start(worker: new)) == Worker.mostKills)
    #expect(script.outcome(1).hasPrefix("refused: it did not become ready in time"), "\(script.outcome(1))")
    #expect(script.running == [[1]])
  }

  @Test("a worker that hangs and does not even die is followed")
  func silentOne() {
    var script = Script(workers: 1)
    script.settle()
    let id = script.serving[0]
    script.take(.silent(id, reason: "hangs"))
    #expect(ring(&script, .leave(worker: id)) == Worker.mostKills)
    script.settle()
    #expect(script.serving.count == 1 && script.serving != [id])
  }

  @Test("a stop ends though a worker does not")
  func stop() {
    var script = Script(workers: 1)
    script.settle()
    script.take(.stop(code: 0))
    #expect(!script.releases.isDone)
    _ = ring(&script, .leave(worker: script.leaving[0]))
    #expect(script.releases.isDone)
  }
}
