// What a master decides when changes meet workers that leave, hang and die.
import Config
import Testing

@testable import Master

@Suite struct ReleaseScenarioTests {
  @Test("a swap goes seat by seat, new first, then old, and ends with one answer")
  func swap() {
    var script = Script(workers: 2)
    script.settle()
    script.swap([script.build()], by: 1)
    #expect(script.loading.count == 1 && script.serving.count == 2)
    script.ready(script.loading[0])
    #expect(script.serving.count == 3, "the old worker serves on during the soak")
    script.soak()
    script.settle()
    #expect(script.outcome(1) == "done: serving a generation 2" && script.running == [[2], [2]])
  }

  @Test(
    "a first worker that leaves during the soak without a crash is followed by another",
    arguments: ["asks to be replaced", "ends by itself"])
  func canaryLeaves(how: String) {
    var script = Script(workers: 2)
    script.settle()
    script.swap([script.build()], by: 1)
    let canary = script.loading[0]
    script.ready(canary)
    if how == "ends by itself" {
      // Nobody told it to: requests may be lost with it.
      script.die(canary, .exited(0))
      #expect(script.outcome(1).hasPrefix("refused: its worker crashed"))
      script.settle()
      #expect(script.running == [[1], [1]])
    } else {
      script.take(.wantsOut(canary))
      script.settle()
      script.soak()
      script.settle()
      #expect(script.outcome(1).hasPrefix("done") && script.running == [[2], [2]])
    }
    script.swap([script.build()], by: 2)
    script.ready(script.loading[0])
    script.soak()
    script.settle()
    #expect(script.outcome(2).hasPrefix("done"), "the next swap is not held up")
  }

  @Test("a rollout that fails goes back, also when the first tries to go back fail")
  func wayBackFails() {
    var script = Script(workers: 2)
    script.settle()
    script.swap([script.build()], by: 1)
    script.ready(script.loading[0])
    script.soak()
    #expect(script.running[0] == [2])
    // The second seat's worker cannot load.
    script.die(script.loading[0], .exited(22), requests: 0)
    #expect(script.outcome(1).hasPrefix("refused: it died; still serving a generation 1"))
    #expect(script.outcome(1).contains("workers that are still to change: 1"), "\(script.outcome(1))")
    for _ in 0..<5 {
      script.die(script.loading[0], .exited(22), requests: 0)
      #expect(script.running[0] == [2], "what serves goes on meanwhile")
      script.take(.alarm(.seat(0)), after: 31)
    }
    script.settle()
    #expect(script.running == [[1], [1]])
  }

  @Test(
    "a worker that dies while another still loads at the start is started again, and the server gets ready")
  func deathAtTheStart() {
    var script = Script(workers: 2)
    script.ready(script.loading[0])
    script.die(script.serving[0])
    script.settle()
    #expect(script.running == [[1], [1]])
    script.swap([script.build()], by: 1)
    #expect(script.loading.count == 1)
  }

  @Test(
    "places that cannot start, whoever is first, do not keep a cold start from serving with the others",
    arguments: [[0], [1], [0, 1], [1, 2]], [true, false])
  func someSeatsCannotStart(failing: [Int], isEarly: Bool) {
    var script = Script(workers: 3)
    let (ids, good) = (script.loading, Set(0..<3).subtracting(failing))
    func fail() { for seat in failing { script.die(ids[seat], .exited(22), requests: 0) } }
    if isEarly { fail() }
    #expect(script.loading.count == (isEarly ? 3 - failing.count : 3), "nothing is tried while nobody serves")
    for seat in good { script.ready(ids[seat]) }
    if !isEarly { fail() }
    #expect(script.running == (0..<3).map { good.contains($0) ? [1] : [] })
    if case .serving = script.releases.state {} else { Issue.record("it is \(script.releases.state)") }
    #expect(script.logged.last == "the start goes on with \(good.count) of 3 workers", "\(script.logged)")
    for seat in failing {
      #expect(script.logged.contains { $0.hasPrefix("place \(seat + 1) waits 100 ms") }, "\(script.logged)")
      script.take(.alarm(.seat(seat)), after: 0.2)
    }
    script.settle()
    #expect(script.running == [[1], [1], [1]], "they are tried again")
  }

  @Test("a start in which no place can load ends with the reason and the code of the first")
  func failedStart() {
    var script = Script(workers: 2)
    let ids = script.loading
    for (id, reason) in zip(ids, ["no entry", "no room"]) {
      #expect(script.logged.isEmpty)
      script.take(.ended(id, WorkerEnding(ending: .exited(22), sentence: reason, code: 22)))
    }
    guard case .stopping(22, _) = script.releases.state else {
      Issue.record("it is \(script.releases.state)")
      return
    }
    #expect(script.actions.contains { if case .announceFailure("no entry", 22) = $0 { true } else { false } })
    #expect(script.releases.isDone)
  }

  @Test("a new server of which one place cannot start is not the one to go on", arguments: [true, false])
  func failedHeir(isFirst: Bool) {
    var script = Script(workers: 2, follows: true)
    if !isFirst { script.ready(script.loading[0]) }
    script.die(script.loading[0], .exited(22), requests: 0)
    if case .stopping(22, _) = script.releases.state {} else { Issue.record("\(script.releases.state)") }
  }

  @Test("a new server that does not get ready is ended at its deadline, and what served goes on")
  func mutedHeir() {
    var script = Script(workers: 1)
    script.settle()
    script.take(.asked(.upgrade(binary: "/new"), by: 1))
    guard case .handingOver(let request) = script.releases.state else {
      Issue.record("it is \(script.releases.state)")
      return
    }
    script.take(.asked(.swap(mount: nil, file: nil), by: 2))
    script.take(.alarm(.change(request.ticket)), after: 65)
    #expect(script.outcome(1).hasPrefix("refused: the new server did not get ready in time"))
    #expect(script.staged != nil, "the change that waited begins")
  }

  @Test("a stop during an upgrade ends the new server too")
  func stopDuringUpgrade() {
    var script = Script(workers: 1)
    script.settle()
    script.take(.asked(.upgrade(binary: nil), by: 1))
    script.take(.stop(code: 0))
    #expect(script.actions.contains { if case .killHeir = $0 { true } else { false } })
    #expect(script.outcome(1) == "refused: the server stops")
  }

  @Test("a failed swap of one application says nothing about the builds of another")
  func otherApp() {
    var script = Script(workers: 1, mounts: ["/a", "/b"])
    script.settle()
    script.swap([script.build("/a")], by: 1)
    script.ready(script.loading[0])
    script.soak()
    script.settle()
    script.swap([script.build("/b")], by: 2)
    script.die(script.loading[0], .exited(22), requests: 0)
    #expect(script.outcome(2).hasPrefix("refused"))
    #expect(script.releases.history.builds["/a"]?.last?.status == .serving)
    script.take(.asked(.rollback(mount: "/a"), by: 3))
    script.settle()
    #expect(script.outcome(3) == "done: serving a generation 1, b generation 1", "\(script.outcome(3))")
  }

  @Test("a build on probation that fails during the rollout of another application is really taken back")
  func withdrawnMeanwhile() {
    var script = Script(workers: 1, mounts: ["/a", "/b"])
    script.settle()
    script.swap([script.build("/a")], by: 1)
    script.ready(script.loading[0])
    script.soak()
    script.settle()
    let first = script.releases.current!.number
    script.swap([script.build("/b")], by: 2)
    script.take(.evidence(release: first, "5 of 5 answers were 5xx"))
    #expect(script.outcome(2).contains("is taken back"), "\(script.outcome(2))")
    script.settle()
    #expect(script.running == [[1, 1]] && script.releases.current?.builds[0].generation == 1)
  }

  @Test("an in-place swap reaches a worker that starts meanwhile")
  func inPlaceMeanwhile() {
    var script = Script(workers: 2) { $0.supervision.swap = .inPlace }
    script.settle()
    script.releases.current!.builds[0].isUnloadable = true
    script.die(script.serving[1])
    script.swap([script.build(unloadable: true)], by: 1)
    let (asked, late) = (script.serving[0], script.loading[0])
    script.take(.swapped(asked, app: 0, generation: 2))
    // It started with the build of before.
    script.ready(late)
    #expect(
      script.actions.contains { if case .swap(late, _, _) = $0 { true } else { false } }
        || script.outcome(1).hasPrefix("done"))
    script.take(.swapped(late, app: 0, generation: 2))
    script.settle()
    #expect(script.outcome(1).hasPrefix("done") && script.running == [[2], [2]], "\(script.running)")
  }

  @Test("workers that changed in place before another refused are replaced by the build of before")
  func inPlaceRefused() {
    var script = Script(workers: 2) { $0.supervision.swap = .inPlace }
    script.settle()
    script.releases.current!.builds[0].isUnloadable = true
    let (first, second) = (script.serving[0], script.serving[1])
    script.swap([script.build(unloadable: true)], by: 1)
    script.take(.swapped(first, app: 0, generation: 2))
    script.take(.keptOld(second, app: 0, generation: 2, reason: "load() said no", isFull: false))
    #expect(script.outcome(1).hasPrefix("refused: load() said no"))
    script.settle()
    #expect(script.running == [[1], [1]])
  }

  @Test("a seat whose workers crash while they serve gets the next one at once, and a spare")
  func crashes() {
    var script = Script(workers: 2)
    script.settle()
    for _ in 0..<20 {
      script.die(script.serving[0])
      #expect(!script.serving.isEmpty && !script.loading.isEmpty, "nobody waits")
      while let id = script.loading.first { script.ready(id) }
    }
    #expect(script.serving.count >= 3, "hot seats have a spare")
    for seat in 0..<2 { script.take(.alarm(.seat(seat)), after: 11) }
    script.settle()
    #expect(script.serving.count == 2)
  }

  @Test("the only seat of a build that never serves waits a second at most; one of several longer and longer")
  func neverServes() {
    var script = Script(workers: 2)
    script.settle()
    let seat = script.releases.workers[script.serving[0]]!.seat
    script.die(script.serving[0])
    for _ in 0..<12 {
      guard let id = script.loading.first else { break }
      script.die(id, .exited(1), requests: 0)
      #expect(script.loading.isEmpty)
      script.take(.alarm(.seat(seat)), after: 31)
    }
    #expect(script.loading.count == 1, "it is never given up while others serve")
  }

  @Test("a place that waits is looked at again, also when its old worker dies meanwhile")
  func pauseAndDeath() {
    var script = Script(workers: 2)
    script.settle()
    let old = script.serving[0]
    let seat = script.releases.workers[old]!.seat
    script.take(.wantsOut(old))
    for round in 0..<9 {
      script.die(script.loading[0], .exited(1), requests: 0)
      if round < 8 { script.take(.alarm(.seat(seat)), after: 31) }
    }
    script.die(old)
    #expect(script.loading.isEmpty && script.releases.isPaused(seat))
    for _ in 0..<4 where script.loading.isEmpty {
      var wait: Double?
      for case .alarm(.seat(seat), let seconds) in script.actions { wait = seconds }
      guard let wait else { break }
      script.take(.alarm(.seat(seat)), after: wait)
    }
    #expect(script.loading.count == 1, "nothing waits without an alarm")
  }

  @Test("workers that could not be started again stay until all new ones serve")
  func notKept() {
    var script = Script(workers: 2, keepsBuilds: false) { settings in
      settings.apps[0].runtime = RuntimeReference(name: "python3")
    }
    script.settle()
    let old = script.serving
    script.swap([script.build()], by: 1)
    script.ready(script.loading[0])
    script.soak()
    #expect(old.allSatisfy(script.serving.contains), "the first old worker serves on")
    script.die(script.loading[0], .exited(22), requests: 0)
    #expect(script.outcome(1).hasPrefix("refused: it died"))
    script.settle()
    #expect(script.serving == old, "nothing was started anew")
    script.swap([script.build()], by: 2)
    script.ready(script.loading[0])
    script.soak()
    script.settle()
    #expect(script.outcome(2).hasPrefix("done") && script.running == [[3], [3]])
  }

  @Test("a successor that fails once is tried again")
  func successorFails() {
    var script = Script(workers: 1)
    script.settle()
    let first = script.serving[0]
    script.take(.wantsOut(first))
    let seat = script.releases.workers[first]!.seat
    script.die(script.loading[0], .exited(22), requests: 0)
    #expect(script.serving == [first] && script.loading.isEmpty)
    script.take(.alarm(.seat(seat)), after: 1)
    #expect(script.loading.count == 1)
    script.settle()
    #expect(script.serving.count == 1 && script.serving != [first])
  }

  @Test("a reload with another number of workers ends with that number", arguments: [(2, 3), (3, 2), (4, 1)])
  func otherNumber(before: Int, after: Int) {
    var script = Script(workers: before)
    script.settle()
    script.take(.asked(.reload(cause: "ctl"), by: 1))
    let ticket = script.releases.request!.ticket
    script.take(.staged(ticket: ticket, .configured))
    var target = script.releases.current!
    var settings = target.settings
    settings.process.workers = after
    target = Release(
      number: 77, configuration: 77, arguments: ["--other"], settings: settings, builds: target.builds)
    script.take(.staged(ticket: ticket, .built(target, fresh: [], obstacle: nil)))
    script.ready(script.loading[0])
    script.soak()
    script.settle()
    #expect(script.outcome(1).hasPrefix("done") && script.serving.count == after)
    #expect(Set(script.serving.map { script.releases.workers[$0]!.seat }) == Set(0..<after))
  }

  @Test("signals that come in a row are one change")
  func storm() {
    var script = Script(workers: 1)
    script.settle()
    for _ in 0..<15 { script.take(.asked(.reload(cause: "SIGHUP"), by: nil)) }
    #expect(script.releases.queue.count == 1)
  }

  @Test("a stop ends what loads at once and answers everybody")
  func stop() {
    var script = Script(workers: 2)
    script.settle()
    script.swap([script.build()], by: 1)
    script.take(.asked(.rollback(mount: nil), by: 2))
    script.take(.stop(code: 0))
    #expect(
      script.outcome(1) == "refused: the server stops" && script.outcome(2) == "refused: the server stops")
    for id in script.leaving { script.die(id, .exited(0)) }
    #expect(script.releases.isDone)
  }

  @Test("a worker that hangs is ended, once it serves; its end means what any other does")
  func silentWorker() {
    var script = Script(workers: 2)
    let loading = script.loading[0]
    script.take(.silent(loading, reason: "hangs"))
    #expect(script.actions.isEmpty, "loading has its own time")
    script.settle()
    script.take(.silent(script.serving[0], reason: "hangs"))
    guard case .abort(let id, "hangs")? = script.actions.first else {
      Issue.record("\(script.actions)")
      return
    }
    script.die(id, .killed(6))
    script.settle()
    #expect(script.serving.count == 2 && !script.serving.contains(id))

    script.swap([script.build()], by: 1)
    let canary = script.loading[0]
    script.ready(canary)
    script.take(.silent(canary, reason: "hangs"))
    script.die(canary, .killed(6))
    #expect(script.outcome(1).hasPrefix("refused: its worker crashed"))
    script.settle()
    #expect(script.running.joined().allSatisfy { $0 == 1 }, "a spare may be among them: \(script.running)")
  }
}
