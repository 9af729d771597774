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
        let (exit, output) = try server.ctl("swap")
        ledger.expect(generation: swap + 1)
        milliseconds.append(Double(DispatchTime.now().uptimeNanoseconds - began) / 1e6)
        #expect(exit == 0, "\(output)")
        #expect(output.contains("serving ledger generation \(swap + 1)"), "\(output)")
        if mode == "in-place" { #expect(output.contains("(in place)"), "\(output)") }
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

    @Test("many swaps one after the other, as fast as they go", arguments: ["rolling", "in-place"])
    func inARow(mode: String) throws {
      let builds = [try Fixture.ledger("LETTER='A'"), try Fixture.ledger("LETTER='B'")]
      let server = try SupervisedServer(
        builds[0], ["--swap", mode, "--swap-soak", "0", "--swap-probation", "0"])
      let ledger = try Ledger(server, [.httpFresh, .httpKeepAlive, .httpFresh])
      let swaps = Swaps.isProof ? 1000 : 20
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
        #expect(new.mappings <= old.mappings + 24, "from \(old) to \(new)")
        #expect(new.resident <= old.resident + 16 * 1024, "from \(old) to \(new)")
      }
    }
  }
}
