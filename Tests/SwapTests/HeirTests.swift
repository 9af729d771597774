// What crosses an upgrade: the builds that are kept, their numbers, the probation; and what becomes of it
// where the two servers are of different releases.
import Foundation
import Support
import Testing

extension Swaps {
  @Suite struct HeirTests {
    /// Upgrades, and waits until the new master alone is there.
    private static func upgrade(_ server: SupervisedServer, _ words: String...) throws -> MasterStatus {
      let old = try server.status()
      let (exit, output) = try server.ctl(["upgrade"] + words, .usual)
      #expect(exit == 0, "\(output) \(server.log)")
      try Deadline.usual.wait(for: "the old master to leave", output: { server.log }) {
        ProcessUsage.isAlive(old.pid) ? nil : ()
      }
      let status = try server.status()
      #expect(status.pid != old.pid && status.serving.count == old.serving.count, "\(status.text)")
      return status
    }

    private static func end(_ server: SupervisedServer) throws {
      let status = try server.status()
      #expect(try server.ctl("stop").exit == 0)
      try Deadline.usual.wait(for: "the end of all", output: { server.log }) {
        ([status.pid] + status.workers.map(\.pid)).contains { ProcessUsage.isAlive($0) } ? nil : ()
      }
    }

    @Test("the builds that are kept can be brought back after upgrades, and numbers go on")
    func history() throws {
      let server = try SupervisedServer(Fixture.good, ["--swap-soak", "0", "--swap-probation", "0"])
      let ledger = try Ledger(server, [.httpFresh, .httpKeepAlive, .stream])
      let beside = server.folder.file("beside.so")
      try SupervisedServer.replace(beside, with: try Fixture.better)
      #expect(try server.ctl("swap", beside).exit == 0)
      #expect(try server.ctl("rollback").exit == 0)
      #expect(try server.answering() == "A 1")
      // Neither file is needed any more.
      for path in [beside, server.app] { try FileManager.default.removeItem(atPath: path) }
      for _ in 0..<2 { _ = try Self.upgrade(server) }
      let generations = try server.ctl("generations").output
      #expect(generations.contains("/ generation 2 retired ledger 1"), "\(generations)")
      #expect(generations.contains("/ generation 1 serving ledger 1"), "\(generations)")
      let (exit, output) = try server.ctl("rollback")
      #expect(exit == 0 && output.contains("serving ledger generation 2"), "\(output)")
      #expect(try server.answering() == "B 2")
      try server.install(try Fixture.good)
      #expect(try server.ctl("swap", server.app).output.contains("generation 3"))
      #expect(try server.answering() == "A 3")
      try ledger.waitForAnswers(20)
      let report = try ledger.finish()
      #expect(report.losses.isEmpty && report.duplicates.isEmpty && report.unserved.isEmpty, "\(report)")
      try Self.end(server)
    }

    @Test("a build on probation is taken back after an upgrade too, and stays withdrawn after the next")
    func probation() throws {
      let server = try SupervisedServer(Fixture.good, ["--swap-soak", "0", "--swap-probation", "600"])
      try server.install(try Fixture.ledger("FAILS"))
      #expect(try server.ctl("swap").exit == 0)
      let status = try Self.upgrade(server)
      #expect(status.generations == [2] && status.change == "on probation: /", "\(status.text)")
      // Six answers: what is in the way of the old master is none of the new one's.
      for _ in 0..<6 { _ = try server.get() }
      try server.wait(for: "the build before") { status in
        status.generations == [1] && status.serving.count == 2
          && status.serving.allSatisfy { $0.generations == [1] }
      }
      #expect(server.log.contains("ledger generation 2 is taken back: "), "\(server.log)")
      #expect(try server.answering() == "A 1")
      #expect(try Self.upgrade(server).change.isEmpty)
      let generations = try server.ctl("generations").output
      #expect(generations.contains("generation 2 withdrawn"), "\(generations)")
      #expect(try server.ctl("rollback").output.contains("no build to go back to"))
      #expect(try server.answering() == "A 1")
      try Self.end(server)
    }

    @Test("evidence against the build on probation ends an upgrade under way, and the new server with it")
    func evidence() throws {
      let folder = try TemporaryFolder()
      let program = try folder.program(
        "#!/bin/sh\necho $$ >\(folder.file("heir"))\nexec sleep 100\n", "never")
      let server = try SupervisedServer(
        Fixture.good, ["--swap-soak", "0", "--swap-probation", "600"], folder: folder)
      try server.install(try Fixture.ledger("FAILS"))
      #expect(try server.ctl("swap").exit == 0)
      let asker = try ChildProcess(
        Repository.server, ["ctl", "--control-socket", server.control, "upgrade", program])
      let heir = try Deadline.usual.wait(for: "the new server", output: { server.log }) {
        (try? String(contentsOfFile: folder.file("heir"), encoding: .utf8)).flatMap { pid_t($0.trimmed) }
      }
      for _ in 0..<12 { _ = try server.get() }
      #expect(try asker.wait() == .status(1) && asker.output.contains("is taken back"), "\(asker.output)")
      try Deadline.usual.wait(for: "its end") { ProcessUsage.isAlive(heir) ? nil : () }
      // The next one is not mistaken for it.
      try server.wait(for: "the build before") { $0.serving.allSatisfy { $0.generations == [1] } }
      _ = try Self.upgrade(server)
      #expect(try server.answering() == "A 1")
      try Self.end(server)
    }

    @Test(
      "a server of an earlier release goes on without what it does not know; one of a later finds less",
      arguments: ["earlier", "later"])
    func otherRelease(which: String) throws {
      let folder = try TemporaryFolder()
      // What an earlier one would ignore is taken away, what a later one would say is put there.
      let change =
        which == "earlier"
        ? """
        tr '\\0' '\\n' </proc/self/fd/4 | grep -v '^kept\\|^trial\\|^counter' | \
          tr '\\n' '\\0' >\(folder.file("orders"))
        exec \(Repository.server) "$@" 4<\(folder.file("orders"))
        """
        : """
        printf 'kept-colour=red\\0trial-mood=good\\0later=1\\0' >>/proc/self/fd/4
        exec \(Repository.server) "$@"
        """
      let program = try folder.program("#!/bin/sh\n\(change)\n", which)
      let server = try SupervisedServer(
        Fixture.good, ["--swap-soak", "0", "--swap-probation", "0"], folder: folder)
      try server.install(try Fixture.better)
      #expect(try server.ctl("swap").exit == 0)
      let ledger = try Ledger(server, [.httpFresh, .httpKeepAlive])
      _ = try Self.upgrade(server, program)
      #expect(try server.answering() == "B 2")
      let (exit, output) = try server.ctl("rollback")
      #expect(exit == (which == "earlier" ? 1 : 0), "\(output)")
      #expect(try server.answering() == (which == "earlier" ? "B 2" : "A 1"))
      try ledger.waitForAnswers(20)
      let report = try ledger.finish()
      #expect(report.losses.isEmpty && report.duplicates.isEmpty, "\(report)")
      try Self.end(server)
    }

    @Test(
      "a server that does not know an option refuses the upgrade with one sentence, and what serves goes on")
    func unknownOption() throws {
      let folder = try TemporaryFolder()
      let program = try folder.program(
        """
        #!/bin/sh
        printf 'argument=--of-tomorrow=1\\0' >>/proc/self/fd/4
        exec \(Repository.server) "$@"

        """, "tomorrow")
      let server = try SupervisedServer(Fixture.good, folder: folder)
      let (exit, output) = try server.ctl("upgrade", program)
      let verdict = output.split(separator: "\n").last ?? ""
      #expect(exit == 1 && verdict.hasPrefix("refused: ") && verdict.contains("of-tomorrow"), "\(output)")
      #expect(try server.answering() == "A 1" && server.status().pid == server.pid)
      #expect(try server.stop() == .status(0), "\(server.log)")
    }
  }
}
