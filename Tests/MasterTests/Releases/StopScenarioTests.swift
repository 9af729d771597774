// Stops: announced ones, those of a master that has handed over; and changes that several ask for at once.
import Config
import Testing

@testable import Master

@Suite struct StopScenarioTests {
  private func delayed() -> Script {
    var script = Script(workers: 1) { $0.watch.shutdownDelaySeconds = 5 }
    script.settle()
    return script
  }

  private func isStopping(_ script: Script) -> Bool {
    if case .stopping = script.releases.state { true } else { false }
  }

  @Test("an announced stop ends an upgrade under way, and refuses those that wait or come")
  func duringUpgrade() {
    var script = delayed()
    script.take(.asked(.upgrade(binary: nil), by: 1))
    let ticket = script.releases.request!.ticket
    script.take(.asked(.upgrade(binary: "/new"), by: 2))
    script.take(.stopSignal)
    #expect(script.did { if case .killHeir(ticket) = $0 { true } else { false } })
    #expect(script.did { if case .announceStop = $0 { true } else { false } })
    script.take(.asked(.upgrade(binary: nil), by: 3))
    for asker in 1...3 {
      #expect(
        script.outcome(asker).hasPrefix("refused: the server is to stop (--shutdown-delay)"), "\(asker)")
    }
    #expect(!isStopping(script) && script.serving.count == 1)
    // A new server that gets ready nevertheless is not the one to go on.
    script.take(.heirReady(ticket: ticket, pid: 4711))
    #expect(script.did { if case .killHeir(ticket) = $0 { true } else { false } })
    script.take(.asked(.swap(mount: nil, file: nil), by: 4))
    #expect(script.staged != nil, "a build may come for the rest of the time")
    script.take(.alarm(.stop), after: 5)
    #expect(isStopping(script) && script.outcome(4) == "refused: the server stops")
  }

  @Test("a second signal ends the wait, a third one all that is under way")
  func impatience() {
    var script = delayed()
    script.take(.stopSignal)
    #expect(!isStopping(script) && script.releases.isLeaving && !script.releases.hasClosed)
    script.take(.stopSignal)
    #expect(script.releases.hasClosed)
    #expect(isStopping(script) && script.did { if case .dismiss = $0 { true } else { false } })
    script.take(.alarm(.stop), after: 5)
    #expect(!script.did { if case .quit = $0 { true } else { false } }, "the alarm is no signal")
    script.take(.stopSignal)
    #expect(script.did { if case .quit = $0 { true } else { false } })
  }

  @Test("the first signal to a master that has handed over asks its workers to leave as any stop does")
  func handedOver() {
    var script = delayed()
    script.take(.asked(.upgrade(binary: nil), by: 1))
    script.take(.heirReady(ticket: script.releases.request!.ticket, pid: 4711))
    let id = script.leaving[0]
    #expect(script.did { if case .retire(id) = $0 { true } else { false } })
    #expect(!script.releases.hasClosed, "the server goes on")
    script.take(.stopSignal)
    #expect(script.did { if case .dismiss(id) = $0 { true } else { false } })
    #expect(!script.did { if case .quit = $0 { true } else { false } }, "what is under way is answered")
    script.take(.stopSignal)
    #expect(script.did { if case .quit(id) = $0 { true } else { false } })
  }

  // MARK: Many who ask

  @Test("reloads that wait are one, whatever has asked for them, and everybody is told")
  func oneReload() {
    var script = Script(workers: 1)
    script.settle()
    for asker in 1...5 { script.take(.asked(.reload(cause: "ctl"), by: asker)) }
    script.take(.asked(.reload(cause: "SIGHUP"), by: nil))
    script.take(.asked(.reload(cause: "--touch-reload /a"), by: nil))
    #expect(script.releases.queue.count == 1 && script.releases.queue[0].askers == [2, 3, 4, 5])
    for _ in 0..<2 {
      let ticket = script.releases.request!.ticket
      script.take(.staged(ticket: ticket, .configured))
      script.take(
        .staged(ticket: ticket, .built(script.releases.current!, fresh: [], obstacle: nil)))
    }
    for asker in 1...5 { #expect(script.outcome(asker).hasPrefix("done: nothing to do"), "\(asker)") }
    #expect(script.counted.filter { $0 == "reload_unchanged" }.count == 2)
  }

  @Test("what depends on what was before it is not shared")
  func notShared() {
    var script = Script(workers: 1)
    script.settle()
    let changes: [Change] = [
      .reload(cause: "ctl"), .swap(mount: "", file: "/x.so"), .reload(cause: "ctl"), .rollback(mount: nil),
      .rollback(mount: nil), .reload(cause: "ctl"), .upgrade(binary: nil), .upgrade(binary: nil),
    ]
    for (asker, change) in changes.enumerated() { script.take(.asked(change, by: asker)) }
    #expect(script.releases.queue.count == 7)
    script.take(.asked(.swap(mount: "", file: nil), by: 8))
    script.take(.asked(.swap(mount: "", file: nil), by: 9))
    #expect(script.releases.queue.count == 8)
  }
}
