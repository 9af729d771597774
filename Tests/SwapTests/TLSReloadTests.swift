// Certificates change in the workers that serve: by `server ctl tls-reload` and by `--watch`. A bad one is
// refused with its fault, and nothing is lost whichever way it goes.
import Foundation
import Support
import Testing

extension Swaps {
  @Suite struct TLSReloadTests {
    private let certificates: Certificates
    init() throws {
      certificates = try Certificates()
      for name in ["one", "two"] {
        try certificates.make(name, hosts: "DNS:a.test,DNS:*.b.test,IP:192.0.2.1")
      }
      try install("one")
    }

    /// Puts a certificate and its key where the server reads them.
    private func install(_ name: String, key: String? = nil) throws {
      try certificates.put("\(name).pem", at: "a.pem")
      try certificates.put("\(key ?? name).key", at: "a.key")
    }

    private func server(
      workers: Int = 2, _ options: [String] = [], socket: String = ""
    ) throws -> SupervisedServer {
      try SupervisedServer(
        Fixture.good, workers: workers, gateways: [],
        ["--https-socket", certificates.socket("a", socket), "--swap-soak", "0", "--swap-probation", "0"]
          + options)
    }

    private func presented(_ server: SupervisedServer) throws -> String {
      try certificates.presented(try server.server.address("https"))
    }

    /// The sentence of a refusal.
    private func refusal(_ server: SupervisedServer, _ verb: String = "tls-reload") throws -> String {
      let (exit, output) = try server.ctl(verb)
      #expect(exit == 1 && output.hasPrefix("refused: "), "\(output)")
      #expect(output.split(separator: "\n").count == 1, "\(output)")
      return output
    }

    @Test("two hundred reloads under load: no handshake fails, no connection ends", .timeLimit(.minutes(10)))
    func load() throws {
      let server = try server(workers: 3)
      let address = try server.server.address("https")
      let end = certificates.folder.file("end")
      let clients = try ["load", "handshakes"].map { command in
        try ChildProcess("/usr/bin/python3", TLSClient.words(command, address, certificates) + [end])
      }
      let pids = Set(try server.status().workers.map(\.pid))
      for round in 0..<200 {
        try install(round % 2 == 0 ? "two" : "one")
        let (exit, output) = try server.ctl("tls-reload")
        #expect(exit == 0 && output == "the new certificates are presented\n", "\(round): \(output)")
      }
      try install("two")
      #expect(try server.ctl("tls-reload").exit == 0)
      // Whichever worker takes the connection.
      let serial = try certificates.serial("two")
      for _ in 0..<12 { #expect(try presented(server) == serial) }
      try "".write(toFile: end, atomically: true, encoding: .utf8)
      for client in clients { #expect(try client.wait() == .status(0), "\(client.output)") }
      let kept = clients[0].output.split(separator: " ")
      #expect(kept.count > 5 && kept[3] == "0" && kept[5] == "4", "\(clients[0].output)")
      let fresh = clients[1].output.split(separator: " ")
      #expect(fresh.count > 5 && Int(fresh[1]) ?? 0 > 100 && fresh[3] == "0", "\(clients[1].output)")
      // Tickets of one certificate are good under the next.
      #expect(Int(fresh[5]) ?? 0 > 40, "\(clients[1].output)")
      #expect(Set(try server.status().workers.map(\.pid)) == pids)
      #expect(try server.stop() == .status(0), "\(server.log)")
    }

    @Test("what cannot be used is refused with its fault, and what serves serves on, in new workers too")
    func refusals() throws {
      let server = try server()
      let serial = try certificates.serial("one")
      #expect(try server.ctl("tls-reload").output.contains("nothing to do"))
      try certificates.make("old", hosts: "DNS:a.test,DNS:*.b.test,IP:192.0.2.1", days: 0)
      try certificates.make("fewer", hosts: "DNS:a.test,IP:192.0.2.1")
      try certificates.make("moved", hosts: "DNS:a.test,DNS:*.b.test,IP:192.0.2.2")
      let chain = try String(contentsOfFile: certificates.folder.file("two.pem"), encoding: .utf8)
      try (chain + chain.dropLast(100)).write(
        toFile: certificates.folder.file("cut.pem"), atomically: true, encoding: .utf8)
      let faults: [(pem: String, key: String, said: String)] = [
        ("two", "one", "a.key does not belong to the certificate"), ("old", "old", "a.pem has expired on"),
        ("fewer", "fewer", "no certificate names *.b.test, as those that serve do"),
        ("moved", "moved", "no certificate names 192.0.2.1, as those that serve do"),
        (
          "cut", "two",
          "the chain in \(certificates.folder.file("a.pem")), behind its first certificate, cannot"
        ),
      ]
      for fault in faults {
        try install(fault.pem, key: fault.key)
        for verb in ["tls-reload", "reload"] {
          let said = try refusal(server, verb)
          #expect(said.contains(fault.said), "\(said)")
        }
        #expect(try presented(server) == serial)
      }
      try FileManager.default.removeItem(atPath: certificates.folder.file("a.pem"))
      let said = try refusal(server)
      #expect(
        said.contains("cannot be read (No such file") && said.contains("the certificates before serve on"))
      // A worker that begins now has what was accepted, and nothing of what lies there.
      for worker in try server.status().workers {
        kill(worker.pid, SIGKILL)
        try server.wait(for: "another worker") {
          $0.serving.count == 2 && !$0.workers.contains { $0.pid == worker.pid }
        }
      }
      for _ in 0..<6 { #expect(try presented(server) == serial) }
      // So has a server that follows, and what was wrong with the files is wrong there.
      #expect(try server.ctl("upgrade").exit == 0)
      for _ in 0..<6 { #expect(try presented(server) == serial) }
      #expect(try refusal(server).contains("cannot be read"))
      try install("two")
      #expect(try server.ctl("tls-reload").exit == 0)
      #expect(try presented(server) == certificates.serial("two"))
      #expect(try server.ctl("stop").exit == 0)
    }

    @Test("SIGHUP reads certificates anew, and refuses one that is bad")
    func hangUp() throws {
      let server = try server(workers: 1)
      #expect(try presented(server) == certificates.serial("one"))
      let serial = try certificates.serial("two")
      try install("two")
      server.server.process.send(SIGHUP)
      try Deadline.usual.wait(for: "the other certificate", output: { server.log }) {
        try presented(server) == serial ? () : nil
      }
      try install("one", key: "two")
      server.server.process.send(SIGHUP)
      try server.waitForLog("a.key does not belong to the certificate")
      #expect(try presented(server) == serial)
      #expect(try server.stop() == .status(0), "\(server.log)")
    }

    @Test("without a socket for TLS there is nothing to read")
    func without() throws {
      let server = try SupervisedServer(Fixture.good, workers: 1)
      #expect(try refusal(server).contains("no socket speaks TLS"))
      #expect(try server.stop() == .status(0))
    }

    @Test("a session goes on under another certificate", arguments: ["-tls1_2", "-tls1_3"])
    func tickets(version: String) throws {
      let server = try server()
      let address = try server.server.address("https")
      let session = certificates.folder.file("session")
      #expect(try certificates.connect(address, [version, "-sess_out", session]).contains("New, "))
      try install("two")
      #expect(try server.ctl("tls-reload").exit == 0)
      for _ in 0..<8 {
        let said = try certificates.connect(address, [version, "-sess_in", session])
        #expect(said.contains("Reused, ") && said.contains("HTTP/1.1 200"), "\(said)")
      }
      #expect(try server.stop() == .status(0))
    }

    @Test("--watch takes what certbot turns its links to, and refuses what does not fit together")
    func watch() throws {
      let live = try certificates.folder.folder("live")
      let files = FileManager.default
      func turn(_ name: String, _ kind: String) throws {
        try? files.removeItem(atPath: "\(live)/\(kind)")
        try files.createSymbolicLink(
          atPath: "\(live)/\(kind)", withDestinationPath: "../\(name).\(kind == "cert" ? "pem" : "key")")
      }
      for kind in ["cert", "key"] { try turn("one", kind) }
      let server = try SupervisedServer(
        Fixture.good, workers: 2, gateways: [],
        ["--https-socket", "127.0.0.1:0,\(live)/cert,\(live)/key", "--watch", "--swap-soak", "0"])
      func waitFor(_ name: String) throws {
        let serial = try certificates.serial(name)
        try Deadline.usual.wait(for: "the certificate \(name)", output: { server.log }) {
          try presented(server) == serial ? () : nil
        }
      }
      try waitFor("one")
      for kind in ["cert", "key"] { try turn("two", kind) }
      try waitFor("two")
      // The key is another's: said, and nothing changes.
      try turn("one", "key")
      try server.waitForLog("does not belong to the certificate")
      #expect(try presented(server) == certificates.serial("two"))
      try turn("one", "cert")
      try waitFor("one")
      // Written into the file itself.
      let text = try ["pem", "key"].map {
        try String(contentsOfFile: certificates.folder.file("two.\($0)"), encoding: .utf8)
      }
      try text[0].write(toFile: certificates.folder.file("one.pem"), atomically: false, encoding: .utf8)
      try text[1].write(toFile: certificates.folder.file("one.key"), atomically: false, encoding: .utf8)
      try waitFor("two")
      #expect(try server.stop() == .status(0), "\(server.log)")
    }

    @Test(
      "a client that a newer list revokes is refused, with its ticket too", arguments: ["-tls1_2", "-tls1_3"])
    func revocation(version: String) throws {
      try certificates.make("client", hosts: "")
      try certificates.makeRevocations("list", revoking: [])
      let list = certificates.folder.file("list")
      let server = try server(["--tls-crl", list], socket: ",,!\(certificates.authority)")
      let address = try server.server.address("https")
      let session = certificates.folder.file("session")
      let own = [
        version, "-cert", certificates.folder.file("client.pem"), "-key",
        certificates.folder.file("client.key"),
      ]
      #expect(try certificates.connect(address, own + ["-sess_out", session]).contains("HTTP/1.1 200"))
      let again = try certificates.connect(address, own + ["-sess_in", session])
      #expect(again.contains("Reused, ") && again.contains("HTTP/1.1 200"), "\(again)")
      try certificates.makeRevocations("list", revoking: ["client"])
      #expect(try server.ctl("tls-reload").exit == 0)
      for words in [own, own + ["-sess_in", session]] {
        let said = try certificates.connect(address, words)
        #expect(!said.contains("HTTP/1.1 200") && !said.contains("Reused, "), "\(said)")
      }
      try server.waitForLog("no TLS handshake: certificate revoked")
      try certificates.makeRevocations("list", revoking: [], isOld: true)
      #expect(try refusal(server).contains("the revocation list \(list) has expired on"))
      #expect(try server.stop() == .status(0))
    }

    @Test("another answer of the authority is presented; one that has expired is not, and the log says so")
    func stapling() throws {
      try certificates.makeResponse("good", of: "one")
      try certificates.makeResponse("expired", of: "one", isOld: true)
      try certificates.makeResponse("other", of: "two")
      try certificates.put("good", at: "staple")
      let staple = certificates.folder.file("staple")
      let server = try server(["--tls-ocsp", staple])
      let address = try server.server.address("https")
      func presents() throws -> Bool {
        let said = try certificates.connect(address, ["-status"])
        let has = said.contains("OCSP Response Status: successful")
        #expect(
          has != said.contains("OCSP response: no response sent") && said.contains("HTTP/1.1 200"), "\(said)")
        return has
      }
      #expect(try presents())
      try certificates.put("expired", at: "staple")
      #expect(try server.ctl("tls-reload").exit == 0)
      #expect(try !presents())
      try server.waitForLog("the OCSP response \(staple) has expired on")
      try certificates.put("good", at: "staple")
      #expect(try server.ctl("tls-reload").exit == 0)
      try certificates.put("other", at: "staple")
      #expect(try refusal(server).contains("\(staple) is about none of the certificates"))
      #expect(try presents())
      #expect(try server.stop() == .status(0))
    }
  }
}
