// What becomes of connections when the server stops: those that were accepted and have not asked yet, and
// those of a load on every protocol.
import Foundation
import Support
import Testing

extension Swaps {
  @Suite struct StopTests {
    /// Who is told to stop.
    enum Role: String, CaseIterable, Sendable { case master, plain }

    private static func start(_ role: Role) throws -> ServerProcess {
      let sockets = GatewayRequest.gateways.flatMap { ["--\($0)-socket", "127.0.0.1:0"] }
      return try ServerProcess(
        app: try Fixture.good, sockets + (role == .plain ? ["--no-master"] : ["-p", "2"]) + ["-L"])
    }

    @Test(
      "a connection that was accepted and has not asked yet gets one turn at a stop",
      arguments: Role.allCases)
    func oneTurn(role: Role) throws {
      let server = try Self.start(role)
      var waiting: [(gateway: String, socket: RawSocket)] = []
      for gateway in GatewayRequest.gateways {
        for _ in 0..<5 { waiting.append((gateway, try server.connect(gateway))) }
      }
      // Asked once and kept: its client has been told nothing, and asks nothing.
      let kept = try server.connect()
      try kept.send("GET /?id=7 HTTP/1.1\r\nHost: a\r\n\r\n")
      #expect(try kept.receiveReply().status == 200)
      // The sockets of before the last are accepted by then.
      usleep(200_000)
      server.process.send(SIGTERM)
      #expect(try kept.receiveAll().isEmpty, "the kept one is closed, once it has been quiet")
      try Deadline.usual.wait(for: "the sockets to close") { (try? server.connect()) == nil ? () : nil }
      for (index, (gateway, socket)) in waiting.enumerated() {
        try socket.send(GatewayRequest.bytes(gateway, "/?id=\(index)"))
        let reply =
          gateway == "http"
          ? try socket.receiveLastReply() : try GatewayRequest.reply(gateway, try socket.receiveAll())
        let isWhole = reply.status == 200 && reply.text.hasSuffix("end A 1 \(index)\n")
        #expect(isWhole, "\(gateway): \(reply.text)")
      }
      #expect(try server.process.wait() == .status(0), "\(server.process.output)")
    }

    @Test("a signal that nobody means as an end ends no master, and no worker or program finds it ignored")
    func strays() throws {
      let server = try SupervisedServer(Fixture.good)
      let ledger = try Ledger(server, [.httpFresh, .httpKeepAlive, .stream])
      let timed = Array(__libc_current_sigrtmin()...__libc_current_sigrtmax())
      let strays = [SIGUSR2, SIGALRM, SIGVTALRM, SIGPROF, SIGIO, SIGPWR, SIGSTKFLT] + timed
      for signal in strays { #expect(kill(server.pid, signal) == 0) }
      try ledger.waitForAnswers(20)
      // Who starts now is started by a master that ignores them.
      let before = try server.status()
      #expect(before.pid == server.pid)
      try server.install(try Fixture.better)
      #expect(try server.ctl("reload").exit == 0)
      let status = try server.status()
      #expect(!status.serving.isEmpty)
      for worker in status.serving {
        let text = try #require(ProcessUsage.text(worker.pid, "status"))
        let line = try #require(text.split(separator: "\n").first { $0.hasPrefix("SigIgn:") })
        let ignored = try #require(UInt64(line.dropFirst(7).filter { $0.isHexDigit }, radix: 16))
        for signal in strays { #expect(ignored >> UInt64(signal - 1) & 1 == 0, "\(signal): \(line)") }
      }
      Drill.expect(try ledger.finish())
      #expect(try server.stop() == .status(0), "\(server.log)")
    }

    @Test("a client that connects and never asks holds up a stop for some seconds at most")
    func neverAsks() throws {
      let server = try Self.start(.master)
      let silent = try server.connect()
      usleep(100_000)
      #expect(try server.stop() == .status(0), "\(server.process.output)")
      #expect(try silent.receiveAll().isEmpty)
    }

    @Test("a stop under load on every protocol answers all that was accepted before the sockets closed")
    func underLoad() throws {
      let server = try SupervisedServer(Fixture.good, gateways: GatewayRequest.gateways)
      let ledger = try Ledger(server)
      try ledger.waitForAnswers(200)
      server.server.process.send(SIGTERM)
      #expect(try server.server.process.wait() == .status(0), "\(server.log)")
      let report = try ledger.finish()
      let lost = report.losses.filter { $0.kind != .refused }
      #expect(lost.isEmpty && report.duplicates.isEmpty, "\(lost) \(report.duplicates)")
    }
  }
}
