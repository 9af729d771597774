// Whom TLS believes: certificates of clients by how many hands they were signed and whether they are revoked,
// and what an authority says of the server's own (OCSP stapling).
import Foundation
import Support
import Testing

@Suite struct TLSTrustTests {
  private let certificates: Certificates
  init() throws {
    certificates = try Certificates()
    try certificates.make("a", hosts: "DNS:a.test")
  }

  private func file(_ name: String) -> String { certificates.folder.file(name) }

  private func server(_ options: [String], sockets: [String] = ["a"]) throws -> ServerProcess {
    try ServerProcess(
      app: Repository.app("environ"),
      sockets.flatMap { ["--https-socket", certificates.socket($0)] } + options + ["--no-master"])
  }

  /// What openssl(1) sees with a certificate of its own.
  private func connect(_ address: Address, as client: String, _ words: [String] = []) throws -> String {
    try certificates.connect(
      address, ["-cert", file("\(client).pem"), "-key", file("\(client).key")] + words)
  }

  @Test("so many authorities in between, and no more", arguments: [(0, 1), (1, 2), (2, 3)])
  func depth(most: Int, served: Int) throws {
    try certificates.make("i1", hosts: "", subject: "/CN=First", signs: true)
    try certificates.make("i2", hosts: "", subject: "/CN=Second", authority: "i1", signs: true)
    try certificates.make("c0", hosts: "")
    try certificates.make("c1", hosts: "", authority: "i1")
    try certificates.make("c2", hosts: "", authority: "i2")
    try certificates.addAuthority(to: "i2", authority: "i1")
    let server = try server([
      "--tls-client-ca", "!\(certificates.authority)", "--tls-verify-depth", "\(most)",
    ])
    let address = try server.address("https")
    let chains = [[], ["-cert_chain", file("i1.pem")], ["-cert_chain", file("i2.pem")]]
    for (between, chain) in chains.enumerated() {
      let said = try connect(address, as: "c\(between)", chain)
      #expect(said.contains("HTTP/1.1 200") == (between < served), "\(between) of \(most): \(said)")
    }
    if most < 2 { #expect(server.process.output.contains("no TLS handshake: ")) }
    #expect(try server.stop() == .status(0))
  }

  @Test("a revoked certificate is refused, and others of its authority are not")
  func revoked() throws {
    for name in ["good", "bad"] { try certificates.make(name, hosts: "") }
    try certificates.makeRevocations("list", revoking: ["bad"])
    let server = try server(["--tls-client-ca", certificates.authority, "--tls-crl", file("list")])
    let address = try server.address("https")
    #expect(try connect(address, as: "good").contains("SSL_CLIENT_VERIFY=SUCCESS"))
    #expect(try certificates.connect(address).contains("SSL_CLIENT_VERIFY=NONE"))
    #expect(try !connect(address, as: "bad").contains("HTTP/1.1 200"))
    #expect(server.process.output.contains("no TLS handshake: certificate revoked"))
    // Lists are made for three hours in these tests.
    #expect(server.process.output.contains("warning: the revocation list \(file("list")) ends on "))
    #expect(try server.stop() == .status(0))
  }

  @Test(
    "a session of a socket that asks no client opens none that asks, and one that asks none that requires",
    arguments: ["-tls1_2", "-tls1_3"])
  func sessions(version: String) throws {
    let sockets = ["", ",,\(certificates.authority)", ",,!\(certificates.authority)"]
    let server = try ServerProcess(
      app: Repository.app("environ"),
      // The keys of tickets are a master's: without one each socket has its own.
      sockets.flatMap { ["--https-socket", certificates.socket("a", $0)] } + ["-p", "1"])
    let addresses = try sockets.indices.map { try server.address("https", $0) }
    for from in [0, 1] {
      let session = file("session-\(from)")
      let first = try certificates.connect(addresses[from], [version, "-sess_out", session])
      #expect(first.contains("HTTP/1.1 200"), "\(first)")
      for to in sockets.indices {
        let said = try certificates.connect(addresses[to], [version, "-sess_in", session])
        #expect(said.contains("Reused, ") == (from == to), "\(from) to \(to): \(said)")
        #expect(said.contains("HTTP/1.1 200") == (to < 2), "\(from) to \(to): \(said)")
      }
    }
    #expect(try server.stop() == .status(0))
  }

  @Test("what an authority says is presented beside the certificate that it is about, to who asks")
  func stapled() throws {
    try certificates.make("b", hosts: "DNS:b.test")
    try certificates.make("rsa", hosts: "DNS:a.test", key: "rsa")
    // With its authority behind it the signature is looked at.
    try certificates.addAuthority(to: "b")
    for name in ["b", "rsa"] { try certificates.makeResponse("\(name).ocsp", of: name) }
    let server = try server(
      ["b", "rsa"].flatMap {
        ["--tls-cert", file("\($0).pem"), "--tls-key", file("\($0).key"), "--tls-ocsp", file("\($0).ocsp")]
      })
    let address = try server.address("https")
    func isStapled(_ name: String, _ words: [String] = []) throws -> Bool {
      let said = try certificates.connect(address, name: name, ["-status"] + words)
      #expect(said.contains("HTTP/1.1 200"), "\(said)")
      return said.contains("OCSP Response Status: successful") && said.contains("Cert Status: good")
    }
    #expect(try isStapled("b.test"))
    #expect(try isStapled("b.test", ["-tls1_2"]))
    // Of the two that a name has, the one that is presented decides.
    #expect(try !isStapled("a.test", ["-sigalgs", "ECDSA+SHA256"]))
    #expect(try isStapled("a.test", ["-sigalgs", "rsa_pss_rsae_sha256:RSA+SHA256"]))
    #expect(try !certificates.connect(address, name: "b.test").contains("OCSP Response Status"))
    #expect(try server.stop() == .status(0))
  }

  /// What the start says, which has to fail with one sentence.
  private func sentence(_ options: [String], _ certificate: String = "a") throws -> String {
    let (exit, output) = try ServerProcess.run(
      ["--app", Repository.app("environ"), "--https-socket", certificates.socket(certificate)] + options)
    #expect(exit == .status(1) && output.split(separator: "\n").count == 1, "\(output)")
    return output
  }

  @Test("what cannot be used is named with its fault")
  func faults() throws {
    let staple = { try sentence(["--tls-ocsp", file($0)], $1) }
    try certificates.make("b", hosts: "DNS:b.test")
    try certificates.make("other", hosts: "", subject: "/CN=Another", signs: true)
    try certificates.addAuthority(to: "b")
    try certificates.makeResponse("b.ocsp", of: "b")
    try certificates.makeResponse("revoked.ocsp", of: "a", isRevoked: true)
    try certificates.makeResponse("forged.ocsp", of: "b", signer: "a")
    #expect(try staple("none.ocsp", "a").contains("the OCSP response \(file("none.ocsp")) cannot be read"))
    #expect(try staple("ca.pem", "a").contains("ca.pem holds no OCSP response in DER"))
    #expect(try staple("b.ocsp", "a").contains("b.ocsp is about none of the certificates"))
    #expect(try staple("revoked.ocsp", "a").contains("revoked.ocsp says that its certificate is revoked"))
    #expect(try staple("forged.ocsp", "b").contains("forged.ocsp is not signed by the authority"))
    let asks = ["--tls-client-ca", certificates.authority]
    try certificates.makeRevocations("other.list", revoking: [], authority: "other")
    try certificates.makeRevocations("list", revoking: [])
    let list = { try sentence(asks + ["--tls-crl", file($0)], "a") }
    #expect(try list("none").contains("the revocation list \(file("none")) cannot be read"))
    #expect(try list("a.pem").contains("a.pem holds no revocation list (CRL) in PEM"))
    #expect(
      try list("other.list").contains("no revocation list in \(file("other.list")) is of an authority in"))
    let text = try String(contentsOfFile: file("list"), encoding: .utf8)
    try (text + text.dropLast(60)).write(toFile: file("cut"), atomically: true, encoding: .utf8)
    #expect(try list("cut").contains("cut holds no revocation list (CRL) in PEM that can be read"))
  }

  @Test("a server whose answer of an authority has expired serves without it, and says so")
  func expired() throws {
    try certificates.makeResponse("old.ocsp", of: "a", isOld: true)
    let server = try server(["--tls-ocsp", file("old.ocsp")])
    let said = try certificates.connect(try server.address("https"), ["-status"])
    #expect(said.contains("OCSP response: no response sent") && said.contains("HTTP/1.1 200"), "\(said)")
    _ = try server.process.waitForOutput("a line about it") {
      $0.contains("old.ocsp has expired on") && $0.contains("is not presented; get another") ? true : nil
    }
    #expect(try server.stop() == .status(0))
  }
}
