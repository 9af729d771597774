// The server's own upgrade: with what serves, not with what lies where the command line says; and what
// becomes of a new server that never gets ready, or whose master dies before it.
import Foundation
import Support
import Testing

extension Swaps {
  @Suite struct UpgradeTests {
    private static let quick = ["--swap-soak", "0", "--swap-probation", "0"]

    /// Waits until another master than `old` answers.
    private static func follower(of old: pid_t, _ server: SupervisedServer) throws -> MasterStatus {
      try Deadline.usual.wait(for: "the new master", output: { server.log }) {
        guard let (exit, output) = try? server.ctl("--json", "status"), exit == 0 else { return nil }
        let status = try MasterStatus(output)
        return status.pid != old && status.serving.count == 2 ? status : nil
      }
    }

    private static func waitForEnds(_ pids: [pid_t], _ server: SupervisedServer) throws {
      try Deadline.usual.wait(for: "the end of \(pids)", output: { server.log }) {
        pids.contains { ProcessUsage.isAlive($0) } ? nil : ()
      }
    }

    @Test("an upgrade goes on with the builds that serve, whatever lies at the app's path")
    func goesOn() throws {
      let server = try SupervisedServer(Fixture.good, Self.quick)
      let beside = server.folder.file("beside.so")
      try SupervisedServer.replace(beside, with: try Fixture.better)
      #expect(try server.ctl("swap", beside).exit == 0)
      #expect(try server.answering() == "B 2")
      // What lies there was never tried; what was swapped in is gone.
      try server.install(try Fixture.ledger("LOAD_FAILS"))
      try FileManager.default.removeItem(atPath: beside)
      var old = server.pid
      for _ in 0..<2 {
        let (exit, output) = try server.ctl("upgrade")
        #expect(exit == 0, "\(output)")
        let status = try Self.follower(of: old, server)
        #expect(status.generations == [2] && status.serving.allSatisfy { $0.generations == [2] })
        #expect(try server.answering() == "B 2")
        try Self.waitForEnds([old], server)
        old = status.pid
      }
      #expect(try server.ctl("generations").output.contains("generation 2 serving"))
      // The configuration is read again by a reload, not before.
      let refused = try server.ctl("reload")
      #expect(refused.exit == 1 && refused.output.contains("the ledger is closed today"), "\(refused.output)")
      try server.install(try Fixture.good)
      #expect(try server.ctl("reload").exit == 0)
      #expect(try server.answering().hasPrefix("A "))
      let last = try server.status()
      #expect(try server.ctl("stop").exit == 0)
      try Self.waitForEnds([last.pid] + last.workers.map(\.pid), server)
    }

    /// What befalls the master while the new server never gets ready.
    enum Blow: String, CaseIterable, Sendable { case nothing, terminate, kill }

    @Test("a new server that never gets ready leaves nothing behind", arguments: Blow.allCases)
    func neverReady(blow: Blow) throws {
      let folder = try TemporaryFolder()
      let program = try folder.program(
        "#!/bin/sh\necho $$ >\(folder.file("heir"))\nexec sleep 100\n", "never")
      let names = [folder.file("ctl"), folder.file("pid")]
      let server = try SupervisedServer(
        Fixture.good, ["--swap-timeout", "1", "--pidfile", names[1]], folder: folder)
      let workers = try server.status().workers.map(\.pid)
      let asker = try ChildProcess(
        Repository.server, ["ctl", "--control-socket", server.control, "upgrade", program])
      let heir = try Deadline.usual.wait(for: "the new server", output: { server.log }) {
        (try? String(contentsOfFile: folder.file("heir"), encoding: .utf8)).flatMap { pid_t($0.trimmed) }
      }
      switch blow {
      case .nothing:
        #expect(try asker.wait() == .status(1) && asker.output.contains("did not get ready in time"))
        #expect(try server.answering() == "A 1" && server.status().pid == server.pid)
        try Self.waitForEnds([heir], server)
        #expect(try server.stop() == .status(0), "\(server.log)")
      case .terminate:
        #expect(try server.stop() == .status(0), "\(server.log)")
        #expect(try asker.wait() == .status(1) && asker.output.contains("refused: the server stops"))
      case .kill:
        #expect(try server.server.process.stop(SIGKILL) == .signal(SIGKILL))
        #expect(try asker.wait() != .status(0))
      }
      try Self.waitForEnds([heir] + workers, server)
      if blow != .kill { for name in names { #expect(access(name, F_OK) != 0, "\(name)") } }
      // Nobody accepts, and the address is free.
      #expect(throws: (any Error).self) { _ = try server.server.connect() }
    }

    @Test("whoever reads the pid file during upgrades finds a whole number")
    func pidFile() throws {
      let folder = try TemporaryFolder()
      let path = folder.file("pid")
      let server = try SupervisedServer(Fixture.good, ["--pidfile", path], folder: folder)
      let wrong = folder.file("wrong")
      let watcher = try ChildProcess(
        "/bin/sh",
        [
          "-c",
          "while [ -d \(folder.path) ]; do read -r n <\(path) && [ \"$n\" -gt 1 ] || "
            + "echo \"[$n]\" >>\(wrong); done 2>/dev/null",
        ])
      for _ in 0..<3 {
        let old = try server.status().pid
        #expect(try server.ctl("upgrade").exit == 0)
        let pid = try Self.follower(of: old, server).pid
        try Deadline.usual.wait(for: "the pid file") {
          (try? String(contentsOfFile: path, encoding: .utf8)) == "\(pid)\n" ? () : nil
        }
      }
      try watcher.stop(SIGKILL)
      let said = try? String(contentsOfFile: wrong, encoding: .utf8)
      #expect(said == nil, "\(said ?? "")")
      #expect(try server.ctl("stop").exit == 0)
    }
  }
}
