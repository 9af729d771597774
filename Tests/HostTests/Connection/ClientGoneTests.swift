// Clients that have sent all and left, as a front end does for an impatient user: what they ask for is done.
import Config
import Foundation
import Support
import Testing

@testable import Host

extension WorkerSuites {
  @Suite struct ClientGoneTests {
    private static let gateways = [ListenerProtocol.http1, .scgi, .uwsgi, .fastcgi]
    private static let names = ["http", "scgi", "uwsgi", "fastcgi"]

    /// How a client goes.
    private enum End: CaseIterable { case close, reset, halfThenClose }

    private func leave(_ socket: RawSocket, _ end: End) {
      switch end {
      case .close: break
      case .reset: socket.resetOnClose()
      case .halfThenClose: socket.endSending()
      }
      socket.close()
    }

    private func expectTally(_ bench: WorkerBench, _ calls: Int, _ bytes: Int, _ what: String) throws {
      let whole = "\(calls) calls, \(bytes) bytes, 0 failures"
      var last = ""
      let deadline = Deadline.usual
      while last != whole, !deadline.isOver {
        let socket = try bench.connect()
        try socket.send(get("/tally", "Connection: close\r\n"))
        last = try socket.receiveLastReply().text
        if last != whole { usleep(2000) }
      }
      #expect(last == whole, "\(what)")
    }

    @Test("requests in a queue are called whoever waits for the answer", arguments: ClosingTests.places)
    func queued(loop: EventLoop, onUnixSockets: Bool) throws {
      let bench = try WorkerBench(loop: loop, app: "tally", Self.gateways, onUnixSockets: onUnixSockets)
      var (calls, bytes) = (0, 0)
      for (index, name) in Self.names.enumerated() {
        for end in End.allCases {
          for size in [0, 7, 3000, 50_000] {
            // The first is slow and leaves the loop; the others wait for it.
            for place in 0..<4 {
              let socket = try bench.connect(index)
              let body = TestBody.bytes(size)
              try socket.send(GatewayRequest.bytes(name, place == 0 ? "/?20" : "/?2", body: body))
              // A reset takes along what the kernel has not handed over.
              if end == .reset, !onUnixSockets { usleep(5000) }
              leave(socket, end)
            }
            (calls, bytes) = (calls + 4, bytes + 4 * size)
            try expectTally(bench, calls, bytes, "\(name) \(end) \(size)")
          }
        }
      }
      #expect(try bench.stop())
    }

    @Test("a call under way reads its body to the end", arguments: ClosingTests.places)
    func streamed(loop: EventLoop, onUnixSockets: Bool) throws {
      let bench = try WorkerBench(
        loop: loop, app: "tally", symbol: "streaming_nsgi_entry", Self.gateways, onUnixSockets: onUnixSockets)
      var (calls, bytes) = (0, 0)
      for (index, name) in Self.names.enumerated() {
        for end in [End.close, .halfThenClose] {
          for size in [7, 3000, 50_000, 600_000] {
            let socket = try bench.connect(index)
            try socket.send(GatewayRequest.bytes(name, "/?20", body: TestBody.bytes(size)))
            leave(socket, end)
            (calls, bytes) = (calls + 1, bytes + size)
            try expectTally(bench, calls, bytes, "\(name) \(end) \(size)")
          }
        }
      }
      #expect(try bench.stop())
    }

    @Test("requests behind one whose answer nobody takes are called", arguments: ClosingTests.places)
    func pipelined(loop: EventLoop, onUnixSockets: Bool) throws {
      let bench = try WorkerBench(
        loop: loop, app: "tally", [.http1, .fastcgi], onUnixSockets: onUnixSockets)
      var (calls, bytes) = (0, 0)
      for index in 0..<2 {
        for size in [0, 9000] {
          let body = TestBody.bytes(size)
          let one =
            index == 0
            ? Array("POST /?5 HTTP/1.1\r\nHost: h\r\nContent-Length: \(size)\r\n\r\n".utf8) + body
            : GatewayRequest.bytes("fastcgi", "/?5", body: body, keepsConnection: true)
          let socket = try bench.connect(index)
          try socket.send((0..<5).flatMap { _ in one })
          socket.close()
          (calls, bytes) = (calls + 5, bytes + 5 * size)
          try expectTally(bench, calls, bytes, "listener \(index), bodies of \(size)")
        }
      }
      #expect(try bench.stop())
    }

    @Test("half a body is dropped with a line that names its request")
    func halfBody() throws {
      let server = try ServerProcess(app: Repository.app("environ"), ["--http-socket", "DIR/h.sock"])
      let socket = try server.connect()
      try socket.send("POST /half HTTP/1.1\r\nHost: h\r\nContent-Length: 10\r\n\r\nabc")
      socket.close()
      _ = try server.process.waitForOutput("the line") { output in
        output.contains("the client of POST /half has left before its body was complete") ? () : nil
      }
      #expect(try server.stop() == .status(0))
    }
  }
}
