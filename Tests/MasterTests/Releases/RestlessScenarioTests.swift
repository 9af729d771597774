// Workers that come and go while something waits for all of them: a start, and a swap in place.
import Config
import Testing

@testable import Master

@Suite struct RestlessScenarioTests {
  private func inPlace(workers: Int) -> Script {
    var script = Script(workers: workers) { settings in
      settings.supervision.swap = .inPlace
      settings.supervision.soakSeconds = 0
    }
    script.settle()
    script.releases.current!.builds[0].isUnloadable = true
    return script
  }

  private func asked(_ script: Script) -> Int? {
    script.releases.workers.first { $0.value.asked != nil }?.key
  }

  @Test("an in-place swap whose workers leave faster than they take the build goes worker by worker")
  func leavesFaster() {
    var script = inPlace(workers: 2)
    script.swap([script.build(unloadable: true)], by: 1)
    var asks = 0
    while asks < 50, let id = asked(script) {
      asks += 1
      // While one loads it, the one that has it is followed by one that does not.
      let others = script.releases.workers.filter { $0.key != id && $0.value.running?.generations == [2] }
      for other in others.keys { script.take(.wantsOut(other), after: 0.01) }
      script.settle()
      script.take(.swapped(id, app: 0, generation: 2), after: 0.01)
    }
    #expect(asks == 2 * InPlace.rounds)
    if case .rolling = script.releases.state {} else { Issue.record("it is \(script.releases.state)") }
    script.settle()
    #expect(script.outcome(1).hasPrefix("done") && script.running == [[2], [2]], "\(script.outcome(1))")
  }

  @Test("an in-place swap is not done while a worker that leaves may accept, and has the build before")
  func stillAccepts() {
    for isDeaf in [true, false] {
      var script = inPlace(workers: 1)
      let old = script.serving[0]
      script.take(.wantsOut(old))
      script.swap([script.build(unloadable: true)], by: 1)
      script.ready(script.loading[0])
      guard let next = asked(script), let ticket = script.releases.request?.ticket else {
        Issue.record("nobody is asked")
        return
      }
      #expect(next != old && script.leaving == [old])
      script.take(.swapped(next, app: 0, generation: 2))
      #expect(script.outcome(1) == "0 answers")
      #expect(script.did { if case .alarm(.change(ticket), _) = $0 { true } else { false } })
      if isDeaf {
        script.take(.deaf(old))
        #expect(script.outcome(1).hasPrefix("done") && script.running == [[2]], "\(script.outcome(1))")
      } else {
        // The alarms of the worker itself are lost.
        script.take(.alarm(.change(ticket)), after: 200)
        #expect(script.outcome(1).hasPrefix("refused: the workers before did not leave in time"))
        script.settle()
        #expect(script.running == [[1]])
      }
    }
  }

  @Test("a new server whose master has died goes on with the places that can start")
  func lonelyHeir() {
    var script = Script(workers: 2, follows: true)
    script.ready(script.loading[0])
    // Nobody else serves any more.
    script.releases.follows = false
    script.die(script.loading[0], .exited(22), requests: 0)
    if case .serving = script.releases.state {} else { Issue.record("it is \(script.releases.state)") }
    #expect(script.running == [[1], []])
  }

  @Test("a start does not wait for a place whose worker has served and died; a new server's does")
  func restlessStart() {
    for follows in [false, true] {
      var script = Script(workers: 2, follows: follows)
      let second = script.loading[1]
      script.ready(script.loading[0])
      script.die(script.serving[0])
      script.ready(second)
      #expect(script.serving == [second] && script.loading.count == 1, "the first place has another")
      if case .serving = script.releases.state {
        #expect(!follows && script.logged.last == "the start goes on with 1 of 2 workers", "\(script.logged)")
      } else {
        #expect(follows, "\(script.releases.state)")
      }
      script.swap([script.build()], by: 1)
      #expect((script.releases.request != nil) == !follows, "a change waits for the start alone")
      script.settle()
      #expect(script.running.allSatisfy { !$0.isEmpty })
    }
  }
}
