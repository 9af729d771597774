// Files of the server that a package replaces or removes while it runs: its processes go on with those that
// were there when the master started.
import Foundation
import Support
import Testing

extension Swaps {
  @Suite struct ReplacedFilesTests {
    /// Ends both workers, one after the other, and waits for others.
    private static func replaceWorkers(_ server: SupervisedServer) throws {
      for seat in 0..<2 {
        let before = try server.wait(for: "both workers") { $0.serving.count == 2 }
        kill(before.workers[seat].pid, SIGKILL)
        try server.wait(for: "another worker") { $0.serving.count == 2 && $0.workers != before.workers }
      }
    }

    @Test(
      "a worker that is started later has the TLS library of its master, and so has a trial",
      arguments: Drill.loops)
    func library(loop: String) throws {
      let certificates = try Certificates()
      try certificates.make("a", hosts: "DNS:a.test")
      let copy = try ServerCopy(in: try certificates.folder.folder("installed"))
      let server = try SupervisedServer(
        Fixture.good, Drill.quick + ["--https-socket", certificates.socket("a")],
        environment: ["NSGI_IO": loop], program: copy.server)
      let (url, trust) = certificates.curl("a.test", try server.server.address("https"))
      func expectAnswers(_ build: String) throws {
        for _ in 0..<6 {
          let text = try Curl.get("\(url)/?id=0", trust).text
          #expect(text.hasPrefix("begin \(build)"), "\(text) \(server.log)")
        }
      }
      let ledger = try Ledger(server, Drill.ways)
      try expectAnswers("A 1")
      try copy.spoil()
      try Self.replaceWorkers(server)
      try expectAnswers("A 1")
      // A child tries the new certificate, and the serving workers present it.
      try certificates.make("a", hosts: "DNS:a.test")
      let (exit, output) = try server.ctl("tls-reload")
      #expect(exit == 0, "\(output) \(server.log)")
      try expectAnswers("A 1")
      try copy.remove()
      try server.install(try Fixture.better)
      let (code, said) = try server.ctl("swap")
      #expect(code == 0, "\(said) \(server.log)")
      ledger.expect(generation: 2)
      try expectAnswers("B 2")
      try Self.replaceWorkers(server)
      try expectAnswers("B 2")
      try ledger.waitForAnswers(20)
      Drill.expect(try ledger.finish(), lost: 4 * Drill.ways.count)
      #expect(try server.stop() == .status(0), "\(server.log)")
    }

    @Test("a reload reads a configuration of another format with the program of its master")
    func reader() throws {
      let folder = try TemporaryFolder()
      let copy = try ServerCopy(in: try folder.folder("installed"))
      func configure(_ workers: Int) throws -> String {
        try folder.write("server:\n  processes: \(workers)\n", to: "site.yaml")
      }
      let file = try configure(1)
      let server = try SupervisedServer(
        Fixture.good, workers: nil, Drill.quick + ["--yaml", file], folder: folder, program: copy.server)
      #expect(try server.status().serving.count == 1)
      let changes: [(workers: Int, change: () throws -> Void)] = [
        (3, { try copy.spoil() }), (2, { try copy.remove() }),
      ]
      for (workers, change) in changes {
        try change()
        _ = try configure(workers)
        let (exit, output) = try server.ctl("reload")
        #expect(exit == 0, "\(output) \(server.log)")
        try server.wait(for: "\(workers) workers") {
          $0.workers.count == workers && $0.serving.count == workers
        }
        #expect(try server.answering() == "A 1")
      }
      #expect(try server.stop() == .status(0), "\(server.log)")
    }
  }
}
