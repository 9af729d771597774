// An upgrade that does not come to its end leaves nobody behind: no new server without names, no worker that
// loads for nobody, no address that accepts and does not answer.
import Foundation
import Support
import Testing

extension Swaps {
  @Suite struct LeftBehindDrills {
    @Test(
      "a stop while the new server still loads ends it with its workers, and all names go",
      arguments: Drill.loops)
    func stopWhileLoading(loop: String) throws {
      let folder = try TemporaryFolder()
      let (held, pidFile) = (folder.file("held"), folder.file("pid"))
      // The only worker waits: nobody of the new server takes a request.
      let server = try SupervisedServer(
        try Fixture.ledger("LOAD_WAITS_IN=0"), workers: 1,
        Drill.quick + ["--app-option", "held=\(held)", "--pidfile", pidFile], folder: folder,
        environment: ["NSGI_IO": loop])
      try folder.write("", to: "held")
      let ledger = try Ledger(server, Drill.ways)
      try ledger.waitForAnswers(20)
      let workers = try server.status().workers.map(\.pid)
      let asker = try ChildProcess(
        Repository.server, ["ctl", "--control-socket", server.control, "upgrade"])
      let heir = try asker.waitForOutput("the new server's number") { output in
        output.firstMatch(of: /the new server starts as pid ([0-9]+)\n/).flatMap { pid_t($0.output.1) }
      }
      try Deadline.usual.wait(for: "a worker of the new server", output: { server.log }) {
        access(held + ".here", F_OK) == 0 ? () : nil
      }
      let others = try Drill.children(of: heir)
      #expect(!others.isEmpty)
      #expect(try server.stop() == .status(0), "\(server.log)")
      // Who connects while the last of them ends meets that end.
      Drill.expect(try ledger.finish(), onlyOf: ["A 1"], after: [.refused, .reset, .unanswered])
      #expect(try asker.wait() == .status(1) && asker.output.contains("refused: the server stops"))
      for pid in [heir] + others + workers { try Drill.waitForEnd(of: pid, server) }
      for name in [server.control, pidFile] { #expect(access(name, F_OK) != 0, "\(name)") }
      #expect(throws: (any Error).self) { _ = try server.server.connect() }
    }
  }
}
