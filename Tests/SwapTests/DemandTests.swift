// Workers that come and go as the work asks for it, under a load of every kind; and those that have grown.
import Foundation
import Support
import Testing

extension Swaps {
  @Suite struct DemandTests {
    @Test(
      "adding and dropping workers loses no request",
      arguments: [
        (
          "--cheaper 1 --cheaper-algo busyness --cheaper-overload 1 --cheaper-busyness-min 0 "
            + "--cheaper-busyness-max 1", 4, "workers are busy"
        ),
        ("--cheaper 1 --cheaper-initial 4 --cheaper-rss-limit-hard 1", 1, "--cheaper-rss-limit-hard"),
      ])
    func ledger(_ row: (options: String, workers: Int, reason: String)) throws {
      let server = try SupervisedServer(
        Fixture.good, workers: 4, gateways: GatewayRequest.gateways,
        row.options.split(separator: " ").map(String.init))
      let ledger = try Ledger(server)
      try server.wait(for: "\(row.workers) workers") { $0.workers.count == row.workers }
      try ledger.waitForAnswers(100)
      let report = try ledger.finish()
      #expect(report.losses.isEmpty && report.duplicates.isEmpty && report.unserved.isEmpty, "\(report)")
      #expect(server.log.contains("\(row.workers) of 4 workers: ") && server.log.contains(row.reason))
      #expect(try server.ctl("status").output.contains(" of 4 workers: "))
      #expect(try server.stop() == .status(0), "\(server.log)")
    }

    @Test(
      "a worker that has grown is replaced, or killed",
      arguments: [
        ("--reload-on-as", "is replaced: its address space is"),
        ("--reload-on-uss", "are its own (--reload-on-uss)"),
        ("--evil-reload-on-rss", "is killed: it holds"),
        ("--evil-reload-on-as", "is killed: its address space is"),
      ])
    func grown(_ row: (option: String, text: String)) throws {
      let server = try SupervisedServer(Fixture.good, workers: 1, [row.option, "1"])
      try server.waitForLog(row.text)
      #expect(try server.stop() == .status(0), "\(server.log)")
    }

    @Test("a worker has as much address space as it is given")
    func bounded() throws {
      let server = try SupervisedServer(Fixture.good, workers: 1, ["--limit-as", "3000"])
      let pid = try #require(try server.status().serving.first?.pid)
      let limits = try String(contentsOfFile: "/proc/\(pid)/limits", encoding: .utf8)
      let line = try #require(limits.split(separator: "\n").first { $0.hasPrefix("Max address space") })
      #expect(line.contains("\(3000 << 20)"), "\(line)")
      #expect(try server.stop() == .status(0), "\(server.log)")
    }
  }
}
