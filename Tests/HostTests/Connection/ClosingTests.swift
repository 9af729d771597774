// Connections that end while their peer still sends: no answer may be lost to a reset (RFC 9112 §9.6).
import Config
import Foundation
import Support
import Testing

@testable import Host

extension WorkerSuites {
  @Suite struct ClosingTests {
    static let places = [EventLoop.epoll, .auto].flatMap { loop in
      [false, true].map { (loop: loop, onUnixSockets: $0) }
    }
    private static let gateways = [ListenerProtocol.http1, .scgi, .uwsgi, .fastcgi]
    private static let names = ["http", "scgi", "uwsgi", "fastcgi", "http10"]

    /// How bytes that nobody asked for come behind a request.
    private enum Surplus: CaseIterable { case glued, later, inPieces, beforeTheEnd }

    /// The bytes of a request, and the protocol that its reply is in.
    private func request(
      _ name: String, _ target: String, body: [UInt8]
    ) -> (bytes: [UInt8], gateway: String) {
      guard name == "http10" else { return (GatewayRequest.bytes(name, target, body: body), name) }
      return (Array("POST \(target) HTTP/1.0\r\nContent-Length: \(body.count)\r\n\r\n".utf8) + body, "http")
    }

    private func send(_ bytes: [UInt8], _ surplus: [UInt8], _ way: Surplus, to socket: RawSocket) throws {
      switch way {
      case .glued: try socket.send(bytes + surplus)
      case .later:
        try socket.send(bytes)
        usleep(3000)
        try socket.send(surplus)
      case .inPieces:
        let all = bytes + surplus
        let size = all.count / 5 + 1
        for start in stride(from: 0, to: all.count, by: size) {
          try socket.send(all[start..<min(start + size, all.count)])
        }
      case .beforeTheEnd:
        try socket.send(bytes + surplus)
        socket.endSending()
      }
    }

    @Test("bytes behind a complete request never cost its answer", arguments: places)
    func surplus(loop: EventLoop, onUnixSockets: Bool) throws {
      let bench = try WorkerBench(
        loop: loop, app: "host_calls", Self.gateways, onUnixSockets: onUnixSockets)
      for (index, name) in Self.names.enumerated() {
        for (target, count) in [("/x", 2), ("/sleep?5", 6), ("/whole?4000000", 4_000_000)] {
          for size in [7, 300, 200_000] {
            let (bytes, gateway) = request(name, target, body: TestBody.bytes(size))
            for surplus in [[UInt8]("\r\n".utf8), TestBody.bytes(100_000)] {
              for way in Surplus.allCases {
                let socket = try bench.connect(index % 4)
                try send(bytes, surplus, way, to: socket)
                let answer = try? GatewayRequest.reply(gateway, try socket.receiveAll())
                let isRight = answer?.status == 200 && answer?.body.count == count
                #expect(isRight, "\(name) \(target) \(size) + \(surplus.count) \(way)")
              }
            }
          }
        }
      }
      #expect(try bench.stop())
    }

    @Test("a refusal reaches a peer that sends all of its body first", arguments: places)
    func refusal(loop: EventLoop, onUnixSockets: Bool) throws {
      let bench = try WorkerBench(
        loop: loop, Self.gateways, onUnixSockets: onUnixSockets,
        settings: {
          $0.limits.bodyBytes = 1000
          $0.limits.headBytes = 8192
        })
      let body = TestBody.bytes(5_000_000)
      for (index, name) in ["http", "scgi", "uwsgi", "fastcgi"].enumerated() {
        let socket = try bench.connect(index)
        #expect(try socket.exchange(name, "/echo", body: body).status == 413, "\(name)")
        socket.close()
        // Nothing at all of this is a request.
        let other = try bench.connect(index)
        try other.send([UInt8](repeating: 1, count: 16_000))
        usleep(2000)
        try other.send(body.prefix(3_000_000))
        #expect(throws: Never.self, "\(name)") { _ = try other.receiveAll() }
        other.close()
      }
      let socket = try bench.connect()
      try socket.send("GET / HTTP/1.1\r\nHost: h\r\nX: " + String(repeating: "x", count: 3_000_000))
      #expect(try socket.receiveLastReply().status == 431)
      socket.close()
      #expect(try bench.stop())
    }

    @Test("a body that came too late is told so, however much follows", arguments: places)
    func timeout(loop: EventLoop, onUnixSockets: Bool) throws {
      let bench = try WorkerBench(
        loop: loop, Self.gateways, onUnixSockets: onUnixSockets,
        settings: { $0.limits.bodyTimeoutSeconds = 0.1 })
      for (index, name) in ["http", "scgi", "uwsgi", "fastcgi"].enumerated() {
        let socket = try bench.connect(index)
        let bytes = GatewayRequest.bytes(name, "/echo", body: TestBody.bytes(3_000_000))
        try socket.send(bytes.prefix(20_000))
        // The answer is there; it is read only when all is sent.
        var entry = pollfd(fd: socket.descriptor, events: Int16(POLLIN), revents: 0)
        #expect(poll(&entry, 1, 20_000) == 1)
        try socket.send(bytes.dropFirst(20_000))
        #expect(try GatewayRequest.reply(name, try socket.receiveAll()).status == 408, "\(name)")
        socket.close()
      }
      #expect(try bench.stop())
    }

    @Test("who sends on for ever is listened to for a bounded amount and a bounded time", arguments: places)
    func bounds(loop: EventLoop, onUnixSockets: Bool) throws {
      for isAmount in [true, false] {
        let bench = try WorkerBench(
          loop: loop, onUnixSockets: onUnixSockets,
          settings: {
            if isAmount { $0.limits.lingerBytes = 1_000_000 } else { $0.limits.lingerTotalSeconds = 0.3 }
          })
        let socket = try bench.connect()
        try socket.send("GET / HTTP/1.1\r\nBad : field\r\n\r\n")
        // It was accepted, and is told that it is refused.
        #expect(try socket.receiveReply().status == 400)
        let piece = TestBody.bytes(isAmount ? 60_000 : 10)
        let deadline = Date(timeIntervalSinceNow: 20)
        while bench.worker.connections.alive > 0, Date() < deadline {
          try socket.send(piece)
          if !isAmount { usleep(10_000) }
        }
        #expect(bench.worker.connections.alive == 0, "isAmount: \(isAmount)")
        socket.close()
        #expect(try bench.stop())
      }
    }

    @Test("a stop does not wait for peers that have their answer and keep their side open", arguments: places)
    func stop(loop: EventLoop, onUnixSockets: Bool) throws {
      let bench = try WorkerBench(
        loop: loop, Self.gateways, onUnixSockets: onUnixSockets, settings: { $0.limits.lingerSeconds = 25 })
      var sockets: [RawSocket] = []
      for (index, name) in ["http", "scgi", "uwsgi", "fastcgi"].enumerated() {
        let socket = try bench.connect(index)
        #expect(try socket.exchange(name, "/ok").status == 200)
        sockets.append(socket)
      }
      let start = Date()
      #expect(try bench.stop())
      #expect(Date().timeIntervalSince(start) < 15)
      for socket in sockets { socket.close() }
    }
  }
}
