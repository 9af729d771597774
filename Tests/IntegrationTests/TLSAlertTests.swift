// Alerts that OpenSSL writes while it reads: in TLS 1.2 each record has a number, which its client counts,
// and an alert that leaves behind a younger record is a broken one.
import Foundation
import Support
import Testing

@Suite struct TLSAlertTests {
  /// Asked to negotiate anew in the middle of a body, the server says no (RFC 5746 §4.5): an alert that
  /// leaves with its next answer. openssl(1) takes that "no" for the end, if it can read it.
  @Test("an alert that reading has caused leaves before the next record, not behind it")
  func order() throws {
    let certificates = try Certificates()
    try certificates.make("a", hosts: "DNS:a.test")
    // What is answered is that the rest of the body does not come.
    let server = try ServerProcess(
      ["--no-master", "--https-socket", certificates.socket("a"), "--body-timeout", "5"])
    let input = Pipe()
    let client = try ChildProcess(
      "/usr/bin/openssl",
      [
        "s_client", "-tls1_2", "-connect", "\(try server.address("https"))", "-servername", "a.test",
        "-CAfile", certificates.authority,
      ], environment: ["OPENSSL_CONF": "/dev/null"],
      input: .descriptor(input.fileHandleForReading.fileDescriptor))
    _ = try client.waitForOutput("the handshake") { $0.contains("Verify return code: 0") ? () : nil }
    let head = "POST / HTTP/1.1\r\nHost: a.test\r\nContent-Length: 1000\r\n\r\nhalf"
    try input.fileHandleForWriting.write(contentsOf: Data(head.utf8))
    // A line of its own that begins with R is a command, if it does not come with the words before.
    usleep(500_000)
    try input.fileHandleForWriting.write(contentsOf: Data("R\n".utf8))
    _ = try client.waitForOutput("the question") { $0.contains("RENEGOTIATING") ? () : nil }
    let said = try client.waitForOutput("how that ends") { output in
      let ends = ["no renegotiation", "bad record mac", "decryption failed", "HTTP/1.1 408"]
      return ends.contains { output.contains($0) } ? output : nil
    }
    #expect(said.contains("no renegotiation"), "\(said)")
    #expect(!said.contains("bad record mac") && !said.contains("decryption failed"), "\(said)")
    try input.fileHandleForWriting.close()
    try client.wait()
    #expect(try server.stop() == .status(0), "\(server.process.output)")
  }
}
