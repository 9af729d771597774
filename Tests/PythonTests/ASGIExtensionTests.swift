// What ASGI applications are told and may say beside the core of the specification: the extensions `tls` and
// `http.response.debug`, whose lines the log's are, and what the server says of them at the start.
import Foundation
import Support
import Testing

@Suite struct ASGIExtensionTests {
  @Test("lines that a task, its children and its threads write have the id of the request")
  func linesHaveTheirRequest() throws {
    let log = try Python.run("asgi_app", ["--request-id", "--trusted-proxy", "127.0.0.1"]) {
      (server) throws in
      // Two at once: the second one begins while the first one sleeps.
      let sockets = try ["one", "two"].map { word in
        let socket = try server.connect()
        try socket.send("GET /speak?\(word) HTTP/1.1\r\nHost: x\r\nX-Request-ID: id-\(word)\r\n\r\n")
        return socket
      }
      for socket in sockets { #expect(try socket.receiveReply().text == "said") }
    }
    for word in ["one", "two"] {
      for part in ["begin", "child", "thread", "logging", "part"] {
        let lines = log.split(separator: "\n").filter { $0.hasSuffix("\(part) of \(word)") }
        #expect(lines.count == 1 && lines[0].contains("[id-\(word)] "), "\(part) \(word): \(lines)\n\(log)")
      }
    }
  }

  private func scope(_ reply: Reply) throws -> [String: Any] {
    try #require(try JSONSerialization.jsonObject(with: Data(reply.body)) as? [String: Any], "\(reply.text)")
  }

  private func extensions(_ reply: Reply) throws -> [String: Any] {
    try #require(try scope(reply)["extensions"] as? [String: Any])
  }

  @Test("tls: version, cipher suite and the client's certificate, and nothing without TLS")
  func tls() throws {
    let certificates = try Certificates()
    try certificates.make("a", hosts: "DNS:a.test")
    try certificates.make("client", hosts: "DNS:client.test", subject: "/CN=client")
    let server = try Python.serve(
      "asgi_app",
      [
        "--https-socket", certificates.socket("a"), "--http-socket", "127.0.0.1:0", "--tls-client-ca",
        certificates.authority,
      ])
    let (url, trust) = certificates.curl("a.test", try server.address("https"))
    func ask(_ options: [String]) throws -> [String: Any] {
      let all = try extensions(try Curl.get(url + "/scope", trust + options))
      return try #require(all["tls"] as? [String: Any])
    }
    let newest = try ask([])
    #expect(newest["tls_version"] as? Int == 0x0304)
    #expect([0x1301, 0x1302, 0x1303].contains(newest["cipher_suite"] as? Int))
    #expect(newest["client_cert_chain"] as? [String] == [] && newest["client_cert_name"] is NSNull)
    #expect(newest["server_cert"] is NSNull && newest["client_cert_error"] is NSNull)
    let older = try ask([
      "--tls-max", "1.2", "--ciphers", "ECDHE-ECDSA-AES256-GCM-SHA384:ECDHE-RSA-AES256-GCM-SHA384",
    ])
    #expect(older["tls_version"] as? Int == 0x0303)
    #expect([0xc02c, 0xc030].contains(older["cipher_suite"] as? Int))
    let known = try ask([
      "--cert", certificates.folder.file("client.pem"), "--key", certificates.folder.file("client.key"),
    ])
    let chain = try #require(known["client_cert_chain"] as? [String])
    #expect(chain.count == 1 && chain[0].hasPrefix("-----BEGIN CERTIFICATE-----\n"))
    #expect((known["client_cert_name"] as? String)?.contains("client") == true, "\(known)")
    // Over plain HTTP there is none, whatever a client says.
    let plain = try server.get("/scope", fields: [("SSL-PROTOCOL", "TLSv1.3"), ("HTTPS", "on")])
    #expect(try extensions(plain)["tls"] == nil)
    #expect(try server.stop() == .status(0), "\(server.process.output)")
  }

  @Test("http.response.debug and pages of exceptions are there with --debug alone", arguments: [true, false])
  func debug(isDevelopment: Bool) throws {
    let server = try Python.serve("asgi_app", isDevelopment ? ["--debug"] : [])
    #expect((try extensions(try server.get("/scope"))["http.response.debug"] != nil) == isDevelopment)
    let reply = try server.get("/debug")
    #expect(reply.status == (isDevelopment ? 200 : 500))
    let failed = try server.get("/fail")
    #expect(failed.status == 500)
    #expect(failed["Content-Type"] == (isDevelopment ? "text/html" : "text/plain") + "; charset=utf-8")
    for words in [
      "KeyError: &#39;the application fails&#39;", "asgi_app.py&quot;, line ", "GET /fail failed:",
    ] {
      #expect(failed.text.contains(words) == isDevelopment, "\(words): \(failed.text)")
    }
    let silent = try server.get("/silent")
    #expect(silent.status == 500 && silent.text.contains("the log says why") == isDevelopment)
    #expect(try server.stop() == .status(0))
    let log = server.process.output
    #expect(
      log.contains("GET /debug is answered by the template index\\x1b[31m.html") == isDevelopment, "\(log)")
    #expect(!log.contains("\u{1b}"))
  }

  @Test(
    "nothing that an application puts into a scope is there in the next one", arguments: [[], ["--debug"]])
  func ownScopes(options: [String]) throws {
    try Python.run("asgi_app", options) { (server) throws in
      for _ in 0..<3 {
        #expect(try server.get("/marks").text == (options.isEmpty ? "[6, []]" : "[7, []]"))
      }
    }
  }

  @Test("the start says that there is an event loop, and not how many threads")
  func spread() throws {
    let log = try Python.run("asgi_app", ["--threads", "7", "--mount", "/wsgi=pep3333"]) { (server) throws in
      #expect(try server.get("/").status == 200)
    }
    #expect(log.contains("server: app asgi_app at /: 1 process, an event loop\n"), "\(log)")
    #expect(log.contains("server: app pep3333 at /wsgi: 1 process, up to 7 threads\n"), "\(log)")
  }
}
