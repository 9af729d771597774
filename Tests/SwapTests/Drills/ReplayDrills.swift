// What happens to the processes of a replay happens to nobody else: they are killed, stopped, or hang; the
// swap is refused with the reason, or goes on, and no client notices.
import Foundation
import Support
import Testing

extension Swaps {
  @Suite struct ReplayDrills {
    /// Each request takes so long that a replay of some is still under way when somebody looks.
    private static let slow = "WAITS=20000"

    private static func server() throws -> (SupervisedServer, Ledger) {
      let server = try Drill.server(
        try Fixture.ledger("LETTER='A'", slow), "auto", Drill.quick + ["--swap-replay", "20"])
      let ledger = try Ledger(server, [.httpFresh, .httpKeepAlive])
      try ledger.waitForAnswers(60)
      return (server, ledger)
    }

    /// Asks for a swap; the process of `server ctl`.
    private static func swap(_ server: SupervisedServer, _ defines: String...) throws -> ChildProcess {
      try server.install(try Fixture.ledger(defines))
      return try ChildProcess(Repository.server, ["ctl", "--control-socket", server.control, "swap"])
    }

    /// The process that replays.
    private static func replayer(_ server: SupervisedServer) throws -> pid_t {
      let master = try server.status().pid
      return try Deadline.usual.wait(for: "the process that replays", output: { server.log }) {
        try Drill.children(of: master).first { pid in
          // Before its exec it has the master's words, which end otherwise.
          ProcessUsage.text(pid, "cmdline")?.split(separator: "\0").last == "replay"
        }
      }
    }

    /// Its three copies with what tells their builds apart, once these are loaded.
    private static func copies(_ replayer: pid_t, _ server: SupervisedServer) throws -> [pid_t: Substring] {
      try Deadline.usual.wait(for: "three copies of builds", output: { server.log }) {
        var builds: [pid_t: Substring] = [:]
        for pid in try Drill.children(of: replayer) {
          builds[pid] = ProcessUsage.text(pid, "maps")?.firstMatch(of: /\/gen-[0-9]+\//)?.output
        }
        return builds.count == 3 ? builds : nil
      }
    }

    @Test("whoever is killed during a replay: the swap is refused with the reason, or goes on")
    func killed() throws {
      let (server, ledger) = try Self.server()
      // The process that replays: its copies end with it.
      let first = try Self.swap(server, "LETTER='B'", Self.slow)
      let replayer = try Self.replayer(server)
      let left = try Self.copies(replayer, server)
      kill(replayer, SIGKILL)
      #expect(try first.wait() == .status(1), "\(first.output)")
      #expect(first.output.contains("refused: the replay ended with "), "\(first.output)")
      #expect(first.output.contains("SIGKILL before it had compared anything"), "\(first.output)")
      for pid in left.keys { try Drill.waitForEnd(of: pid, server) }
      // The copy of the new build: as if it had crashed.
      let second = try Self.swap(server, "LETTER='B'", Self.slow)
      let copies = try Self.copies(try Self.replayer(server), server)
      let new = try #require(copies.first { copy in copies.values.count { $0 == copy.value } == 1 })
      kill(new.key, SIGKILL)
      #expect(try second.wait() == .status(1), "\(second.output)")
      // Before it is ready, while it answers, or between two requests.
      let reasons = [
        "to replay requests to does not start: ", "died of SIGKILL", "is as far as it came",
        "(its process has ended)",
      ]
      #expect(reasons.contains { second.output.contains($0) }, "\(second.output)")
      #expect(second.output.contains("still serving ledger generation 1"), "\(second.output)")
      // A copy of the serving build: that says nothing about the new one.
      let third = try Self.swap(server, "LETTER='B'", Self.slow)
      let others = try Self.copies(try Self.replayer(server), server)
      let old = try #require(others.first { copy in others.values.count { $0 == copy.value } == 2 })
      kill(old.key, SIGKILL)
      #expect(try third.wait() == .status(0), "\(third.output)")
      let remarks = [" not compared", "another copy of the serving build does not start: "]
      #expect(remarks.contains { third.output.contains($0) }, "\(third.output)")
      #expect(try server.answering().hasPrefix("B "))
      Drill.expect(try ledger.finish())
      #expect(try server.stop() == .status(0), "\(server.log)")
    }

    @Test("a build that hangs in its replay is refused; a replay that is stopped holds up its swap alone")
    func stopped() throws {
      let (server, ledger) = try Self.server()
      let first = try Self.swap(server, "LETTER='B'", "WAITS=600000000")
      #expect(try first.wait(Deadline(seconds: 120)) == .status(1), "\(first.output)")
      #expect(first.output.contains(" was answered with nothing (not within "), "\(first.output)")
      #expect(first.output.contains("still serving ledger generation 1"), "\(first.output)")
      let second = try Self.swap(server, "LETTER='B'", Self.slow)
      let stopped = try Self.replayer(server)
      kill(stopped, SIGSTOP)
      #expect(try server.status().change.contains("replaying requests"))
      try ledger.waitForAnswers(4)
      kill(stopped, SIGCONT)
      #expect(try second.wait(Deadline(seconds: 120)) == .status(0), "\(second.output)")
      try ledger.waitForAnswers(60)
      // Nobody wakes this one: an end of the server ends it.
      let third = try Self.swap(server, "LETTER='C'", Self.slow)
      let last = try Self.replayer(server)
      kill(last, SIGSTOP)
      Drill.expect(try ledger.finish())
      #expect(try server.answering().hasPrefix("B "))
      #expect(try server.stop() == .status(0), "\(server.log)")
      #expect(try third.wait() == .status(1), "\(third.output)")
      #expect(third.output.contains("refused: the server stops"), "\(third.output)")
      try Drill.waitForEnd(of: last, server)
    }
  }
}
