// Changes that must not get stuck: the first new worker leaves while it soaks, a way back fails too, a worker
// dies before the others are there.
import Foundation
import Support
import Testing

extension Swaps {
  @Suite struct WedgeDrills {
    /// How the first new worker leaves.
    enum Leaving: String, CaseIterable, Sendable {
      case maxRequests, lifetime, memory, exit

      var options: [String] {
        switch self {
        case .maxRequests: ["--max-requests", "40"]
        case .lifetime: ["--max-worker-lifetime", "0.4"]
        case .memory: ["--reload-on-rss", "64"]
        case .exit: []
        }
      }

      func build(_ letter: String) throws -> String {
        switch self {
        case .maxRequests, .lifetime: try Fixture.ledger(letter)
        case .memory: try Fixture.ledger(letter, "GROWS=64")
        case .exit:
          letter == "LETTER='B'" ? try Fixture.ledger(letter, "EXIT_AT=20") : try Fixture.ledger(letter)
        }
      }
    }

    @Test(
      "a first new worker that leaves during the soak without a crash holds up nothing",
      arguments: Leaving.allCases, Drill.loops)
    func canaryLeaves(how: Leaving, loop: String) throws {
      let server = try Drill.server(
        try how.build("LETTER='A'"), loop, ["--swap-soak", "1", "--swap-probation", "0"] + how.options)
      let ledger = try Ledger(server, [.httpFresh, .httpKeepAlive, .httpFresh, .stream])
      try ledger.waitForAnswers(20)
      try server.install(try how.build("LETTER='B'"))
      let (exit, output) = try server.ctl("swap")
      if how == .exit {
        // Nobody told it to leave: that is a crash, whatever its exit code.
        #expect(exit == 1 && output.contains("its worker crashed"), "\(output)")
      } else {
        #expect(exit == 0, "\(output) \(server.log)")
      }
      try Drill.expectChangesEnd(server)
      try server.install(try how.build("LETTER='C'"))
      let (after, said) = try server.ctl("swap")
      #expect(after == 0 && said.contains("serving ledger generation"), "\(said)")
      try ledger.waitForAnswers(20)
      Drill.expect(try ledger.finish(), lost: how == .exit ? 4 : 0)
      #expect(try server.answering().hasPrefix("C "))
      #expect(try server.stop() == .status(0), "\(server.log)")
    }

    @Test(
      "a rollout that fails, and whose way back fails too, is told as it is and mended",
      arguments: Drill.loops)
    func wayBackFails(loop: String) throws {
      let server = try Drill.server(
        try Fixture.ledger("CLOSABLE"), loop,
        ["--swap-soak", "1", "--swap-probation", "0", "--app-option", "closed=DIR/closed"])
      let ledger = try Ledger(server, [.httpFresh, .httpKeepAlive, .stream])
      // The first place gets the new build; the second cannot, and the first cannot have the old one back.
      try server.install(try Fixture.ledger("LETTER='B'", "LOAD_FAILS_IN=1"))
      let asker = try ChildProcess(Repository.server, ["ctl", "--control-socket", server.control, "swap"])
      try server.wait(for: "the first new worker") { $0.serving.contains { $0.generations == [2] } }
      try server.folder.write("", to: "closed")
      #expect(try asker.wait() == .status(1), "\(asker.output)")
      #expect(asker.output.contains("workers that are still to change: 1"), "\(asker.output)")
      #expect(try server.status().serving.map(\.generations).sorted { $0[0] < $1[0] } == [[1], [2]])
      try Drill.expectTruth(server)
      // The next change does not wait for it, and is refused for a reason of its own.
      let next = try server.ctl("swap")
      #expect(next.exit == 1 && next.output.contains("refused: "), "\(next.output)")
      try server.waitForLog("place 1 waits 200 ms for its next worker")
      try FileManager.default.removeItem(atPath: server.folder.file("closed"))
      try Drill.waitForAll(1, server)
      try ledger.waitForAnswers(20)
      Drill.expect(try ledger.finish())
      #expect(try server.stop() == .status(0), "\(server.log)")
    }

    @Test(
      "a worker that dies while another still loads at the start is followed, and the server gets ready",
      arguments: Drill.loops)
    func deathAtTheStart(loop: String) throws {
      let folder = try TemporaryFolder()
      try folder.write("", to: "held")
      let (control, served) = (folder.file("ctl"), folder.file("served"))
      let port = try FreePort.any()
      let process = try ChildProcess(
        Repository.server,
        [
          "--app", try Fixture.ledger("LOAD_WAITS_IN=1"), "--http-socket", "127.0.0.1:\(port)", "-L", "-p",
          "2", "--control-socket", control, "--app-option", "held=\(folder.file("held"))", "--app-option",
          "ledger=\(served)",
        ], environment: ["NSGI_IO": loop])
      func status() throws -> MasterStatus? {
        let (exit, output) = try ServerProcess.run(["ctl", "--control-socket", control, "--json", "status"])
        return exit == .status(0) ? try MasterStatus(output) : nil
      }
      let first = try Deadline.usual.wait(for: "the first worker", output: { process.output }) {
        access(folder.file("held.here"), F_OK) == 0 ? try status()?.serving.first : nil
      }
      let ways: [Ledger.Way] = [.httpFresh, .httpKeepAlive]
      let ledger = try Ledger(at: ["http": .tcp(host: "127.0.0.1", port: port)], served: served, ways)
      try ledger.waitForAnswers(20)
      kill(first.pid, SIGKILL)
      try Deadline.usual.wait(for: "its successor", output: { process.output }) {
        try status()?.serving.contains { $0.place == 1 && $0.pid != first.pid } == true ? () : nil
      }
      #expect(!process.output.contains(" ready\n"))
      try FileManager.default.removeItem(atPath: folder.file("held"))
      _ = try process.waitForOutput("the server") { $0.contains(" ready\n") ? true : nil }
      #expect(try status()?.serving.count == 2)
      let (exit, output) = try ServerProcess.run(["ctl", "--control-socket", control, "swap"])
      #expect(exit == .status(0) && output.contains("nothing to do"), "\(output)")
      try ledger.waitForAnswers(20)
      Drill.expect(try ledger.finish(), lost: ways.count)
      #expect(try process.stop() == .status(0), "\(process.output)")
    }
  }
}
