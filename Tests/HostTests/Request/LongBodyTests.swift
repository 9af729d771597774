// Bodies of which the kernel tells only when most is there (SO_RCVLOWAT): whoever sends slowly, stops, leaves
// or goes on with another request meets what he would meet without.
import Config
import Foundation
import Support
import Testing

@testable import Host

extension WorkerSuites {
  @Suite struct LongBodyTests {
    private let body = TestBody.bytes(1_000_000)
    private func head(_ length: Int) -> [UInt8] {
      Array("POST /echo HTTP/1.1\r\nHost: h\r\nContent-Length: \(length)\r\n\r\n".utf8)
    }

    private func expectEcho(_ socket: RawSocket, _ body: [UInt8]) throws {
      let reply = try socket.receiveReply()
      let isEcho = reply.body == Array("POST \(body.count) ".utf8) + body
      #expect(isEcho, "\(reply.status), \(reply.body.count) bytes")
    }

    @Test("long and short bodies on one connection, and a request glued to each", arguments: [false, true])
    func oneAfterTheOther(onUnixSockets: Bool) throws {
      let bench = try WorkerBench(
        onUnixSockets: onUnixSockets, settings: { $0.limits.bodyMemoryBytes = 1 << 20 })
      let socket = try bench.connect()
      for size in [1_000_000, 10, 131_072, 200_000, 131_071, 1_048_576, 1_048_577, 400_000] {
        let body = TestBody.bytes(size)
        try socket.send(head(size) + body + Array(get("/ok").utf8))
        try expectEcho(socket, body)
        #expect(try socket.receiveReply().text == "ok")
      }
      socket.close()
      #expect(try bench.stop())
    }

    @Test("a body that is there as a whole when the worker looks, and a short request after it")
    func allAtOnce() throws {
      let bench = try WorkerBench(app: "host_calls", symbol: "pinned_nsgi_entry")
      let (socket, other) = (try bench.connect(), try bench.connect())
      for size in [150_000, 200_000, 300_000, 500_000] {
        // A call that stays on the loop meanwhile.
        try other.send(get("/sleep?100"))
        try socket.send(post("/long", TestBody.bytes(size)))
        #expect(try other.receiveReply().text == "/sleep")
        #expect(try socket.receiveReply().text == "/long")
        try socket.send(get("/short"))
        #expect(try socket.receiveReply().text == "/short")
      }
      for each in [socket, other] { each.close() }
      #expect(try bench.stop())
    }

    @Test("a client that sends slower than the kernel tells, but sends, is not timed out")
    func slowSender() throws {
      let bench = try WorkerBench(settings: { $0.limits.bodyTimeoutSeconds = 0.6 })
      let socket = try bench.connect()
      try socket.send(head(body.count) + body[..<100_000])
      for start in stride(from: 100_000, to: 200_000, by: 10_000) {
        usleep(200_000)
        try socket.send(body[start..<(start + 10_000)])
      }
      try socket.send(body[200_000...])
      try expectEcho(socket, body)
      socket.close()
      #expect(try bench.stop())
    }

    @Test("a client that stops sending gets its 408 whole, even if it then goes on")
    func stalledSender() throws {
      let bench = try WorkerBench(settings: {
        $0.limits.bodyTimeoutSeconds = 0.1
        $0.limits.lingerSeconds = 1
      })
      let socket = try bench.connect()
      try socket.send(head(body.count) + body[..<300_000])
      let reply = try socket.receiveReply()
      #expect(reply.status == 408 && reply.isComplete)
      _ = try? socket.send(body[300_000...])
      #expect(try socket.receiveAll().isEmpty)
      #expect(try bench.stop())
    }

    @Test("a client that leaves within its body is let go at once")
    func leavingSender() throws {
      let bench = try WorkerBench()
      let socket = try bench.connect()
      try socket.send(head(body.count) + body[..<300_000])
      socket.endSending()
      #expect(try socket.receiveAll().isEmpty)
      #expect(try bench.isWell())
      #expect(try bench.stop())
    }

    @Test("a stop waits for a body that is coming")
    func stopWithin() throws {
      let bench = try WorkerBench()
      let socket = try bench.connect()
      try socket.send(head(body.count) + body[..<300_000])
      #expect(try bench.isWell())
      bench.send(SIGTERM)
      try Deadline.usual.wait(for: "the listener to close") { (try? bench.connect()) == nil ? () : nil }
      try socket.send(body[300_000...])
      try expectEcho(socket, body)
      socket.close()
      #expect(try bench.waitForEnd())
    }
  }
}
