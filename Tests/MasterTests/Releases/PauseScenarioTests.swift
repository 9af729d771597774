// Places that wait: for what has failed there, as long as it never served, and not for anything else.
import Config
import Testing

@testable import Master

@Suite struct PauseScenarioTests {
  private func pause(_ script: Script) -> Double? {
    var seconds: Double?
    for case .alarm(.seat(0), let wait) in script.actions { seconds = wait }
    return seconds
  }

  @Test("a build that dies as soon as it is ready waits longer each time, as one that cannot load does")
  func diesSoon() {
    var script = Script(workers: 2)
    script.settle()
    var waits: [Double] = []
    for _ in 0..<6 {
      let id = script.releases.workers.first { $0.value.seat == 0 }!.key
      script.die(id, requests: 0)
      guard let wait = pause(script) else { break }
      waits.append(wait)
      script.take(.alarm(.seat(0)), after: wait)
      guard script.loading.count == 1 else { break }
      script.ready(script.loading[0])
    }
    #expect(waits.count == 6 && waits == waits.sorted() && waits[5] > 3, "\(waits)")
    // One that stays is forgiven what was before it.
    script.take(.alarm(.seat(0)), after: 1.1)
    #expect(script.releases.seats[0]?.failedStarts == 0)
  }

  @Test("a worker that has answered has served, however soon it dies")
  func answers() {
    var script = Script(workers: 2)
    script.settle()
    for _ in 0..<6 {
      script.die(script.releases.workers.first { $0.value.seat == 0 }!.key, requests: 1)
      #expect(!script.loading.isEmpty, "the next one starts at once")
      while let id = script.loading.first { script.ready(id) }
    }
    #expect(script.releases.seats[0]?.failedStarts ?? 0 == 0)
  }

  @Test("kills from outside do not add up")
  func kills() {
    var script = Script(workers: 2)
    script.settle()
    for _ in 0..<9 {
      script.die(script.releases.workers.first { $0.value.seat == 0 }!.key, .killed(9), requests: 0)
      let wait = pause(script) ?? 99
      #expect(wait < 0.2, "\(wait)")
      script.take(.alarm(.seat(0)), after: wait)
      script.ready(script.loading[0])
    }
  }

  @Test("while no other place serves, a place waits a second at most")
  func lastPlace() {
    var script = Script(workers: 1)
    script.settle()
    script.die(script.serving[0])
    var waits: [Double] = []
    for _ in 0..<8 {
      guard let id = script.loading.first else { break }
      script.die(id, .exited(1), requests: 0)
      let wait = pause(script) ?? 99
      waits.append(wait)
      script.take(.alarm(.seat(0)), after: wait)
    }
    #expect(waits.count == 8 && waits.allSatisfy { $0 < Seat.lastSeatPause + 0.01 }, "\(waits)")
  }

  @Test("the pause of the build before does not hold up the new one, and the new one's not the way back")
  func otherBuild() {
    var script = Script(workers: 2)
    script.settle()
    for _ in 0..<8 {
      script.die(script.releases.workers.first { $0.value.seat == 0 }!.key, requests: 0)
      if script.loading.isEmpty { script.take(.alarm(.seat(0)), after: pause(script) ?? 1) }
      if let id = script.loading.first { script.ready(id) }
    }
    script.die(script.releases.workers.first { $0.value.seat == 0 }!.key, requests: 0)
    #expect(script.loading.isEmpty && script.releases.isPaused(0))
    script.swap([script.build()], by: 1)
    #expect(script.loading.count == 1, "the new build does not wait")
    script.ready(script.loading[0])
    script.soak()
    script.settle()
    #expect(script.outcome(1).hasPrefix("done") && script.running == [[2], [2]])
  }
}
