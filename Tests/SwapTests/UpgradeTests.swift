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
      let ledger = try Ledger(server, Drill.ways)
      try ledger.waitForAnswers(20)
      let beside = server.folder.file("beside.so")
      try SupervisedServer.replace(beside, with: try Fixture.better)
      #expect(try server.ctl("swap", beside).exit == 0)
      ledger.expect(generation: 2)
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
        try ledger.waitForAnswers(20)
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
      ledger.expect(generation: last.generations[0])
      try ledger.waitForAnswers(20)
      Drill.expect(try ledger.finish(), onlyOf: ["A 1", "B 2", "A \(last.generations[0])"])
      #expect(try server.ctl("stop").exit == 0)
      try Self.waitForEnds([last.pid] + last.workers.map(\.pid), server)
    }

    @Test("a file that has changed just before an upgrade is news to the new server")
    func changedBefore() throws {
      let server = try SupervisedServer(Fixture.good, Self.quick + ["--watch"])
      let ledger = try Ledger(server, Drill.ways)
      let old = server.pid
      // The old master finds the file and who asks at once: an upgrade begins before a file is settled.
      kill(old, SIGSTOP)
      let asker = try ChildProcess(
        Repository.server, ["ctl", "--control-socket", server.control, "upgrade"])
      try server.install(try Fixture.better)
      usleep(200_000)
      kill(old, SIGCONT)
      #expect(try asker.wait() == .status(0), "\(asker.output)")
      _ = try Self.follower(of: old, server)
      let status = try server.wait(for: "the new build") { status in
        status.generations == [2] && status.serving.count == 2
          && status.serving.allSatisfy { $0.generations == [2] }
      }
      #expect(try server.answering() == "B 2")
      ledger.expect(generation: 2)
      try ledger.waitForAnswers(20)
      Drill.expect(try ledger.finish(), onlyOf: ["A 1", "B 2"])
      #expect(try server.ctl("stop").exit == 0)
      try Self.waitForEnds([status.pid] + status.workers.map(\.pid), server)
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
      let ledger = try Ledger(server, Drill.ways)
      let asker = try ChildProcess(
        Repository.server, ["ctl", "--control-socket", server.control, "upgrade", program])
      let heir = try Deadline.usual.wait(for: "the new server", output: { server.log }) {
        (try? String(contentsOfFile: folder.file("heir"), encoding: .utf8)).flatMap { pid_t($0.trimmed) }
      }
      try ledger.waitForAnswers(20)
      switch blow {
      case .nothing:
        #expect(try asker.wait() == .status(1) && asker.output.contains("did not get ready in time"))
        #expect(try server.answering() == "A 1" && server.status().pid == server.pid)
        try Self.waitForEnds([heir], server)
        try ledger.waitForAnswers(20)
        Drill.expect(try ledger.finish(), onlyOf: ["A 1"])
        #expect(try server.stop() == .status(0), "\(server.log)")
      case .terminate:
        #expect(try server.stop() == .status(0), "\(server.log)")
        Drill.expect(try ledger.finish(), onlyOf: ["A 1"], after: [.refused])
        #expect(try asker.wait() == .status(1) && asker.output.contains("refused: the server stops"))
      case .kill:
        #expect(try server.server.process.stop(SIGKILL) == .signal(SIGKILL))
        #expect(try asker.wait() != .status(0))
        // Whose master is gone may leave at once; but nobody is answered twice, or by anything else.
        try Self.waitForEnds(workers, server)
        Drill.expect(
          try ledger.finish(), onlyOf: ["A 1"], after: [.refused, .reset, .unanswered, .truncated])
      }
      try Self.waitForEnds([heir] + workers, server)
      if blow != .kill { for name in names { #expect(access(name, F_OK) != 0, "\(name)") } }
      // Nobody accepts, and the address is free.
      #expect(throws: (any Error).self) { _ = try server.server.connect() }
    }

    @Test("a new server that says it is ready and dies gets nothing handed over")
    func readyAndGone() throws {
      let folder = try TemporaryFolder()
      // Descriptor 3 leads to the master, which finds both the word and the end: it is stopped until then.
      let program = try folder.program(
        """
        #!/bin/sh
        kill -STOP "$PPID"
        (until grep -q '^State:.Z' "/proc/$$/status"; do sleep 0.05; done; kill -CONT "$PPID") \\
          >/dev/null 2>&1 3>&- &
        exec python3 -c 'import socket; socket.socket(fileno=3).send(b"ready\\0")'

        """, "brief")
      let server = try SupervisedServer(Fixture.good, folder: folder)
      let ledger = try Ledger(server, Drill.ways)
      let (exit, output) = try server.ctl("upgrade", program)
      #expect(exit == 1 && output.contains("refused: the new server ended with"), "\(output)")
      try ledger.waitForAnswers(20)
      Drill.expect(try ledger.finish(), onlyOf: ["A 1"])
      let status = try server.status()
      #expect(status.pid == server.pid && status.serving.count == 2)
      #expect(try server.answering() == "A 1" && server.stop() == .status(0), "\(server.log)")
    }

    @Test("an announced stop that comes during an upgrade ends the new server, and comes to its end")
    func announced() throws {
      let folder = try TemporaryFolder()
      let program = try folder.program(
        "#!/bin/sh\necho $$ >\(folder.file("heir"))\nexec sleep 100\n", "never")
      let server = try SupervisedServer(Fixture.good, ["--shutdown-delay", "2"], folder: folder)
      let workers = try server.status().workers.map(\.pid)
      let asker = try ChildProcess(
        Repository.server, ["ctl", "--control-socket", server.control, "upgrade", program])
      let heir = try Deadline.usual.wait(for: "the new server", output: { server.log }) {
        (try? String(contentsOfFile: folder.file("heir"), encoding: .utf8)).flatMap { pid_t($0.trimmed) }
      }
      let ledger = try Ledger(server, Drill.ways)
      try ledger.waitForAnswers(20)
      server.server.process.send(SIGTERM)
      #expect(
        try asker.wait() == .status(1) && asker.output.contains("the server is to stop"), "\(asker.output)")
      let late = try server.ctl("upgrade")
      #expect(late.exit == 1 && late.output.contains("the server is to stop"), "\(late.output)")
      #expect(try server.answering() == "A 1")
      #expect(try server.server.process.wait() == .status(0), "\(server.log)")
      Drill.expect(try ledger.finish(), onlyOf: ["A 1"], after: [.refused])
      try Self.waitForEnds([heir] + workers, server)
    }

    @Test("the first signal to a master that has handed over cuts no request")
    func signalAfter() throws {
      let server = try SupervisedServer(Fixture.good, Self.quick)
      let old = server.pid
      let ledger = try Ledger(server, Drill.ways)
      let socket = try server.server.connect()
      try socket.send("GET /?id=0 HTTP/1.1\r\nHost: a\r\n")
      #expect(try server.ctl("upgrade").exit == 0)
      let status = try Self.follower(of: old, server)
      kill(old, SIGTERM)
      try socket.send("Connection: close\r\n\r\n")
      #expect(try socket.receiveReply().status == 200)
      try Self.waitForEnds([old], server)
      try ledger.waitForAnswers(20)
      Drill.expect(try ledger.finish(), onlyOf: ["A 1"])
      #expect(try server.ctl("stop").exit == 0)
      try Self.waitForEnds([status.pid], server)
    }

    @Test("a master that dies during an upgrade is followed by one with a control socket, once it is free")
    func controlInUse() throws {
      let folder = try TemporaryFolder()
      let held = folder.file("held")
      let server = try SupervisedServer(
        try Fixture.ledger("LOAD_WAITS_IN=0"), Self.quick + ["--app-option", "held=\(held)"], folder: folder)
      try folder.write("", to: "held")
      let ledger = try Ledger(server, Drill.ways)
      let asker = try ChildProcess(
        Repository.server, ["ctl", "--control-socket", server.control, "upgrade"])
      try Deadline.usual.wait(for: "a worker of the new server", output: { server.log }) {
        access(held + ".here", F_OK) == 0 ? () : nil
      }
      // As the socket of a master that is still being torn down.
      var holder: ListeningSocket? = try ListeningSocket(.unix(path: folder.file("other")))
      #expect(rename(folder.file("other"), server.control) == 0)
      kill(server.pid, SIGKILL)
      _ = try asker.wait()
      try Deadline.usual.wait(for: "the sentence", output: { server.log }) {
        server.log.contains("in use by another server") ? () : nil
      }
      unlink(held)
      withExtendedLifetime(holder) {}
      holder = nil
      let status = try Self.follower(of: server.pid, server)
      #expect(server.log.components(separatedBy: "in use by another server").count == 2, "\(server.log)")
      #expect(try server.answering() == "A 1")
      // Workers without a master end; what they had may be lost, but the sockets stay open all the time.
      try ledger.waitForAnswers(20)
      Drill.expect(try ledger.finish(), onlyOf: ["A 1"], after: [.reset, .unanswered, .truncated])
      #expect(try server.ctl("stop").exit == 0)
      try Self.waitForEnds([status.pid] + status.workers.map(\.pid), server)
    }

    @Test("whoever reads the pid file during upgrades finds a whole number")
    func pidFile() throws {
      let folder = try TemporaryFolder()
      let path = folder.file("pid")
      let server = try SupervisedServer(Fixture.good, ["--pidfile", path], folder: folder)
      let ledger = try Ledger(server, Drill.ways)
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
      try ledger.waitForAnswers(20)
      Drill.expect(try ledger.finish(), onlyOf: ["A 1"])
      let said = try? String(contentsOfFile: wrong, encoding: .utf8)
      #expect(said == nil, "\(said ?? "")")
      #expect(try server.ctl("stop").exit == 0)
    }
  }
}
