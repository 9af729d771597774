// From a request's fields to the environ of an app: joined, renamed, and free of what a client could forge.
import CNSGI
import Config
import Foundation
import Support
import Testing
import Wire

@testable import Host

@Suite struct EnvironListsTests {
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
    let bench = try scgi([
      ("REQUEST_METHOD", "GET"), ("REQUEST_URI", "/a"), ("DOCUMENT_ROOT", "/one"), ("SERVER_PORT", "443"),
      ("REMOTE_PORT", "1234"), ("HTTP_X_A", "1"), ("DOCUMENT_ROOT", "/two"), ("HTTP_X_A", "2"),
    ])
    #expect(bench["DOCUMENT_ROOT"] == "/two")
    #expect(bench["HTTP_X_A"] == "1, 2")
    #expect(bench["SERVER_PORT"] == "443" && bench["REMOTE_PORT"] == "1234")
    #expect(bench["SCGI"] == nil)
    #expect(bench["PATH_INFO"] == "/a")
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
    let http = try http("Host: h\r\nX-A: 1\r\n", target: target)
    let others = [
      try scgi(common),
      try ExchangeBench(UWSGIClientRequest(variables: common).bytes, gateway: .uwsgi),
      try ExchangeBench(FastCGIClientRequest(params: common).bytes, gateway: .fastcgi),
    ]
    func comparable(_ bench: ExchangeBench) -> [String] {
      bench.environ.filter { $0.name != "SERVER_PORT" }.map { "\($0.name)=\($0.value)" }.sorted()
    }
    for other in others { #expect(comparable(other) == comparable(http)) }
  }

  @Test("as many fields as a head may have")
  func manyFields() throws {
    let names = (0..<255).map { "X-\($0)" }
    let bench = try http("Host: h\r\n" + names.map { "\($0): v\r\n" }.joined())
    for index in 0..<255 { #expect(bench["HTTP_X_\(index)"] == "v") }
  }
}
