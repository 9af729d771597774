// HTTP/1.1 over TLS as clients see it: what arrives is what it would be without, however records are cut, and
// what is no TLS gets an answer.
import Foundation
import Support
import Testing

@Suite struct TLSTests {
  private let certificates: Certificates
  init() throws {
    certificates = try Certificates()
    try certificates.make("a", hosts: "DNS:a.test")
  }

  private func server(
    _ app: String? = nil, _ options: [String] = ["--no-master"], socket: String? = nil
  ) throws -> (server: ServerProcess, address: Address) {
    let server = try ServerProcess(
      app: app ?? Repository.app("environ"),
      ["--https-socket", socket ?? certificates.socket("a")] + options)
    return (server, try server.address("https"))
  }

  private func ask(
    _ address: Address, _ target: String = "/", name: String = "a.test", _ options: [String] = []
  ) throws -> Reply {
    let (url, trust) = certificates.curl(name, address)
    return try Curl.get(url + target, trust + options)
  }

  @Test("variables say what was agreed on, and that it is TLS", arguments: [["--no-master"], ["-p", "2"]])
  func variables(mode: [String]) throws {
    let (server, address) = try server(nil, mode)
    let report = try EnvironReport(try ask(address, "/where?x=1"))
    #expect(report["HTTPS"] == "on" && report["REQUEST_SCHEME"] == "https")
    #expect(report["SSL_PROTOCOL"] == "TLSv1.3" && report["SSL_TLS_SNI"] == "a.test")
    #expect(report["SSL_CIPHER"]?.hasPrefix("TLS_") ?? false)
    #expect(report["SSL_SESSION_RESUMED"] == "Initial")
    for name in ["SSL_CLIENT_VERIFY", "SSL_CLIENT_S_DN", "HTTPS_CC", "HTTPS_CLIENT_CERTIFICATE"] {
      #expect(report[name] == nil, "\(name)")
    }
    #expect(report["SERVER_PORT"] == "\(address.port)" && report["QUERY_STRING"] == "x=1")
    let older = try EnvironReport(try ask(address, "/", ["--tls-max", "1.2"]))
    #expect(older["SSL_PROTOCOL"] == "TLSv1.2")
    #expect(try server.stop() == .status(0), "\(server.process.output)")
  }

  @Test("a hundred MiB go in and come out as they are", .timeLimit(.minutes(5)))
  func large() throws {
    let (server, address) = try server(
      try FixtureApp.path("conformance"), ["--no-master", "--limit-post", "200000000"])
    let body = TestBody.bytes(100 << 20)
    let (url, trust) = certificates.curl("a.test", address)
    let reply = try Curl.post(
      url + "/echo", body, trust + ["-H", "Expect:"], deadline: Deadline(seconds: 120))
    #expect(reply.body == Array("POST \(body.count) ".utf8) + body)
    #expect(try server.stop() == .status(0), "\(server.process.output)")
  }

  @Test("files leave as they are, whole and in parts")
  func files() throws {
    let body = TestBody.bytes(5 << 20)
    let file = certificates.folder.file("file.bin")
    try Data(body).write(to: URL(fileURLWithPath: file))
    let (server, address) = try server(
      nil, ["--no-master", "--static-map", "/files=\(certificates.folder.path)"])
    #expect(try ask(address, "/files/file.bin").body == body)
    let part = try ask(address, "/files/file.bin", ["-r", "1000000-3000000"])
    #expect(part.status == 206 && part.body == Array(body[1_000_000...3_000_000]))
    #expect(try server.stop() == .status(0))
  }

  @Test("a request whose records come byte by byte is the same request")
  func split() throws {
    let (server, address) = try server()
    let text = try TLSClient.run("split", address, certificates)
    #expect(text.contains("PATH_INFO=/split\n") && text.contains("body 5 "), "\(text)")
    #expect(try server.stop() == .status(0))
  }

  @Test("requests at once are answered in their order")
  func pipeline() throws {
    let (server, address) = try server()
    #expect(
      try TLSClient.run("pipeline", address, certificates, "50").hasPrefix("answers 50 last"))
    #expect(try server.stop() == .status(0))
  }

  @Test("a body that the end of the connection cuts is no request")
  func cut() throws {
    let (server, address) = try server(nil, ["--no-master", "-L"])
    #expect(try TLSClient.run("half", address, certificates) == "answer 0\n")
    _ = try server.process.waitForOutput("a line about it") {
      $0.contains("POST /half has left before its body was complete") ? () : nil
    }
    #expect(try server.stop() == .status(0))
  }

  @Test("who speaks HTTP without TLS is told so, and bytes of neither are no answer's")
  func plain() throws {
    let (server, address) = try server()
    let socket = try RawSocket(address)
    try socket.send("GET / HTTP/1.1\r\nHost: a.test\r\n\r\n")
    let reply = try socket.receiveLastReply()
    #expect(reply.status == 400 && reply.text.contains("https://"), "\(reply.text)")
    let other = try RawSocket(address)
    try other.send([0x16, 0x03, 0x01, 0x00, 0x05] + Array("\u{1b}[31mX".utf8))
    _ = try other.receiveToItsEnd()
    let said = try server.process.waitForOutput("a line about it") {
      $0.contains("no TLS handshake") ? $0 : nil
    }
    #expect(!said.contains("\u{1b}"))
    #expect(try server.stop() == .status(0))
  }

  @Test("a handshake has the time of a head, however slowly it comes")
  func slow() throws {
    let (server, address) = try server(nil, ["--no-master", "--header-timeout", "1"])
    let (silent, half) = (try RawSocket(address), try RawSocket(address))
    try half.send([0x16, 0x03, 0x01, 0x02, 0x00, 0x01])
    for socket in [silent, half] { #expect(try socket.receiveToItsEnd().bytes.isEmpty) }
    #expect(try ask(address).status == 200)
    #expect(try server.stop() == .status(0))
  }

  @Test("the certificate is that of the name or the address, and the first for a name that none has")
  func names() throws {
    // Clients know the authority alone: what lies between has to come from the certificate's file.
    try certificates.make("between", hosts: "", subject: "/CN=Between", signs: true)
    try certificates.make("b", hosts: "DNS:*.b.test,DNS:b.test", authority: "between")
    try certificates.addAuthority(to: "b", authority: "between")
    try certificates.make("rsa", hosts: "DNS:a.test", key: "rsa")
    try certificates.make("address", hosts: "IP:127.0.0.1")
    var options = ["--no-master"]
    for name in ["b", "rsa", "address"] {
      options += ["--tls-cert", certificates.folder.file("\(name).pem")]
      options += ["--tls-key", certificates.folder.file("\(name).key")]
    }
    let (server, address) = try server(nil, options)
    for name in ["a.test", "b.test", "x.b.test"] {
      #expect(try EnvironReport(try ask(address, name: name))["SSL_TLS_SNI"] == name)
    }
    // A name that is nobody's gets the default, which curl does not take for it.
    #expect(throws: (any Error).self) { try ask(address, name: "c.test") }
    #expect(throws: (any Error).self) { try ask(address, name: "x.y.b.test") }
    #expect(try certificates.presented(address, name: "c.test") == certificates.serial("a"))
    // An address is no name: its client names none.
    let byAddress = try Curl.get("https://\(address)", ["--cacert", certificates.authority])
    #expect(try EnvironReport(byAddress)["SSL_TLS_SNI"] == nil)
    // Keys of both kinds for one name: a client that has RSA alone is served too.
    let rsa = try ask(address, "/", ["--tls-max", "1.2", "--ciphers", "ECDHE-RSA-AES128-GCM-SHA256"])
    #expect(try EnvironReport(rsa)["SSL_CIPHER"] == "ECDHE-RSA-AES128-GCM-SHA256")
    #expect(try server.stop() == .status(0))
  }

  @Test(
    "clients are asked for certificates of the authority, and have to have one behind an exclamation mark")
  func clients() throws {
    let subject = "/O=Tests/CN=evil\u{1b}[31m"
    try certificates.make("client", hosts: "", subject: subject)
    let own = [
      "--cert", certificates.folder.file("client.pem"), "--key", certificates.folder.file("client.key"),
    ]
    let pem = try String(contentsOfFile: certificates.folder.file("client.pem"), encoding: .utf8).trimmed
    for mark in ["", "!"] {
      let (server, address) = try server(
        socket: certificates.socket("a", ",,\(mark)\(certificates.authority)"))
      let reply = try ask(address, "/", own)
      let report = try EnvironReport(reply)
      #expect(report["SSL_CLIENT_VERIFY"] == "SUCCESS")
      #expect(report["SSL_CLIENT_S_DN"] == "CN=evil\\1B[31m,O=Tests" && report["HTTPS_DN"] != nil)
      #expect(report["SSL_CLIENT_I_DN"] == "CN=Authority of the tests")
      #expect(report["SSL_CLIENT_M_SERIAL"] != nil)
      for name in ["SSL_CLIENT_V_START", "SSL_CLIENT_V_END"] {
        #expect(report[name]?.hasSuffix(" GMT") ?? false, "\(name): \(report[name] ?? "")")
      }
      for name in ["SSL_CLIENT_CERT", "HTTPS_CC", "HTTPS_CLIENT_CERTIFICATE"] {
        #expect(reply.text.contains("\n\(name)=\(pem)\n"), "\(name): \(reply.text)")
      }
      if mark.isEmpty {
        #expect(try EnvironReport(try ask(address))["SSL_CLIENT_VERIFY"] == "NONE")
      } else {
        #expect(throws: (any Error).self) { try ask(address) }
      }
      #expect(try server.stop() == .status(0))
    }
  }

  @Test("the oldest version, ciphers and curves are the operator's")
  func choices() throws {
    let (server, address) = try server(
      nil, ["--no-master", "--tls-min", "1.3", "--tls-ciphers", "TLS_CHACHA20_POLY1305_SHA256"])
    #expect(throws: (any Error).self) { try ask(address, "/", ["--tls-max", "1.2"]) }
    #expect(try EnvironReport(try ask(address))["SSL_CIPHER"] == "TLS_CHACHA20_POLY1305_SHA256")
    #expect(try server.stop() == .status(0))
  }
}
