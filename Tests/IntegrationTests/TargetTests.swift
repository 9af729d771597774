// Request targets over HTTP: absolute ones, long ones, and what socket and proxy say of port and scheme.
import Foundation
import Support
import Testing

@Suite struct TargetTests {
  private func report(_ socket: RawSocket, _ head: String) throws -> EnvironReport {
    try socket.send(head + "\r\nConnection: close\r\n\r\n")
    return try EnvironReport(try socket.receiveLastReply())
  }

  @Test(
    "an absolute target is whole whatever is asked of it, and stands for Host",
    arguments: ["http://h.test/admin/x", "http://h.test:81/admin/x?q", "HTTPS://h.test/"])
  func absolute(target: String) throws {
    let server = try ServerProcess()
    let path = target.contains("admin") ? "/admin/x" : "/"
    let authority = target.contains(":81") ? "h.test:81" : "h.test"
    for host in ["h.test", "", "other.test:8080"] {
      let report = try report(server.connect(), "GET \(target) HTTP/1.1\r\nHost: \(host)\r\nReferer: r")
      #expect(report["PATH_INFO"] == path, "Host: \(host)")
      #expect(report["REQUEST_URI"] == path + (target.hasSuffix("?q") ? "?q" : ""))
      #expect(report["HTTP_HOST"] == authority && report["SERVER_NAME"] == "h.test")
      #expect(report["REQUEST_SCHEME"] == "http", "the socket speaks no TLS, whatever the target says")
    }
    let old = try report(server.connect(), "GET \(target) HTTP/1.0")
    #expect(old["PATH_INFO"] == path && old["HTTP_HOST"] == authority)
    #expect(try server.stop() == .status(0))
    #expect(!server.process.output.contains("\\x00"), "the log has the target as it was")
  }

  @Test("an absolute target through HAProxy, which passes it on as it is")
  func absoluteThroughHAProxy() throws {
    let route = Route("haproxy/http-tcp.cfg", "--http-socket", "127.0.0.1:0")
    try route.run(app: Repository.app("environ")) { frontEnd, _ in
      let socket = try RawSocket(.tcp(host: "127.0.0.1", port: frontEnd.port))
      try socket.send(
        "GET http://h.test/admin/x?q HTTP/1.1\r\nHost: h.test\r\nConnection: close\r\n\r\n")
      let report = try EnvironReport(try socket.receiveLastReply())
      #expect(report["PATH_INFO"] == "/admin/x" && report["REQUEST_URI"] == "/admin/x?q")
      #expect(report["HTTP_HOST"] == "h.test")
    }
  }

  @Test(
    "a long target is served as far as -b lets it, over every protocol", arguments: GatewayRequest.gateways)
  func longTargets(gateway: String) throws {
    // The target is told twice on the gateway protocols; a block of uwsgi ends at 64 KiB.
    let query = String(repeating: "q", count: gateway == "uwsgi" ? 30_000 : 41_000)
    let server = try ServerProcess(["--\(gateway)-socket", "127.0.0.1:0", "-b", "128k"])
    let report = try EnvironReport(server.connect(gateway).exchange(gateway, "/x?\(query)"))
    #expect(report["QUERY_STRING"] == query)
    if gateway != "uwsgi" {
      let longer = String(repeating: "q", count: 100_000)
      let url = "/x?\(gateway == "http" ? longer : String(longer.prefix(60_000)))"
      #expect(try server.connect(gateway).exchange(gateway, url).status == 200)
    }
    #expect(try server.stop() == .status(0))
  }

  @Test("behind a unix socket the port is that of the scheme, and the client has none")
  func portOfAUnixSocket() throws {
    let server = try ServerProcess(["--http-socket", "DIR/http.sock", "--trusted-proxy", "unix"])
    let plain = try report(server.connect(), "GET / HTTP/1.0")
    #expect(plain["SERVER_PORT"] == "80" && plain["REMOTE_PORT"] == nil)
    let secure = try report(server.connect(), "GET / HTTP/1.0\r\nX-Forwarded-Proto: https")
    #expect(secure["SERVER_PORT"] == "443" && secure["REMOTE_PORT"] == nil)
    #expect(try server.stop() == .status(0))
  }

  @Test("what a trusted proxy says of its client: the address with its port, the scheme as a list")
  func forwarded() throws {
    let server = try ServerProcess(["--http-socket", "127.0.0.1:0", "--trusted-proxy", "127.0.0.1"])
    for (fields, address, port, scheme) in [
      (["X-Forwarded-For: 203.0.113.7:51234"], "203.0.113.7", "51234", "http"),
      (["X-Forwarded-For: 203.0.113.7"], "203.0.113.7", nil, "http"),
      (["X-Forwarded-For: [2001:db8::7]:443, 127.0.0.1"], "2001:db8::7", "443", "http"),
      (["X-Forwarded-For: 1 2.3.4.5"], "127.0.0.1", "some", "http"),
      (["X-Forwarded-Proto: https, https"], "127.0.0.1", "some", "https"),
      (["X-Forwarded-Proto: https", "X-Forwarded-Proto: https"], "127.0.0.1", "some", "https"),
      (["X-Forwarded-Proto: https, http"], "127.0.0.1", "some", "http"),
      (["X-Forwarded-Proto: http", "X-Forwarded-Proto: https"], "127.0.0.1", "some", "http"),
      (["X-Forwarded-Proto: https", "X-Forwarded-Proto: http"], "127.0.0.1", "some", "http"),
    ] as [([String], String, String?, String)] {
      let head = "GET / HTTP/1.1\r\nHost: h\r\n" + fields.joined(separator: "\r\n")
      let report = try report(server.connect(), head)
      #expect(report["REMOTE_ADDR"] == address && report["REQUEST_SCHEME"] == scheme, "\(fields)")
      #expect(report["HTTPS"] == (scheme == "https" ? "on" : nil))
      if port == "some" {
        #expect(report["REMOTE_PORT"] != nil, "the connection's own")
      } else {
        #expect(report["REMOTE_PORT"] == port, "\(fields)")
      }
    }
    #expect(try server.stop() == .status(0))
  }

  @Test("a stated length of 0 is told to the app over every protocol", arguments: GatewayRequest.gateways)
  func statedLengthOfNone(gateway: String) throws {
    let server = try ServerProcess(["--\(gateway)-socket", "127.0.0.1:0"])
    let socket = try server.connect(gateway)
    if gateway == "http" {
      let stated = try report(socket, "POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 0")
      #expect(stated["CONTENT_LENGTH"] == "0")
      let chunked = try server.connect()
      try chunked.send(
        "POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\nConnection: close\r\n\r\n0\r\n\r\n")
      #expect(try EnvironReport(try chunked.receiveLastReply())["CONTENT_LENGTH"] == "0")
      let absent = try report(server.connect(), "POST / HTTP/1.1\r\nHost: h")
      #expect(absent["CONTENT_LENGTH"] == nil)
    } else {
      #expect(try EnvironReport(socket.exchange(gateway, "/"))["CONTENT_LENGTH"] == "0")
    }
    #expect(try server.stop() == .status(0))
  }
}

/// The same over TLS and HTTP/2. The scheme is the connection's, whatever :scheme or the target says; an
/// absolute target is a form of HTTP/1 alone.
@Suite struct TargetDoorwayTests {
  @Test("an absolute target over TLS is whole, and stands for Host")
  func absolute() throws {
    let door = try Doorway(.https)
    for target in ["https://h.test/admin/x?q", "http://h.test/admin/x?q"] {
      for host in ["h.test", "", "other.test:8080"] {
        let socket = try door.connect()
        try socket.send("GET \(target) HTTP/1.1\r\nHost: \(host)\r\nConnection: close\r\n\r\n")
        let report = try EnvironReport(try socket.receiveReply())
        #expect(report["PATH_INFO"] == "/admin/x" && report["REQUEST_URI"] == "/admin/x?q")
        #expect(report["HTTP_HOST"] == "h.test" && report["SERVER_NAME"] == "h.test")
        #expect(report["REQUEST_SCHEME"] == "https" && report["HTTPS"] == "on")
      }
    }
    try stop(door)
  }

  @Test(
    "what is no path is refused, and the connection goes on", arguments: [Doorway.Kind.h2c, .h2],
    [
      "http://localhost/admin/x", "admin/x", "", "*", "localhost:80", "/a b", "/a\0b", "/a\r\nX: y", "/a#b",
      "?q",
    ])
  func refusals(kind: Doorway.Kind, target: String) throws {
    let door = try Doorway(kind)
    let client = try door.client()
    let answer = try client.exchange(target)
    // PROTOCOL_ERROR (RFC 9113 §8.1.1), where HTTP/1.1 answers with 400.
    #expect(answer.status == 0 && answer.ending == .reset(1), "\(answer)")
    #expect(try client.exchange("/well").status == 200 && client.goAways.isEmpty)
    client.socket.close()
    try stop(door)
  }

  @Test("and over TLS it is refused as without", arguments: ["admin/x", "*", "/a\0b", "/a#b", "h:80"])
  func sealedRefusals(target: String) throws {
    let door = try Doorway(.https)
    let socket = try door.connect()
    try socket.send("GET \(target) HTTP/1.1\r\nHost: h\r\n\r\n")
    #expect(try socket.receiveReply().status == 400)
    socket.close()
    try stop(door)
  }

  @Test("a long target is served as far as -b lets it", arguments: Doorway.Kind.allCases)
  func longTargets(kind: Doorway.Kind) throws {
    let query = String(repeating: "q", count: 41_000)
    let door = try Doorway(kind, ["-b", "128k"])
    #expect(try EnvironReport(door.exchange("/x?\(query)"))["QUERY_STRING"] == query)
    let longer = String(repeating: "q", count: 100_000)
    #expect(try door.exchange("/x?\(longer)").status == 200)
    let reply = try door.exchange("/x?\(longer)\(query)")
    #expect(kind.isHTTP2 ? reply.status == 431 : [414, 431].contains(reply.status), "\(reply.status)")
    try stop(door)
  }

  @Test(
    "a larger -b holds for HTTP/2 too, in however many frames a head comes",
    arguments: [Doorway.Kind.h2c, .h2])
  func longestTargets(kind: Doorway.Kind) throws {
    let door = try Doorway(kind, ["-b", "400k"])
    let query = String(repeating: "q", count: 300_000)
    #expect(try EnvironReport(door.exchange("/x?\(query)"))["QUERY_STRING"] == query)
    try stop(door)
  }

  @Test("what a trusted proxy says of its client", arguments: Doorway.Kind.allCases)
  func forwarded(kind: Doorway.Kind) throws {
    let door = try Doorway(kind, ["--trusted-proxy", "127.0.0.1"])
    for (value, address, port) in [
      ("203.0.113.7:51234", "203.0.113.7", "51234"), ("203.0.113.7", "203.0.113.7", nil),
      ("[2001:db8::7]:443, 127.0.0.1", "2001:db8::7", "443"), ("1 2.3.4.5", "127.0.0.1", "some"),
    ] as [(String, String, String?)] {
      let report = try EnvironReport(door.exchange("/", fields: [(name: "x-forwarded-for", value: value)]))
      #expect(report["REMOTE_ADDR"] == address, "\(value)")
      if port == "some" {
        #expect(report["REMOTE_PORT"] != nil, "the connection's own")
      } else {
        #expect(report["REMOTE_PORT"] == port, "\(value)")
      }
    }
    try stop(door)
  }

  @Test(
    "a stated length of 0 is told to the app, and one that is not stated is not",
    arguments: Doorway.Kind.allCases)
  func statedLengthOfNone(kind: Doorway.Kind) throws {
    let door = try Doorway(kind)
    let stated = try EnvironReport(door.exchange("/", fields: [(name: "content-length", value: "0")]))
    #expect(stated["CONTENT_LENGTH"] == "0" && stated.bodyLength == 0)
    #expect(try EnvironReport(door.exchange("/"))["CONTENT_LENGTH"] == nil)
    try stop(door)
  }

  @Test(":scheme says nothing of the connection", arguments: [Doorway.Kind.h2c, .h2])
  func scheme(kind: Doorway.Kind) throws {
    let door = try Doorway(kind)
    // The client says http in either case.
    let report = try EnvironReport(door.exchange("/where"))
    #expect(report["REQUEST_SCHEME"] == (kind == .h2 ? "https" : "http"))
    #expect(report["HTTPS"] == (kind == .h2 ? "on" : nil))
    #expect(report["SERVER_PROTOCOL"] == "HTTP/2")
    try stop(door)
  }
}
