// What gateway protocols carry beside requests and responses: files sent in the app's place, authorizers,
// error lines, allowed web servers, abstract sockets, non-parsed headers, several applications.
import Foundation
import Support
import Testing

@Suite struct GatewayExtrasTests {
  private func app() throws -> String { try FixtureApp.path("gateway_extras") }

  private func fastCGI(_ server: ServerProcess, _ request: FastCGIClientRequest) throws -> FastCGIReply {
    let socket = try server.connect("fastcgi")
    try socket.send(request.bytes)
    var bytes = try socket.receiveAll()[...]
    return try FastCGIReply(&bytes)
  }

  // MARK: Files sent in the app's place

  @Test(
    "X-Sendfile and X-Accel-Redirect pass through on the gateway protocols",
    arguments: [
      "scgi", "uwsgi", "fastcgi",
    ])
  func passesThrough(gateway: String) throws {
    let server = try ServerProcess(app: try app(), ["--\(gateway)-socket", "127.0.0.1:0"])
    let file = try server.connect(gateway).exchange(gateway, "/sendfile?/srv/a.txt")
    #expect(file["x-sendfile"] == "/srv/a.txt")
    let accel = try server.connect(gateway).exchange(gateway, "/accel?/internal/a")
    #expect(accel["x-accel-redirect"] == "/internal/a")
    #expect(try server.stop() == .status(0))
  }

  @Test("over HTTP X-Sendfile sends the file, but only from below --sendfile-root")
  func sendfileRoot() throws {
    let folder = try TemporaryFolder()
    let root = try folder.folder("public")
    try "the file\n".write(toFile: "\(root)/a.txt", atomically: true, encoding: .utf8)
    let secret = try folder.write("secret\n", to: "secret.txt")
    try FileManager.default.createSymbolicLink(atPath: "\(root)/link.txt", withDestinationPath: secret)
    let server = try ServerProcess(
      app: try app(), ["--http-socket", "127.0.0.1:0", "--sendfile-root", root])
    for (path, status, text) in [
      ("\(root)/a.txt", 200, "the file\n"), ("a.txt", 200, "the file\n"), (secret, 403, ""),
      ("\(root)/../secret.txt", 403, ""), ("link.txt", 403, ""), ("\(root)/none.txt", 404, ""),
    ] {
      let reply = try server.connect().exchange("http", "/sendfile?\(path)")
      #expect(reply.status == status && reply.text == text, "\(path): \(reply.status) \(reply.text)")
      #expect(reply["x-sendfile"] == nil)
    }
    let accel = try server.connect().exchange("http", "/accel?/internal/a")
    #expect(accel["x-accel-redirect"] == "/internal/a")
    #expect(try server.stop() == .status(0))
  }

  @Test("without --sendfile-root X-Sendfile does not leave the server over HTTP")
  func sendfileDropped() throws {
    let server = try ServerProcess(app: try app())
    let reply = try server.connect().exchange("http", "/sendfile?/etc/hostname")
    #expect(reply.status == 200 && reply["x-sendfile"] == nil && reply.text.isEmpty)
    #expect(try server.stop() == .status(0))
  }

  @Test(
    "X-Sendfile twice is refused, and neither file is named to anybody",
    arguments: GatewayRequest.gateways)
  func sendfileTwice(gateway: String) throws {
    let server = try ServerProcess(
      app: try app(), ["--\(gateway)-socket", "127.0.0.1:0", "--sendfile-root", "/"])
    let socket = try server.connect(gateway)
    try socket.send(GatewayRequest.bytes(gateway, "/sendfile-twice"))
    let bytes = try socket.receiveAll()
    let reply = try GatewayRequest.reply(gateway, bytes)
    #expect(reply.status == 500 && reply.text == "refused")
    #expect(!String(decoding: bytes, as: UTF8.self).contains("secret"))
    #expect(try server.stop() == .status(0))
    #expect(server.process.output.contains("X-Sendfile is given twice"), "\(server.process.output)")
  }

  // MARK: Large heads

  @Test("a response head has a limit, and an option for it", arguments: GatewayRequest.gateways)
  func largeHeads(gateway: String) throws {
    let usual = try ServerProcess(app: try app(), ["--\(gateway)-socket", "127.0.0.1:0"])
    #expect(try usual.connect(gateway).exchange(gateway, "/large-head?65000").status == 200)
    #expect(try usual.connect(gateway).exchange(gateway, "/large-head?200000").status == 500)
    #expect(try usual.stop() == .status(0))
    #expect(usual.process.output.contains("--response-head-size"), "\(usual.process.output)")
    let wide = try ServerProcess(
      app: try app(), ["--\(gateway)-socket", "127.0.0.1:0", "--response-head-size", "256k"])
    let reply = try wide.connect(gateway).exchange(gateway, "/large-head?200000")
    #expect(reply.status == 200 && reply["x-large"]?.utf8.count == 200_000 && reply.text == "large")
    #expect(try wide.stop() == .status(0))
  }

  @Test("the Server field can be left out", arguments: ["off", "on"])
  func serverField(word: String) throws {
    let server = try ServerProcess(
      app: try app(), ["--http-socket", "127.0.0.1:0", "--server-header", word])
    let reply = try server.connect().ask("/")
    #expect((reply["server"] != nil) == (word == "on") && reply["date"] != nil)
    // What the server itself answers follows the same rule.
    let socket = try server.connect()
    try socket.send("GET\r\n\r\n")
    let refusal = try socket.receiveLastReply()
    #expect(refusal.status == 400 && (refusal["server"] != nil) == (word == "on"))
    #expect(try server.stop() == .status(0))
  }

  // MARK: FastCGI roles, STDERR and allowed web servers

  @Test("a FastCGI authorizer allows with variables, or answers the client itself")
  func authorizer() throws {
    let server = try ServerProcess(app: try app(), ["--fastcgi-socket", "127.0.0.1:0"])
    var request = FastCGIClientRequest(params: [
      ("REQUEST_METHOD", "GET"), ("REQUEST_URI", "/x"), ("QUERY_STRING", ""),
    ])
    request.role = 2
    let allowed = try fastCGI(server, request)
    #expect(try allowed.reply.status == 200)
    #expect(try allowed.reply["variable-auth_method"] == "token")
    request.params[2].value = "no"
    let refused = try fastCGI(server, request)
    #expect(try refused.reply.status == 403 && refused.reply.text == "go away")
    request.role = 3
    #expect(try fastCGI(server, request).protocolStatus == 3, "the Filter role is unknown")
    #expect(try server.stop() == .status(0))
  }

  @Test("--fastcgi-stderr sends an app's error lines to the front end too", arguments: [true, false])
  func stderrRecords(asked: Bool) throws {
    let server = try ServerProcess(
      app: try app(), ["--fastcgi-socket", "127.0.0.1:0"] + (asked ? ["--fastcgi-stderr"] : []))
    let request = FastCGIClientRequest(params: [("REQUEST_METHOD", "GET"), ("PATH_INFO", "/complain")])
    let reply = try fastCGI(server, request)
    #expect(String(decoding: reply.stderr, as: UTF8.self).contains("something is wrong") == asked)
    #expect(try reply.reply.status == 200)
    #expect(try server.stop() == .status(0))
    #expect(server.process.output.contains("something is wrong"))
  }

  @Test(
    "FCGI_WEB_SERVER_ADDRS shuts others out",
    arguments: [
      ("192.0.2.1", false), ("192.0.2.1,127.0.0.1", true), ("192.0.2.1 , 127.0.0.1 ", true),
      ("1 27.0.0.1", false),
    ])
  func webServerAddresses(list: String, isServed: Bool) throws {
    let server = try ServerProcess(
      app: try app(), ["--fastcgi-socket", "127.0.0.1:0"], environment: ["FCGI_WEB_SERVER_ADDRS": list])
    let socket = try server.connect("fastcgi")
    _ = try? socket.send(FastCGIClientRequest(params: [("REQUEST_METHOD", "GET")]).bytes)
    let answer = (try? socket.receiveAll()) ?? []
    #expect(answer.isEmpty != isServed)
    #expect(try server.stop() == .status(0))
  }

  // MARK: Sockets, CGI, mounts

  @Test("abstract sockets", arguments: GatewayRequest.gateways)
  func abstractSockets(gateway: String) throws {
    let name = "@nsgi-test-\(UUID().uuidString)"
    let server = try ServerProcess(app: try app(), ["--\(gateway)-socket", name])
    #expect(try server.connect(gateway).exchange(gateway, "/").status == 200)
    #expect(try server.stop() == .status(0))
  }

  @Test("a script named nph- answers with a whole HTTP response")
  func nonParsedHeaders() throws {
    let (exit, output) = try ChildProcess.run(
      Repository.server, ["--cgi", "-L", "--app", Repository.app("hello_world_app")],
      environment: [
        "GATEWAY_INTERFACE": "CGI/1.1", "REQUEST_METHOD": "GET", "SCRIPT_NAME": "/cgi-bin/nph-hello",
        "SERVER_PROTOCOL": "HTTP/1.1", "QUERY_STRING": "",
      ])
    #expect(exit == .status(0))
    #expect(output.hasPrefix("HTTP/1.1 200 OK"), "\(output)")
    #expect(output.hasSuffix("Hello World!\n"))
  }

  @Test("several applications: the longest mount at a segment border gets the request")
  func mounts() throws {
    let app = try app()
    let hello = Repository.app("hello_world_app")
    let server = try ServerProcess(
      app: nil, ["--http-socket", "127.0.0.1:0", "--app", "/api=\(app)", "--mount", "/api/v2=\(hello)"])
    for (path, status, text) in [
      ("/api", 200, "/api"), ("/api/x", 200, "/api"), ("/api/v2/x", 200, "Hello World!\n"),
      ("/apix", 404, nil),
      ("/", 404, nil),
    ] as [(String, Int, String?)] {
      let reply = try server.connect().exchange("http", path)
      #expect(reply.status == status && (text == nil || reply.text == text), "\(path): \(reply.text)")
    }
    #expect(try server.stop() == .status(0))
  }
}
