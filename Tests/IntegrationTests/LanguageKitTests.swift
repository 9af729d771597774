// One app in each language, written with that language's kit: the same questions, the same answers. What a
// handler throws ends at the border; the server goes on.
import Foundation
import Support
import Testing

/// A language, and the app of Tests/Fixtures/kits in it.
enum Language: String, CaseIterable, CustomTestStringConvertible {
  case cpp, rust, swift
  var app: String { Repository.app("kit_\(rawValue)") }
  var testDescription: String { rawValue }
}

@Suite struct LanguageKitTests {
  private func server(_ language: Language) throws -> ServerProcess {
    let options = [
      "--app-option", "color=red", "--http-socket", "127.0.0.1:0", "--threads", "4", "-p", "1",
    ]
    return try ServerProcess(app: language.app, options)
  }

  /// Asks on a connection of its own.
  private func get(_ target: String, _ server: ServerProcess) throws -> Reply {
    let socket = try server.connect()
    try socket.send("GET \(target) HTTP/1.1\r\nHost: h\r\nX-Color: blue\r\n\r\n")
    return try socket.receiveReply()
  }

  @Test("what an app is told and what it answers", arguments: Language.allCases)
  func answers(language: Language) throws {
    let server = try server(language)
    let hello = try get("/hello?a=1", server)
    #expect(hello.text == "GET /hello a=1 blue blue")
    #expect(hello["content-type"] == "text/plain; charset=utf-8")
    #expect(try get("/option", server).text == "red")
    let redirect = try get("/redirect", server)
    #expect(redirect.status == 303)
    #expect(redirect["location"] == "/x")
    let stream = try get("/stream", server)
    #expect(stream.status == 201)
    #expect(stream["x-kit"] == "1")
    #expect(stream.text == "one two")
    #expect(stream.isComplete)
    #expect(try get("/later", server).text == "later")
    #expect(try get("/variables", server).text == "blue")
    let file = try server.folder.write("0123456789", to: "digits")
    #expect(try get("/file?\(file)", server).text == "<2345>")
    let abort = try get("/abort", server)
    #expect(abort.status == 404)
    #expect(abort.text == "nothing here")
    #expect(try get("/nowhere", server).status == 404)
    #expect(server.process.output.contains("a thread enters"), "\(server.process.output)")
    #expect(try server.stop() == .status(0), "\(server.process.output)")
  }

  @Test("bodies of every size arrive whole", arguments: Language.allCases)
  func bodies(language: Language) throws {
    let server = try server(language)
    for size in [0, 1, 1000, 65536, 3_000_000] {
      let body = TestBody.bytes(size)
      let expected = "\(size) \(TestBody.checksum(body))"
      #expect(try Curl.post("\(server.url)/body", body).text == expected)
      let chunked = ["-H", "Transfer-Encoding: chunked"]
      #expect(try Curl.post("\(server.url)/read", body, chunked).text == expected)
    }
    #expect(try server.stop() == .status(0), "\(server.process.output)")
  }

  @Test("what an app publishes reaches the sockets of another one", arguments: Language.allCases)
  func publishes(language: Language) throws {
    let sockets = try FixtureApp.path("websockets")
    let mounts = ["/=\(language.app)", "/ws=\(sockets)"]
    let server = try ServerProcess(
      app: nil, ["-p", "1", "--http-socket", "127.0.0.1:0"] + mounts.flatMap { ["--mount", $0] })
    #expect(try get("/publish", server).text == "0 0")
    let client = try WebSocketClient(try server.address("http"), "/ws/")
    try client.send("join kit")
    #expect(try client.next() == .text("joined"))
    #expect(try get("/publish", server).text == "1 1")
    #expect(try client.next() == .text("to this worker") && client.next() == .text("to all"))
    client.socket.close()
    #expect(try server.stop() == .status(0), "\(server.process.output)")
  }

  @Test("sockets are accepted, and their messages awaited, answered and lent", arguments: Language.allCases)
  func sockets(language: Language) throws {
    let server = try server(language)
    #expect(try get("/socket", server).status == 426)
    let address = try server.address("http")
    let client = try WebSocketClient(address, "/socket", fields: "Sec-WebSocket-Protocol: chat\r\n")
    #expect(client.head.contains("Sec-WebSocket-Protocol: chat\r\n") && client.head.contains("X-Kit: 1\r\n"))
    for count in [0, 5, 100_000] {
      try client.send(TestBody.bytes(count))
      #expect(try client.next() == .binary(TestBody.bytes(count)))
    }
    // More than is taken at a time.
    var many: [UInt8] = []
    for number in 0..<100 { many += WebSocketClient.frame(1, Array("\(number)".utf8)) }
    try client.socket.send(many)
    for number in 0..<100 { #expect(try client.next() == .text("\(number)")) }
    try client.send("lend")
    #expect(try client.next() == .text("lent"))
    try client.send("join")
    try client.send("joined")
    #expect(try client.next() == .text("joined") && get("/publish", server).text == "1 1")
    #expect(try client.next() == .text("to this worker") && client.next() == .text("to all"))
    try client.close(1000)
    #expect(try client.next() == .close(1000, "") && client.next() == .end)
    _ = try server.process.waitForOutput("its end") { $0.contains("a socket has ended with 1000") ? () : nil }
    let ends: [(String, WebSocketClient.Frame)] = [
      ("close", .close(4001, "bye")), ("throw", .close(1011, "")),
    ]
    for (word, frame) in ends {
      let other = try WebSocketClient(address, "/socket")
      try other.send(word)
      #expect(try other.next() == frame, "\(word)")
      try other.close(1000)
      #expect(try other.next() == .end)
    }
    #expect(server.process.output.contains("thrown on purpose"), "\(server.process.output)")
    // The host answers a malformed handshake; the application does not notice.
    let socket = try server.connect()
    let fields = WebSocketClient.fields.replacingOccurrences(of: "13", with: "8")
    try socket.send("GET /socket HTTP/1.1\r\n\(fields)\r\n")
    #expect(try socket.receiveReply().status == 426)
    #expect(try server.stop() == .status(0), "\(server.process.output)")
  }

  @Test("hints before the response, and fields behind both bodies", arguments: Language.allCases)
  func trailers(language: Language) throws {
    let server = try server(language)
    let socket = try server.connect()
    try socket.send(
      "POST /trailers HTTP/1.1\r\nHost: h\r\nTE: trailers\r\nTransfer-Encoding: chunked\r\n\r\n"
        + "2\r\nab\r\n0\r\nX-Sum: 2\r\n\r\n")
    let hint = try socket.receiveReply()
    #expect(hint.status == 103 && hint["link"] == "</a>; rel=preload")
    let reply = try socket.receiveReply()
    #expect(reply.text == "ab x-sum=2" && reply["trailer"] == "X-Kit" && reply.isComplete)
    #expect(reply.trailers.map(\.value) == ["behind"])
    socket.close()
    #expect(try server.stop() == .status(0), "\(server.process.output)")
  }

  @Test("nothing is thrown across the border", arguments: Language.allCases)
  func errors(language: Language) throws {
    let server = try server(language)
    for path in ["/throw", "/later-lost", "/bad-header", "/connection"] {
      #expect(try get(path, server).status == 500, "\(path)")
      #expect(server.process.output.contains("kit answered"), "\(path): \(server.process.output)")
    }
    #expect(server.process.output.contains("thrown on purpose"))
    // A field of the connection is misuse in every language (nsgi.h): the host speaks for the connection.
    #expect(server.process.output.contains("a field belongs to the connection"))
    let cut = try get("/throw-after", server)
    #expect(cut.status == 200)
    #expect(cut.text == "part")
    #expect(!cut.isComplete)
    #expect(try get("/hello", server).status == 200)
    #expect(try server.stop() == .status(0), "\(server.process.output)")
  }

  @Test("an app that cannot start says why", arguments: Language.allCases)
  func refusal(language: Language) throws {
    let (exit, output) = try ServerProcess.run([
      "--app", language.app, "--app-option", "fail=no color today", "--http-socket", "127.0.0.1:0",
    ])
    #expect(exit == .status(22))
    #expect(output.contains("no color today"), "\(output)")
  }

  @Test("the task of an asynchronous handler is cancelled when its client goes, or its time is over")
  func cancelledTask() throws {
    for options in [[], ["--harakiri", "0.2"]] {
      let server = try ServerProcess(
        app: Language.swift.app, ["--http-socket", "127.0.0.1:0"] + options)
      let socket = try server.connect()
      try socket.send("GET /sleep HTTP/1.1\r\nHost: h\r\n\r\n")
      if options.isEmpty {
        _ = try server.process.waitForOutput("a task") { $0.contains("a task sleeps") ? () : nil }
        socket.resetOnClose()
      } else {
        #expect(try socket.receiveReply().status == 504)
      }
      socket.close()
      _ = try server.process.waitForOutput("the cancel") { $0.contains("the task is cancelled") ? () : nil }
      #expect(try get("/hello", server).status == 200)
      #expect(try server.stop() == .status(0), "\(server.process.output)")
    }
  }

  @Test("more asynchronous requests under way than there are threads")
  func manyAtOnce() throws {
    let server = try ServerProcess(
      app: Repository.app("sse"),
      ["--http-socket", "DIR/h.sock", "--threads", "2", "--app-option", "interval-ms=300"])
    let sockets = try (0..<200).map { _ in try server.connect() }
    for socket in sockets { try socket.send("GET /?n=2 HTTP/1.1\r\nHost: h\r\n\r\n") }
    // All are answered in part before the first is complete, if no thread is held by any.
    for socket in sockets { _ = try socket.receive(until: "data: 1 of 2\n\n") }
    for socket in sockets { _ = try socket.receive(until: "data: 2 of 2\n\n") }
    for socket in sockets { socket.close() }
    #expect(try server.stop() == .status(0), "\(server.process.output)")
  }
}
