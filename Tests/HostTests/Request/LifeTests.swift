// Connections that are not like others: refused before a request is whole, ended too early, pipelined
// beyond measure, taken back, forwarded. What one request leaves behind must never show in another.
import Config
import Foundation
import Support
import Testing

@testable import Host

extension WorkerSuites {
  @Suite struct LifeTests {
    @Test(
      "a refusal is whole whatever the request before it was",
      arguments: ["HEAD /ok", "GET /big", "POST /no-content"])
    func refusalAfterOther(first: String) throws {
      let bench = try WorkerBench()
      for filler in [10, 40_000] {
        let before = try bench.connect()
        try before.send(
          "\(first) HTTP/1.1\r\nHost: h\r\nConnection: close\r\n"
            + "X: \(String(repeating: "x", count: filler))\r\n\r\n"
        )
        _ = try before.receiveAll()
        let socket = try bench.connect()
        try socket.send("GET / HTTP/1.1\r\nHost: h\r\nA: b\r\nBad : field\r\n\r\n")
        let reply = try socket.receiveLastReply()
        #expect(reply.status == 400 && reply.isComplete)
        #expect(reply.text.hasPrefix("400 Bad Request: "))
      }
      #expect(try bench.stop())
    }

    @Test("a refused FastCGI request gets its answer and its end, whatever was before it")
    func refusedFastCGI() throws {
      let bench = try WorkerBench([.fastcgi])
      var head = FastCGIClientRequest(params: [("REQUEST_METHOD", "HEAD"), ("REQUEST_URI", "/ok")])
      head.keepsConnection = true
      let before = try bench.connect()
      try before.send(head.bytes)
      _ = try before.receive()
      let socket = try bench.connect()
      var broken = FastCGIClientRequest(params: [("REQUEST_URI", "/ok"), ("CONTENT_LENGTH", "x")])
      broken.keepsConnection = true
      try socket.send(broken.bytes)
      var bytes = try socket.receiveAll()[...]
      let reply = try FastCGIReply(&bytes)
      #expect(try reply.reply.status == 400)
      #expect(try reply.reply.text.hasPrefix("400"))
      #expect(bytes.isEmpty)
      #expect(try bench.stop())
    }

    @Test("the request log says nothing of the request before")
    func logOfARefusal() throws {
      let bench = try WorkerBench(settings: { $0.log.requests = true })
      let text = try capturingErrors {
        for filler in [10, 40_000] {
          let before = try bench.connect()
          try before.send(
            get(
              "/secret",
              "Referer: http://secret/\r\nUser-Agent: secret\r\nConnection: close\r\n"
                + "X: \(String(repeating: "x", count: filler))\r\n"))
          _ = try before.receiveAll()
          for request in [
            "GET /%zz HTTP/1.1\r\nHost: h\r\n\r\n", "GET / HTTP/1.1\r\nHost: h\r\nA: b\r\nBad : f\r\n\r\n",
          ] {
            let socket = try bench.connect()
            try socket.send(request)
            #expect(try socket.receiveLastReply().status == 400)
          }
        }
        try bench.stop()
      }
      let lines = text.split(separator: "\n").filter { $0.contains("\" 400 ") }
      #expect(lines.count == 4)
      for line in lines { #expect(!line.contains("secret") && !line.contains("\\x0d"), "\(line)") }
    }

    @Test(
      "pipelined requests beyond one turn, and then the end of the client's side",
      arguments: [1, 17, 200, 2000])
    func pipelinedThenHalfClosed(count: Int) throws {
      let bench = try WorkerBench(app: "host_calls")
      for isUsed in [false, true] {
        let socket = try bench.connect()
        if isUsed {
          try socket.send(get("/first"))
          #expect(try socket.receiveReply().text == "/first")
        }
        try socket.send((0..<count).map { get("/\($0)") }.joined())
        socket.endSending()
        for index in 0..<count { #expect(try socket.receiveReply().text == "/\(index)") }
        #expect(try socket.receiveAll().isEmpty)
      }
      #expect(try bench.stop())
    }

    @Test("a client that sends requests and reads no answers is not read from without bound")
    func backPressure() throws {
      let bench = try WorkerBench(onUnixSockets: true)
      let socket = try bench.connect()
      let requests = Array(String(repeating: get("/ok"), count: 2000).utf8)
      var taken = 0
      var entry = pollfd(fd: socket.descriptor, events: Int16(POLLOUT), revents: 0)
      // Until the socket has taken nothing for half a second; 16 MB are far beyond all buffers on the way.
      while taken < 16 << 20, poll(&entry, 1, 500) == 1 {
        let count = requests.withUnsafeBytes {
          send(socket.descriptor, $0.baseAddress!, $0.count, Int32(MSG_NOSIGNAL) | Int32(MSG_DONTWAIT))
        }
        if count > 0 { taken += count }
      }
      #expect(taken < 4 << 20, "\(taken) bytes were taken")
      #expect(try bench.isWell())
      // The requests that were taken whole are all answered.
      var answers = 0
      for _ in 0..<(taken / get("/ok").utf8.count) {
        #expect(try socket.receiveReply().text == "ok")
        answers += 1
      }
      #expect(answers > 0)
      #expect(try bench.stop())
    }

    @Test("a front end that takes its request back can go on with the connection (FastCGI §5.4)")
    func abortOnKeptConnection() throws {
      let bench = try WorkerBench([.fastcgi])
      let socket = try bench.connect()
      func request(_ path: String) -> FastCGIClientRequest {
        var request = FastCGIClientRequest(params: [("REQUEST_METHOD", "POST"), ("REQUEST_URI", path)])
        request.keepsConnection = true
        return request
      }
      var begun = request("/ok")
      begun.sendsStdin = false
      for _ in 0..<3 {
        try socket.send(begun.bytes + fastCGIRecord(type: 5, Array("half".utf8)) + fastCGIRecord(type: 2))
        try socket.send(request("/ok").bytes)
        #expect(try socket.receiveFastCGI().stdout.isEmpty)
        #expect(try socket.receiveFastCGI().reply.text == "ok")
      }
      #expect(try bench.stop())
    }

    @Test("a body that the front end does not announce is bounded too")
    func unannouncedBody() throws {
      let bench = try WorkerBench([.fastcgi], settings: { $0.limits.bodyBytes = 10_000 })
      let socket = try bench.connect()
      try socket.send(
        FastCGIClientRequest(
          params: [("REQUEST_METHOD", "POST"), ("REQUEST_URI", "/count")], body: TestBody.bytes(100_000)
        ).bytes)
      var bytes = try socket.receiveAll()[...]
      #expect(try FastCGIReply(&bytes).reply.status == 413)
      #expect(try bench.stop())
    }

    @Test(
      "who the client is: the last that a trusted proxy has named, whatever was sent to it",
      arguments: [
        (["203.0.113.9"], "203.0.113.9"),
        (["6.6.6.6, 203.0.113.9"], "203.0.113.9"),
        (["6.6.6.6", "203.0.113.9"], "203.0.113.9"),
        (["6.6.6.6", "7.7.7.7, 203.0.113.9", "127.0.0.1"], "203.0.113.9"),
        (["203.0.113.9, 127.0.0.1, 127.0.0.1"], "203.0.113.9"),
        (["2001:db8::1"], "2001:db8::1"),
        (["203.0.113.9, garbage"], "127.0.0.1"), (["203.0.113.9:51234"], "203.0.113.9"),
        (["[2001:db8::1]:443 , 127.0.0.1:8080"], "2001:db8::1"), (["1 2.3.4.5"], "127.0.0.1"),
        (["6.6.6.6, 1 2.3.4.5, 127.0.0.1"], "127.0.0.1"), (["203.0.113.9,"], "203.0.113.9"),
        (["203.0.113.9", "unknown"], "127.0.0.1"),
        ([""], "127.0.0.1"),
        ([], "127.0.0.1"),
      ])
    func forwardedFor(fields: [String], client: String) throws {
      let proxy = try TrustedProxy(parsing: "127.0.0.1")
      let bench = try WorkerBench(app: "host_calls", settings: { $0.trustedProxies = [proxy] })
      let socket = try bench.connect()
      try socket.send(get("/address", fields.map { "X-Forwarded-For: \($0)\r\n" }.joined()))
      #expect(try socket.receiveReply().text == client)
      #expect(try bench.stop())
    }

    @Test("nobody else is believed")
    func forwardedByStrangers() throws {
      let proxy = try TrustedProxy(parsing: "10.0.0.0/8")
      let bench = try WorkerBench(app: "host_calls", settings: { $0.trustedProxies = [proxy] })
      let socket = try bench.connect()
      try socket.send(get("/address", "X-Forwarded-For: 203.0.113.9\r\n"))
      #expect(try socket.receiveReply().text == "127.0.0.1")
      #expect(try bench.stop())
    }

    @Test("files in a pipeline: every answer has its own, and no descriptor stays open")
    func files() throws {
      let folder = try TemporaryFolder()
      try folder.write("one", to: "one")
      try folder.write("the second", to: "two")
      try folder.write("", to: "empty")
      let bench = try WorkerBench(app: "host_calls", settings: { $0.sendfileRoot = folder.path })
      let socket = try bench.connect()
      for _ in 0..<20 {
        try socket.send(
          ["/file/one", "/plain", "/file/two", "/file/empty", "/file/none", "/file/two"].map { get($0) }
            .joined())
        for text in ["one", "/plain", "the second", ""] { #expect(try socket.receiveReply().text == text) }
        #expect(try socket.receiveReply().status == 404)
        #expect(try socket.receiveReply().text == "the second")
      }
      let open = try FileManager.default.contentsOfDirectory(atPath: "/proc/self/fd").filter {
        (try? FileManager.default.destinationOfSymbolicLink(atPath: "/proc/self/fd/\($0)"))?.hasPrefix(
          folder.path + "/t") ?? false
      }
      #expect(open.isEmpty)
      #expect(try bench.stop())
    }

    @Test(
      "an answer that has no content sends no file",
      arguments: ["HEAD /file/f", "GET /file/f?204", "GET /file/f?304"])
    func fileWithoutContent(request: String) throws {
      let folder = try TemporaryFolder()
      try folder.write("content", to: "f")
      let bench = try WorkerBench(app: "host_calls", settings: { $0.sendfileRoot = folder.path })
      let socket = try bench.connect()
      try socket.send("\(request) HTTP/1.1\r\nHost: h\r\n\r\n" + get("/next"))
      _ = try socket.receiveReply(toHead: true)
      #expect(try socket.receiveReply().text == "/next")
      #expect(try bench.stop())
    }

    @Test("a file that becomes shorter than its head promised cuts the answer")
    func shrinkingFile() throws {
      let folder = try TemporaryFolder()
      try Data(TestBody.bytes(8_000_000)).write(to: URL(fileURLWithPath: folder.file("f")))
      let bench = try WorkerBench(app: "host_calls", settings: { $0.sendfileRoot = folder.path })
      let socket = try bench.connect(receiveBuffer: 4096)
      try socket.send(get("/file/f"))
      #expect(try socket.receive(until: "\r\n\r\n").contains("Content-Length: 8000000"))
      #expect(truncate(folder.file("f"), 1000) == 0)
      #expect((try? socket.receiveAll().count) ?? 0 < 8_000_000)
      #expect(try bench.isWell())
      #expect(try bench.stop())
    }

    @Test("what nsgi.h promises of a request: an id, strings that are there, a body with a zero behind it")
    func promises() throws {
      let bench = try WorkerBench(app: "host_calls")
      let socket = try bench.connect()
      try socket.send(get("/identity"))
      #expect(try socket.receiveReply().text == "id set, type there")
      try socket.send(get("/body"))
      #expect(try socket.receiveReply().text == "0 there terminated")
      // The next request stands right behind the body.
      try socket.send(post("/body", Array("abc".utf8)) + Array(get("/next").utf8))
      #expect(try socket.receiveReply().text == "3 there terminated")
      #expect(try socket.receiveReply().text == "/next")
      for size in [16_384, 100_000, (1 << 20) + 4096, 2 << 20] {
        try socket.send(post("/body", [UInt8](repeating: 97, count: size)))
        #expect(try socket.receiveReply().text == "\(size) there terminated")
      }
      #expect(try bench.stop())
    }

    @Test("misuse is an error code: no bytes of a length, and a length that is not the body's")
    func misuse() throws {
      let bench = try WorkerBench(app: "host_calls")
      let socket = try bench.connect()
      try socket.send(get("/null-write"))
      #expect(try socket.receiveReply().text.hasPrefix("result -"))
      for length in ["2", "4", "-1", "x", ""] {
        try socket.send(get("/announced?\(length)"))
        #expect(try socket.receiveReply().text.hasPrefix("result -"), "Content-Length: \(length)")
      }
      try socket.send(get("/announced?3"))
      #expect(try socket.receiveReply().text == "abc")
      #expect(try bench.stop())
    }
  }
}
