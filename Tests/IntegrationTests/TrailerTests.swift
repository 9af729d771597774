// Fields behind the bodies of requests and responses, and responses before the final one, over real sockets:
// what clients of HTTP/1.1 and HTTP/2 see, and what front ends of the gateways do not.
import Foundation
import Support
import Testing

@Suite struct TrailerTests {
  private static let te = "TE: trailers\r\n"
  private static let prior = ["--http2-prior-knowledge"]

  private func server(_ options: [String] = ["--http-socket", "127.0.0.1:0"]) throws -> ServerProcess {
    try ServerProcess(app: try FixtureApp.path("trailers"), ["--no-master"] + options)
  }

  private func stop(_ server: ServerProcess) throws {
    #expect(try server.stop() == .status(0), "\(server.process.output)")
  }

  private func lines(_ fields: [(name: String, value: String)]) -> [String] {
    fields.map { "\($0.name): \($0.value)" }
  }

  /// Asks over HTTP/1.1, on a connection that goes on.
  private func ask(
    _ socket: RawSocket, _ target: String, _ fields: String = TrailerTests.te, method: String = "GET"
  ) throws -> Reply {
    try socket.send("\(method) \(target) HTTP/1.1\r\nHost: h\r\n\(fields)\r\n")
    return try socket.receiveReply(toHead: method == "HEAD")
  }

  // MARK: Trailers of responses

  @Test("HTTP/1.1: behind the last chunk, for a client that takes them")
  func behindChunks() throws {
    let server = try server()
    let socket = try server.connect()
    for (target, body) in [("/unary", "abc"), ("/streamed", "abc"), ("/empty", ""), ("/later", "abc")] {
      var reply = try ask(socket, target)
      if target == "/later" {
        #expect(reply.status == 103)
        reply = try socket.receiveReply()
      }
      #expect(reply.text == body && reply.isComplete, "\(target)")
      #expect(lines(reply.trailers) == ["X-Sum: 1", "x-other: "], "\(target)")
      #expect(reply["trailer"] == "X-Sum, x-other" && reply["transfer-encoding"] == "chunked", "\(target)")
      #expect(reply["content-length"] == nil, "\(target)")
    }
    socket.close()
    // What curl makes of it.
    let reply = try Curl.get("\(server.url)/streamed", ["-H", "TE: trailers"])
    #expect(reply.text == "abc" && lines(reply.trailers) == ["X-Sum: 1", "x-other: "])
    try stop(server)
  }

  @Test("HTTP/1.1: none for a client that has not asked for them, whose response has its length")
  func untaken() throws {
    let server = try server()
    for fields in ["", "TE: deflate\r\n", "TE:\r\n"] {
      let socket = try server.connect()
      for target in ["/unary", "/empty", "/nothing"] {
        let reply = try ask(socket, target, fields)
        #expect(reply.trailers.isEmpty && reply["trailer"] == nil, "\(target)")
        #expect(reply["content-length"] == "\(reply.body.count)", "\(target)")
      }
      let streamed = try ask(socket, "/streamed", fields)
      #expect(streamed.text == "abc" && streamed.trailers.isEmpty && streamed["trailer"] == nil)
      socket.close()
    }
    try stop(server)
  }

  @Test("HTTP/1.0 gets none, whatever it asks for")
  func http10() throws {
    let server = try server()
    for target in ["/unary", "/streamed", "/empty"] {
      let socket = try server.connect()
      try socket.send("GET \(target) HTTP/1.0\r\n\(Self.te)\r\n")
      let reply = try socket.receiveLastReply()
      #expect(reply.text == (target == "/empty" ? "" : "abc") && reply["trailer"] == nil, "\(target)")
    }
    try stop(server)
  }

  @Test("HTTP/2: HEADERS with END_STREAM behind the body, whoever asks")
  func overHTTP2() throws {
    let server = try server()
    let client = try HTTP2Client(server.connect())
    for (target, body) in [("/unary", "abc"), ("/streamed", "abc"), ("/empty", ""), ("/later", "abc")] {
      let answer = try client.exchange(target)
      #expect(answer.ending == .whole && answer.text == body && answer.status == 200, "\(target)")
      #expect(lines(answer.trailers) == ["x-sum: 1", "x-other: "], "\(target)")
      #expect(answer.interim == (target == "/later" ? [103] : []), "\(target)")
    }
    let none = try client.exchange("/nothing")
    #expect(none.ending == .whole && none.trailers.isEmpty)
    client.socket.close()
    let reply = try Curl.get("\(server.url)/streamed", Self.prior)
    #expect(reply.text == "abc" && lines(reply.trailers) == ["x-sum: 1", "x-other: "])
    let large = try Curl.get("\(server.url)/large", Self.prior)
    #expect(large.text == "abc" && large.trailers.map(\.name) == ["x-a", "x-b", "x-c", "x-d"])
    #expect(large.trailers.allSatisfy { $0.value == String(repeating: "~", count: 10_000) })
    try stop(server)
  }

  @Test("a response without a body has no trailers, over either")
  func bodiless() throws {
    let server = try server()
    let socket = try server.connect()
    for (target, method, status) in [
      ("/status/204", "GET", 204), ("/status/304", "GET", 304), ("/unary", "HEAD", 200),
      ("/streamed", "HEAD", 200),
    ] {
      let reply = try ask(socket, target, method: method)
      #expect(reply.status == status && reply.body.isEmpty && reply.trailers.isEmpty, "\(method) \(target)")
      let client = try HTTP2Client(server.connect())
      let answer = try client.answer(try client.request(target, method))
      #expect(answer.status == status && answer.ending == .whole && answer.trailers.isEmpty, "\(target)")
      client.socket.close()
    }
    // What follows on the connection is the next answer.
    #expect(try ask(socket, "/x").text == "takes 48")
    socket.close()
    try stop(server)
  }

  @Test("behind a file: in chunks where they were announced, dropped behind a length")
  func behindFiles() throws {
    let server = try server()
    let body = TestBody.bytes(3_000_000)
    let path = server.folder.file("file")
    try Data(body).write(to: URL(fileURLWithPath: path))
    let socket = try server.connect()
    let announced = try ask(socket, "/file?\(path)")
    #expect(announced.body == body && announced.isComplete && lines(announced.trailers).first == "X-Sum: 1")
    #expect(announced["content-length"] == nil)
    let other = try ask(socket, "/plain-file?\(path)")
    #expect(other.body == body && other["content-length"] == "3000000" && other.trailers.isEmpty)
    let untaken = try ask(socket, "/file?\(path)", "")
    #expect(untaken.body == body && untaken["content-length"] == "3000000" && untaken["trailer"] == nil)
    socket.close()
    for target in ["/file", "/plain-file"] {
      // curl 7.88 is content as soon as it has as many bytes as were announced.
      let reply = try HTTP2Client(try server.connect()).exchange("\(target)?\(path)")
      #expect(reply.body == body && lines(reply.trailers).first == "x-sum: 1", "\(target)")
      #expect(reply["content-length"] == "3000000", "\(target)")
    }
    try stop(server)
  }

  @Test("misuse: too early, wrong fields, too many bytes, after the end")
  func misuse() throws {
    let server = try server()
    let socket = try server.connect()
    let early = try ask(socket, "/early")
    #expect(early.text == "abc -3  -3" && lines(early.trailers).first == "X-Sum: 1" && early.isComplete)
    let refused = try ask(socket, "/refused")
    #expect(refused.text == "-3 -3 -3 -3 -3 -3 -3 -3 -4" && refused.trailers.count == 2)
    #expect(try ask(socket, "/respond").text == "-3")
    let forgotten = try ask(socket, "/forgotten")
    #expect(forgotten.text == "abc" && forgotten["content-length"] == "3" && forgotten["trailer"] == nil)
    socket.close()
    try stop(server)
    #expect(server.process.output.contains("a trailer is a field that has to stand in the head"))
  }

  // MARK: Interim responses

  @Test("103 and its kin come before the final response; other statuses and wrong fields are misuse")
  func interim() throws {
    let server = try server()
    let socket = try server.connect()
    let first = try ask(socket, "/hints")
    #expect(first.status == 103 && first.reason == "Early Hints" && first.fields.count == 2)
    #expect(first["link"] == "</a.css>; rel=preload")
    let second = try socket.receiveReply()
    #expect(second.status == 102 && second.fields.isEmpty)
    #expect(try socket.receiveReply().status == 103)
    let final = try socket.receiveReply()
    #expect(final.status == 200 && final.text == "0 0, -3 -3 -3 -3, 0")
    // A failure behind a hint is a 500 like any other, and the connection goes on.
    #expect(try ask(socket, "/hinted-failure").status == 103)
    #expect(try socket.receiveReply().status == 500)
    #expect(try ask(socket, "/x").text == "takes 48")
    socket.close()
    for options in [Self.prior, ["--http1.1"]] {
      let reply = try Curl.get("\(server.url)/hints", options)
      #expect(reply.interim.map(\.status) == [103, 102, 103] && reply.text == "0 0, -3 -3 -3 -3, 0")
    }
    let client = try HTTP2Client(server.connect())
    let failure = try client.exchange("/hinted-failure")
    #expect(failure.interim == [103] && failure.status == 500 && failure.ending == .whole)
    client.socket.close()
    try stop(server)
  }

  @Test("100 Continue stays the server's own: it comes with the first look at the body")
  func continues() throws {
    let server = try server()
    let socket = try server.connect()
    try socket.send(
      "POST /echo HTTP/1.1\r\nHost: h\r\nContent-Length: 3\r\nExpect: 100-continue\r\n\r\n")
    #expect(try socket.receiveReply().status == 100)
    try socket.send("abc")
    #expect(try socket.receiveReply().text.contains("read 3 then 0"))
    socket.close()
    try stop(server)
  }

  @Test("front ends of gateways get neither, and the same bodies", arguments: ["scgi", "uwsgi", "fastcgi"])
  func gateways(gateway: String) throws {
    let server = try server(["--\(gateway)-socket", "127.0.0.1:0"])
    func get(_ target: String) throws -> Reply { try server.connect(gateway).exchange(gateway, target) }
    for (target, body) in [
      ("/unary", "abc"), ("/streamed", "abc"), ("/empty", ""), ("/later", "abc"),
      ("/hints", "0 0, -3 -3 -3 -3, 0"), ("/x", "takes 0"),
    ] {
      let reply = try get(target)
      #expect(reply.status == 200 && reply.text == body && reply["trailer"] == nil, "\(target)")
      #expect(reply["x-sum"] == nil && reply["x-hint"] == nil, "\(target)")
    }
    try stop(server)
  }

  // MARK: Trailers of requests

  private func post(_ trailers: String, _ body: String = "3\r\nabc\r\n") -> String {
    "POST /echo HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n\(body)0\r\n\(trailers)\r\n"
  }

  @Test("HTTP/1.1: an app has them at the end of the body, however they come")
  func ofRequests() throws {
    let server = try server()
    let socket = try server.connect()
    let fields = "X-Sum: 3\r\nHost: no\r\nx-b:  two words \r\nX-Empty:\r\nX-Sum: 4\r\n"
    let expected = "before 0 0, read 3 then 0, there 4: x-sum=3 x-b=two words x-empty= x-sum=4"
    for _ in 0..<2 {
      try socket.send(post(fields))
      #expect(try socket.receiveReply().text == expected)
    }
    try socket.send(post(""))
    #expect(try socket.receiveReply().text == "before 0 0, read 3 then 0, there 0:")
    // Byte by byte, so that the call waits beside the loop for some of them.
    for byte in Array(post(fields).utf8) { try socket.send([byte]) }
    #expect(try socket.receiveReply().text == expected)
    // A request without chunks has read its body from the start.
    try socket.send("GET /echo HTTP/1.1\r\nHost: h\r\n\r\n")
    #expect(try socket.receiveReply().text == "before 1 0, read 0 then 0, there 0:")
    socket.close()
    try stop(server)
  }

  @Test("the bounds of a head are those of trailers too")
  func bounds() throws {
    let server = try server(["--http-socket", "127.0.0.1:0", "--buffer-size", "4096", "--max-vars", "10"])
    let many = (0..<11).map { "X-\($0): 1\r\n" }.joined()
    let long = "X: \(String(repeating: "x", count: 5000))\r\n"
    for fields in [many, long, "A b: c\r\n", ":status: 200\r\n"] {
      let socket = try server.connect()
      try socket.send(post(fields))
      let text = try socket.receiveReply()
      // The app has begun: its read says that the rest will not come.
      #expect(text.text.contains("then -2, absent"), "\(text)")
      socket.close()
    }
    try stop(server)
  }

  @Test("HTTP/2: an app has them too; pseudo fields and fields of a connection end the stream")
  func ofStreams() throws {
    let server = try server()
    let client = try HTTP2Client(server.connect())
    func post(_ fields: [(name: String, value: String)]) throws -> HTTP2Client.Answer {
      let id = try client.request("/echo", "POST", ends: false)
      try client.upload(id, Array("abc".utf8))
      try client.send(HTTP2Bytes.headers, 5, id, HTTP2Bytes.block(fields))
      return try client.answer(id)
    }
    let answer = try post([("x-sum", "3"), ("host", "no"), ("x-b", "two words"), ("x-empty", "")])
    #expect(answer.text == "before 0 0, read 3 then 0, there 3: x-sum=3 x-b=two words x-empty=")
    for fields in [[(":path", "/")], [("connection", "close")], [("X-Upper", "1")], [("x", "a\r\nb: c")]] {
      #expect(try post(fields.map { (name: $0.0, value: $0.1) }).ending == .reset(1), "\(fields)")
    }
    #expect(try post([]).text == "before 0 0, read 3 then 0, there 0:")
    client.socket.close()
    try stop(server)
  }

  // MARK: Both ways at once

  @Test("the response comes while the request goes on, over HTTP/1.1 and HTTP/2")
  func duplex() throws {
    let server = try server()
    let socket = try server.connect()
    try socket.send("POST /duplex HTTP/1.1\r\nHost: h\r\n\(Self.te)Transfer-Encoding: chunked\r\n\r\n")
    #expect(try Reply(head: try socket.receive(until: "\r\n\r\n")).status == 200)
    for word in ["one", "two", "three"] {
      try socket.send("\(String(word.utf8.count, radix: 16))\r\n\(word)\r\n")
      #expect(try socket.receive(until: "\(word)\r\n") == "\(word.utf8.count)\r\n\(word)\r\n")
    }
    try socket.send("0\r\n\r\n")
    #expect(try socket.receive(until: "\r\n\r\n") == "0\r\nX-Sum: 1\r\nx-other: \r\n\r\n")
    socket.close()

    let client = try HTTP2Client(server.connect())
    let streams = try (0..<3).map { _ in try client.request("/duplex", "POST", ends: false) }
    for id in streams { #expect(try client.answer(id) { $0.status > 0 }.status == 200) }
    var sent = ""
    for word in ["one", "two", "three"] {
      sent += word
      for id in streams {
        try client.upload(id, Array(word.utf8))
        let sofar = try client.answer(id) { $0.body.count >= sent.utf8.count }
        #expect(sofar.text == sent && sofar.ending == .open)
      }
    }
    for id in streams {
      try client.upload(id, [], ends: true)
      let answer = try client.answer(id)
      #expect(answer.ending == .whole && lines(answer.trailers) == ["x-sum: 1", "x-other: "])
    }
    client.socket.close()
    try stop(server)
  }
}
