// What front ends mean by their variables, and what HTTP says by itself: one set of values for an app. The
// quirks are those of nginx, lighttpd and Apache as their configuration files ship them.
import Support
import Testing
import Wire

@Suite struct NormalizerOfFieldsTests {
  @Test func ordinaryRequest() throws {
    var expected = Normalized()
    (expected.path, expected.query, expected.uri, expected.version) = (
      "/a/b", "x=1&y", "/a/b?x=1&y", "HTTP/1.1"
    )
    expected.name = "h"
    #expect(try http("GET /a/b?x=1&y HTTP/1.1") == expected)
  }

  @Test(
    "targets (RFC 9112 §3.2)",
    arguments: [
      ("/", "/", "", "/"), ("/?", "/", "", "/?"), ("/a?b?c", "/a", "b?c", "/a?b?c"),
      ("/%41%2f%3f?%41", "/A/?", "%41", "/%41%2f%3f?%41"), ("/a+b", "/a+b", "", "/a+b"),
      ("//a//b", "//a//b", "", "//a//b"), ("/a/../b", "/a/../b", "", "/a/../b"),
      ("/%ff", "/\u{fffd}", "", "/%ff"),
      ("http://h/x?y", "/x", "y", "/x?y"), ("http://h", "/", "", ""), ("http://h?q", "/", "q", "?q"),
    ])
  func targets(target: String, path: String, query: String, uri: String) throws {
    let found = try http("GET \(target) HTTP/1.1")
    #expect(found.path == path && found.query == query && found.script == "")
    if !target.hasPrefix("http://h") || target.hasSuffix("x?y") { #expect(found.uri == uri) }
  }

  @Test("OPTIONS * names no path")
  func asterisk() throws {
    let found = try http("OPTIONS * HTTP/1.1")
    #expect(found.path == "" && found.uri == "*" && found.method == "OPTIONS")
  }

  @Test("what cannot be decoded is refused with 400", arguments: ["/%", "/%4", "/%4x", "/a%zz/b", "/%%41"])
  func malformedEscapes(target: String) {
    #expect(throws: NormalizeError.malformedEscape) { try http("GET \(target) HTTP/1.1") }
    #expect(NormalizeError.malformedEscape.status == 400)
  }

  @Test("%00 would cut a C string short", arguments: ["/%00", "/a%00b", "/a%00?x"])
  func escapedNul(target: String) {
    #expect(throws: NormalizeError.escapedNul) { try http("GET \(target) HTTP/1.1") }
    #expect(NormalizeError.escapedNul.status == 400)
  }

  @Test("the query is not decoded, so nothing in it is refused")
  func queryAsSent() throws {
    #expect(try http("GET /?a=%00&b=% HTTP/1.1").query == "a=%00&b=%")
  }

  @Test(
    "SERVER_NAME is the host that the client named, without its port",
    arguments: [
      ("example.org", "example.org"), ("example.org:8080", "example.org"), ("h:", "h"),
      ("127.0.0.1:80", "127.0.0.1"),
      ("[::1]:8080", "[::1]"), ("[::1]", "[::1]"), ("[2001:db8::7]", "[2001:db8::7]"),
      ("host8080", "host8080"),
    ])
  func serverName(host: String, name: String) throws {
    #expect(try http("GET / HTTP/1.1", "Host: \(host)\r\n").name == name)
  }

  @Test("without a Host, or with an empty one, it is the listener's")
  func listenerName() throws {
    #expect(try http("GET / HTTP/1.0", "").name == "localhost")
    #expect(try http("GET / HTTP/1.1", "Host:\r\n").name == "localhost")
    #expect(try http("GET http://other/ HTTP/1.1", "Host: other\r\n").name == "other")
  }

  @Test func protocolAndBody() throws {
    #expect(try http("GET / HTTP/1.0", "").version == "HTTP/1.0")
    let posted = try http("POST / HTTP/1.1", "Host: h\r\nContent-Length: 5\r\nContent-Type: a/b; c=d \r\n")
    #expect(posted.length == 5 && posted.type == "a/b; c=d" && posted.version == "HTTP/1.1")
    #expect(try http("POST / HTTP/1.1", "Host: h\r\nTransfer-Encoding: chunked\r\n").length == -1)
    #expect(try http("POST / HTTP/1.1", "Host: h\r\nContent-Length: 0\r\n").length == 0)
    #expect(try http("GET / HTTP/1.1").type == nil)
  }

  @Test("an HTTP client cannot claim a scheme or an address")
  func claims() throws {
    let found = try http(
      "GET / HTTP/1.1", "Host: h\r\nHTTPS: on\r\nX-Forwarded-Proto: https\r\nRemote-Addr: 6.6.6.6\r\n")
    #expect(found.scheme == "http" && found.address == "192.0.2.1")
  }
}

@Suite struct NormalizerOfVariablesTests {
  @Test("nginx's uwsgi_params: no SCRIPT_NAME, PATH_INFO is the decoded, merged URI")
  func nginxUWSGI() throws {
    let found = try variables([
      "QUERY_STRING": "x=%20", "REQUEST_METHOD": "POST", "CONTENT_TYPE": "", "REQUEST_URI": "//a%20b/?x=%20",
      "PATH_INFO": "/a b/", "DOCUMENT_ROOT": "/usr/share/nginx/html", "SERVER_PROTOCOL": "HTTP/1.1",
      "REQUEST_SCHEME": "http", "REMOTE_ADDR": "198.51.100.4", "REMOTE_PORT": "5", "SERVER_PORT": "80",
      "SERVER_NAME": "example.org",
    ])
    var expected = Normalized()
    (expected.method, expected.path, expected.query) = ("POST", "/a b/", "x=%20")
    (expected.uri, expected.version) = ("//a%20b/?x=%20", "HTTP/1.1")
    (expected.address, expected.name) = ("198.51.100.4", "example.org")
    (expected.port, expected.remotePort) = ("80", "5")
    #expect(found == expected)
  }

  @Test("nginx's fastcgi_params: the path is in SCRIPT_NAME and PATH_INFO is missing")
  func nginxFastCGI() throws {
    #expect(
      try paths(["SCRIPT_NAME": "/a/b", "REQUEST_URI": "/a/b?x", "DOCUMENT_URI": "/a/b"]) == ["/a/b", ""])
    // The option takes both together as the path.
    #expect(try paths(["SCRIPT_NAME": "/a/b", "REQUEST_URI": "/a/b?x"], fixesRoot: true) == ["", "/a/b"])
  }

  @Test("nginx's scgi_params: neither; the URI tells both")
  func nginxSCGI() throws {
    #expect(try paths(["REQUEST_URI": "/a%20b?x=1", "DOCUMENT_URI": "/a b"]) == ["", "/a b"])
    #expect(try variables(["REQUEST_URI": "/a%20b?x=1"]).query == "x=1")
  }

  @Test(
    "lighttpd's \"/\" prefix: the first segment is SCRIPT_NAME; with fix-root-scriptname it is all PATH_INFO")
  func lighttpdRoot() throws {
    #expect(
      try paths(["SCRIPT_NAME": "/abc", "PATH_INFO": "/def", "REQUEST_URI": "/abc/def"]) == ["/abc", "/def"])
    #expect(
      try paths(["SCRIPT_NAME": "/abc", "PATH_INFO": "/def", "REQUEST_URI": "/abc/def"], fixesRoot: true)
        == ["", "/abc/def"])
    #expect(try paths(["SCRIPT_NAME": "/abc", "REQUEST_URI": "/abc"], fixesRoot: true) == ["", "/abc"])
    #expect(
      try paths(["SCRIPT_NAME": "", "PATH_INFO": "/abc/def", "REQUEST_URI": "/abc/def"]) == ["", "/abc/def"])
  }

  @Test("lighttpd's \"/app\" prefix: the mount, and the rest or nothing")
  func lighttpdMount() throws {
    #expect(
      try paths(["SCRIPT_NAME": "/app", "PATH_INFO": "/x", "REQUEST_URI": "/app/x"]) == ["/app", "/x"])
    #expect(try paths(["SCRIPT_NAME": "/app", "REQUEST_URI": "/app"]) == ["/app", ""])
    #expect(
      try paths(["SCRIPT_NAME": "/app", "PATH_INFO": "", "REQUEST_URI": "/app/y?z"]) == ["/app", "/y"])
  }

  @Test("Apache: the whole URI is SCRIPT_NAME, or cut by PATH_INFO, while REQUEST_URI keeps the escapes")
  func apache() throws {
    #expect(try paths(["SCRIPT_NAME": "/a b", "REQUEST_URI": "/a%20b"]) == ["/a b", ""])
    #expect(try paths(["SCRIPT_NAME": "", "PATH_INFO": "/a b", "REQUEST_URI": "//a%20b"]) == ["", "/a b"])
    #expect(
      try variables(["SCRIPT_NAME": "", "PATH_INFO": "/a b", "REQUEST_URI": "//a%20b"]).uri == "//a%20b")
  }

  @Test("SCRIPT_NAME is never \"/\"")
  func slash() throws {
    #expect(try paths(["SCRIPT_NAME": "/", "PATH_INFO": "/x", "REQUEST_URI": "/x"]) == ["", "/x"])
    #expect(try paths(["SCRIPT_NAME": "/", "REQUEST_URI": "/x/y?z"]) == ["", "/x/y"])
    #expect(try paths(["SCRIPT_NAME": "/", "PATH_INFO": "x", "REQUEST_URI": "/x"]) == ["", "/x"])
  }

  @Test("a missing PATH_INFO is derived below SCRIPT_NAME, decoded, at a segment border only")
  func derived() throws {
    #expect(try paths(["SCRIPT_NAME": "/app", "REQUEST_URI": "/app/a%2fb"]) == ["/app", "/a/b"])
    #expect(try paths(["SCRIPT_NAME": "/a p", "REQUEST_URI": "/a%20p/x"]) == ["/a p", "/x"])
    #expect(try paths(["SCRIPT_NAME": "/app", "REQUEST_URI": "/apple"]) == ["/app", ""])
    #expect(try paths(["SCRIPT_NAME": "/app", "REQUEST_URI": "/other/x"]) == ["/app", ""])
    #expect(try paths(["REQUEST_URI": "/"]) == ["", "/"])
  }

  @Test("without a URI the document's path serves, and REQUEST_URI is made of what there is")
  func withoutURI() throws {
    #expect(try paths(["DOCUMENT_URI": "/d"]) == ["", "/d"])
    #expect(try variables(["DOCUMENT_URI": "/d"]).uri == "/d")
    #expect(try variables(["PATH_INFO": "/p"]).uri == "/p")
    #expect(try paths(["REQUEST_METHOD": "GET"]) == ["", ""])
  }

  @Test("an escape that cannot be decoded is refused, in whatever variable the path comes")
  func malformed() {
    #expect(throws: NormalizeError.malformedEscape) { try variables(["REQUEST_URI": "/%zz"]) }
    #expect(throws: NormalizeError.escapedNul) { try variables(["REQUEST_URI": "/a%00"]) }
  }

  @Test("PATH_INFO is decoded already: a percent sign in it is a percent sign")
  func percentInPathInfo() throws {
    #expect(try paths(["PATH_INFO": "/100%", "REQUEST_URI": "/100%25"]) == ["", "/100%"])
  }

  @Test("QUERY_STRING as given, else from the URI, else empty")
  func query() throws {
    #expect(try variables(["REQUEST_URI": "/a?x", "QUERY_STRING": "y"]).query == "y")
    #expect(try variables(["REQUEST_URI": "/a?x", "QUERY_STRING": ""]).query == "")
    #expect(try variables(["REQUEST_URI": "/a?x?y"]).query == "x?y")
    #expect(try variables(["REQUEST_URI": "/a"]).query == "")
  }

  @Test("what a front end leaves out has a default")
  func defaults() throws {
    var expected = Normalized()
    (expected.path, expected.uri) = ("/", "/")
    #expect(try variables(["PATH_INFO": "/"]) == expected)
    #expect(try variables(["REQUEST_METHOD": "", "SERVER_PROTOCOL": "", "SERVER_NAME": ""]).method == "GET")
    #expect(try variables(["SERVER_PROTOCOL": ""]).version == "HTTP/1.0")
    #expect(try variables(["SERVER_NAME": ""]).name == "localhost")
  }

  @Test(
    "the scheme: HTTPS in any case of \"on\", or 1, or REQUEST_SCHEME",
    arguments: [
      (["HTTPS": "on"], "https"), (["HTTPS": "ON"], "https"), (["HTTPS": "1"], "https"),
      (["HTTPS": "off"], "http"),
      (["HTTPS": ""], "http"), (["HTTPS": "0"], "http"), (["REQUEST_SCHEME": "https"], "https"),
      (["REQUEST_SCHEME": "HTTPS"], "https"), (["REQUEST_SCHEME": "http"], "http"),
      (["REQUEST_SCHEME": "ws"], "http"),
      (["HTTP_X_FORWARDED_PROTO": "https"], "http"), (["HTTP_HTTPS": "on"], "http"),
    ] as [(KeyValuePairs<String, String>, String)])
  func scheme(list: KeyValuePairs<String, String>, scheme: String) throws {
    #expect(try variables(list).scheme == scheme)
  }

  @Test("the client's address is the front end's word, also an empty one; without it the peer's")
  func address() throws {
    #expect(try variables(["REMOTE_ADDR": "203.0.113.7"]).address == "203.0.113.7")
    #expect(try variables(["REMOTE_ADDR": "unix:"], peer: "").address == "unix:")
    #expect(try variables(["REQUEST_URI": "/"], peer: "127.0.0.1").address == "127.0.0.1")
    #expect(try variables(["REQUEST_URI": "/"], peer: "").address == "")
    #expect(try variables(["HTTP_REMOTE_ADDR": "6.6.6.6"]).address == "192.0.2.1")
  }

  @Test("an empty CONTENT_LENGTH or CONTENT_TYPE is none (nginx sends both with a GET)")
  func emptyContentVariables() throws {
    let params = [("REQUEST_METHOD", "GET"), ("CONTENT_LENGTH", ""), ("CONTENT_TYPE", "")]
    let list = params.map { (name: $0.0, value: $0.1) }
    #expect(try normalize(UWSGIClientRequest(variables: list).bytes, .uwsgi).length == 0)
    #expect(try normalize(UWSGIClientRequest(variables: list).bytes, .uwsgi).type == nil)
    #expect(try normalize(FastCGIClientRequest(params: list).bytes, .fastcgi).type == nil)
  }

  @Test("CONTENT_LENGTH counts, whatever HTTP_TRANSFER_ENCODING says: the front end has taken the coding off")
  func chunkedAtTheFrontEnd() throws {
    let list: [(name: String, value: String)] = [
      ("REQUEST_METHOD", "POST"), ("CONTENT_LENGTH", "7"), ("HTTP_TRANSFER_ENCODING", "chunked"),
    ]
    #expect(try normalize(UWSGIClientRequest(variables: list, body: [1]).bytes, .uwsgi).length == 7)
    #expect(try normalize(FastCGIClientRequest(params: list, body: [1]).bytes, .fastcgi).length == 7)
  }

  @Test("FastCGI without CONTENT_LENGTH: the length is unknown until the stream ends")
  func streamWithoutLength() throws {
    #expect(
      try normalize(FastCGIClientRequest(params: [("REQUEST_METHOD", "POST")]).bytes, .fastcgi).length == -1)
  }

  @Test("the last of two variables of one name counts (nginx sends both)")
  func doubled() throws {
    let list: [(name: String, value: String)] = [("REQUEST_METHOD", "GET"), ("REQUEST_METHOD", "PUT")]
    #expect(try normalize(UWSGIClientRequest(variables: list).bytes, .uwsgi).method == "PUT")
    #expect(try normalize(FastCGIClientRequest(params: list).bytes, .fastcgi).method == "PUT")
  }

  @Test("joining: one text itself when the other is empty, else a new one")
  func joined() {
    var arena = Arena(size: 64)
    func join(_ first: Text, _ second: Text) -> String {
      let text = Normalizer.joined(first, second, &arena)
      #expect(text.start != nil && text.start![text.count] == 0)
      return String(decoding: text.bytes, as: UTF8.self)
    }
    #expect(join(Text("/a"), Text("/b")) == "/a/b")
    #expect(join(.empty, Text("/b")) == "/b")
    #expect(join(Text("/a"), .empty) == "/a")
    #expect(join(Text("/a"), .absent) == "/a")
    #expect(join(.absent, .absent) == "")
  }
}
