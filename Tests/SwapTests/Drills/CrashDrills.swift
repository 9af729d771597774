// An application that crashes on one of so many requests, and workers that are killed one after the other:
// the others are served all the while. How fast is measured by bench/crashes.py.
import Foundation
import Support
import Testing

extension Swaps {
  @Suite struct CrashDrills {
    @Test(
      "where one of a hundred requests crashes, that request and its neighbours alone are lost",
      arguments: Drill.loops)
    func oneOfAHundred(loop: String) throws {
      let ways: [Ledger.Way] = [.httpFresh, .httpFresh, .httpFresh, .httpKeepAlive]
      let server = try Drill.server(try Fixture.ledger("CRASH_EVERY=100"), loop)
      let ledger = try Ledger(server, ways)
      let goal = Swaps.isProof ? 200 : 25
      try server.wait(for: "\(goal) crashes", Deadline(seconds: 300)) { $0.respawns >= goal }
      let report = try ledger.finish()
      let status = try server.status()
      Drill.expect(report, lost: (status.respawns + 1) * ways.count)
      // Every worker has answered 99 before its end, but for those on which the others' connections ended.
      #expect(report.answered >= 60 * goal, "\(status.respawns) crashes, \(report)")
      // No place waits longer than it takes to load.
      #expect(!server.log.contains("for its next worker"), "\(server.log)")
      try server.wait(for: "full strength") { Set($0.serving.map(\.place)) == [1, 2] }
      #expect(try server.stop() == .status(0), "\(server.log)")
    }

    @Test("a worker that ends by itself with 0 has crashed, and is followed", arguments: Drill.loops)
    func endsWithZero(loop: String) throws {
      let ways: [Ledger.Way] = [.httpFresh, .httpFresh, .httpKeepAlive]
      let server = try Drill.server(try Fixture.ledger("EXIT_AT=40"), loop)
      let ledger = try Ledger(server, ways)
      try server.wait(for: "three such ends") { $0.respawns >= 3 }
      let report = try ledger.finish()
      let status = try server.wait(for: "full strength") { Set($0.serving.map(\.place)) == [1, 2] }
      #expect(
        !status.crashes.isEmpty && status.crashes.allSatisfy { $0.contains(" died of exit code 0") },
        "\(status.crashes)")
      Drill.expect(report, lost: (status.respawns + 1) * ways.count)
      #expect(try server.stop() == .status(0), "\(server.log)")
    }

    @Test("after a storm of kills all places serve", arguments: Drill.loops)
    func storm(loop: String) throws {
      let server = try Drill.server(try Fixture.good, loop)
      let ways: [Ledger.Way] = [.httpFresh, .httpFresh, .httpKeepAlive, .stream]
      let ledger = try Ledger(server, ways)
      var kills = 0
      while kills < (Swaps.isProof ? 150 : 20) {
        try ledger.waitForAnswers(10)
        guard let victim = try server.status().serving.randomElement() else { continue }
        kill(victim.pid, SIGKILL)
        kills += 1
      }
      try server.wait(for: "full strength") { Set($0.serving.map(\.place)) == [1, 2] }
      try ledger.waitForAnswers(50)
      Drill.expect(try ledger.finish(), lost: kills * ways.count)
      #expect(try server.stop() == .status(0), "\(server.log)")
    }
  }
}
