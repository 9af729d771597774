// Builds that must not go live, or not stay: refused or taken back with the reason, and nobody notices but
// those whose request a crash took.
import Foundation
import Support
import Testing

extension Swaps {
  @Suite struct BadBuildTests {
    /// A build that the trial refuses.
    struct Bad: Sendable, CustomTestStringConvertible {
      let testDescription: String
      /// A word of the reason.
      let word: String
      /// Puts it at a path.
      let put: @Sendable (String) throws -> Void

      init(_ what: String, _ word: String, _ put: @escaping @Sendable (String) throws -> Void) {
        (testDescription, self.word, self.put) = (what, word, put)
      }

      /// A fixture, as it is built.
      init(fixture: String, defines: [String] = [], _ word: String) {
        self.init("\(fixture) \(defines.joined())", word) {
          try SupervisedServer.replace($0, with: try FixtureApp.path(fixture, defines: defines))
        }
      }

      /// The better build with some bytes changed.
      init(_ what: String, _ word: String, change: @escaping @Sendable (inout Data) -> Void) {
        self.init(what, word) { path in
          var bytes = try Data(contentsOf: URL(fileURLWithPath: try Fixture.better))
          change(&bytes)
          try bytes.write(to: URL(fileURLWithPath: path), options: .atomic)
        }
      }
    }

    static let refused = [
      Bad("half of the file", "cut", change: { $0 = $0.prefix($0.count / 2) }),
      Bad("an empty file", "empty", change: { $0 = Data() }),
      Bad("another processor's", "riscv", change: { $0[18] = 0xf3 }),
      Bad("no ELF file", "ELF", change: { $0[1] = 0x20 }),
      Bad("no file", "does not exist", { try FileManager.default.removeItem(atPath: $0) }),
      Bad(fixture: "undefined_symbol", "nobody_has_this"),
      Bad(fixture: "no_entry", "nsgi_entry"),
      Bad(fixture: "later_major", "2"),
      Bad(fixture: "crashes_in_constructor", "SIG"),
      Bad(fixture: "crashes_in_entry", "SIG"),
      Bad(fixture: "exits_in_load", "exit"),
      Bad(fixture: "ledger", defines: ["LOAD_FAILS"], "the ledger is closed today"),
      Bad(fixture: "ledger", defines: ["LOAD_CRASHES"], "SIGABRT"),
      Bad(fixture: "ledger", defines: ["LOAD_HANGS"], "--swap-timeout"),
      Bad(fixture: "ledger", defines: ["PROBE_FAILS"], "probe"),
    ]

    @Test("what the trial finds is refused, and nobody notices", arguments: refused)
    func isRefused(bad: Bad) throws {
      // A crash writes its backtrace before it ends, which a busy machine may take its time for.
      let timeout = bad.word == "--swap-timeout" ? "1" : "30"
      let server = try SupervisedServer(
        Fixture.good, gateways: ["http", "fastcgi"], ["--swap-timeout", timeout, "--swap-soak", "0"])
      let ledger = try Ledger(server, [.httpKeepAlive, .httpFresh, .fastcgiKeepAlive, .upload])
      try ledger.waitForAnswers(20)
      let before = try server.status()
      try bad.put(server.app)
      let (exit, output) = try server.ctl("swap")
      #expect(exit == 1, "\(output)")
      let verdict = output.split(separator: "\n").last ?? ""
      #expect(verdict.hasPrefix("refused: ") && verdict.contains(bad.word), "\(output)")
      #expect(verdict.contains("still serving ledger generation 1"), "\(output)")
      #expect(server.log.contains("swap refused: "), "\(server.log)")
      let after = try server.status()
      #expect(after.workers == before.workers && after.generations == [1])
      #expect(after.last.contains(bad.word), "\(after.last)")
      #expect(try server.answering() == "A 1")
      // What was refused holds nothing up; the trial may have used up its number.
      try server.install(try Fixture.better)
      #expect(try server.ctl("swap").exit == 0)
      try ledger.waitForAnswers(20)
      let report = try ledger.finish()
      #expect(report.losses.isEmpty && report.duplicates.isEmpty, "\(report)")
      #expect(try server.answering().hasPrefix("B "))
      #expect(try server.stop() == .status(0), "\(server.log)")
    }

    @Test("a build whose first worker crashes while it soaks is refused", arguments: [1, 20])
    func crashesInSoak(request: Int) throws {
      let server = try SupervisedServer(Fixture.good, ["--swap-soak", "20"])
      let ledger = try Ledger(server, [.httpFresh, .httpFresh, .httpKeepAlive, .stream])
      try ledger.waitForAnswers(20)
      try server.install(try Fixture.ledger("CRASH_AT=\(request)"))
      let (exit, output) = try server.ctl("swap")
      #expect(exit == 1 && output.contains("SIGABRT") && output.contains("crashed"), "\(output)")
      #expect(output.contains("generation 2 while serving"), "\(output)")
      // The kernel ends the connections of a crashed process some time after it.
      try Deadline.usual.wait(for: "the loss") { ledger.losses.isEmpty ? nil : () }
      try ledger.waitForAnswers(100)
      let lost = ledger.losses
      #expect((1...4).contains(lost.count), "\(lost)")
      #expect(lost.allSatisfy { [.reset, .unanswered, .truncated].contains($0.kind) }, "\(lost)")
      try ledger.waitForAnswers(100)
      let report = try ledger.finish()
      #expect(report.losses.count == lost.count && report.duplicates.isEmpty, "\(report)")
      #expect(try server.answering() == "A 1")
      #expect(try server.ctl("generations").output.contains("generation 1 serving"))
      #expect(try server.stop() == .status(0), "\(server.log)")
    }

    @Test("a build that crashes after its commit is taken back by itself")
    func crashesOnProbation() throws {
      let server = try SupervisedServer(Fixture.good, ["--swap-soak", "0", "--swap-probation", "60"])
      let ledger = try Ledger(server, [.httpFresh, .httpFresh, .httpKeepAlive])
      try ledger.waitForAnswers(20)
      try server.install(try Fixture.ledger("CRASH_AT=100"))
      // A machine that is slow between two workers may see the crash before the commit.
      let (exit, output) = try server.ctl("swap")
      #expect(exit == 0 || output.contains("crashed"), "\(output)")
      let status = try server.wait(for: "the build before") { status in
        status.generations == [1] && status.workers.allSatisfy { $0.generations == [1] }
      }
      #expect(status.last.contains("SIGABRT"), "\(status.last)")
      #expect(!status.crashes.isEmpty && status.crashes[0].contains("generation 2 while serving"))
      let generations = try server.ctl("generations").output
      #expect(generations.contains("generation 1 serving"), "\(generations)")
      if exit == 0 {
        #expect(server.log.contains("ledger generation 2 is taken back: "), "\(server.log)")
        #expect(generations.contains("generation 2 withdrawn"), "\(generations)")
      }
      try ledger.waitForAnswers(200)
      let lost = ledger.losses
      #expect(lost.allSatisfy { [.reset, .unanswered, .truncated].contains($0.kind) }, "\(lost)")
      #expect(lost.count <= 3 * status.crashes.count, "\(lost)")
      try ledger.waitForAnswers(200)
      let report = try ledger.finish()
      #expect(report.losses.count == lost.count, "\(report)")
      #expect(try server.answering() == "A 1")
      // There is nothing else to go back to, and what failed is not it.
      #expect(try server.ctl("rollback").exit == 1)
      #expect(try server.stop() == .status(0), "\(server.log)")
    }

    @Test(
      "a build that answers 500 to everything is refused while it soaks, or taken back after it",
      arguments: ["1", "0"])
    func fails(soak: String) throws {
      let server = try SupervisedServer(
        Fixture.good, ["--swap-soak", soak, "--swap-probation", "60"])
      let ledger = try Ledger(server, [.httpFresh, .httpKeepAlive, .httpFresh, .httpFresh])
      try ledger.waitForAnswers(20)
      try server.install(try Fixture.ledger("FAILS"))
      let (exit, output) = try server.ctl("swap")
      let isRefused = exit == 1 && output.contains("5xx")
      // Without a soak too, if the second place takes long to get ready: the first has answered meanwhile.
      #expect(isRefused || soak == "0" && exit == 0, "\(output)")
      let status = try server.wait(for: "the build before") { status in
        status.generations == [1] && status.workers.allSatisfy { $0.generations == [1] }
      }
      #expect(status.last.contains("5xx"), "\(status.last)")
      let lost = ledger.losses
      #expect(!lost.isEmpty && lost.allSatisfy { $0.kind == .status }, "\(lost)")
      try ledger.waitForAnswers(200)
      #expect(try ledger.finish().losses.count == lost.count)
      #expect(try server.answering() == "A 1")
      #expect(try server.stop() == .status(0), "\(server.log)")
    }

    @Test("a build that answers 500 to everything is refused as soon as its answers say so")
    func failsAtOnce() throws {
      let server = try SupervisedServer(Fixture.good, workers: 1, ["--swap-soak", "600"])
      let ledger = try Ledger(server, [.httpFresh, .httpFresh])
      try ledger.waitForAnswers(20)
      try server.install(try Fixture.ledger("FAILS"))
      let (exit, output) = try server.ctl("swap")
      #expect(exit == 1 && output.contains("5xx"), "\(output)")
      let report = try ledger.finish()
      #expect(report.losses.allSatisfy { $0.kind == .status }, "\(report)")
      #expect(try server.answering() == "A 1")
      #expect(try server.stop() == .status(0), "\(server.log)")
    }

    @Test("a build that leaves one request of fifty without an answer is taken back")
    func hangs() throws {
      let server = try SupervisedServer(
        Fixture.good, ["--swap-soak", "0.5", "--swap-probation", "60", "--threads", "64"])
      #expect(try server.get().status == 200)
      try server.install(try Fixture.ledger("HANGS_EVERY=50"))
      _ = try server.ctl("swap")
      var open: [RawSocket] = []
      for _ in 0..<400 {
        let socket = try server.server.connect()
        try socket.send("GET /?id=1 HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")
        open.append(socket)
      }
      let status = try server.wait(for: "the build before") { status in
        status.generations == [1] && status.serving.allSatisfy { $0.generations == [1] }
      }
      #expect(status.last.contains("requests have taken more than 5 s"), "\(status.last)")
      #expect(try server.answering() == "A 1")
      for worker in try server.status().workers { kill(worker.pid, SIGKILL) }
      #expect(try server.stop() == .status(0), "\(server.log)")
    }

    @Test("a build that fails as often as the one before is no worse and stays")
    func failsAsBefore() throws {
      let server = try SupervisedServer(
        Fixture.ledger("FAILS"), ["--swap-soak", "0.5", "--swap-probation", "60"])
      for _ in 0..<20 { #expect(try server.get().status == 500) }
      try server.install(try Fixture.ledger("FAILS", "LETTER='B'"))
      #expect(try server.ctl("swap").exit == 0)
      for _ in 0..<20 { #expect(try server.get().text.contains("begin B 2")) }
      #expect(try server.stop() == .status(0), "\(server.log)")
    }

    @Test("the app's file overwritten, cut and removed while it serves harms nothing, not even a new worker")
    func fileChanges() throws {
      let server = try SupervisedServer(Fixture.good)
      let ledger = try Ledger(server, [.httpFresh, .httpKeepAlive, .stream])
      try ledger.waitForAnswers(20)
      let file = try #require(FileHandle(forWritingAtPath: server.app))
      try file.write(contentsOf: Data(repeating: 0xcc, count: 4096))
      try ledger.waitForAnswers(20)
      #expect(try server.ctl("swap").exit == 1)
      try file.truncate(atOffset: 0)
      try ledger.waitForAnswers(20)
      try file.close()
      try FileManager.default.removeItem(atPath: server.app)
      try ledger.waitForAnswers(20)
      #expect(try ledger.finish().losses.isEmpty)
      // A worker is made of the private copy.
      let old = try server.status()
      for worker in old.workers { kill(worker.pid, SIGKILL) }
      try server.wait(for: "two new workers") { status in
        status.serving.count == 2 && status.workers.allSatisfy { !old.workers.contains($0) }
      }
      #expect(try server.answering() == "A 1")
      #expect(try server.stop() == .status(0), "\(server.log)")
    }
  }
}
