// Each wrong of the app `misbehaving`: the client gets the right status or a visible cut, the operator a
// line that names the app, and the server goes on.
import Foundation
import Support
import Testing

/// What comes of one wrong.
struct Wrong: Sendable, CustomTestStringConvertible {
  var path: String
  var status: Int
  /// The body; nil where the server's own words stand.
  var body: String?
  /// The response ends early, so that the client notices.
  var isCut = false
  /// A line of the log holds these words beside the app's name.
  var line: String?

  var testDescription: String { path }

  static let all = [
    Wrong(path: "/early-return", status: 500, line: "without starting a response"),
    Wrong(path: "/no-start", status: 500, line: "GET /no-start"),
    Wrong(path: "/write-before-start", status: 200, body: "write -3\n"),
    Wrong(path: "/two-starts", status: 200, body: "second\n"),
    Wrong(path: "/late-start", status: 200, body: "first\nstart -3\n"),
    Wrong(path: "/double-respond", status: 200, body: "first\n"),
    Wrong(path: "/crlf-header", status: 500, line: "control character"),
    Wrong(path: "/bad-name", status: 500, line: "not a token"),
    Wrong(path: "/connection-header", status: 500, line: "belongs to the connection"),
    Wrong(path: "/bad-status", status: 500, line: "status"),
    Wrong(path: "/too-long", status: 200, body: "0123456789", line: "more than its Content-Length"),
    Wrong(path: "/too-short", status: 200, body: "0123", isCut: true, line: "less than its Content-Length"),
    Wrong(path: "/negative", status: 500, line: "GET /negative"),
    Wrong(path: "/negative-after-start", status: 200, body: "part", isCut: true, line: "broke off"),
    Wrong(path: "/positive", status: 500, line: "GET /positive"),
    Wrong(path: "/unasked-async", status: 500, line: "NSGI_ASYNC"),
    Wrong(path: "/exception", status: 500, line: "GET /exception"),
    Wrong(path: "/sleep?ms=20", status: 200, body: "slept\n"),
  ]
}

@Suite struct MisbehavingTests {
  private func server(_ options: String...) throws -> ServerProcess {
    try ServerProcess(app: Repository.app("misbehaving"), ["--http-socket", "127.0.0.1:0"] + options)
  }

  private func get(_ target: String, _ server: ServerProcess) throws -> Reply {
    let socket = try server.connect()
    try socket.send("GET \(target) HTTP/1.1\r\nHost: h\r\n\r\n")
    return try socket.receiveReply()
  }

  @Test("a wrong is the app's alone", arguments: Wrong.all)
  func wrong(wrong: Wrong) throws {
    let server = try server()
    let reply = try get(wrong.path, server)
    #expect(reply.status == wrong.status)
    if let body = wrong.body { #expect(reply.text == body) }
    #expect(reply.isComplete == !wrong.isCut)
    #expect(!reply.fields.contains { $0.name.lowercased() == "set-cookie" })
    if let line = wrong.line {
      let lines = server.process.output.split(separator: "\n").filter { $0.contains(" error: misbehaving ") }
      #expect(lines.contains { $0.contains(line) }, "\(server.process.output)")
    }
    #expect(try get("/", server).text == "well behaved\n")
    #expect(try server.stop() == .status(0), "\(server.process.output)")
  }

  @Test("a request that is over is gone, whatever a thread of the app asks of it")
  func lateCalls() throws {
    let server = try server()
    let socket = try server.connect()
    try socket.send("GET /late-call HTTP/1.1\r\nHost: h\r\n\r\n")
    #expect(try socket.receiveReply().text == "noted\n")
    // On the same connection: the first exchange is over when the second is read.
    try socket.send("GET /late-result HTTP/1.1\r\nHost: h\r\n\r\n")
    let functions = "read body respond start write lend sendfile flush on_ready finish"
    let gone = functions.split(separator: " ").map { "\($0) -2" }
    let expected = ["environ 0 0", "fields 0", "env 0"] + gone
    #expect(try socket.receiveReply().text == expected.map { $0 + "\n" }.joined())
    socket.close()
    #expect(try server.stop() == .status(0), "\(server.process.output)")
  }

  @Test("an endless response goes on as long as its client, and no longer")
  func infinite() throws {
    let server = try server()
    let socket = try server.connect()
    try socket.send("GET /infinite HTTP/1.1\r\nHost: h\r\n\r\n")
    var count = 0
    while count < 8 << 20 { count += try socket.receive().count }
    // Others are served meanwhile, and the call ends when the client has gone.
    #expect(try get("/", server).text == "well behaved\n")
    socket.close()
    #expect(try server.stop() == .status(0), "\(server.process.output)")
  }

  @Test("sleepers up to the bound on threads delay nobody")
  func sleepers() throws {
    let server = try server("--threads", "4")
    let sleepers = try (0..<3).map { _ in try server.connect() }
    for socket in sleepers { try socket.send("GET /sleep?ms=1500 HTTP/1.1\r\nHost: h\r\n\r\n") }
    for _ in 0..<50 { #expect(try get("/", server).text == "well behaved\n") }
    // They sleep still: nothing of their answers is there.
    for socket in sleepers {
      var entry = pollfd(fd: socket.descriptor, events: Int16(POLLIN), revents: 0)
      #expect(poll(&entry, 1, 0) == 0)
    }
    for socket in sleepers { #expect(try socket.receiveReply().text == "slept\n") }
    for socket in sleepers { socket.close() }
    #expect(try server.stop() == .status(0), "\(server.process.output)")
  }

  @Test(
    "an app that ends its worker is named with its request, and the next one serves",
    arguments: ["/abort", "/crash"])
  func death(path: String) throws {
    let server = try server()
    let socket = try server.connect()
    try socket.send("GET \(path) HTTP/1.1\r\nHost: h\r\n\r\n")
    let rest = (try? socket.receiveAll()) ?? []
    #expect(rest.isEmpty, "a response came from a process that died")
    let signal = path == "/abort" ? "SIGABRT" : "SIGSEGV"
    let line = "died of \(signal) in misbehaving generation 1 while serving GET \(path)"
    let found = try server.process.waitForOutput("the crash line") { $0.contains(line) ? true : nil }
    #expect(found)
    let hasTrace = server.process.output.contains("misbehaving.so(")
    #expect(hasTrace || Repository.isSanitized, "no backtrace")
    #expect(try get("/", server).text == "well behaved\n")
    #expect(try server.stop() == .status(0), "\(server.process.output)")
  }

  @Test("without a master, an app that ends its process ends the server", arguments: ["/abort", "/crash"])
  func deathOfAPlainProcess(path: String) throws {
    let server = try server("--no-master")
    let socket = try server.connect()
    try socket.send("GET \(path) HTTP/1.1\r\nHost: h\r\n\r\n")
    let rest = (try? socket.receiveAll()) ?? []
    #expect(rest.isEmpty, "a response came from a process that died")
    #expect(try server.process.wait() == .signal(path == "/abort" ? SIGABRT : SIGSEGV))
  }
}
