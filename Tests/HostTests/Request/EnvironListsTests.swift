// From a request's fields to the environ of an app: joined, renamed, and free of what a client could forge.
import CNSGI
import Config
import Foundation
import Support
import Testing
import Wire

@testable import Host

@Suite struct EnvironListsTests {
  /// What a front end sends, over each protocol that carries variables on a socket.
  private func gateways(_ variables: [(name: String, value: String)]) throws -> [ExchangeBench] {
    [
      try scgi(variables),
      try ExchangeBench(UWSGIClientRequest(variables: variables).bytes, gateway: .uwsgi),
      try ExchangeBench(FastCGIClientRequest(params: variables).bytes, gateway: .fastcgi),
    ]
  }

  private func http(_ fields: String, target: String = "/a/b?x=1", settings: Settings = Settings()) throws
    -> ExchangeBench
  {
    try ExchangeBench(Array("GET \(target) HTTP/1.1\r\n\(fields)\r\n".utf8), settings: settings)
  }

  private func scgi(_ variables: [(name: String, value: String)], body: [UInt8] = []) throws -> ExchangeBench
  {
    var request = SCGIRequest()
    request.variables = variables
    request.body = body
    return try ExchangeBench(request.bytes, gateway: .scgi)
  }

  @Test("the variables that every HTTP request has (RFC 3875 §4.1)")
  func httpVariables() throws {
    let bench = try http("Host: example.org:8080\r\n")
    let port = bench.worker.listeners[0].port
    for (name, value) in [
      ("REQUEST_METHOD", "GET"), ("SCRIPT_NAME", ""), ("PATH_INFO", "/a/b"), ("QUERY_STRING", "x=1"),
      ("REQUEST_URI", "/a/b?x=1"), ("SERVER_PROTOCOL", "HTTP/1.1"), ("REQUEST_SCHEME", "http"),
      ("REMOTE_ADDR", "192.0.2.9"), ("REMOTE_PORT", "40000"), ("SERVER_NAME", "example.org"),
      ("SERVER_PORT", "\(port)"), ("GATEWAY_INTERFACE", "CGI/1.1"), ("HTTP_HOST", "example.org:8080"),
    ] {
      #expect(bench[name] == value, "\(name)")
    }
    #expect(bench["SERVER_SOFTWARE"]?.hasPrefix("nsgi-server/") == true)
    for name in ["CONTENT_LENGTH", "CONTENT_TYPE", "HTTPS"] { #expect(bench[name] == nil, "\(name)") }
  }

  @Test(
    "repeated fields are one variable: with a comma, cookies with a semicolon (RFC 9110 §5.3, RFC 6265)"
  )
  func duplicates() throws {
    let bench = try http(
      "Host: h\r\nAccept: a\r\nCookie: x=1\r\nACCEPT: b\r\nX-One: 1\r\n"
        + "cookie: y=2\r\naccept: \r\nCookie: z=3\r\n"
    )
    #expect(bench["HTTP_ACCEPT"] == "a, b, ")
    #expect(bench["HTTP_COOKIE"] == "x=1; y=2; z=3")
    #expect(bench["HTTP_X_ONE"] == "1")
  }

  @Test("header fields keep their order, their repetitions and nothing but lower case")
  func fieldList() throws {
    let bench = try http("Host: h\r\nX-B: 1\r\nx-a: 2\r\nX-B: 3\r\nX_Under: 4\r\n")
    let fields = bench.fields.map { "\($0.name)=\($0.value)" }
    #expect(fields.starts(with: ["host=h", "x-b=1", "x-a=2", "x-b=3"]))
  }

  @Test("the Proxy field never becomes HTTP_PROXY (CVE-2016-5385)", arguments: ["Proxy", "PROXY", "proxy"])
  func httpoxy(name: String) throws {
    #expect(try http("Host: h\r\n\(name): http://evil/\r\n")["HTTP_PROXY"] == nil)
    #expect(try scgi([("HTTP_PROXY", "http://evil/")])["HTTP_PROXY"] == nil)
    #expect(try scgi([("HTTP_PROXY", "http://evil/")]).fields.allSatisfy { $0.name != "proxy" })
  }

  @Test("a field whose name has an underscore cannot pass for one with a hyphen")
  func underscores() throws {
    let bench = try http(
      "Host: h\r\nX_Forwarded_For: 6.6.6.6\r\nX-Real: 1\r\nX_Real: 2\r\nContent_Length: 7\r\n")
    #expect(bench["HTTP_X_FORWARDED_FOR"] == nil)
    #expect(bench["HTTP_X_REAL"] == "1")
    #expect(bench["HTTP_CONTENT_LENGTH"] == nil)
    #expect(bench["CONTENT_LENGTH"] == nil)
  }

  @Test("Content-Type and Content-Length have variables of their own and no HTTP_ double")
  func contentVariables() throws {
    let bench = try ExchangeBench(
      Array("POST / HTTP/1.1\r\nHost: h\r\nContent-Type: text/plain\r\nContent-Length: 12\r\n\r\n".utf8))
    #expect(bench["CONTENT_TYPE"] == "text/plain")
    #expect(bench["CONTENT_LENGTH"] == "12")
    #expect(bench["HTTP_CONTENT_TYPE"] == nil && bench["HTTP_CONTENT_LENGTH"] == nil)
    let nginx = try scgi(
      [
        ("CONTENT_TYPE", "a/b"), ("HTTP_CONTENT_TYPE", "a/b"), ("HTTP_CONTENT_LENGTH", "5"),
        ("REQUEST_METHOD", "POST"),
      ],
      body: [1, 2, 3, 4, 5])
    #expect(nginx["CONTENT_TYPE"] == "a/b" && nginx["CONTENT_LENGTH"] == "5")
    #expect(nginx["HTTP_CONTENT_TYPE"] == nil && nginx["HTTP_CONTENT_LENGTH"] == nil)
  }

  @Test("a body of unknown length has no CONTENT_LENGTH, and its coding is not the app's business")
  func chunked() throws {
    let bench = try ExchangeBench(
      Array("POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\nTE: trailers\r\n\r\n0\r\n\r\n".utf8))
    #expect(bench["CONTENT_LENGTH"] == nil)
    #expect(bench["HTTP_TRANSFER_ENCODING"] == nil && bench["HTTP_TE"] == nil)
  }

  @Test("fields of the connection that ends here are not shown (RFC 9110 §7.6.1)")
  func hopByHop() throws {
    let bench = try http(
      "Host: h\r\nConnection: keep-alive, Upgrade\r\nKeep-Alive: 5\r\nUpgrade: h2c\r\nTrailer: X\r\n")
    for name in ["CONNECTION", "KEEP_ALIVE", "UPGRADE", "TRAILER"] {
      #expect(bench["HTTP_\(name)"] == nil, "\(name)")
    }
  }

  @Test("values keep their bytes, also those above 127 and empty ones")
  func values() throws {
    let bench = try ExchangeBench(
      Array("GET / HTTP/1.1\r\nHost: h\r\nX-Bytes: \u{e9}\t\"x\" \r\nX-Empty:\r\nX-Last: end\r\n\r\n".utf8))
    #expect(bench["HTTP_X_BYTES"] == "\u{e9}\t\"x\"")
    #expect(bench["HTTP_X_EMPTY"] == "")
    #expect(bench["HTTP_X_LAST"] == "end")
  }

  @Test("the front end's variables come through; of two with one name the last counts, fields are joined")
  func frontEndVariables() throws {
    let variables: [(name: String, value: String)] = [
      ("REQUEST_METHOD", "GET"), ("REQUEST_URI", "/a"), ("DOCUMENT_ROOT", "/one"), ("SERVER_PORT", "443"),
      ("REMOTE_PORT", "1234"), ("HTTP_X_A", "1"), ("HTTP_X_A", "2"),
    ]
    for bench in try gateways(variables) {
      #expect(bench["DOCUMENT_ROOT"] == "/one")
      #expect(bench["HTTP_X_A"] == "1, 2")
      #expect(bench["SERVER_PORT"] == "443" && bench["REMOTE_PORT"] == "1234")
      #expect(bench["SCGI"] == nil)
      #expect(bench["PATH_INFO"] == "/a")
    }
    // SCGI refuses this.
    let twice = variables + [("DOCUMENT_ROOT", "/two")]
    let uwsgi = try ExchangeBench(UWSGIClientRequest(variables: twice).bytes, gateway: .uwsgi)
    let fastcgi = try ExchangeBench(FastCGIClientRequest(params: twice).bytes, gateway: .fastcgi)
    #expect(uwsgi["DOCUMENT_ROOT"] == "/two" && fastcgi["DOCUMENT_ROOT"] == "/two")
  }

  @Test("what the server itself says to an app, nobody else does")
  func reservedNames() throws {
    let names = ["wsgi.input", "wsgi.url_scheme", "wsgi.file_wrapper", "nsgi.version", "wsgi.anything"]
    for bench in try gateways(names.map { ($0, "forged") } + [("other.name", "kept")]) {
      for name in names { #expect(bench[name] == nil, "\(name)") }
      #expect(bench["other.name"] == "kept")
    }
    let http = try http("Host: h\r\nwsgi.input: x\r\n")
    #expect(http["wsgi.input"] == nil && http["HTTP_WSGI.INPUT"] == "x")
  }

  @Test("a length that was stated is told, be it 0; one that was not is not")
  func statedLength() throws {
    #expect(try http("Host: h\r\nContent-Length: 0\r\n")["CONTENT_LENGTH"] == "0")
    #expect(try http("Host: h\r\n")["CONTENT_LENGTH"] == nil)
    #expect(try scgi([])["CONTENT_LENGTH"] == "0", "SCGI states it always")
    for (text, expected) in [("0", "0"), ("00", "0"), ("", nil), (nil, nil)] as [(String?, String?)] {
      let list = [(name: "X", value: "")] + (text.map { [(name: "CONTENT_LENGTH", value: $0)] } ?? [])
      let uwsgi = try ExchangeBench(UWSGIClientRequest(variables: list).bytes, gateway: .uwsgi)
      #expect(uwsgi["CONTENT_LENGTH"] == expected)
      #expect(uwsgi.fields.contains { $0.name == "content-length" } == (expected != nil))
      let fastcgi = try ExchangeBench(FastCGIClientRequest(params: list).bytes, gateway: .fastcgi)
      // The end of STDIN tells the length of a body that nobody has announced.
      if fastcgi.exchange.pointee.meta.contentLength < 0 { fastcgi.exchange.pointee.meta.contentLength = 0 }
      #expect(fastcgi["CONTENT_LENGTH"] == expected)
    }
    let unknown = try ExchangeBench(
      FastCGIClientRequest(params: [("CONTENT_LENGTH", "-1")]).bytes, gateway: .fastcgi)
    #expect(unknown["CONTENT_LENGTH"] == nil && unknown.fields.isEmpty)
    unknown.exchange.pointee.lists = EnvironLists()
    unknown.exchange.pointee.meta.contentLength = 11
    #expect(unknown["CONTENT_LENGTH"] == "11", "counted")
  }

  @Test(
    "the authority of an absolute target stands for Host, and the target stays what it is",
    arguments: ["http://other.test/admin/x?q", "HTTP://other.test:81/admin/x?q"],
    ["Host: h\r\n", "Host:\r\n", "X: y\r\nHost: other.test\r\n"])
  func absoluteTarget(target: String, fields: String) throws {
    let authority = target.contains(":81") ? "other.test:81" : "other.test"
    for listsFirst in [true, false] {
      let bench = try http(fields, target: target)
      if listsFirst { #expect(bench.fields.contains { $0 == ("host", authority) }) }
      let list = [
        "HTTP_HOST": authority, "PATH_INFO": "/admin/x", "REQUEST_URI": "/admin/x?q", "QUERY_STRING": "q",
        "SERVER_NAME": "other.test", "SCRIPT_NAME": "",
      ]
      for (name, value) in list { #expect(bench[name] == value, "\(name)") }
      #expect(bench.fields.filter { $0.name == "host" }.map(\.value) == [authority])
      #expect(bench.exchange.pointee.requestLine == "GET /admin/x?q")
    }
  }

  @Test("an HTTP/1.0 request without Host has that of its absolute target")
  func absoluteTargetOfHTTP10() throws {
    let bench = try ExchangeBench(Array("GET http://other.test/x HTTP/1.0\r\n\r\n".utf8))
    #expect(bench["HTTP_HOST"] == "other.test" && bench["PATH_INFO"] == "/x")
  }

  @Test("a port that is none is completed with that of the scheme", arguments: ["", "0", "x", "70000"])
  func ports(text: String) throws {
    for bench in try gateways([("SERVER_PORT", text), ("REMOTE_PORT", text)]) {
      #expect(bench["SERVER_PORT"] == "80" && bench["REMOTE_PORT"] == nil)
    }
    for bench in try gateways([("SERVER_PORT", text), ("HTTPS", "on")]) {
      #expect(bench["SERVER_PORT"] == "443")
    }
  }

  @Test("what a front end leaves out is completed (RFC 3875 §4.1)", arguments: [false, true])
  func completed(isSecure: Bool) throws {
    let bench = try scgi([("REQUEST_URI", "/a")] + (isSecure ? [("HTTPS", "on")] : []))
    #expect(bench["SERVER_PORT"] == (isSecure ? "443" : "80"))
    #expect(bench["SERVER_SOFTWARE"]?.isEmpty == false)
    #expect(bench["REQUEST_METHOD"] == "GET" && bench["SERVER_PROTOCOL"] == "HTTP/1.0")
    #expect(
      bench["GATEWAY_INTERFACE"] == "CGI/1.1" && bench["QUERY_STRING"] == "" && bench["SCRIPT_NAME"] == "")
    #expect(bench["SERVER_NAME"]?.isEmpty == false)
    #expect(bench["HTTPS"] == (isSecure ? "on" : nil))
    #expect(bench["REQUEST_SCHEME"] == (isSecure ? "https" : "http"))
  }

  @Test("header fields are rebuilt from HTTP_ variables, with the content's own two")
  func rebuiltFields() throws {
    let bench = try scgi(
      [("CONTENT_TYPE", "a/b"), ("HTTP_USER_AGENT", "me"), ("HTTP_", "none"), ("DOCUMENT_ROOT", "/x")],
      body: [1])
    let fields = bench.fields.map { "\($0.name)=\($0.value)" }.sorted()
    #expect(fields == ["content-length=1", "content-type=a/b", "user-agent=me"])
  }

  @Test("the plain form's list is the environ, name and value in turn, with NULL at its end")
  func plainList() throws {
    let bench = try http("Host: h\r\nX-A: 1\r\n")
    let environ = bench.environ
    let list = bench.exchange.pointee.varsList()
    for (index, pair) in environ.enumerated() {
      #expect(String(cString: try #require(list[2 * index])) == pair.name)
      #expect(String(cString: try #require(list[2 * index + 1])) == pair.value)
    }
    #expect(list[2 * environ.count] == nil)
  }

  @Test("the same request gives the same environ over every gateway, but for what only one of them knows")
  func sameOverAll() throws {
    let target = "/a%20b/c?q=%41"
    let common: [(name: String, value: String)] = [
      ("REQUEST_METHOD", "GET"), ("REQUEST_URI", target), ("SCRIPT_NAME", ""), ("PATH_INFO", "/a b/c"),
      ("QUERY_STRING", "q=%41"), ("SERVER_PROTOCOL", "HTTP/1.1"), ("REMOTE_ADDR", "192.0.2.9"),
      ("REMOTE_PORT", "40000"), ("SERVER_NAME", "h"), ("HTTP_HOST", "h"), ("HTTP_X_A", "1"),
    ]
    let http = try http("Host: h\r\nX-A: 1\r\nContent-Length: 0\r\n", target: target)
    let sized = common + [(name: "CONTENT_LENGTH", value: "0")]
    let others = [
      try scgi(common),
      try ExchangeBench(UWSGIClientRequest(variables: sized).bytes, gateway: .uwsgi),
      try ExchangeBench(FastCGIClientRequest(params: sized).bytes, gateway: .fastcgi),
    ]
    func comparable(_ bench: ExchangeBench) -> [String] {
      bench.environ.filter { $0.name != "SERVER_PORT" }.map { "\($0.name)=\($0.value)" }.sorted()
    }
    for other in others { #expect(comparable(other) == comparable(http)) }
  }

  private var wide: Settings {
    var settings = Settings()
    (settings.limits.headerFields, settings.limits.headBytes) = (65_535, 16 << 20)
    return settings
  }

  /// Each field is joined, found and looked up in a time of its own, not of all others: a quadratic environ
  /// of so many fields takes minutes.
  @Test("many fields: all different, all the same, two in turn", arguments: [60_000, 1, 2], [false, true])
  func manyOfAKind(kinds: Int, isHTTP: Bool) throws {
    let count = 60_000
    let began = ContinuousClock.now
    let names = (0..<count).map { "X-\($0 % kinds)" }
    let bench: ExchangeBench
    if isHTTP {
      let text = "GET / HTTP/1.1\r\nHost: h\r\n" + names.map { "\($0): v\r\n" }.joined() + "\r\n"
      bench = try ExchangeBench(Array(text.utf8), settings: wide)
    } else {
      var request = SCGIRequest()
      request.variables = names.map { ("HTTP_" + $0.replacingOccurrences(of: "-", with: "_"), "v") }
      bench = try ExchangeBench(request.bytes, gateway: .scgi, settings: wide)
    }
    let list = bench.exchange.pointee.environList()
    let total = bench.exchange.pointee.lists.environCount
    var values: [String: Int] = [:]
    for index in 0..<total {
      values[String(decoding: list[index].name.bytes, as: UTF8.self)] = list[index].value.n
    }
    #expect(values.count == total, "a name occurs twice")
    for kind in 0..<kinds {
      let times = count / kinds
      #expect(values["HTTP_X_\(kind)"] == times + 2 * (times - 1))
      // What an app asks for one by one.
      let found = Array("HTTP_X_\(kind)".utf8).withUnsafeBytes { bench.exchange.pointee.variable(named: $0) }
      #expect(found.n == times + 2 * (times - 1))
    }
    let absent = Array("HTTP_NONE".utf8).withUnsafeBytes { bench.exchange.pointee.variable(named: $0) }
    #expect(absent.p == nil)
    let joined = Array("HTTP_X_0".utf8).withUnsafeBytes { bench.exchange.pointee.variable(named: $0) }
    #expect(String(decoding: joined.bytes.prefix(4), as: UTF8.self) == (kinds == count ? "v" : "v, v"))
    #expect(joined.p?[joined.n] == 0)
    _ = bench.exchange.pointee.fieldList()
    #expect(ContinuousClock.now - began < .seconds(60))
  }

  @Test("joined values are the same for a few fields and for many")
  func joinedAlike() throws {
    let repeated = "A: 1\r\nCookie: a=1\r\nB: x\r\nA: \r\ncookie: b=2\r\nA: 3\r\nb: y\r\n"
    let few = try http("Host: h\r\n" + repeated)
    let others = (0..<100).map { "X-\($0): v\r\n" }.joined()
    let many = try http("Host: h\r\n" + others + repeated)
    for bench in [few, many] {
      #expect(bench["HTTP_A"] == "1, , 3" && bench["HTTP_B"] == "x, y" && bench["HTTP_COOKIE"] == "a=1; b=2")
    }
  }

  @Test("as many fields as a head may have")
  func manyFields() throws {
    let names = (0..<255).map { "X-\($0)" }
    let bench = try http("Host: h\r\n" + names.map { "\($0): v\r\n" }.joined())
    for index in 0..<255 { #expect(bench["HTTP_X_\(index)"] == "v") }
  }
}
