// What an app must find in its environ for each request, whatever web server and protocol brought it.
import Support

/// What a variable's value must be.
enum Expected: Sendable, CustomStringConvertible, ExpressibleByStringLiteral {
  case value(String)
  /// The variable must not be there at all.
  case absent
  /// Absent or empty: CGI makes no difference between the two.
  case empty
  /// There, with any value that is not empty.
  case some
  /// The port that the client connected to.
  case webPort
  /// `127.0.0.1:` and the port that the client connected to.
  case webHost

  init(stringLiteral text: String) { self = .value(text) }

  func matches(_ actual: String?, port: UInt16) -> Bool {
    switch self {
    case .value(let text): actual == text
    case .absent: actual == nil
    case .empty: (actual ?? "").isEmpty
    case .some: !(actual ?? "").isEmpty
    case .webPort: actual == "\(port)"
    case .webHost: actual == "127.0.0.1:\(port)"
    }
  }

  var description: String {
    switch self {
    case .value(let text): "\"\(text)\""
    case .absent: "absent"
    case .empty: "empty"
    case .some: "anything"
    case .webPort: "the web server's port"
    case .webHost: "the web server's address"
    }
  }
}

/// The table.
enum EnvironTable {
  /// A request, as curl sends it, and what the app finds.
  struct Row: Sendable {
    var name: String
    var target: String
    var options: [String] = []
    var expected: [(String, Expected)]
  }

  /// A cell that differs behind some web servers, and why that is not ours to mend.
  struct Exception: Sendable {
    var routes: @Sendable (Route) -> Bool
    var row: String
    var variable: String
    var value: Expected
    var why: String
  }

  static let rows: [Row] = [
    Row(
      name: "plain GET", target: "/",
      expected: [
        ("REQUEST_METHOD", "GET"), ("SCRIPT_NAME", .empty), ("PATH_INFO", "/"), ("QUERY_STRING", ""),
        ("REQUEST_URI", "/"), ("REMOTE_ADDR", "127.0.0.1"), ("SERVER_NAME", .some), ("SERVER_PORT", .webPort),
        ("SERVER_PROTOCOL", "HTTP/1.1"), ("GATEWAY_INTERFACE", "CGI/1.1"), ("REQUEST_SCHEME", "http"),
        ("HTTPS", .absent), ("HTTP_HOST", .webHost), ("CONTENT_TYPE", .empty), ("CONTENT_LENGTH", .empty),
        ("HTTP_CONTENT_LENGTH", .absent), ("HTTP_CONTENT_TYPE", .absent), ("HTTP_CONNECTION", .absent),
      ]),
    Row(
      name: "path and query", target: "/some/path?x=1&y=%20z",
      expected: [
        ("SCRIPT_NAME", .empty), ("PATH_INFO", "/some/path"), ("QUERY_STRING", "x=1&y=%20z"),
        ("REQUEST_URI", "/some/path?x=1&y=%20z"),
      ]),
    Row(
      name: "percent-encoded path", target: "/a%20b/%C3%A9",
      expected: [("PATH_INFO", "/a b/é"), ("REQUEST_URI", "/a%20b/%C3%A9"), ("QUERY_STRING", "")]),
    Row(
      name: "empty query", target: "/q?", expected: [("PATH_INFO", "/q"), ("QUERY_STRING", "")]),
    Row(
      name: "header fields", target: "/h",
      options: ["-H", "X-One: 1", "-H", "X-Empty;", "-A", "tester/1.0", "-b", "a=b; c=d"],
      expected: [
        ("HTTP_X_ONE", "1"), ("HTTP_X_EMPTY", .empty), ("HTTP_USER_AGENT", "tester/1.0"),
        ("HTTP_COOKIE", "a=b; c=d"), ("HTTP_ACCEPT", "*/*"),
      ]),
    Row(
      name: "httpoxy", target: "/p", options: ["-H", "Proxy: http://evil.example/"],
      expected: [("HTTP_PROXY", .absent)]),
    Row(
      name: "a field twice", target: "/t", options: ["-H", "X-Twice: a", "-H", "X-Twice: b"],
      expected: [("HTTP_X_TWICE", "a, b")]),
    Row(
      name: "POST of a form", target: "/f", options: ["-d", "k=v"],
      expected: [
        ("REQUEST_METHOD", "POST"), ("CONTENT_TYPE", "application/x-www-form-urlencoded"),
        ("CONTENT_LENGTH", "3"), ("HTTP_CONTENT_LENGTH", .absent), ("HTTP_CONTENT_TYPE", .absent),
      ]),
    Row(
      name: "POST of nothing", target: "/n", options: ["-X", "POST", "-H", "Content-Length: 0"],
      expected: [("REQUEST_METHOD", "POST"), ("CONTENT_LENGTH", "0"), ("HTTP_CONTENT_LENGTH", .absent)]),
    Row(
      name: "another method", target: "/m", options: ["-X", "DELETE"],
      expected: [("REQUEST_METHOD", "DELETE"), ("PATH_INFO", "/m")]),
    Row(
      name: "HTTP/1.0", target: "/0", options: ["--http1.0"],
      expected: [("SERVER_PROTOCOL", .some), ("PATH_INFO", "/0")]),
  ]

  static let exceptions: [Exception] = [
    Exception(
      routes: { route in
        let isHTTP = route.options.contains("--http-socket")
        let statesAlways = ["lighttpd", "haproxy"].contains(route.frontEnd) && !isHTTP
        return route.options.contains("--scgi-socket") || statesAlways
      },
      row: "plain GET", variable: "CONTENT_LENGTH", value: "0",
      why: "SCGI wants a length of every request, and these front ends give one on other protocols too"),
    Exception(
      routes: { $0.frontEnd == "nginx" }, row: "plain GET", variable: "HTTP_HOST", value: "127.0.0.1",
      why: "nginx passes $host, which has no port: $http_host is whatever an absolute-form request likes"),
    Exception(
      routes: { $0.gateway == "http" }, row: "plain GET", variable: "SERVER_PORT", value: .some,
      why: "a proxy does not say which port its client used; it is the server's own, 0 on a unix socket"),
    Exception(
      routes: { $0.gateway == "http" && $0.file.contains("unix") }, row: "plain GET", variable: "REMOTE_ADDR",
      value: .empty, why: "a unix socket's peer has no address, and the proxy is not trusted to name one"),
  ]

  /// The exception for a cell, if there is one.
  static func exception(_ route: Route, _ row: Row, _ variable: String) -> Exception? {
    exceptions.first { $0.row == row.name && $0.variable == variable && $0.routes(route) }
  }
}
