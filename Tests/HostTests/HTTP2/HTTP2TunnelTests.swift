// WebSockets on streams of HTTP/2, in a worker of the test's own process.
import Config
import Foundation
import Support
import Testing
import Wire

@testable import Host

extension WorkerSuites {
  @Suite struct HTTP2TunnelTests {
    private func waitForRecords(_ count: Int, _ bench: WorkerBench) throws {
      try Deadline.usual.wait(for: "\(count) records") {
        bench.worker.connections.alive == count && bench.worker.webSockets.count == max(0, count - 1)
          ? () : nil
      }
    }

    /// A worker that wants this of its clients, one with a small window, and a socket of it.
    private func opened(
      _ settings: (inout Settings) -> Void
    ) throws -> (bench: WorkerBench, client: HTTP2Client, socket: HTTP2Socket) {
      let bench = try WorkerBench(app: "websockets", settings: settings)
      let client = try HTTP2Client(bench.connect(), window: 10_000)
      return (bench, client, try HTTP2Socket(client))
    }

    @Test("each is a record, which is free again however its socket ends", arguments: [false, true])
    func records(onUnixSockets: Bool) throws {
      let bench = try WorkerBench(app: "websockets", onUnixSockets: onUnixSockets)
      let client = try HTTP2Client(bench.connect())
      let sockets = try (0..<4).map { _ in try HTTP2Socket(client) }
      // And the connection's own.
      try waitForRecords(5, bench)
      for socket in sockets {
        try socket.send(TestBody.bytes(100_000))
        #expect(try socket.next() == .binary(TestBody.bytes(100_000)))
      }
      try sockets[0].close(1000)
      #expect(try sockets[0].next() == .close(1000, "") && sockets[0].next() == .end)
      try waitForRecords(4, bench)
      try sockets[1].reset()
      try waitForRecords(3, bench)
      try sockets[2].end()
      try waitForRecords(2, bench)
      client.socket.close()
      try waitForRecords(0, bench)
      #expect(try bench.stop())
    }

    @Test("a client that takes its messages too slowly is let go, and its connection goes on")
    func slow() throws {
      let (bench, client, socket) = try opened {
        $0.limits.writeMinRate = 5_000_000
        $0.limits.minRateGraceSeconds = 0.5
      }
      try socket.send("size 3000000")
      try Deadline.usual.wait(for: "its end") {
        try client.takeIn()
        if socket.ending != .open { return () }
        try client.widen(socket.id, by: 1000)
        usleep(20_000)
        return nil
      }
      // CANCEL.
      #expect(socket.ending == .reset(8))
      #expect(try client.exchange("/").text == "plain")
      try waitForRecords(1, bench)
      client.socket.close()
      #expect(try bench.stop())
    }

    @Test("one that takes them slowly, but fast enough, has all of them")
    func steady() throws {
      let (bench, client, socket) = try opened {
        $0.limits.writeMinRate = 1000
        $0.limits.writeTimeoutSeconds = 2
      }
      try socket.send("size 300000")
      let text = try socket.receive(exactly: 10_000)
      for _ in 0..<30 {
        usleep(20_000)
        try client.widen(socket.id, by: 10_000)
      }
      let rest = try socket.receive(exactly: 300_010 - text.count)
      #expect(text[0] == 0x81 && text.count + rest.count == 300_010 && rest.allSatisfy { $0 == 0x78 })
      client.socket.close()
      #expect(try bench.stop())
    }
  }
}
