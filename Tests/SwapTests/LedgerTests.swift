// Swaps at random moments under a load of every kind: not one request may notice.
//
// `make test` swaps a few times; `make swap-proof` sets SWAPS=200.
import Foundation
import Support
import Testing

extension Swaps {
  @Suite struct LedgerTests {
    private static let swaps = Swaps.count ?? 10

    @Test("swaps between two builds lose, repeat and mix nothing", arguments: ["rolling", "in-place"])
    func ledger(mode: String) throws {
      let builds = [try Fixture.ledger("LETTER='A'"), try Fixture.ledger("LETTER='B'")]
      let server = try SupervisedServer(
        builds[0], gateways: GatewayRequest.gateways,
        ["--swap", mode, "--swap-soak", "0.05", "--swap-probation", "1"])
      let ledger = try Ledger(server)
      try ledger.waitForAnswers(100)
      var before: [ProcessUsage] = []
      var milliseconds: [Double] = []
      for swap in 1...Self.swaps {
        try ledger.waitForAnswers(.random(in: 1...200))
        try server.install(builds[swap % 2])
        let began = DispatchTime.now().uptimeNanoseconds
        // The last one replays some of the load, of whatever protocol, beside it.
        let isLast = swap == Self.swaps
        let (exit, output) = try server.ctl(
          ["swap"] + (isLast ? ["--replay", "20"] : []), Deadline(seconds: 120))
        ledger.expect(generation: swap + 1)
        milliseconds.append(Double(DispatchTime.now().uptimeNanoseconds - began) / 1e6)
        #expect(exit == 0, "\(output)")
        #expect(output.contains("serving ledger generation \(swap + 1)"), "\(output)")
        if mode == "in-place" { #expect(output.contains("(in place)"), "\(output)") }
        #expect(output.contains(" requests replayed, ") == isLast, "\(output)")
        if swap == max(2, Self.swaps / 5) { before = try Self.usage(server) }
      }
      try ledger.waitForAnswers(100)
      let after = try Self.usage(server)
      let report = try ledger.finish()
      milliseconds.sort()
      let median = milliseconds[milliseconds.count / 2]
      print("\(mode): \(Self.swaps) swaps of \(median) ms (median), \(report)")
      #expect(report.losses.isEmpty && report.duplicates.isEmpty && report.unserved.isEmpty, "\(report)")
      #expect(report.generations.count >= Self.swaps / 2, "\(report.generations)")
      Self.compare(before, after, server.log)
      #expect(try server.stop() == .status(0), "\(server.log)")
    }

    @Test("the server's own binary is upgraded under load; one that does not start is refused")
    func upgrade() throws {
      let folder = try TemporaryFolder()
      let pidFile = folder.file("pid")
      let server = try SupervisedServer(
        Fixture.good, gateways: GatewayRequest.gateways, ["--pidfile", pidFile])
      let ledger = try Ledger(server)
      try ledger.waitForAnswers(50)
      let refused = try server.ctl("upgrade", "/bin/false")
      #expect(refused.exit == 1 && refused.output.contains("refused: "), "\(refused.output)")
      #expect(try server.status().pid == server.pid)
      for _ in 0..<2 {
        let old = try server.status().pid
        try ledger.waitForAnswers(.random(in: 1...100))
        let (exit, output) = try server.ctl("upgrade")
        #expect(exit == 0, "\(output)")
        let status = try server.wait(for: "the new master") { $0.pid != old && $0.serving.count == 2 }
        #expect(try String(contentsOfFile: pidFile, encoding: .utf8) == "\(status.pid)\n")
        // The workers of before may still have clients that ask nothing.
        try Deadline.usual.wait(for: "the old master to leave", output: { server.log }) {
          ProcessUsage.isAlive(old) ? nil : true
        }
      }
      #expect(try server.server.process.wait() == .status(0), "\(server.log)")
      try server.install(try Fixture.better)
      #expect(try server.ctl("swap").exit == 0)
      #expect(try server.answering().hasPrefix("B "))
      try ledger.waitForAnswers(50)
      let report = try ledger.finish()
      #expect(report.losses.isEmpty && report.duplicates.isEmpty && report.unserved.isEmpty, "\(report)")
      let last = try server.status()
      #expect(try server.ctl("stop").exit == 0)
      try Deadline.usual.wait(for: "the end of all", output: { server.log }) {
        ([last.pid] + last.workers.map(\.pid)).contains { ProcessUsage.isAlive($0) } ? nil : true
      }
      #expect(!FileManager.default.fileExists(atPath: pidFile))
    }

    @Test("many swaps one after the other, as fast as they go", arguments: ["rolling", "in-place"])
    func inARow(mode: String) throws {
      let builds = [try Fixture.ledger("LETTER='A'"), try Fixture.ledger("LETTER='B'")]
      let server = try SupervisedServer(
        builds[0], ["--swap", mode, "--swap-soak", "0", "--swap-probation", "0"])
      let ledger = try Ledger(server, [.httpFresh, .httpKeepAlive, .httpFresh])
      let swaps = 5 * (Swaps.count ?? 4)
      for swap in 1...swaps {
        try server.install(builds[swap % 2])
        let (exit, output) = try server.ctl("swap")
        ledger.expect(generation: swap + 1)
        #expect(exit == 0, "\(output)")
      }
      try ledger.waitForAnswers(20)
      let report = try ledger.finish()
      #expect(report.losses.isEmpty && report.duplicates.isEmpty && report.unserved.isEmpty, "\(report)")
      #expect(try server.answering() == "A \(swaps + 1)")
      _ = try Self.usage(server)
      #expect(try server.stop() == .status(0), "\(server.log)")
    }

    /// The master and then its workers, once those that leave have left.
    private static func usage(_ server: SupervisedServer) throws -> [ProcessUsage] {
      let status = try server.wait(for: "old workers to leave") { status in
        status.workers.allSatisfy { $0.state == "serving" }
      }
      return try ([status.pid] + status.workers.map(\.pid)).map { try #require(ProcessUsage($0)) }
    }

    /// Nothing has grown but what a heap grows by itself.
    private static func compare(_ before: [ProcessUsage], _ after: [ProcessUsage], _ log: String) {
      #expect(before.count == after.count)
      for (old, new) in zip(before, after) {
        #expect(new.descriptors <= old.descriptors + 16, "from \(old) to \(new)")
        let room = Repository.isSanitized ? 8 : 1
        #expect(new.mappings <= old.mappings + 24 * room, "from \(old) to \(new)")
        #expect(new.resident <= old.resident + 16 * 1024 * room, "from \(old) to \(new)")
      }
    }
  }
}
