// The ASGI extensions `http.response.early_hint` and `http.response.trailers`: where they are offered, what
// clients see of them, and what comes of messages in a wrong order.
import Foundation
import Support
import Testing

@Suite struct ASGITrailersTests {
  private static let loops = ["asyncio", "uvloop"]

  private func run(_ loop: String = "asyncio", _ body: (ServerProcess) throws -> Void) throws -> String {
    try Python.run("asgi_trailers", try Python.options(loop: loop), body)
  }

  /// A GET that takes trailers; interim responses are in the reply.
  private func ask(
    _ server: ServerProcess, _ target: String, _ fields: String = "TE: trailers\r\n", version: String = "1.1"
  ) throws -> (interim: [Reply], final: Reply) {
    let socket = try server.connect()
    try socket.send("GET \(target) HTTP/\(version)\r\nHost: x\r\nConnection: close\r\n\(fields)\r\n")
    var interim: [Reply] = []
    while true {
      let reply = try socket.receiveReply()
      if reply.status >= 200 { return (interim, reply) }
      interim.append(reply)
    }
  }

  private func lines(_ fields: [(name: String, value: String)]) -> [String] {
    fields.map { "\($0.name): \($0.value)" }
  }

  @Test("the scope offers what reaches the client, and nothing else")
  func offers() throws {
    _ = try run { (server) throws in
      let (hint, trailers) = ("http.response.early_hint", "http.response.trailers")
      let path = "http.response.pathsend"
      for (fields, version, expected) in [
        ("TE: trailers\r\n", "1.1", [hint, path, trailers]), ("", "1.1", [hint, path]),
        ("TE: deflate\r\n", "1.1", [hint, path]), ("TE: trailers\r\n", "1.0", [path]),
      ] {
        let reply = try ask(server, "/extensions", fields, version: version).final
        let found = try JSONSerialization.jsonObject(with: Data(reply.body)) as? [String]
        #expect(found == expected, "\(fields) \(version)")
      }
      let other = try Curl.get("\(server.url)/extensions", ["--http2-prior-knowledge"])
      let found = try JSONSerialization.jsonObject(with: Data(other.body)) as? [String]
      #expect(found == [hint, path, trailers])
    }
  }

  @Test("front ends are offered neither", arguments: ["scgi", "uwsgi", "fastcgi"])
  func frontEnds(gateway: String) throws {
    try Python.run("asgi_trailers", ["--\(gateway)-socket", "127.0.0.1:0"]) { (server) throws in
      #expect(try server.ask(gateway, "/extensions").text == #"["http.response.pathsend"]"#)
    }
  }

  @Test("early hints come before the response, also for HTTP/2, and none for HTTP/1.0", arguments: loops)
  func hints(loop: String) throws {
    _ = try run(loop) { (server) throws in
      let (interim, final) = try ask(server, "/hints")
      #expect(interim.map(\.status) == [103, 103] && final.text == "\"hinted\"")
      #expect(lines(interim[0].fields) == ["link: </a.css>; rel=preload", "link: </b.js>"])
      let other = try Curl.get("\(server.url)/hints", ["--http2-prior-knowledge"])
      #expect(other.interim.map(\.status) == [103, 103] && other.text == "\"hinted\"")
      #expect(lines(other.interim[0].fields) == ["link: </a.css>; rel=preload", "link: </b.js>"])
      #expect(try ask(server, "/hints", version: "1.0").final.status == 500)
    }
  }

  @Test("trailers stand behind every kind of body", arguments: loops)
  func trailers(loop: String) throws {
    _ = try run(loop) { (server) throws in
      let file = try server.folder.write(String(repeating: "abc", count: 100_000), to: "file")
      for (target, body) in [
        ("/unary", "abc"), ("/stream", "abc"), ("/empty", ""), ("/announced", "abc"),
        ("/file?\(file)", String(repeating: "abc", count: 100_000)),
      ] {
        let one = try ask(server, target).final
        #expect(one.text == body && one.isComplete, "\(target)")
        #expect(lines(one.trailers) == ["x-sum: 3", "X-Other: "], "\(target)")
        #expect(one["transfer-encoding"] == "chunked" && one["content-length"] == nil, "\(target)")
        let other = try HTTP2Client(try server.connect()).exchange(target)
        #expect(other.text == body && other.ending == .whole, "\(target)")
        #expect(lines(other.trailers) == ["x-sum: 3", "x-other: "], "\(target)")
      }
      #expect(try ask(server, "/stream").final["trailer"] == "x-sum, x-other")
      #expect(try ask(server, "/empty").final["trailer"] == "x-sum, X-Other")
      // A body of known length has no place for them over HTTP/1.1.
      let lengthy = try ask(server, "/lengthy").final
      #expect(lengthy.text == "abc" && lengthy["content-length"] == "3" && lengthy.trailers.isEmpty)
    }
  }

  @Test("who takes no trailers is sent none, and the application that sends them all the same fails")
  func untaken() throws {
    let log = try run { (server) throws in #expect(try ask(server, "/unary", "").final.status == 500) }
    #expect(log.contains("the scope announces no 'http.response.trailers'"), "\(log)")
  }

  @Test(
    "messages in a wrong order or form are exceptions",
    arguments: [
      ("unannounced", "RuntimeError: unexpected ASGI message 'http.response.trailers': the response is"),
      ("early", "RuntimeError: expected the ASGI message 'http.response.body', but got"),
      ("twice", "RuntimeError: unexpected ASGI message 'http.response.trailers': the response is"),
      ("more_body", "RuntimeError: expected the ASGI message 'http.response.trailers', but got"),
      ("head_field", "RuntimeError: the server refuses these headers; its reason is in the log"),
      ("text", "TypeError: the headers of 'http.response.trailers' are pairs of bytes"),
      ("line_end", "RuntimeError: the server refuses these headers; its reason is in the log"),
      ("late_hint", "RuntimeError: expected the ASGI message 'http.response.body', but got"),
      ("bad_hint", "RuntimeError: the server refuses these headers; its reason is in the log"),
      ("text_hint", "TypeError: the body of 'http.response.early_hint' is bytes, not str"),
    ])
  func wrongOrder(name: String, sentence: String) throws {
    _ = try run { (server) throws in
      let reply = try ask(server, "/wrong?\(name)").final
      // A response that was complete is none the worse; one whose head has left is cut.
      let isWhole = name == "unannounced" || name == "twice"
      let isBegun = ["more_body", "head_field", "text", "line_end"].contains(name)
      #expect(reply.status == (isWhole || isBegun ? 200 : 500))
      #expect(reply.isComplete == !isBegun)
      #expect(try ask(server, "/last?\(name)").final.text.hasPrefix("\"\(sentence)"))
    }
  }

  @Test("a response whose trailers never come is cut, with a line in the log")
  func missing() throws {
    let log = try run { (server) throws in
      let reply = try ask(server, "/missing").final
      #expect(reply.status == 200 && reply.text == "x" && !reply.isComplete)
    }
    #expect(log.contains("returned before the trailers of its response"), "\(log)")
  }
}
