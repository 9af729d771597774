// Plain HTTP beside TLS: clients are sent on, authorities find their answers, browsers are told to stay.
import Foundation
import Support
import Testing

@Suite struct RedirectTests {
  private let certificates: Certificates
  init() throws {
    certificates = try Certificates()
    try certificates.make("a", hosts: "DNS:a.test")
  }

  private func server(_ options: [String]) throws -> ServerProcess {
    try ServerProcess(
      app: Repository.app("environ"),
      ["--https-socket", certificates.socket("a"), "--http-redirect", "127.0.0.1:0"] + options, sockets: 2)
  }

  private func ask(_ server: ServerProcess, _ request: String) throws -> Reply {
    let socket = try server.connect("redirect")
    try socket.send(request)
    return try socket.receiveReply(toHead: request.hasPrefix("HEAD"))
  }

  @Test("every request is sent on to the same address", arguments: [["--no-master"], ["-p", "2"]])
  func sentOn(process: [String]) throws {
    let server = try server(process)
    let port = try server.address("https").port
    for (target, place) in [
      ("/", "/"), ("/a%20b?c=d&e", "/a%20b?c=d&e"), ("//evil.example/x", "//evil.example/x"),
      ("http://b.test/x?y", "/x?y"), ("/.well-known/acme-challenge/abc", "/.well-known/acme-challenge/abc"),
    ] {
      let host = target.hasPrefix("http") ? "b.test" : "a.test"
      let reply = try ask(server, "GET \(target) HTTP/1.1\r\nHost: \(host):8080\r\n\r\n")
      #expect(reply.status == 301 && reply["Location"] == "https://\(host):\(port)\(place)", "\(reply)")
    }
    let posted = try ask(server, "POST /x HTTP/1.1\r\nHost: a.test\r\nContent-Length: 2\r\n\r\nab")
    #expect(posted.status == 308 && posted["Location"] == "https://a.test:\(port)/x")
    let early = try ask(server, "POST /x HTTP/1.1\r\nHost: a.test\r\nContent-Length: 99999999\r\n\r\n")
    #expect(early.status == 308)
    let head = try ask(server, "HEAD /x HTTP/1.1\r\nHost: [::1]:80\r\n\r\n")
    #expect(head.status == 301 && head["Location"] == "https://[::1]:\(port)/x", "\(head)")
    for bad in ["GET / HTTP/1.0\r\n\r\n", "GET / HTTP/1.1\r\nHost:\r\n\r\n"] {
      let reply = try ask(server, bad)
      #expect(reply.status == 400 && reply["Location"] == nil, "\(reply)")
    }
    let (url, trust) = certificates.curl("a.test", try server.address("https"))
    let arrived = try EnvironReport(try Curl.get(url + "/a%20b", trust))
    #expect(arrived["PATH_INFO"] == "/a b" && arrived["HTTPS"] == "on")
    #expect(try server.stop() == .status(0), "\(server.process.output)")
  }

  @Test("the port may be another one, and the usual one is not written") func port() throws {
    for (port, text) in [("443", ""), ("444", ":444")] {
      let server = try server(["--no-master", "--http-redirect-port", port])
      let reply = try ask(server, "GET /x HTTP/1.1\r\nHost: a.test\r\n\r\n")
      #expect(reply["Location"] == "https://a.test\(text)/x")
      #expect(try server.stop() == .status(0))
    }
  }

  @Test("challenges are answered from a directory, and nothing else is") func challenges() throws {
    let folder = try TemporaryFolder()
    try folder.folder(".well-known/acme-challenge/sub")
    try folder.write("token.thumb\n", to: ".well-known/acme-challenge/to-k_en")
    try folder.write("hidden", to: ".well-known/acme-challenge/.hidden")
    try folder.write("long" + String(repeating: "x", count: 5000), to: ".well-known/acme-challenge/long")
    try folder.write("secret", to: "secret")
    mkfifo(folder.file(".well-known/acme-challenge/fifo"), 0o644)
    let server = try server(["--no-master", "--acme-webroot", folder.path])
    func get(_ token: String, _ method: String = "GET") throws -> Reply {
      let target = "/.well-known/acme-challenge/\(token)"
      return try ask(server, "\(method) \(target) HTTP/1.1\r\nHost: a.test\r\n\r\n")
    }
    let answer = try get("to-k_en")
    #expect(answer.status == 200 && answer.text == "token.thumb\n" && answer["Cache-Control"] == "no-store")
    #expect(try get("to-k_en", "HEAD")["Content-Length"] == "12")
    #expect(try get("to-k_en", "DELETE").status == 405)
    for token in ["none", "sub", "fifo", "long"] { #expect(try get(token).status == 404, "\(token)") }
    for token in ["", ".hidden", "../../secret", "%2e%2e/secret", "sub/", "to-k_en%00", "to-k_en/"] {
      let reply = try get(token)
      let isRefused = token.hasSuffix("%00") && reply.status == 400
      #expect((reply.status == 301 || isRefused) && !reply.text.contains("secret"), "\(token): \(reply)")
    }
    // A new one needs no reload.
    try folder.write("second", to: ".well-known/acme-challenge/second")
    #expect(try get("second").text == "second")
    #expect(try server.stop() == .status(0))
  }

  @Test("browsers are told to stay, over TLS alone") func strict() throws {
    let server = try ServerProcess(
      app: Repository.app("environ"),
      [
        "--no-master", "--https-socket", certificates.socket("a"), "--http-socket", "127.0.0.1:0", "--hsts",
        "31536000", "--http-redirect", "127.0.0.1:0",
      ], sockets: 3)
    let (url, trust) = certificates.curl("a.test", try server.address("https"))
    #expect(try Curl.get(url, trust)["Strict-Transport-Security"] == "max-age=31536000")
    #expect(try Curl.get(try server.url)["Strict-Transport-Security"] == nil)
    #expect(try ask(server, "GET / HTTP/1.1\r\nHost: a\r\n\r\n")["Strict-Transport-Security"] == nil)
    #expect(try server.stop() == .status(0))
  }

  @Test("nginx speaks the uwsgi protocol over TLS, and says what its client speaks") func suwsgi() throws {
    let server = try ServerProcess(
      app: Repository.app("environ"),
      ["--no-master", "--suwsgi-socket", certificates.socket("a", ",,!\(certificates.authority)")])
    try certificates.make("client", hosts: "", subject: "/CN=nginx")
    let folder = certificates.folder
    let port = try server.address("suwsgi").port
    let web = try FrontEnd(
      "nginx/suwsgi-tcp.conf",
      places: [
        "127.0.0.1:8082": "127.0.0.1:\(port)", "/etc/nsgi/authority.pem": certificates.authority,
        "app.example.org;":
          "a.test; uwsgi_ssl_certificate \(folder.file("client.pem")); "
          + "uwsgi_ssl_certificate_key \(folder.file("client.key"));",
      ])
    let report = try EnvironReport(try Curl.get(web.url + "/a%20b?c"))
    #expect(report["PATH_INFO"] == "/a b" && report["QUERY_STRING"] == "c")
    #expect(report["REQUEST_SCHEME"] == "http" && report["HTTPS"] == nil && report["SSL_PROTOCOL"] == nil)
    let body = TestBody.bytes(3 << 20)
    let sent = try EnvironReport(try Curl.post(web.url + "/", body))
    #expect(sent["CONTENT_LENGTH"] == "\(body.count)")
    try web.stop()
    #expect(try server.stop() == .status(0), "\(server.process.output)")
  }
}
