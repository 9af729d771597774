// In-place swaps, step by step: who is asked, whose answers count, and when it is done.
import Config
import Control
import Testing

@testable import Master

@Suite struct InPlaceScenarioTests {
  /// Workers that serve builds which can be unloaded.
  private func script(
    workers: Int, mounts: [String] = [""], _ adjust: (inout Settings) -> Void = { _ in }
  ) -> Script {
    var script = Script(workers: workers, mounts: mounts) { settings in
      settings.supervision.swap = .inPlace
      adjust(&settings)
    }
    script.settle()
    allowUnloading(&script)
    return script
  }

  private func allowUnloading(_ script: inout Script) {
    for index in script.releases.current!.builds.indices {
      script.releases.current!.builds[index].isUnloadable = true
    }
  }

  /// The worker that the last event has led to be asked, and for which generation.
  private func asked(_ script: Script) -> (id: Int, app: Int, generation: Int)? {
    for action in script.actions {
      if case .swap(let id, let app, let build) = action { return (id, app, build.generation) }
    }
    return nil
  }

  /// Workers take what they are asked to, and those that load are ready, until nothing more follows.
  private func takeAll(_ script: inout Script) {
    for _ in 0..<100 {
      if let (id, worker) = script.releases.workers.first(where: { $0.value.asked != nil }) {
        let asked = worker.asked!
        script.take(.swapped(id, app: asked.app, generation: asked.generation), after: 0.01)
      } else if script.loading.isEmpty && script.leaving.isEmpty {
        return
      } else {
        script.settle()
      }
    }
    Issue.record("workers are asked again and again")
  }

  /// A swap to generation 2 that is off because the first worker, which runs it, has died; the second one,
  /// which loads it, is to be asked for generation 3.
  private func abandoned() -> (script: Script, slow: Int) {
    var script = script(workers: 2)
    script.swap([script.build(unloadable: true)], by: 1)
    let first = asked(script)!.id
    script.take(.swapped(first, app: 0, generation: 2))
    let slow = asked(script)!.id
    script.die(first, .killed(11))
    #expect(script.outcome(1).hasPrefix("refused: its worker crashed"), "\(script.outcome(1))")
    script.settle()
    script.swap([script.build(unloadable: true)], by: 2)
    #expect(asked(script).map { $0.id != slow && $0.generation == 3 } == true)
    let next = asked(script)!.id
    script.take(.swapped(next, app: 0, generation: 3))
    #expect(asked(script) == nil && script.outcome(2) == "0 answers", "it has not answered yet")
    return (script, slow)
  }

  @Test("that a worker could not load a build of a swap which is off is not said of the next one")
  func lateRefusal() {
    var (script, slow) = abandoned()
    script.take(.keptOld(slow, app: 0, generation: 2, reason: "it is broken", isFull: false))
    #expect(asked(script).map { $0.id == slow && $0.generation == 3 } == true)
    script.take(.keptOld(slow, app: 0, generation: 2, reason: "it is broken", isFull: false))
    #expect(script.outcome(2) == "0 answers")
    script.take(.swapped(slow, app: 0, generation: 3))
    #expect(script.outcome(2).hasPrefix("done") && script.running == [[3], [3]], "\(script.outcome(2))")
  }

  @Test("a worker that puts a build of a swap which is off to work runs it, and then the next one")
  func lateSuccess() {
    var (script, slow) = abandoned()
    script.take(.swapped(slow, app: 0, generation: 2))
    #expect(script.releases.workers[slow]?.running?.generations == [2])
    #expect(asked(script).map { $0.id == slow && $0.generation == 3 } == true)
    takeAll(&script)
    #expect(script.outcome(2).hasPrefix("done") && script.running == [[3], [3]], "\(script.outcome(2))")
  }

  @Test("a worker that does not answer what it was asked before is ended, and the swap goes on without it")
  func lateNever() {
    var (script, slow) = abandoned()
    script.take(.alarm(.swap(worker: slow)), after: 60)
    #expect(script.did { if case .terminate(slow, _) = $0 { true } else { false } })
    script.die(slow, .killed(9))
    takeAll(&script)
    #expect(script.outcome(2).hasPrefix("done") && script.running == [[3], [3]], "\(script.outcome(2))")
  }

  @Test("a worker that shows twice that it runs something else than it has said is replaced, and it is said")
  func shown() {
    var script = script(workers: 2)
    let ids = script.serving
    script.take(.shown([ids[0]: [1], ids[1]: [2]]), after: 1)
    #expect(script.loading.isEmpty, "once may be a moment")
    script.take(.shown([ids[0]: [1], ids[1]: [1]]), after: 1)
    script.take(.shown([ids[0]: [1], ids[1]: [2]]), after: 1)
    #expect(script.loading.isEmpty)
    script.take(.shown([ids[0]: [1], ids[1]: [2]]), after: 1)
    #expect(script.loading.count == 1)
    let sentence = "the worker of place 2 is replaced: it shows that it runs generation 2, and has said 1"
    #expect(script.logged.contains(sentence), "\(script.logged)")
    script.settle()
    #expect(script.serving.count == 2 && script.serving.contains(ids[0]) && !script.serving.contains(ids[1]))
    // What is shown of nobody, or not at all, is no disagreement.
    for _ in 0..<3 { script.take(.shown([4711: [9], ids[0]: []]), after: 1) }
    #expect(script.loading.isEmpty)
  }

  @Test("a worker that loads a build may show it before it has said so")
  func shownBeforeSaid() {
    var script = script(workers: 1)
    script.swap([script.build(unloadable: true)], by: 1)
    let id = asked(script)!.id
    for _ in 0..<3 { script.take(.shown([id: [2]]), after: 1) }
    #expect(script.loading.isEmpty)
    script.take(.swapped(id, app: 0, generation: 2))
    script.take(.shown([id: [2]]), after: 1)
    #expect(script.outcome(1).hasPrefix("done") && script.serving == [id] && script.loading.isEmpty)
  }

  // MARK: A gate

  /// A swap with a gate, whose first worker has the build: the others wait.
  private func soaking(workers: Int = 3) -> (script: Script, first: Int) {
    var script = script(workers: workers) {
      $0.supervision.gate = SwapGate()
      $0.supervision.soakSeconds = 5
    }
    script.swap([script.build(unloadable: true)], by: 1)
    let first = asked(script)!.id
    script.take(.swapped(first, app: 0, generation: 2))
    return (script, first)
  }

  private func endSoak(_ script: inout Script) {
    if case .swapping(let swap) = script.releases.state {
      script.take(.alarm(.soak(release: swap.target.number)), after: 5)
    }
  }

  /// What the workers show: those of the second generation fail so many requests of a hundred.
  private func figures(_ script: Script, failing: Int = 0) -> [Int: WorkerFigures] {
    script.releases.workers.mapValues { worker in
      let requests = Int(script.now / 5_000_000)
      let failed = worker.running?.generations == [2] ? requests * failing / 100 : 0
      var values = Tally().values
      (values[1], values[4]) = (UInt64(requests - failed), UInt64(failed))
      values[Tally.Cell.buckets + 8] = UInt64(requests)
      return WorkerFigures(
        tallies: [Tally(values)], requests: requests, resident: 30 << 20, descriptors: 9)
    }
  }

  @Test("with a gate one worker serves the build beside the others, and they follow if it is no worse")
  func soaks() {
    var (script, first) = soaking()
    let ticket = script.releases.request!.ticket
    #expect(asked(script) == nil && script.outcome(1) == "0 answers")
    #expect(script.did { if case .alarm(.soak, 5) = $0 { true } else { false } })
    #expect(script.did { if case .alarm(.change(ticket), _) = $0 { true } else { false } })
    for _ in 0..<8 {
      #expect(script.releases.wantsFigures)
      script.take(.measured(figures(script)), after: 0.5)
      #expect(asked(script) == nil && script.outcome(1) == "0 answers")
    }
    #expect(script.releases.changeText?.hasPrefix("swapping in place; / new: ") == true)
    endSoak(&script)
    #expect(script.logged.contains { $0.hasPrefix("compared: / new: ") }, "\(script.logged)")
    #expect(asked(script).map { $0.id != first && $0.generation == 2 } == true)
    #expect(!script.releases.wantsFigures)
    takeAll(&script)
    #expect(script.outcome(1).hasPrefix("done") && script.running == [[2], [2], [2]], "\(script.outcome(1))")
    let record = script.releases.journal.records.last
    #expect(record?.figures.hasPrefix("/ new: ") == true, "\(String(describing: record))")
    #expect(record?.steps.contains { $0.name == "canary" && $0.microseconds >= 5_000_000 } == true)
  }

  @Test("a worse build is refused with the figures of both, and only its first worker is replaced")
  func gateCloses() {
    var (script, first) = soaking()
    let others = script.serving.filter { $0 != first }
    for _ in 0..<20 where script.releases.wantsFigures {
      script.take(.measured(figures(script, failing: 5)), after: 0.25)
    }
    #expect(script.did { if case .gateClosed(.errors) = $0 { true } else { false } })
    #expect(script.outcome(1).hasPrefix("refused: "), "\(script.outcome(1))")
    #expect(script.outcome(1).contains("(--swap-gate errors=2); still serving a generation 1"))
    #expect(script.releases.history.builds[""]?.contains { $0.generation == 2 } != true)
    script.settle()
    #expect(script.running == [[1], [1], [1]] && !script.serving.contains(first))
    let serving = script.serving
    #expect(others.allSatisfy { serving.contains($0) })
  }

  @Test("answers that fail refuse it while it soaks, and so does its death")
  func failsInSoak() {
    var (script, first) = soaking()
    guard case .swapping(let swap) = script.releases.state else {
      Issue.record("\(script.releases.state)")
      return
    }
    let number = swap.target.number
    #expect(script.releases.trials.contains { $0.release.number == number })
    script.take(.evidence(release: number, "5 of 5 answers were 5xx", mount: ""))
    #expect(script.outcome(1).hasPrefix("refused: 5 of 5 answers were 5xx"), "\(script.outcome(1))")
    #expect(script.did { if case .cancel(.soak(release: number)) = $0 { true } else { false } })
    script.settle()
    #expect(script.running == [[1], [1], [1]] && !script.serving.contains(first))

    var (other, dying) = soaking()
    other.die(dying, .killed(11), in: 0)
    #expect(other.outcome(1).hasPrefix("refused: its worker crashed"), "\(other.outcome(1))")
    other.settle()
    #expect(other.running == [[1], [1], [1]])
    // The alarm of a soak that is over says nothing.
    other.take(.alarm(.soak(release: number)), after: 5)
    #expect(other.running == [[1], [1], [1]] && asked(other) == nil)
  }

  @Test("who waits for a worker that soaks is answered, whatever becomes of the workers")
  func soakersLeave() {
    // The first one asks to leave: its follower has the build before, and the next one that takes it soaks.
    var (script, first) = soaking()
    script.take(.wantsOut(first), after: 0.1)
    script.settle()
    #expect(!script.serving.contains(first) && script.outcome(1) == "0 answers")
    let second = script.releases.workers.first(where: { $0.value.asked != nil })!.key
    script.take(.swapped(second, app: 0, generation: 2), after: 0.1)
    #expect(asked(script) == nil && script.did { if case .alarm(.soak, 5) = $0 { true } else { false } })
    endSoak(&script)
    takeAll(&script)
    #expect(script.outcome(1).hasPrefix("done") && script.running == [[2], [2], [2]], "\(script.outcome(1))")

    // The others die while it soaks: those that replace them follow.
    var (lonely, soaker) = soaking(workers: 2)
    let other = lonely.serving.first(where: { $0 != soaker })!
    lonely.die(other, .killed(11), in: 0)
    #expect(lonely.outcome(1) == "0 answers" && lonely.releases.wantsFigures)
    lonely.settle()
    #expect(lonely.running.contains([1]) && lonely.outcome(1) == "0 answers")
    endSoak(&lonely)
    takeAll(&lonely)
    #expect(lonely.outcome(1).hasPrefix("done") && lonely.running == [[2], [2]], "\(lonely.outcome(1))")

    // Its alarm gets lost: that of the change ends it.
    var (stuck, _) = soaking(workers: 2)
    stuck.take(.alarm(.change(stuck.releases.request!.ticket)), after: 100)
    #expect(stuck.outcome(1).hasPrefix("refused: its soak did not end in time"), "\(stuck.outcome(1))")
    stuck.settle()
    #expect(stuck.running == [[1], [1]])
  }

  @Test("where there is one worker, no gate, or no soak, nothing is compared in place")
  func nothingToCompare() {
    for (workers, hasGate, soak) in [(1, true, 5.0), (2, false, 5), (2, true, 0)] {
      var script = script(workers: workers) {
        $0.supervision.gate = hasGate ? SwapGate() : nil
        $0.supervision.soakSeconds = soak
      }
      script.swap([script.build(unloadable: true)], by: 1)
      for _ in 0..<workers {
        guard let id = asked(script)?.id else { break }
        script.take(.swapped(id, app: 0, generation: 2), after: 0.1)
        #expect(!script.did { if case .alarm(.soak, _) = $0 { true } else { false } })
      }
      #expect(script.outcome(1).hasPrefix("done"), "\(workers) \(hasGate) \(soak): \(script.outcome(1))")
    }
  }

  // MARK: Probation

  /// Generation 2 serves, on probation.
  private func onTrial() -> Script {
    var script = script(workers: 2) { $0.supervision.probationSeconds = 600 }
    script.swap([script.build(unloadable: true)], by: 1)
    takeAll(&script)
    allowUnloading(&script)
    #expect(script.running == [[2], [2]] && script.releases.probation != nil)
    return script
  }

  @Test("workers that the master ends because they hang in a load say nothing against the build that serves")
  func ownKill() {
    var script = onTrial()
    for asker in 2...4 {
      script.swap([script.build(unloadable: true)], by: asker)
      let id = asked(script)!.id
      script.take(.alarm(.swap(worker: id)), after: 60)
      script.die(id, .killed(9))
      script.settle()
      #expect(script.outcome(asker).contains("did not load it in time"), "\(script.outcome(asker))")
    }
    #expect(script.running == [[2], [2]] && !script.counted.contains("taken_back"), "\(script.logged)")
  }

  @Test("a worker that dies of a build whose swap is off says nothing against the one that serves")
  func diesOfAbandoned() {
    var script = onTrial()
    script.swap([script.build(unloadable: true)], by: 2)
    let first = asked(script)!.id
    script.take(.swapped(first, app: 0, generation: 3))
    let slow = asked(script)!.id
    // In a request of the new build.
    script.die(first, .killed(11), in: 0)
    #expect(script.outcome(2).hasPrefix("refused"))
    script.die(slow, .killed(11))
    script.settle()
    #expect(script.running == [[2], [2]] && !script.counted.contains("taken_back"), "\(script.logged)")
  }

  // MARK: Who is asked

  @Test("a worker that runs another build of another application is not asked but replaced")
  func strays() {
    var script = script(workers: 2, mounts: ["/a", "/b"])
    script.swap([script.build("/a", unloadable: true)], by: 1)
    let first = asked(script)!
    script.take(.swapped(first.id, app: first.app, generation: 2))
    let second = asked(script)!
    script.take(.keptOld(second.id, app: 0, generation: 2, reason: "no", isFull: false))
    #expect(
      script.outcome(1).hasPrefix("refused: no") && script.releases.workers[first.id]?.phase == .serving)
    // It serves on until its follower does.
    script.swap([script.build("/b", unloadable: true)], by: 2)
    #expect(asked(script)?.id == second.id)
    script.take(.swapped(second.id, app: 1, generation: 2))
    #expect(asked(script) == nil && script.outcome(2) == "0 answers")
    takeAll(&script)
    #expect(!script.serving.contains(first.id) && script.outcome(2).hasPrefix("done"))
    #expect(script.running == [[1, 2], [1, 2]], "\(script.running)")
  }

  @Test("a swap waits for somebody who can be asked, and is done when somebody runs the build")
  func nobodyServes() {
    var script = script(workers: 1)
    script.take(.asked(.swap(mount: nil, file: nil), by: 1))
    let ticket = script.releases.request!.ticket
    let fresh = script.build(unloadable: true)
    let actions = script.actions
    script.die(script.serving[0], .killed(11))
    script.actions = actions
    script.bring([fresh])
    #expect(script.outcome(1) == "0 answers" && script.releases.current?.builds[0].generation == 1)
    #expect(script.did { if case .alarm(.change(ticket), _) = $0 { true } else { false } })
    script.ready(script.loading[0])
    #expect(asked(script)?.generation == 2)
    takeAll(&script)
    #expect(script.outcome(1).hasPrefix("done") && script.running == [[2]])
  }

  @Test("a swap for which nobody can be asked in time is refused")
  func nobodyComes() {
    var script = script(workers: 1)
    script.take(.asked(.swap(mount: nil, file: nil), by: 1))
    let (ticket, actions) = (script.releases.request!.ticket, script.actions)
    script.die(script.serving[0], .killed(11))
    script.actions = actions
    script.bring([script.build(unloadable: true)])
    script.take(.alarm(.change(ticket)), after: 65)
    #expect(script.outcome(1).hasPrefix("refused: no worker could be asked to load it in time"))
    script.settle()
    #expect(script.running == [[1]])
  }
}
