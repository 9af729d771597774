// Handshakes whose key takes long, as RSA of 4096 bits does: the step that uses it leaves the loop.
import Foundation
import Support
import Testing

@Suite struct TLSHandshakeTests {
  @Test("a key that takes long is used beside the loop, once for a session, and others are served meanwhile")
  func beside() throws {
    let certificates = try Certificates()
    try certificates.make("a", hosts: "DNS:a.test", key: "rsa:4096")
    try certificates.make("quick", hosts: "DNS:quick.test")
    let quick = ["pem", "key"].map { certificates.folder.file("quick.\($0)") }
    let server = try SupervisedServer(
      try FixtureApp.path("ledger", defines: ["LETTER='A'"]), workers: 1,
      ["--https-socket", certificates.socket("a"), "--tls-cert", quick[0], "--tls-key", quick[1]])
    let address = try server.server.address("https")
    func taken() throws -> Int {
      let json = try server.ctl("--json", "status").output
      return json.matches(of: /"handshakesBeside":(\d+)/).compactMap { Int($0.output.1) }.reduce(0, +)
    }
    #expect(try certificates.connect(address, name: "quick.test").contains("HTTP/1.1 200"))
    #expect(try taken() == 0)
    for (index, version) in ["-tls1_2", "-tls1_3"].enumerated() {
      let session = certificates.folder.file("session\(version)")
      let first = try certificates.connect(address, [version, "-sess_out", session])
      #expect(first.contains("New, ") && first.contains("HTTP/1.1 200"), "\(first)")
      #expect(try taken() == index + 1)
      let again = try certificates.connect(address, [version, "-sess_in", session])
      #expect(again.contains("Reused, ") && again.contains("HTTP/1.1 200"), "\(again)")
      #expect(try taken() == index + 1)
    }
    let plain = try server.server.address("http")
    let worker = try #require(try server.status().workers.first)
    let said = try TLSClient.run("bystander", address, certificates, "\(plain)", "\(worker.pid)")
    #expect(said == "answered\n")
    #expect(try taken() >= 8)
    #expect(try server.stop() == .status(0), "\(server.log)")
  }
}
