// TLS over the life of a server: sessions go on in other workers, after swaps and upgrades; certificates are
// replaced by a reload, and a bad one is not.
import Foundation
import Support
import Testing

extension Swaps {
  @Suite struct TLSSwapTests {
    private let certificates: Certificates
    private let server: SupervisedServer
    init() throws {
      certificates = try Certificates()
      try certificates.make("a", hosts: "DNS:a.test")
      server = try SupervisedServer(
        Fixture.good, workers: 3, gateways: [],
        [
          "--https-socket", certificates.socket("a"), "--swap-soak", "0", "--swap-probation", "0",
          "--metrics", "127.0.0.1:0",
        ])
    }

    private var address: Address { get throws { try server.server.address("https") } }

    private func connect(_ words: String...) throws -> String {
      try certificates.connect(try address, words)
    }

    /// Whether a session of `file` goes on in every one of twenty connections, which reach all workers.
    private func goesOn(_ file: String, _ version: String) throws -> Bool {
      try (0..<20).allSatisfy { _ in
        let said = try connect(version, "-sess_in", file)
        return said.contains("Reused, ") && said.contains("HTTP/1.1 200")
      }
    }

    @Test(
      "a session goes on in all workers, after a swap and after an upgrade",
      arguments: ["-tls1_2", "-tls1_3"])
    func tickets(version: String) throws {
      let file = certificates.folder.file("session\(version)")
      let first = try connect(version, "-sess_out", file)
      #expect(first.contains("New, ") && first.contains("ALPN protocol: http/1.1"), "\(first)")
      #expect(first.contains("Verify return code: 0"))
      #expect(try goesOn(file, version))
      try server.install(try Fixture.better)
      #expect(try server.ctl("swap").exit == 0)
      #expect(try goesOn(file, version))
      let (exit, output) = try server.ctl("upgrade")
      #expect(exit == 0, "\(output)")
      #expect(try goesOn(file, version))
      #expect(try server.ctl("stop").exit == 0)
    }

    @Test("no request over TLS is lost by swaps and reloads")
    func load() throws {
      let end = certificates.folder.file("end")
      let client = try ChildProcess(
        "/usr/bin/python3", TLSClient.words("load", try address, certificates) + [end])
      for build in [try Fixture.better, try Fixture.good, try Fixture.better] {
        try server.install(build)
        #expect(try server.ctl("swap").exit == 0)
        try certificates.make("a", hosts: "DNS:a.test")
        #expect(try server.ctl("reload").exit == 0)
      }
      try "".write(toFile: end, atomically: true, encoding: .utf8)
      #expect(try client.wait() == .status(0), "\(client.output)")
      let words = client.output.split(separator: " ")
      #expect(words.count > 3 && Int(words[1]) ?? 0 > 50 && words[3] == "0", "\(client.output) \(server.log)")
      #expect(try server.stop() == .status(0))
    }

    @Test("the end of a certificate is told in time: once in the log, and in the metrics")
    func expiry() throws {
      func lines() -> [Substring] {
        server.log.split(separator: "\n").filter { $0.contains("a.pem ends on") }
      }
      func seconds() throws -> Double {
        let text = try RawSocket(server.watchAddress("metrics")).ask("/metrics").text
        let line = text.split(separator: "\n").first { $0.hasPrefix("nsgi_tls_certificate_expiry_seconds ") }
        return try #require(line.flatMap { Double($0.split(separator: " ")[1]) }, "\(text)")
      }
      let now = Date().timeIntervalSince1970
      #expect(lines().count == 1 && lines()[0].contains(" days; renew it, and then: "), "\(server.log)")
      #expect(abs(try seconds() - now - 2 * 86_400) < 600)
      try certificates.make("a", hosts: "DNS:a.test", days: 90)
      #expect(try server.ctl("reload").exit == 0)
      #expect(lines().count == 1)
      // Those that leave count as long as they are there.
      try Deadline.usual.wait(for: "the new end", output: { server.log }) {
        abs(try seconds() - now - 90 * 86_400) < 600 ? () : nil
      }
      #expect(try server.stop() == .status(0))
    }

    /// The serial number of the certificate that is presented.
    private func serial() throws -> String {
      try ChildProcess.run(
        "/bin/sh",
        [
          "-c",
          "openssl s_client -connect \(try address) -servername a.test </dev/null 2>/dev/null | "
            + "openssl x509 -noout -serial",
        ]
      ).output
    }

    @Test("a reload puts another certificate to work, and a bad one is refused with its fault")
    func reload() throws {
      let first = try serial()
      try certificates.make("a", hosts: "DNS:a.test")
      #expect(try server.ctl("reload").exit == 0)
      let second = try serial()
      #expect(second.hasPrefix("serial=") && second != first)
      // Nothing has changed.
      #expect(try server.ctl("reload").output.contains("nothing to do"))
      let good = try String(contentsOfFile: certificates.folder.file("a.pem"), encoding: .utf8)
      try certificates.make("b", hosts: "DNS:a.test")
      try certificates.make("old", hosts: "DNS:a.test", days: 0)
      let bad = [
        ("b", "does not belong to the certificate"), ("old", "has expired on"),
        ("a.key", "holds no certificate"),
      ]
      for (name, reason) in bad {
        let file = certificates.folder.file(name.hasSuffix(".key") ? name : "\(name).pem")
        let text = try String(contentsOfFile: file, encoding: .utf8)
        try text.write(toFile: certificates.folder.file("a.pem"), atomically: true, encoding: .utf8)
        let (exit, output) = try server.ctl("reload")
        #expect(exit != 0 && output.contains(reason), "\(output)")
        #expect(try serial() == second)
      }
      try FileManager.default.removeItem(atPath: certificates.folder.file("a.pem"))
      #expect(try server.ctl("reload").output.contains("cannot be read (No such file"))
      // A worker that is started meanwhile serves what its release has.
      let worker = try server.status().workers[0].pid
      kill(worker, SIGKILL)
      try Deadline.usual.wait(for: "another worker", output: { server.log }) {
        try server.status().serving.count == 3 ? () : nil
      }
      #expect(try serial() == second)
      try good.write(toFile: certificates.folder.file("a.pem"), atomically: true, encoding: .utf8)
      #expect(try server.stop() == .status(0))
    }
  }
}
