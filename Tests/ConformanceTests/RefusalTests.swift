// Requests that a server must not serve, over plain sockets: each gets the answer that RFC 9110 and RFC
// 9112 want, and then the end of the connection.
import Support
import Testing

/// A request and the status that refuses it.
struct Refusal: Sendable, CustomStringConvertible {
  var name: String
  var request: String
  var status: Int
  var options: [String] = []

  var description: String { name }

  init(_ name: String, _ request: String, _ status: Int, _ options: String...) {
    self.name = name
    self.request = request
    self.status = status
    self.options = options
  }

  private static func get(_ lines: String...) -> String {
    "GET /ok HTTP/1.1\r\n" + lines.map { $0 + "\r\n" }.joined() + "\r\n"
  }

  private static func post(_ lines: String..., body: String = "") -> String {
    "POST /echo HTTP/1.1\r\nHost: h\r\n" + lines.map { $0 + "\r\n" }.joined() + "\r\n" + body
  }

  private static func many(_ text: String, _ count: Int) -> String { String(repeating: text, count: count) }

  static let all: [Refusal] = [
    Refusal("no Host", get("X: y"), 400),
    Refusal("two Hosts", get("Host: a", "Host: b"), 400),
    Refusal("a Host that is none", get("Host: a b"), 400),
    Refusal("white space before the colon", get("Host: h", "X : y"), 400),
    Refusal("a folded line", get("Host: h", "X: a", " b"), 400),
    Refusal("a line without a colon", get("Host: h", "nothing"), 400),
    Refusal("NUL in a value", get("Host: h", "X: a\0b"), 400),
    Refusal("a bare CR", get("Host: h", "X: a\rb"), 400),
    Refusal("a bare LF", "GET / HTTP/1.1\nHost: h\n\n", 400),
    Refusal("no version", "GET /\r\n\r\n", 400),
    Refusal("two blanks", "GET  / HTTP/1.1\r\nHost: h\r\n\r\n", 400),
    Refusal("a byte beyond ASCII in the target", "GET /é HTTP/1.1\r\nHost: h\r\n\r\n", 400),
    Refusal("a malformed escape in the path", "GET /%zz HTTP/1.1\r\nHost: h\r\n\r\n", 400),
    Refusal("an escaped NUL in the path", "GET /%00 HTTP/1.1\r\nHost: h\r\n\r\n", 400),
    Refusal("HTTP/2.0 by version", "GET / HTTP/2.0\r\nHost: h\r\n\r\n", 505),
    Refusal("CONNECT", "CONNECT a:1 HTTP/1.1\r\nHost: a:1\r\n\r\n", 501),
    Refusal("an endless method", many("A", 200) + " / HTTP/1.1\r\nHost: h\r\n\r\n", 501),
    Refusal("length and chunks", post("Content-Length: 3", "Transfer-Encoding: chunked"), 400),
    Refusal("two lengths", post("Content-Length: 3", "Content-Length: 4"), 400),
    Refusal("a list of lengths", post("Content-Length: 3, 4"), 400),
    Refusal("a signed length", post("Content-Length: +3"), 400),
    Refusal("a negative length", post("Content-Length: -3"), 400),
    Refusal("a length in hexadecimal", post("Content-Length: 0x3"), 400),
    Refusal("a length beyond 63 bits", post("Content-Length: 99999999999999999999"), 400),
    Refusal("an unknown coding", post("Transfer-Encoding: gzip, chunked"), 400),
    Refusal("chunked twice", post("Transfer-Encoding: chunked, chunked"), 400),
    Refusal("chunked not last", post("Transfer-Encoding: chunked, gzip"), 400),
    Refusal("a chunk size that is none", post("Transfer-Encoding: chunked", body: "xyz\r\n"), 400),
    Refusal("a huge chunk", post("Transfer-Encoding: chunked", body: "ffffffffffffffff\r\n"), 400),
    Refusal("no CR LF behind a chunk", post("Transfer-Encoding: chunked", body: "3\r\nabcde\r\n"), 400),
    Refusal("chunks in HTTP/1.0", "POST / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 400),
    Refusal("an expectation that nobody knows", post("Expect: the-best", "Content-Length: 0"), 417),
    Refusal("a head above the limit", get("Host: h", "X: " + many("x", 70_000)), 431),
    Refusal("a head above a smaller limit", get("Host: h", "X: " + many("x", 3000)), 431, "-b", "2k"),
    Refusal("too many fields", get("Host: h", (0..<300).map { "X\($0): y" }.joined(separator: "\r\n")), 431),
    Refusal("a target above the limit", "GET /\(many("x", 70_000)) HTTP/1.1\r\nHost: h\r\n\r\n", 414),
    Refusal(
      "a target above a smaller limit", "GET /\(many("x", 3000)) HTTP/1.1\r\nHost: h\r\n\r\n", 414, "-b", "2k"
    ),
    Refusal("two Content-Types", post("Content-Type: a/b", "Content-Type: c/d", "Content-Length: 0"), 400),
    Refusal("a chunk extension that is none", post("Transfer-Encoding: chunked", body: "1;\r\nx\r\n"), 400),
    Refusal("a length above the limit", post("Content-Length: 2000"), 413, "--limit-post", "1000"),
    Refusal(
      "chunks above the limit",
      post("Transfer-Encoding: chunked", body: "7d0\r\n\(many("x", 2000))\r\n0\r\n\r\n"), 413,
      "--limit-post", "1000"),
  ]
}

@Suite struct RefusalTests {
  @Test("what must be refused is answered, and nothing behind it is served", arguments: Refusal.all)
  func refuses(refusal: Refusal) throws {
    let server = try ServerProcess(
      app: try FixtureApp.path("conformance"), ["--http-socket", "127.0.0.1:0"] + refusal.options)
    let socket = try server.connect()
    // The second request is what a smuggler would want to be served.
    try socket.send(refusal.request + "GET /ok HTTP/1.1\r\nHost: h\r\n\r\n")
    let reply = try socket.receiveLastReply()
    #expect(reply.status == refusal.status)
    #expect(reply["connection"] == "close")
    #expect(!reply.body.isEmpty, "the answer says why")
    socket.close()
    #expect(try server.stop() == .status(0), "\(server.process.output)")
  }

  @Test("HTTP spoken to a socket of another protocol is told which", arguments: ["scgi", "uwsgi", "fastcgi"])
  func wrongProtocol(gateway: String) throws {
    let server = try ServerProcess(["--\(gateway)-socket", "127.0.0.1:0"])
    let socket = try server.connect(gateway)
    try socket.send("GET / HTTP/1.1\r\nHost: localhost\r\n\r\n")
    let reply = try socket.receiveLastReply()
    #expect(reply.status == 400)
    #expect(reply.text.lowercased().contains(gateway), "\(reply.text)")
    socket.close()
    #expect(try server.stop() == .status(0))
  }

  @Test("what is unusual but allowed is served")
  func servesTheUnusual() throws {
    let server = try ServerProcess(app: try FixtureApp.path("conformance"))
    for (name, request, body) in [
      ("an empty line first", "\r\nGET /ok HTTP/1.1\r\nHost: h\r\n\r\n", "ok"),
      ("absolute form", "GET http://example.org/ok HTTP/1.1\r\nHost: h\r\n\r\n", "ok"),
      ("HTTP/1.0 without Host", "GET /ok HTTP/1.0\r\n\r\n", "ok"),
      ("absolute form with an empty Host", "GET http://example.org/ok HTTP/1.1\r\nHost:\r\n\r\n", "ok"),
      ("an empty Host", "GET /ok HTTP/1.1\r\nHost:\r\n\r\n", "ok"),
      (
        "chunks with extensions and trailers",
        "POST /echo HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n"
          + "2;a=b ; c=\"d;e\"\r\nab\r\n1\r\nc\r\n0\r\nX: y\r\n\r\n",
        "POST 3 abc"
      ),
    ] {
      let socket = try server.connect()
      try socket.send(request)
      let reply = try socket.receiveReply()
      #expect(reply.status == 200, "\(name)")
      #expect(reply.text == body, "\(name)")
      socket.close()
    }
    #expect(try server.stop() == .status(0))
  }

  @Test("HTTP/1.0 is answered without chunks, and kept open only when it asks")
  func http10() throws {
    let server = try ServerProcess(app: try FixtureApp.path("conformance"))
    let socket = try server.connect()
    try socket.send("GET /flushed HTTP/1.0\r\n\r\n")
    let reply = try socket.receiveLastReply()
    #expect(reply["transfer-encoding"] == nil)
    #expect(reply.text == "aaaaabbbbbccccc")
    socket.close()
    let kept = try server.connect()
    try kept.send("GET /ok HTTP/1.0\r\nConnection: keep-alive\r\n\r\n")
    #expect(try kept.receiveReply()["connection"]?.lowercased() == "keep-alive")
    try kept.send("GET /ok HTTP/1.0\r\n\r\n")
    #expect(try kept.receiveLastReply().text == "ok")
    kept.close()
    #expect(try server.stop() == .status(0))
  }
}
