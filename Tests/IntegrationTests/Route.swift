import Support
import Testing

/// One way from a client to the server: a configuration of docs/deploy and the socket behind it.
struct Route: Sendable, CustomTestStringConvertible {
  /// The configuration below docs/deploy.
  var file: String
  /// The server's own options.
  var options: [String]
  /// What stands before the path of the app; only CGI programs have a name of their own.
  var prefix = ""

  var testDescription: String { file }

  init(_ file: String, _ options: String..., prefix: String = "") {
    self.file = file
    self.options = options
    self.prefix = prefix
  }

  /// The web server's name.
  var frontEnd: Substring { file.split(separator: "/")[0] }

  /// The protocol between web server and server, as in the option's name.
  var gateway: String {
    for name in ["scgi", "uwsgi", "fastcgi", "cgi"] where file.split(separator: "/")[1].contains(name) {
      return name
    }
    return "http"
  }

  /// Routes over SCGI and HTTP/1.1.
  static let scgiAndHTTP = [
    Route("lighttpd/scgi-tcp.conf", "--scgi-socket", "127.0.0.1:0"),
    Route("lighttpd/scgi-unix.conf", "--scgi-socket", "DIR/scgi.sock"),
    Route("lighttpd/proxy-tcp.conf", "--http-socket", "127.0.0.1:0"),
    Route("lighttpd/proxy-unix.conf", "--http-socket", "DIR/http.sock"),
    Route("lighttpd/quick-start.conf", "--scgi-socket", "127.0.0.1:0"),
    Route("nginx/scgi-tcp.conf", "--scgi-socket", "127.0.0.1:0"),
    Route("nginx/scgi-unix.conf", "--scgi-socket", "DIR/scgi.sock"),
    Route("nginx/proxy-tcp.conf", "--http-socket", "127.0.0.1:0"),
    Route("nginx/proxy-unix.conf", "--http-socket", "DIR/http.sock"),
    Route("apache/scgi-tcp.conf", "--scgi-socket", "127.0.0.1:0"),
    Route("apache/http-tcp.conf", "--http-socket", "127.0.0.1:0"),
    Route("haproxy/http-tcp.cfg", "--http-socket", "127.0.0.1:0"),
    Route("haproxy/http-unix.cfg", "--http-socket", "DIR/http.sock"),
  ]

  /// Routes over FastCGI and the uwsgi protocol.
  static let fastCGIAndUWSGI = [
    Route("lighttpd/fastcgi-tcp.conf", "--fastcgi-socket", "127.0.0.1:0"),
    Route("lighttpd/fastcgi-unix.conf", "--fastcgi-socket", "DIR/fastcgi.sock"),
    Route("lighttpd/uwsgi-tcp.conf", "--uwsgi-socket", "127.0.0.1:0"),
    Route("lighttpd/uwsgi-unix.conf", "--uwsgi-socket", "DIR/uwsgi.sock"),
    Route("nginx/fastcgi-tcp.conf", "--fastcgi-socket", "127.0.0.1:0"),
    Route("nginx/fastcgi-unix.conf", "--fastcgi-socket", "DIR/fastcgi.sock"),
    Route("nginx/fastcgi-keep-tcp.conf", "--fastcgi-socket", "127.0.0.1:0"),
    Route("nginx/fastcgi-keep-unix.conf", "--fastcgi-socket", "DIR/fastcgi.sock"),
    Route("nginx/uwsgi-tcp.conf", "--uwsgi-socket", "127.0.0.1:0"),
    Route("nginx/uwsgi-unix.conf", "--uwsgi-socket", "DIR/uwsgi.sock"),
    Route("apache/fastcgi-tcp.conf", "--fastcgi-socket", "127.0.0.1:0"),
    Route("apache/fastcgi-unix.conf", "--fastcgi-socket", "DIR/fastcgi.sock", "--chmod-socket=666"),
    Route("apache/uwsgi-tcp.conf", "--uwsgi-socket", "127.0.0.1:0"),
    Route("apache/uwsgi-unix.conf", "--uwsgi-socket", "DIR/uwsgi.sock", "--chmod-socket=666"),
    Route("apache/scgi-unix.conf", "--scgi-socket", "DIR/scgi.sock", "--chmod-socket=666"),
    Route("apache/http-unix.conf", "--http-socket", "DIR/http.sock", "--chmod-socket=666"),
    Route("haproxy/fastcgi-tcp.cfg", "--fastcgi-socket", "127.0.0.1:0"),
    Route("haproxy/fastcgi-unix.cfg", "--fastcgi-socket", "DIR/fastcgi.sock"),
  ]

  /// Every route of which the server speaks the protocol.
  static let all = scgiAndHTTP + fastCGIAndUWSGI

  /// Those of them that are HTTP all the way.
  static let overHTTP = all.filter { $0.options.contains("--http-socket") }

  /// Starts the server and the web server before it, runs `body`, and stops both; both must end well.
  func run(app: String, _ body: (FrontEnd, ServerProcess) throws -> Void) throws {
    let server = try ServerProcess(app: app, options)
    let frontEnd = try FrontEnd(file, before: server, app: app)
    do { try body(frontEnd, server) } catch {
      let said = "server: \(server.process.output)\nweb server: \(frontEnd.process.output)"
      Issue.record("\(file): \(error)\n\(said)")
    }
    try frontEnd.stop()
    #expect(try server.stop() == .status(0), "\(server.process.output)")
  }
}
