// The ledger over the doors of browsers: HTTP/1.1 over TLS, and HTTP/2 with TLS and without.
import Foundation
import Support
import Testing

extension Swaps {
  @Suite struct LedgerDoorwayTests {
    /// `make test` has the cheapest of them.
    private static let kinds = Swaps.isProof ? Doorway.Kind.allCases : [.h2c]
    private static let swaps = Swaps.count ?? 3

    @Test("swaps lose, repeat and mix nothing over TLS and over HTTP/2", arguments: kinds)
    func ledger(kind: Doorway.Kind) throws {
      let builds = [try Fixture.ledger("LETTER='A'"), try Fixture.ledger("LETTER='B'")]
      let certificates = try Certificates()
      try certificates.make("a", hosts: "DNS:a.test")
      let isSealed = kind != .h2c
      let options = isSealed ? ["--https-socket", certificates.socket("a")] : []
      let server = try SupervisedServer(
        builds[0], gateways: isSealed ? [] : ["http"],
        options + ["--swap-soak", "0.05", "--swap-probation", "1"])
      let name = kind == .h2 ? "h2" : "http/1.1"
      let relay = try isSealed ? TLSRelay(server.server.address("https"), certificates, speaking: name) : nil
      let address = try relay?.address ?? server.server.address("http")
      let ways: [Ledger.Way] =
        kind.isHTTP2
        ? [.http2, .http2, .http2] : [.httpKeepAlive, .httpIdle, .httpFresh, .slowReader, .stream, .upload]
      let ledger = try Ledger(at: ["http": address], served: server.served, ways)
      try ledger.waitForAnswers(50)
      for swap in 1...Self.swaps {
        try ledger.waitForAnswers(.random(in: 1...100))
        try server.install(builds[swap % 2])
        let (exit, output) = try server.ctl(["swap"], Deadline(seconds: 120))
        ledger.expect(generation: swap + 1)
        #expect(exit == 0, "\(output)")
      }
      try ledger.waitForAnswers(50)
      let report = try ledger.finish()
      #expect(report.losses.isEmpty && report.duplicates.isEmpty && report.unserved.isEmpty, "\(report)")
      #expect(report.generations.count > Self.swaps / 2, "\(report.generations)")
      #expect(try server.stop() == .status(0), "\(server.log)")
    }
  }
}
