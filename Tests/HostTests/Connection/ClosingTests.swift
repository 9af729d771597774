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

    /// Its front ends send nothing behind a request: unix sockets are closed with the answer.
    private static func closesAtOnce(_ name: String) -> Bool { name == "scgi" || name == "uwsgi" }

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
                let end = try socket.receiveToItsEnd()
                // A unix socket gives what was sent before it says how the connection ended.
                #expect(!end.isReset || onUnixSockets && Self.closesAtOnce(name), "\(name)")
                let answer = try? GatewayRequest.reply(gateway, end.bytes)
                let isRight = answer?.status == 200 && answer?.body.count == count
                #expect(isRight, "\(name) \(target) \(size) + \(surplus.count) \(way)")
              }
            }
          }
        }
      }
      #expect(try bench.stop())
    }

    @Test("a peer that writes on behind its answer meets no error", arguments: places)
    func late(loop: EventLoop, onUnixSockets: Bool) throws {
      let bench = try WorkerBench(
        loop: loop, app: "host_calls", Self.gateways, onUnixSockets: onUnixSockets)
      for (index, name) in Self.names.enumerated() {
        for target in ["/x", "/sleep?5"] {
          let socket = try bench.connect(index % 4)
          let (bytes, gateway) = request(name, target, body: TestBody.bytes(7))
          try socket.send(bytes)
          #expect(try GatewayRequest.reply(gateway, try socket.receiveAll()).status == 200, "\(name)")
          // As flup does, which sends a record of FCGI_DATA when a quick application has answered already.
          for _ in 0..<3 {
            let isTaken = try socket.send([UInt8]("\r\n".utf8))
            #expect(isTaken || onUnixSockets && Self.closesAtOnce(name), "\(name) \(target)")
            usleep(2000)
          }
          socket.close()
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

    // MARK: HTTP/2

    // Without TLS, as a worker of these tests has no certificates. Bytes behind a request are frames here, or
    // the end of the connection by RFC 9113 §5.4.1; and a client that ends its side has left, as no stream
    // needs that to be complete.

    @Test("frames of no use behind a request never cost its answer", arguments: places)
    func surplusFrames(loop: EventLoop, onUnixSockets: Bool) throws {
      let bench = try WorkerBench(loop: loop, app: "host_calls", onUnixSockets: onUnixSockets)
      // PRIORITY, a type that nobody knows, PING, and the client's GOAWAY.
      let surplus: [[UInt8]] = [
        HTTP2Bytes.frame(2, 0, 1, [0, 0, 0, 0, 15]), HTTP2Bytes.frame(0xfa, 0xff, 1, TestBody.bytes(9000)),
        HTTP2Bytes.frame(HTTP2Bytes.ping, 0, 0, Array("12345678".utf8)),
        HTTP2Bytes.frame(HTTP2Bytes.goAway, 0, 0, [UInt8](repeating: 0, count: 8)),
      ]
      for (target, count) in [("/x", 2), ("/sleep?5", 6), ("/whole?4000000", 4_000_000)] {
        for (number, frame) in surplus.enumerated() {
          let client = try HTTP2Client(bench.connect())
          let id = try client.request(target)
          try client.send(frame)
          let answer = try client.answer(id)
          let isWhole = answer.status == 200 && answer.body.count == count && answer.ending == .whole
          #expect(isWhole, "\(target) and frame \(number): \(answer.ending)")
          // Behind GOAWAY no client begins a stream.
          if number < surplus.count - 1 { #expect(try client.exchange("/x").status == 200) }
          client.socket.close()
        }
      }
      #expect(try bench.stop())
    }

    @Test(
      "a stream that is refused is told so, whatever comes of its body, and costs no window",
      arguments: places)
    func refusedStreams(loop: EventLoop, onUnixSockets: Bool) throws {
      let bench = try WorkerBench(
        loop: loop, onUnixSockets: onUnixSockets, settings: { $0.limits.bodyBytes = 1000 })
      let client = try HTTP2Client(bench.connect())
      let piece = TestBody.bytes(60_000)
      // More than the window of the connection.
      for number in 0..<80 {
        let id = try client.post("/echo", length: 5_000_000)
        try client.upload(id, piece)
        let answer = try client.answer(id)
        #expect(answer.status == 413 && answer.ending == .whole, "\(number): \(answer.ending)")
      }
      #expect(try client.exchange("/ok").text == "ok")
      #expect(client.goAways.isEmpty)
      client.socket.close()
      #expect(try bench.stop())
    }

    @Test("a stream whose body came too late is told so, however much follows", arguments: places)
    func lateStreams(loop: EventLoop, onUnixSockets: Bool) throws {
      let bench = try WorkerBench(
        loop: loop, onUnixSockets: onUnixSockets, settings: { $0.limits.bodyTimeoutSeconds = 0.1 })
      let client = try HTTP2Client(bench.connect())
      let id = try client.post("/echo", length: 3_000_000)
      try client.upload(id, TestBody.bytes(20_000))
      #expect(try client.answer(id).status == 408)
      try client.send(HTTP2Bytes.data, 0, id, TestBody.bytes(16_000))
      try client.send(HTTP2Bytes.data, HTTP2Bytes.endStream, id, TestBody.bytes(16_000))
      #expect(try client.exchange("/ok").text == "ok")
      #expect(client.goAways.isEmpty)
      client.socket.close()
      #expect(try bench.stop())
    }

    @Test(
      "who goes on behind a GOAWAY is listened to for a bounded amount and a bounded time",
      arguments: places)
    func boundsOfHTTP2(loop: EventLoop, onUnixSockets: Bool) throws {
      for isAmount in [true, false] {
        let bench = try WorkerBench(
          loop: loop, onUnixSockets: onUnixSockets,
          settings: {
            if isAmount { $0.limits.lingerBytes = 1_000_000 } else { $0.limits.lingerTotalSeconds = 0.3 }
          })
        let client = try HTTP2Client(bench.connect())
        #expect(try client.exchange("/ok").text == "ok")
        // A PING has eight bytes: FRAME_SIZE_ERROR.
        try client.send(HTTP2Bytes.ping, 0, 0, [1])
        try Deadline.usual.wait(for: "the end of the connection's records") {
          try client.send(HTTP2Bytes.frame(0xfa, 0, 0, TestBody.bytes(isAmount ? 16_000 : 10)))
          if !isAmount { usleep(10_000) }
          return bench.worker.connections.alive == 0 ? () : nil
        }
        client.socket.close()
        #expect(try bench.stop())
      }
    }

    @Test("a client is told why its connection ends, whatever it still sends", arguments: places)
    func goAway(loop: EventLoop, onUnixSockets: Bool) throws {
      let bench = try WorkerBench(loop: loop, onUnixSockets: onUnixSockets)
      let client = try HTTP2Client(bench.connect())
      #expect(try client.exchange("/ok").text == "ok")
      try client.send(HTTP2Bytes.ping, 0, 0, [1])
      try client.send(TestBody.bytes(200_000))
      try client.finish()
      #expect(client.goAways.count == 1 && client.goAways.first?.code == 6 && client.goAways.first?.last == 1)
      client.socket.close()
      #expect(try bench.stop())
    }

    @Test(
      "a stop does not wait for clients whose streams are over and that keep their side open",
      arguments: places)
    func stopOfHTTP2(loop: EventLoop, onUnixSockets: Bool) throws {
      // Longer than a stop is waited for here.
      let bench = try WorkerBench(
        loop: loop, onUnixSockets: onUnixSockets, settings: { $0.limits.lingerSeconds = 60 })
      let clients = try (0..<4).map { _ in try HTTP2Client(bench.connect()) }
      for client in clients { #expect(try client.exchange("/ok").status == 200) }
      #expect(try bench.stop())
      for client in clients { client.socket.close() }
    }
  }
}
