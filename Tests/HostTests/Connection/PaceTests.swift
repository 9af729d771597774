// Clients that send or take a byte now and then: they may pause, and be slow for a while, but not for ever.
import Config
import Foundation
import Support
import Testing

@testable import Host

/// A peer of a certain age in seconds.
private final class Peer {
  var pace = Pace()

  static func at(_ seconds: Double) -> UInt64 { 1_000_000_000_000 + UInt64(seconds * 1e9) }

  func goesOn(_ seconds: Double, total: Int64, rate: Int = 100) -> Bool {
    pace.goesOn(at: Self.at(seconds), total: total, Pace.Floor(rate: rate, grace: 10))
  }
}

@Suite struct PaceRuleTests {
  private let peer = Peer()

  @Test("a peer has the grace in hand, and lives on what it moves")
  func rule() {
    #expect(peer.goesOn(0, total: 0))
    #expect(peer.goesOn(9, total: 0))
    #expect(peer.goesOn(15, total: 600), "as fast as is asked for")
    #expect(peer.pace.left == 1)
    #expect(!peer.goesOn(17, total: 650))
  }

  @Test("a look with an earlier time than the last one takes nothing away")
  func timeStepsBack() {
    #expect(peer.goesOn(1, total: 0))
    #expect(peer.goesOn(0.999, total: 0))
    #expect(peer.pace.left == 10)
    #expect(!peer.pace.isSilent(at: Peer.at(0.5), seconds: 5))
    #expect(peer.goesOn(2, total: 0))
    #expect(peer.pace.left == 9)
  }

  @Test("a total that steps back takes nothing away")
  func stepsBack() {
    #expect(peer.goesOn(0, total: 5000))
    #expect(peer.goesOn(1, total: 3000))
    #expect(peer.pace.left == 9)
    #expect(peer.goesOn(2, total: 5050))
    #expect(peer.pace.left == 8.5)
  }

  @Test("more than the grace cannot be saved up")
  func bounded() {
    #expect(peer.goesOn(0, total: 0))
    #expect(peer.goesOn(1, total: 1 << 40))
    #expect(peer.pace.left == 10)
    #expect(!peer.goesOn(12, total: 1 << 40))
  }

  @Test("what is received after a pause counts for the pause")
  func burst() {
    #expect(peer.goesOn(0, total: 0))
    #expect(peer.goesOn(50, total: 4500))
  }

  @Test("time in which nobody waits is not charged")
  func rests() {
    #expect(peer.goesOn(0, total: 0))
    #expect(peer.goesOn(6, total: 0))
    peer.pace.rests()
    #expect(!peer.pace.isSilent(at: Peer.at(900), seconds: 1))
    #expect(peer.goesOn(1000, total: 0))
    #expect(peer.pace.left == 4)
    #expect(!peer.goesOn(1005, total: 0))
  }

  @Test("without a floor every speed will do")
  func noFloor() {
    for minute in 0..<100 { #expect(peer.goesOn(Double(minute) * 60, total: 0, rate: 0)) }
    #expect(peer.pace.isSilent(at: Peer.at(6000), seconds: 60))
  }
}

extension WorkerSuites {
  @Suite struct PaceTests {
    /// Half a second in hand, and a speed that a byte now and then does not reach.
    private func demanding(_ settings: inout Settings) {
      settings.limits.bodyMinRate = 100_000
      settings.limits.writeMinRate = 100_000
      settings.limits.minRateGraceSeconds = 0.5
      settings.limits.lingerSeconds = 0.1
    }

    /// Sends `piece` every few milliseconds until the server answers or closes.
    private func drip(_ socket: RawSocket, _ piece: [UInt8], _ what: String) throws -> [UInt8] {
      let deadline = Deadline.usual
      var entry = pollfd(fd: socket.descriptor, events: Int16(POLLIN), revents: 0)
      while poll(&entry, 1, 20) == 0 {
        guard !deadline.isOver else { throw SupportError.timedOut(waitingFor: what, output: "") }
        try socket.send(piece)
      }
      return try socket.receiveAll()
    }

    @Test(
      "a body that drips in is refused with 408, whatever brings it",
      arguments: ["http", "scgi", "uwsgi", "fastcgi"], [1000, 500_000])
    func drippingBody(gateway: String, size: Int) throws {
      let gateways = ["http": ListenerProtocol.http1, "scgi": .scgi, "uwsgi": .uwsgi, "fastcgi": .fastcgi]
      for onUnixSockets in [false, true] {
        let bench = try WorkerBench(
          [try #require(gateways[gateway])], onUnixSockets: onUnixSockets, settings: demanding)
        let socket = try bench.connect()
        let request = GatewayRequest.bytes(gateway, "/echo", body: TestBody.bytes(size))
        // A FastCGI body stands in records; what is behind the head drips in as it is.
        try socket.send(request[..<(request.count - size + size / 3)])
        let piece = gateway == "fastcgi" ? fastCGIRecord(type: 5, [0]) : [0]
        let bytes = try drip(socket, gateway == "fastcgi" ? Array(piece[..<1]) : piece, "408 over \(gateway)")
        #expect(try GatewayRequest.reply(gateway, bytes).status == 408)
        #expect(try bench.stop())
      }
    }

    @Test(
      "chunk sizes, extensions and trailers bring nothing",
      arguments: ["5\r\nhello\r\n5;", "5\r\nhello\r\n0\r\nX-Trailer: ", "00000", "5\r\nhello\r\n0;x=\""])
    func drippingFraming(start: String) throws {
      let bench = try WorkerBench(settings: demanding)
      let socket = try bench.connect()
      try socket.send("POST /echo HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n" + start)
      let reply = try GatewayRequest.reply("http", try drip(socket, Array("a".utf8), "408"))
      // A size that grows too long is refused for that.
      #expect(reply.status == 408 || start == "00000" && reply.status == 400)
      #expect(try bench.stop())
    }

    @Test("a body that keeps the pace is served, however long it takes")
    func steadyBody() throws {
      let bench = try WorkerBench(settings: {
        demanding(&$0)
        $0.limits.bodyMinRate = 2000
      })
      let socket = try bench.connect()
      let body = TestBody.bytes(20_000)
      try socket.send(post("/echo", body).dropLast(body.count))
      for start in stride(from: 0, to: body.count, by: 500) {
        try socket.send(body[start..<(start + 500)])
        usleep(40_000)
      }
      #expect(try socket.receiveReply().body == Array("POST 20000 ".utf8) + body)
      #expect(try bench.stop())
    }

    @Test("a pause below the body timeout is a pause, if the rest comes then")
    func pausingBody() throws {
      let bench = try WorkerBench(settings: demanding)
      let socket = try bench.connect()
      let body = TestBody.bytes(600_000)
      try socket.send(post("/echo", body).dropLast(590_000))
      usleep(1_200_000)
      try socket.send(body.suffix(590_000))
      #expect(try socket.receiveReply().body.count == 600_012)
      #expect(try bench.stop())
    }

    @Test("an app that streams is told that its client is too slow")
    func drippingStream() throws {
      let bench = try WorkerBench(app: "streams", settings: demanding)
      for path in ["/", "/whole", "/late"] {
        let socket = try bench.connect()
        try socket.send("POST \(path) HTTP/1.1\r\nHost: h\r\nContent-Length: 100000\r\n\r\n")
        let reply = try GatewayRequest.reply("http", try drip(socket, [0], "the end of \(path)"))
        #expect(reply.text.hasSuffix("then -7"), "\(path): \(reply.text)")
        #expect(reply["connection"] == "close")
      }
      #expect(try bench.stop())
    }

    @Test("the failure of such an app is its client's: 408")
    func failingStream() throws {
      let bench = try WorkerBench(app: "streams", symbol: "failing_nsgi_entry", settings: demanding)
      let socket = try bench.connect()
      try socket.send("POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 100000\r\n\r\n")
      #expect(try GatewayRequest.reply("http", try drip(socket, [0], "408")).status == 408)
      #expect(try bench.stop())
    }

    @Test(
      "a client that takes its answer, but too slowly, is let go",
      arguments: ["/whole?20000000", "/write?20000000", "/sent?20000000"], [false, true])
    func drippingReader(target: String, onUnixSockets: Bool) throws {
      let bench = try WorkerBench(
        app: "whole", onUnixSockets: onUnixSockets,
        settings: {
          demanding(&$0)
          $0.limits.writeMinRate = 5_000_000
        })
      let socket = try bench.connect(receiveBuffer: 4096)
      try socket.send(get(target))
      let deadline = Deadline.usual
      while bench.worker.connections.alive == 0, !deadline.isOver { usleep(1000) }
      while bench.worker.connections.alive > 0, !deadline.isOver {
        _ = try? socket.receive(2000)
        usleep(20_000)
      }
      #expect(bench.worker.connections.alive == 0)
      #expect(try bench.stop())
    }

    @Test("a client that takes its answer slowly, but fast enough, gets all of it")
    func steadyReader() throws {
      let bench = try WorkerBench(
        app: "whole", onUnixSockets: true,
        settings: {
          demanding(&$0)
          $0.limits.writeMinRate = 200_000
          // A socket tells of room when there is much: the client is never silent for so long.
          $0.limits.writeTimeoutSeconds = 1
        })
      let socket = try bench.connect()
      try socket.send(get("/whole?3000000", "Connection: close\r\n"))
      var count = 0
      while true {
        let some = try socket.receive(40_000)
        if some.isEmpty { break }
        count += some.count
        usleep(20_000)
      }
      #expect(count > 3_000_000)
      #expect(try bench.stop())
    }

    // MARK: HTTP/2

    // Without TLS: a worker of these tests has no certificates, and `PaceDoorwayTests` has both. Chunks are
    // no part of HTTP/2; what stands beside a body there is padding, and frames that are empty.

    /// Sends `piece` every few milliseconds until the stream ends.
    private func drip(_ client: HTTP2Client, _ id: UInt32, _ piece: [UInt8]) throws -> HTTP2Client.Answer {
      try Deadline.usual.wait(for: "an answer") {
        if try client.hasEnded(id) { return client.soFar(id) }
        try client.send(piece)
        usleep(20_000)
        return nil
      }
    }

    @Test(
      "a stream whose body drips in is refused with 408, and the others go on", arguments: [1000, 150_000])
    func drippingStreamOfHTTP2(size: Int) throws {
      for onUnixSockets in [false, true] {
        let bench = try WorkerBench(onUnixSockets: onUnixSockets, settings: demanding)
        let client = try HTTP2Client(bench.connect())
        let id = try client.post("/echo", length: size)
        try client.upload(id, TestBody.bytes(size / 3))
        let answer = try drip(client, id, HTTP2Bytes.frame(HTTP2Bytes.data, 0, id, [0]))
        #expect(answer.status == 408 && answer.ending == .whole, "\(answer)")
        #expect(try client.exchange("/ok").text == "ok")
        #expect(client.goAways.isEmpty)
        client.socket.close()
        #expect(try bench.stop())
      }
    }

    @Test("padding, empty frames and PINGs bring nothing of a body, and are no sign of life of it")
    func drippingFramingOfHTTP2() throws {
      let bench = try WorkerBench(settings: {
        demanding(&$0)
        $0.limits.bodyTimeoutSeconds = 1
      })
      for kind in ["padding", "empty", "ping"] {
        let client = try HTTP2Client(bench.connect())
        let id = try client.post("/echo", length: 1000)
        try client.upload(id, Array("hello".utf8))
        let padding = [UInt8](repeating: 0, count: 200)
        let piece =
          switch kind {
          case "padding": HTTP2Bytes.frame(HTTP2Bytes.data, HTTP2Bytes.padded, id, [200] + padding)
          case "empty": HTTP2Bytes.frame(HTTP2Bytes.data, 0, id, [])
          default: HTTP2Bytes.frame(HTTP2Bytes.ping, 0, 0, Array("12345678".utf8))
          }
        let answer = try drip(client, id, piece)
        #expect(answer.status == 408, "\(kind): \(answer)")
        #expect(try client.exchange("/ok").text == "ok", "\(kind)")
        client.socket.close()
      }
      #expect(try bench.stop())
    }

    @Test("an app that streams is told that the client of its stream is too slow")
    func drippingStreamedBodyOfHTTP2() throws {
      let bench = try WorkerBench(app: "streams", settings: demanding)
      let client = try HTTP2Client(bench.connect())
      for path in ["/", "/whole", "/late"] {
        let id = try client.post(path, length: 100_000)
        let answer = try drip(client, id, HTTP2Bytes.frame(HTTP2Bytes.data, 0, id, [0]))
        #expect(answer.text.hasSuffix("then -7"), "\(path): \(answer)")
      }
      #expect(client.goAways.isEmpty)
      client.socket.close()
      #expect(try bench.stop())
    }

    @Test("a stream that is taken too slowly is let go", arguments: ["/whole?20000000", "/write?20000000"])
    func drippingReaderOfHTTP2(target: String) throws {
      let bench = try WorkerBench(
        app: "whole",
        settings: {
          demanding(&$0)
          $0.limits.writeMinRate = 5_000_000
        })
      let client = try HTTP2Client(bench.connect(receiveBuffer: 4096))
      _ = try client.request(target)
      // The connection, and the stream, which is one more record.
      try Deadline.usual.wait(for: "the stream") { bench.worker.connections.alive >= 2 ? () : nil }
      try Deadline.usual.wait(for: "its end") {
        if bench.worker.connections.alive < 2 { return () }
        _ = try? client.socket.receive(2000)
        usleep(20_000)
        return nil
      }
      client.socket.close()
      #expect(try bench.stop())
    }
  }
}
