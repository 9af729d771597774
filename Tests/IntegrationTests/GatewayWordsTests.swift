// What front ends send in words of their own, over real sockets: paths, ports, schemes, lengths. The values
// by themselves are WireTests' business; here they come out of an app.
import Foundation
import Support
import Testing

/// Variables that differ from those of a usual request, and what the app must find.
struct GatewayWords: Sendable, CustomTestStringConvertible {
  var name: String
  /// nil: absent.
  var told: [String: String?]
  /// nil: absent.
  var found: [String: String?]

  var testDescription: String { name }

  init(_ name: String, _ told: [String: String?], _ found: [String: String?]) {
    (self.name, self.told, self.found) = (name, told, found)
  }

  /// The variables of the request.
  var variables: [(name: String, value: String)] {
    var list: [String: String] = [
      "REQUEST_METHOD": "GET", "REQUEST_URI": "/x?y", "SCRIPT_NAME": "", "PATH_INFO": "/x",
      "QUERY_STRING": "y",
      "SERVER_PROTOCOL": "HTTP/1.1", "SERVER_NAME": "example.test", "SERVER_PORT": "8000",
      "REMOTE_ADDR": "192.0.2.1", "REMOTE_PORT": "4711", "HTTP_HOST": "example.test",
    ]
    for (name, value) in told { list[name] = value }
    return list.map { (name: $0.key, value: $0.value) }
  }

  static let all: [GatewayWords] = [
    GatewayWords(
      "a slash behind SCRIPT_NAME", ["SCRIPT_NAME": "/u/", "PATH_INFO": "/", "REQUEST_URI": "/u/"],
      ["SCRIPT_NAME": "/u", "PATH_INFO": "/"]),
    GatewayWords(
      "SCRIPT_NAME beside the whole path",
      ["SCRIPT_NAME": "/repos", "PATH_INFO": "/repos/x", "REQUEST_URI": "/repos/x?y"],
      ["SCRIPT_NAME": "/repos", "PATH_INFO": "/x"]),
    GatewayWords(
      "an absolute URI alone",
      ["PATH_INFO": nil, "QUERY_STRING": nil, "REQUEST_URI": "https://example.test/a%20b?y=1"],
      ["PATH_INFO": "/a b", "QUERY_STRING": "y=1", "REQUEST_URI": "/a%20b?y=1", "REQUEST_SCHEME": "http"]),
    GatewayWords(
      "a lone % in a path that is decoded", ["PATH_INFO": "/100%", "REQUEST_URI": "/100%"],
      ["PATH_INFO": "/100%", "REQUEST_URI": "/100%"]),
    GatewayWords("an empty SERVER_PORT", ["SERVER_PORT": ""], ["SERVER_PORT": "80"]),
    GatewayWords(
      "a SERVER_PORT of 0 and TLS", ["SERVER_PORT": "0", "HTTPS": "on", "REMOTE_PORT": "0"],
      ["SERVER_PORT": "443", "REQUEST_SCHEME": "https", "REMOTE_PORT": nil]),
    GatewayWords(
      "a port in SERVER_NAME", ["SERVER_NAME": "example.test:8080", "SERVER_PORT": "8080"],
      ["SERVER_NAME": "example.test", "SERVER_PORT": "8080"]),
    GatewayWords(
      "a port in SERVER_NAME alone", ["SERVER_NAME": "[::1]:8080", "SERVER_PORT": nil],
      ["SERVER_NAME": "[::1]", "SERVER_PORT": "8080"]),
    GatewayWords(
      "a client's fields beside the address of a proxy that is trusted on HTTP sockets",
      [
        "REMOTE_ADDR": "127.0.0.1", "HTTPS": "on", "HTTP_X_FORWARDED_FOR": "192.0.2.66",
        "HTTP_X_FORWARDED_PROTO": "http",
      ],
      ["REMOTE_ADDR": "127.0.0.1", "REQUEST_SCHEME": "https", "HTTP_X_FORWARDED_FOR": "192.0.2.66"]),
    GatewayWords(
      "no address, where peers of unix sockets are trusted",
      ["REMOTE_ADDR": "", "HTTP_X_FORWARDED_FOR": "192.0.2.66"], ["REMOTE_ADDR": ""]),
    GatewayWords(
      "names that are the server's own", ["nsgi.version": "forged", "wsgi.input": "forged"],
      ["nsgi.version": nil, "wsgi.input": nil]),
  ]
}

@Suite struct GatewayWordsTests {
  /// Has no bearing on sockets of gateways, nor on CGI.
  private static let trusting = ["--trusted-proxy", "127.0.0.1", "--trusted-proxy", "unix"]

  private func report(
    _ gateway: String, _ server: ServerProcess, _ variables: [(name: String, value: String)]
  ) throws -> EnvironReport {
    let reply: Reply
    if gateway == "cgi" {
      var environment = ["GATEWAY_INTERFACE": "CGI/1.1", "NSGI_ARGUMENTS": "4"]
      for variable in variables { environment[variable.name] = variable.value }
      let words = ["--cgi", "-L", "--app", Repository.app("environ")] + Self.trusting
      let (exit, output) = try ChildProcess.run(Repository.server, words, environment: environment)
      #expect(exit == .status(0))
      reply = try Reply(gateway: Array(output.utf8))
    } else {
      let socket = try server.connect(gateway)
      try socket.send(GatewayRequest.bytes(gateway, variables: variables))
      reply = try GatewayRequest.reply(gateway, try socket.receiveAll())
    }
    return try EnvironReport(reply)
  }

  @Test("what a front end means, over every protocol", arguments: GatewayWords.all)
  func means(words: GatewayWords) throws {
    let server = try ServerProcess(
      ["scgi", "uwsgi", "fastcgi"].flatMap { ["--\($0)-socket", "127.0.0.1:0"] } + Self.trusting)
    for gateway in ["scgi", "uwsgi", "fastcgi", "cgi"] {
      let report = try report(gateway, server, words.variables)
      for (name, value) in words.found { #expect(report[name] == value, "\(name) over \(gateway)") }
    }
    #expect(try server.stop() == .status(0), "\(server.process.output)")
  }

  @Test("uwsgi's own words: the scheme, and modifier1 30")
  func uwsgiWords() throws {
    let server = try ServerProcess(["--uwsgi-socket", "127.0.0.1:0"])
    func report(_ modifier1: UInt8, _ told: [String: String?]) throws -> EnvironReport {
      var request = UWSGIClientRequest(variables: GatewayWords("", told, [:]).variables)
      request.modifier1 = modifier1
      let socket = try server.connect("uwsgi")
      try socket.send(request.bytes)
      return try EnvironReport(try Reply(gateway: try socket.receiveAll()))
    }
    let secure = try report(0, ["UWSGI_SCHEME": "https", "SERVER_PORT": ""])
    #expect(secure["REQUEST_SCHEME"] == "https" && secure["HTTPS"] == "on" && secure["SERVER_PORT"] == "443")
    let whole = try report(30, ["SCRIPT_NAME": "/app", "PATH_INFO": "/app/x", "REQUEST_URI": "/rewritten"])
    #expect(whole["SCRIPT_NAME"] == "/app" && whole["PATH_INFO"] == "/x")
    #expect(try server.stop() == .status(0))
  }

  @Test("below a mount the operator has said which reading is meant")
  func mounts() throws {
    let app = Repository.app("environ")
    let server = try ServerProcess(
      app: nil,
      ["scgi", "uwsgi", "fastcgi"].flatMap { ["--\($0)-socket", "127.0.0.1:0"] }
        + ["--mount", "/repos=\(app)"])
    for gateway in ["scgi", "uwsgi", "fastcgi"] {
      for (script, info, uri, path) in [
        ("/repos", "/repos/x", "/repos/x", "/x"), ("/repos", "/repos/x", nil, "/x"),
        ("/repos", "/repos/x", "/old", "/x"), ("/repos", "/x", "/repos/x", "/x"), ("", "/repos/x", nil, "/x"),
        ("/repos", "/repos/x", "/repos/repos/x", "/repos/x"), ("/repos/", "/repos", nil, ""),
      ] as [(String, String, String?, String)] {
        let told = ["SCRIPT_NAME": script, "PATH_INFO": info, "REQUEST_URI": uri]
        let report = try report(gateway, server, GatewayWords("", told, [:]).variables)
        #expect(report["SCRIPT_NAME"] == "/repos" && report["PATH_INFO"] == path, "\(told) over \(gateway)")
      }
    }
    #expect(try server.stop() == .status(0))
  }

  @Test("SCGI spoken to a uwsgi socket is answered at once, in SCGI", arguments: [10, 300, 5000])
  func scgiOnUWSGI(bytes: Int) throws {
    let server = try ServerProcess(["--uwsgi-socket", "127.0.0.1:0", "--header-timeout", "300"])
    let socket = try server.connect("uwsgi")
    let filler = [(name: "FILLER", value: String(repeating: "f", count: bytes))]
    try socket.send(GatewayRequest.bytes("scgi", variables: filler))
    let answer = String(decoding: try socket.receiveAll(), as: UTF8.self)
    #expect(answer.hasPrefix("Status: 400 ") && answer.contains("speaks uwsgi"), "\(answer)")
    #expect(try server.stop() == .status(0))
  }

  @Test("of a header that comes twice over SCGI the answer names it")
  func duplicateSCGIHeader() throws {
    let server = try ServerProcess(["--scgi-socket", "127.0.0.1:0"])
    for (name, shown) in [("DOCUMENT_ROOT", "DOCUMENT_ROOT"), ("a\n\u{1b}[2J", "a???2J")] {
      let socket = try server.connect("scgi")
      try socket.send(GatewayRequest.bytes("scgi", variables: [(name, "1"), (name, "2")]))
      let reply = try GatewayRequest.reply("scgi", try socket.receiveAll())
      #expect(reply.status == 400 && reply.text.contains("SCGI header \(shown) is given twice"))
    }
    #expect(try server.stop() == .status(0))
  }

  // MARK: Lengths

  private let chunks = Array("5\r\nhello\r\n0\r\n\r\n".utf8)

  @Test("a body in chunks without a length is refused, never taken for none", arguments: ["scgi", "uwsgi"])
  func chunksWithoutLength(gateway: String) throws {
    let server = try ServerProcess(["--\(gateway)-socket", "127.0.0.1:0"])
    let words = GatewayWords("", ["REQUEST_METHOD": "POST", "HTTP_TRANSFER_ENCODING": "chunked"], [:])
    let stated = GatewayRequest.bytes(gateway, variables: words.variables) + chunks
    var requests = [stated]
    if gateway == "uwsgi" {
      let absent = GatewayRequest.bytes(gateway, variables: words.variables, statesLength: false)
      requests += [absent + chunks, absent]
    }
    // A field that came twice, whichever of the two the protocol takes for a single value.
    for codings in [["identity", "chunked"], ["chunked", "identity"]] {
      let fields = codings.map { (name: "HTTP_TRANSFER_ENCODING", value: $0) }
      let post = GatewayWords("", ["REQUEST_METHOD": "POST"], [:]).variables
      requests.append(GatewayRequest.bytes(gateway, variables: post + fields) + chunks)
    }
    for request in requests {
      let socket = try server.connect(gateway)
      try socket.send(request)
      #expect(try GatewayRequest.reply(gateway, try socket.receiveAll()).status == 411)
    }
    // Chunks of nothing, as nginx passes them on.
    let empty = try server.connect(gateway)
    try empty.send(GatewayRequest.bytes(gateway, variables: words.variables))
    let report = try EnvironReport(try GatewayRequest.reply(gateway, try empty.receiveAll()))
    #expect(report.bodyLength == 0 && report["CONTENT_LENGTH"] == "0")
    #expect(try server.stop() == .status(0))
  }

  @Test(
    "a body in chunks through nginx has its length, be it 0",
    arguments: Route.all.filter { $0.frontEnd == "nginx" && $0.file.contains("tcp") })
  func chunksThroughNginx(route: Route) throws {
    try route.run(app: Repository.app("environ")) { frontEnd, _ in
      for body in ["hello", ""] {
        let options = ["-H", "Transfer-Encoding: chunked", "--data-binary", body]
        let report = try EnvironReport(try Curl.get(frontEnd.url + route.prefix + "/", options))
        #expect(report.bodyLength == body.utf8.count)
        #expect(report["CONTENT_LENGTH"] == "\(body.utf8.count)", "\(route.file)")
      }
    }
  }

  @Test("FastCGI's body goes to the end of STDIN when nobody knows its length (Caddy)")
  func unknownLength() throws {
    let server = try ServerProcess(["--fastcgi-socket", "127.0.0.1:0"])
    for body in ["hello=world", ""] {
      let words = GatewayWords("", ["REQUEST_METHOD": "POST", "CONTENT_LENGTH": "-1"], [:])
      let socket = try server.connect("fastcgi")
      try socket.send(
        GatewayRequest.bytes(
          "fastcgi", variables: words.variables, body: Array(body.utf8), statesLength: false))
      let report = try EnvironReport(try GatewayRequest.reply("fastcgi", try socket.receiveAll()))
      #expect(report.bodyLength == body.utf8.count)
      #expect(report["CONTENT_LENGTH"] == (body.isEmpty ? nil : "11"))
    }
    #expect(try server.stop() == .status(0))
  }

  @Test("a CGI program's body in chunks goes to the end of standard input (Apache takes the chunks off)")
  func chunksOverCGI() throws {
    for (body, options, status) in [
      ("hello", "", 200), ("", "", 200), ("0123456789", "--limit-post 10", 200),
      ("0123456789x", "--limit-post 10", 413),
    ] {
      let command =
        "printf %s '\(body)' | '\(Repository.server)' --cgi -L \(options) --app "
        + "'\(Repository.app("environ"))' 2>/dev/null"
      let (_, output) = try ChildProcess.run(
        "/bin/sh", ["-c", command],
        environment: [
          "GATEWAY_INTERFACE": "CGI/1.1", "REQUEST_METHOD": "POST", "HTTP_TRANSFER_ENCODING": "chunked",
          "REQUEST_URI": "/", "SCRIPT_NAME": "", "PATH_INFO": "/", "SERVER_PROTOCOL": "HTTP/1.1",
        ])
      let reply = try Reply(gateway: Array(output.utf8))
      #expect(reply.status == status, "\(output)")
      guard status == 200 else { continue }
      let report = try EnvironReport(reply)
      #expect(report.bodyLength == body.utf8.count)
      #expect(report["CONTENT_LENGTH"] == (body.isEmpty ? nil : "\(body.utf8.count)"))
    }
  }
}
