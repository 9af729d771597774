// How connections end: by a timeout, by the client's side closing in every state, and with the worker.
import Config
import Foundation
import Support
import Testing

@testable import Host

extension WorkerSuites {
  @Suite struct EndingTests {
    private let head = "POST /echo HTTP/1.1\r\nHost: h\r\nContent-Length: 6\r\n\r\n"

    @Test(
      "a client that takes nothing of its answer is let go, whether the answer is kept or streamed",
      arguments: [
        "/whole?12000000", "/file/f",
      ])
    func writeTimeout(path: String) throws {
      let folder = try TemporaryFolder()
      try Data(repeating: 97, count: 12_000_000).write(to: URL(fileURLWithPath: folder.file("f")))
      let bench = try WorkerBench(
        app: "host_calls",
        settings: {
          $0.limits.writeTimeoutSeconds = 0.1
          $0.sendfileRoot = folder.path
        })
      let socket = try bench.connect(receiveBuffer: 4096)
      try socket.send(get(path))
      #expect(try socket.receive(until: "\r\n\r\n").hasPrefix("HTTP/1.1 200"))
      try Deadline.usual.wait(for: "the connection to be closed") {
        bench.worker.connections.alive == 0 ? () : nil
      }
      let bytes = (try? socket.receiveAll().count) ?? 0
      #expect(bytes < 12_000_000)
      #expect(try bench.isWell())
      #expect(try bench.stop())
    }

    @Test("a refused client that goes on sending is listened to for a while, then no more")
    func lingerEnds() throws {
      let bench = try WorkerBench(settings: { $0.limits.lingerSeconds = 0.1 })
      let socket = try bench.connect()
      try socket.send("GET / HTTP/1.1\r\nBad : field\r\n\r\n")
      #expect(try socket.receiveLastReply().status == 400)
      // It neither sends nor closes.
      try Deadline.usual.wait(for: "the connection to be closed") {
        bench.worker.connections.alive == 0 ? () : nil
      }
      #expect(try bench.stop())
    }

    @Test("the client's end in each state: a whole request is answered, half a one is dropped")
    func halfClose() throws {
      let bench = try WorkerBench()
      for (sent, answers) in [
        ("", 0), ("GET", 0), ("GET /ok HTTP/1.1\r\nHost: h\r\n", 0), (get("/ok"), 1), (get("/ok") + "GET", 1),
        (get("/ok") + "\r\n", 1), (head, 0), (head + "abc", 0), (head + "abcdef", 1),
        (head + "abcdef" + head, 1),
        (get("/big"), 1), (get("/big") + get("/ok"), 2), ("POST / HTTP/1.1\r\nHost: h\r\nBad\r\n\r\n", 1),
      ] {
        let socket = try bench.connect()
        try socket.send(sent)
        socket.endSending()
        for _ in 0..<answers { #expect(try socket.receiveReply().isComplete) }
        #expect(try socket.receiveAll().isEmpty, "after \(sent)")
      }
      try Deadline.usual.wait(for: "the connections to be closed") {
        bench.worker.connections.alive == 0 ? () : nil
      }
      #expect(try bench.stop())
    }

    @Test(
      "the front end's end in each state of the other protocols",
      arguments: [
        ListenerProtocol.scgi, .uwsgi, .fastcgi, .auto,
      ])
    func halfCloseOfGateways(gateway: ListenerProtocol) throws {
      let bench = try WorkerBench([gateway])
      let variables = [(name: "REQUEST_METHOD", value: "POST"), (name: "REQUEST_URI", value: "/echo")]
      let whole: [UInt8]
      switch gateway {
      case .uwsgi:
        whole =
          UWSGIClientRequest(variables: variables + [("CONTENT_LENGTH", "6")], body: Array("abcdef".utf8))
          .bytes
      case .fastcgi: whole = FastCGIClientRequest(params: variables, body: Array("abcdef".utf8)).bytes
      default:
        var request = SCGIRequest()
        request.variables = variables
        request.body = Array("abcdef".utf8)
        whole = request.bytes
      }
      for count in 0...whole.count {
        let socket = try bench.connect()
        try socket.send(whole.prefix(count))
        socket.endSending()
        let answer = try socket.receiveAll()
        #expect(answer.isEmpty == (count < whole.count), "\(count) of \(whole.count) bytes")
      }
      #expect(try bench.stop())
    }

    @Test("a reset in each state harms nobody", arguments: [ListenerProtocol.http1, .auto])
    func reset(gateway: ListenerProtocol) throws {
      let bench = try WorkerBench([gateway])
      for sent in [
        "", "GET", get("/ok"), get("/big"), head, head + "abc", get("/big") + get("/ok"), get("/fail-late"),
      ] {
        for _ in 0..<5 {
          let socket = try bench.connect()
          try socket.send(sent)
          socket.resetOnClose()
        }
      }
      #expect(try bench.isWell())
      try Deadline.usual.wait(for: "the connections to be closed") {
        bench.worker.connections.alive == 0 ? () : nil
      }
      #expect(try bench.stop())
    }

    @Test("a stop closes what is idle, waits for what is half read, and answers with a close")
    func gracefulStop() throws {
      let bench = try WorkerBench()
      let idle = try bench.connect()
      let kept = try bench.connect()
      try kept.send(get("/ok"))
      #expect(try kept.receiveReply().text == "ok")
      let halfHead = try bench.connect()
      try halfHead.send("GET /ok HTTP/1.1\r\nHo")
      let halfBody = try bench.connect()
      try halfBody.send("POST /echo HTTP/1.1\r\nHost: h\r\nContent-Length: 6\r\nExpect: 100-continue\r\n\r\n")
      #expect(try halfBody.receiveReply().status == 100)
      // One more answer on another connection shows that the half head was read.
      #expect(try bench.isWell())
      bench.send(SIGTERM)
      #expect(try idle.receiveAll().isEmpty)
      #expect(try kept.receiveAll().isEmpty)
      try halfBody.send("abcdef")
      let reply = try halfBody.receiveLastReply()
      #expect(reply.text == "POST 6 abcdef" && reply["connection"] == "close")
      try halfHead.send("st: h\r\n\r\n")
      let other = try halfHead.receiveLastReply()
      #expect(other.text == "ok" && other["connection"] == "close")
      for socket in [idle, kept, halfBody, halfHead] { socket.endSending() }
      #expect(try bench.waitForEnd())
    }

    @Test(
      "a stop does not cut an answer that the client is still reading",
      arguments: [
        "/whole?12000000", "/file/f",
      ])
    func stopWhileSending(path: String) throws {
      let folder = try TemporaryFolder()
      let block = Data(TestBody.bytes(60_000))
      let file = (0..<200).reduce(into: Data()) { whole, _ in whole += block }
      try file.write(to: URL(fileURLWithPath: folder.file("f")))
      let bench = try WorkerBench(app: "host_calls", settings: { $0.sendfileRoot = folder.path })
      let socket = try bench.connect(receiveBuffer: 65_536)
      try socket.send(get(path))
      let head = try socket.receive(until: "\r\n\r\n")
      #expect(head.hasPrefix("HTTP/1.1 200"))
      bench.send(SIGTERM)
      // A refused connection shows that the stop is under way.
      try Deadline.usual.wait(for: "the listener to close") { (try? bench.connect()) == nil ? () : nil }
      let body = try socket.receiveAll()
      #expect(body.count == 12_000_000)
      let isWhole = path != "/file/f" || Data(body) == file
      #expect(isWhole)
      #expect(try bench.waitForEnd())
    }

    @Test("requests that wait in the buffer when the stop comes are answered")
    func stopWhilePipelined() throws {
      let bench = try WorkerBench(app: "host_calls")
      let socket = try bench.connect()
      try socket.send((0..<500).map { get("/\($0)") }.joined())
      #expect(try socket.receiveReply().text == "/0")
      bench.send(SIGTERM)
      // How many is the server's choice; those that it answers are whole, and the last says that it is
      // the last.
      var last: Reply?
      for index in 1..<500 {
        guard let reply = try? socket.receiveReply() else { break }
        #expect(reply.text == "/\(index)")
        last = reply
        if reply["connection"] == "close" { break }
      }
      #expect(last?["connection"] == "close" || last?.text == "/499")
      #expect(try socket.receiveAll().isEmpty)
      socket.endSending()
      #expect(try bench.waitForEnd())
    }

    @Test("clients in the backlog when the stop comes are served")
    func backlog() throws {
      let bench = try WorkerBench(app: "host_calls", isStarted: false)
      let sockets = try (0..<5).map { _ in try bench.connect() }
      for (index, socket) in sockets.enumerated() {
        try socket.send(get("/\(index)", "Connection: close\r\n"))
      }
      // The signal is there when the loop looks for the first time.
      bench.send(SIGTERM)
      bench.start()
      for (index, socket) in sockets.enumerated() {
        #expect(try socket.receiveLastReply().text == "/\(index)")
      }
      #expect(try bench.waitForEnd())
    }

    @Test("a request that has reached the machine before the stop is answered, not reset")
    func requestOnItsWay() throws {
      for isUsed in [false, true] {
        let bench = try WorkerBench(app: "host_calls", symbol: "pinned_nsgi_entry")
        let socket = try bench.connect()
        if isUsed {
          try socket.send(get("/first"))
          #expect(try socket.receiveReply().text == "/first")
        } else {
          // One more answer on another connection shows that this one was accepted.
          #expect(try bench.isWell())
        }
        // A call that stays on the loop: signal and request are both there when it looks again.
        let other = try bench.connect()
        try other.send(get("/sleep?300", "Connection: close\r\n"))
        bench.send(SIGTERM)
        try socket.send(get("/x"))
        #expect(try other.receiveLastReply().text == "/sleep")
        #expect(try socket.receiveLastReply().text == "/x", "isUsed: \(isUsed)")
        #expect(try bench.waitForEnd())
      }
    }

    @Test("a second signal ends it at once, whoever is half read")
    func secondSignal() throws {
      let bench = try WorkerBench()
      let socket = try bench.connect()
      try socket.send(head + "abc")
      #expect(try bench.isWell())
      bench.send(SIGTERM)
      try Deadline.usual.wait(for: "the listener to close") { (try? bench.connect()) == nil ? () : nil }
      bench.send(SIGINT)
      try bench.waitForEnd()
      #expect(((try? socket.receiveAll()) ?? []).isEmpty)
    }

    @Test("thousands of connections of every kind leave no descriptor and no record behind")
    func nothingIsLeft() throws {
      let bench = try WorkerBench(app: "conformance", [.http1, .scgi, .uwsgi, .fastcgi])
      let variables = [(name: "REQUEST_METHOD", value: "GET"), (name: "REQUEST_URI", value: "/flushed")]
      var scgi = SCGIRequest()
      scgi.variables = variables
      let requests = [
        Array(get("/flushed").utf8), scgi.bytes, UWSGIClientRequest(variables: variables).bytes,
        FastCGIClientRequest(params: variables).bytes,
      ]
      for round in 0..<2000 {
        let socket = try bench.connect(round % 4)
        try socket.send(round % 5 == 4 ? Array(requests[round % 4].prefix(round % 60)) : requests[round % 4])
        socket.endSending()
        if round % 3 == 0 { socket.resetOnClose() } else { _ = try? socket.receiveAll() }
      }
      try Deadline.usual.wait(for: "the connections to be closed") {
        bench.worker.connections.alive == 0 ? () : nil
      }
      #expect(bench.worker.exchanges.alive == 0)
      #expect(bench.worker.timers.wheel.count == 0)
      // Records are made a few at a time, and used again: thousands of connections need no more than these.
      #expect(bench.worker.connections.capacity <= 256)
      #expect(try bench.stop())
    }

    @Test(
      "pipelined FastCGI requests with bodies of many sizes, their records cut anywhere",
      arguments: [1, 2, 3] as [UInt64])
    func fastCGIPipeline(seed: UInt64) throws {
      let bench = try WorkerBench([.fastcgi], settings: { $0.limits.bodyMemoryBytes = 50_000 })
      let socket = try bench.connect()
      var random = SeededRandom(seed)
      let bodies = [0, 1, 5000, 70_000, 0, 16_384, 200_000, 3].map { TestBody.bytes($0) }
      var stream: [UInt8] = []
      for body in bodies {
        var request = FastCGIClientRequest(
          params: [("REQUEST_METHOD", "POST"), ("REQUEST_URI", "/echo")], body: body)
        request.keepsConnection = true
        request.stdinPiece = [7, 1000, 65_535][Int.random(in: 0..<3, using: &random)]
        if body.count > 10_000 { request.stdinPiece = 30_000 }
        request.paramsPiece = [3, 65_535][Int.random(in: 0..<2, using: &random)]
        request.padding = Int.random(in: 0..<8, using: &random)
        stream += request.bytes
      }
      // The socket blocks; the main thread reads meanwhile.
      Thread.detachNewThread { [stream, descriptor = socket.descriptor] in
        var random = SeededRandom(seed)
        var rest = stream[...]
        while !rest.isEmpty {
          let piece = Array(rest.prefix(Int.random(in: 1...20_000, using: &random)))
          let count = send(descriptor, piece, piece.count, Int32(MSG_NOSIGNAL))
          guard count > 0 else { return }
          rest = rest.dropFirst(count)
        }
      }
      for body in bodies {
        let reply = try socket.receiveFastCGI().reply
        #expect(reply.body == Array("POST \(body.count) ".utf8) + body)
      }
      #expect(try bench.stop())
      #expect(try socket.receiveAll().isEmpty)
    }
  }
}
