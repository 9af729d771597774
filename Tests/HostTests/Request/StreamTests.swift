// Apps that take their body while it comes: what is whole arrives whole, what is not ends the connection, and
// nobody else has to wait.
import Config
import Foundation
import Support
import Testing

@testable import Host

extension WorkerSuites {
  @Suite struct StreamTests {
    private func chunked(_ path: String, _ body: String) -> String {
      "POST \(path) HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n\(body)"
    }

    @Test(
      "bodies of many sizes, and the next request behind each",
      arguments: ["/", "/late", "/whole", "/ignored"], [0, 1, 1021, 16_384, 70_000, 300_000])
    func sizes(path: String, size: Int) throws {
      let bench = try WorkerBench(app: "streams", settings: { $0.limits.lingerSeconds = 0.1 })
      let socket = try bench.connect()
      let body = TestBody.bytes(size)
      // A body that the app leaves unread may end the connection.
      try socket.send(post(path, body) + Array(get("/").utf8))
      let reply = try socket.receiveReply()
      let sum = TestBody.checksum(body)
      switch path {
      case "/ignored": #expect(reply.text == "ignored")
      case "/whole": #expect(reply.text == "\(size), then 0")
      default: #expect(reply.text == "\(size) \(sum), then 0")
      }
      if reply["connection"] != "close" {
        #expect(try socket.receiveReply().text == "0 \(TestBody.checksum([])), then 0")
      }
      #expect(try bench.stop())
    }

    @Test(
      "a FastCGI connection goes on behind an answer that did not wait for the body, wherever that is cut",
      arguments: ["/ignored", "/", "/late"], [0, 5000, 300_000])
    func skipsUnread(path: String, size: Int) throws {
      let bench = try WorkerBench(app: "streams", [.fastcgi], settings: { $0.limits.lingerSeconds = 0.1 })
      let socket = try bench.connect()
      var request = FastCGIClientRequest(
        params: [("REQUEST_METHOD", "POST"), ("REQUEST_URI", path), ("CONTENT_LENGTH", "\(size)")],
        body: TestBody.bytes(size))
      (request.keepsConnection, request.stdinPiece) = (true, 30_000)
      let whole = request.bytes
      // At its end, inside the last record, before that, and within the body.
      let cuts = size == 0 ? [0, 1, 8] : [0, 1, 8, 9, size / 2]
      for end in cuts.map({ whole.count - $0 }) {
        try socket.send(whole[..<end])
        // Only who ignores the body answers before its end.
        if path == "/ignored" { #expect(try socket.receiveFastCGI().reply.text == "ignored") }
        try socket.send(whole[end...])
        guard path != "/ignored" else { continue }
        let text = "\(size) \(TestBody.checksum(request.body)), then 0"
        #expect(try socket.receiveFastCGI().reply.text == text)
      }
      #expect(try bench.stop())
      #expect(try socket.receiveAll().isEmpty)
    }

    @Test(
      "what is read over is taken back, malformed, or does not come: the connection ends as it should",
      arguments: [false, true])
    func skipsNoMore(isGlued: Bool) throws {
      let bench = try WorkerBench(app: "streams", [.fastcgi], settings: { $0.limits.lingerSeconds = 0.1 })
      var request = FastCGIClientRequest(
        params: [("REQUEST_METHOD", "POST"), ("REQUEST_URI", "/ignored"), ("CONTENT_LENGTH", "6")])
      (request.keepsConnection, request.sendsStdin) = (true, false)
      let half = fastCGIRecord(type: 5, Array("abc".utf8))
      // ABORT_REQUEST ends it (§5.4); a record too long, one of another version, and nothing at all.
      for (more, goesOn) in [
        (fastCGIRecord(type: 2), true), (fastCGIRecord(type: 5, Array("defg".utf8)), false),
        (fastCGIRecord(type: 5, version: 9), false), ([], false),
      ] {
        let socket = try bench.connect()
        try socket.send(request.bytes + half + (isGlued ? more : []))
        #expect(try socket.receiveFastCGI().reply.text == "ignored")
        if !isGlued { try socket.send(more) }
        if goesOn {
          try socket.send(request.bytes)
          #expect(try socket.receiveFastCGI().reply.text == "ignored")
        } else {
          #expect(try socket.receiveAll().isEmpty)
        }
      }
      #expect(try bench.stop())
    }

    @Test("a body that comes byte by byte, held back until the app asks for it")
    func dripping() throws {
      let bench = try WorkerBench(app: "streams")
      let socket = try bench.connect()
      let body = TestBody.bytes(40)
      for _ in 0..<3 {
        try socket.send("POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 40\r\nExpect: 100-continue\r\n\r\n")
        #expect(try socket.receiveReply().status == 100)
        for byte in body { try socket.send([byte]) }
        #expect(try socket.receiveReply().text == "40 \(TestBody.checksum(body)), then 0")
      }
      #expect(try bench.stop())
    }

    @Test(
      "what follows a malformed or too long body is never taken for a request (RFC 9112 §11.2)",
      arguments: ["/", "/late", "/whole", "/ignored"])
    func malformedBody(path: String) throws {
      let bench = try WorkerBench(app: "streams", settings: { $0.limits.bodyBytes = 1000 })
      let hidden = get("/", "X-Hidden: yes\r\n")
      for body in ["5\r\nhello" + hidden, "zz\r\n" + hidden, "5\r\nhello\r\n7d0\r\n" + hidden] {
        let socket = try bench.connect()
        try socket.send(chunked(path, body))
        let bytes = try socket.receiveAll(Deadline(seconds: 5))
        let answers = String(decoding: bytes, as: UTF8.self).components(separatedBy: "HTTP/1.1 ").count - 1
        #expect(answers <= 1, "\(path): \(body.prefix(12))")
      }
      #expect(try bench.stop())
    }

    @Test(
      "a client that is gone within its body: the app is told, the connection ends",
      arguments: [
        "/", "/late", "/whole",
      ])
    func goneWithinTheBody(path: String) throws {
      let bench = try WorkerBench(app: "streams")
      for resets in [false, true] {
        let socket = try bench.connect()
        try socket.send("POST \(path) HTTP/1.1\r\nHost: h\r\nContent-Length: 100000\r\n\r\nabc")
        if resets { socket.resetOnClose() } else { socket.endSending() }
      }
      try Deadline.usual.wait(for: "the connections to be closed") {
        bench.worker.connections.alive == 0 ? () : nil
      }
      #expect(try bench.isWell("/ignored"))
      #expect(try bench.stop())
    }

    @Test("a body that stops coming is late for the app, and others are served meanwhile")
    func lateBody() throws {
      let bench = try WorkerBench(
        app: "streams",
        settings: {
          $0.limits.bodyTimeoutSeconds = 0.2
          $0.limits.lingerSeconds = 0.1
        })
      let socket = try bench.connect()
      try socket.send("POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 10\r\n\r\nabc")
      #expect(try bench.isWell("/ignored"))
      // NSGI_TIMEOUT is a negative result of read().
      let reply = try socket.receiveLastReply()
      #expect(reply.text.hasPrefix("3 ") && reply.text.contains("then -"))
      #expect(try bench.stop())
    }

    @Test("an app that never waits reads on when there is more, and nobody waits for it")
    func asyncReader() throws {
      let bench = try WorkerBench(app: "async", symbol: "never_waits_nsgi_entry")
      let deadline = Deadline(seconds: 10)
      let socket = try bench.connect()
      try socket.send("POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 10\r\n\r\nabcde")
      let other = try bench.connect()
      try other.send(get("/"))
      #expect(try other.receiveReply(deadline).text == "later\n")
      try socket.send("fghij")
      #expect(try socket.receiveReply(deadline).text == "later\n")
      for size in [1, 512, 513, 100_000] {
        try socket.send(post("/", TestBody.bytes(size)))
        #expect(try socket.receiveReply(deadline).text == "later\n")
      }
      #expect(try bench.stop())
    }

    @Test("asynchronous answers, many at once and pipelined")
    func asyncAnswers() throws {
      let bench = try WorkerBench(app: "async")
      let sockets = try (0..<8).map { _ in try bench.connect() }
      for socket in sockets { try socket.send(String(repeating: get("/"), count: 40)) }
      for socket in sockets {
        for _ in 0..<40 { #expect(try socket.receiveReply().text == "later\n") }
      }
      #expect(try bench.stop())
    }
  }
}
