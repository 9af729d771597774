// The server's own directory: no copy of what was refused stays in it, and what a cleaner of temporary files
// takes out of it is made again.
import Foundation
import Support
import Testing

extension Swaps {
  @Suite struct CleanerTests {
    private static let quick = ["--swap-soak", "0", "--swap-probation", "0"]

    /// Starts a server whose directory is in `folder`; that directory.
    private static func start(
      _ options: [String] = quick, workers: Int = 2
    ) throws -> (server: SupervisedServer, directory: String) {
      let folder = try TemporaryFolder()
      let place = try folder.folder("own")
      let server = try SupervisedServer(
        Fixture.good, workers: workers, options + ["--runtime-dir", place], folder: folder)
      let name = try FileManager.default.contentsOfDirectory(atPath: place)
      try #require(name.count == 1 && name[0].hasPrefix("nsgi-\(server.pid)-"), "\(name)")
      return (server, place + "/" + name[0])
    }

    private static func copies(_ directory: String) throws -> [String] {
      try FileManager.default.contentsOfDirectory(atPath: directory).filter { $0.hasPrefix("gen-") }.map {
        "\(directory)/\($0)"
      }
    }

    @Test("no copy stays of a build that was refused, taken back, or is the one that serves already")
    func nothingStays() throws {
      let (server, directory) = try Self.start(["--swap-soak", "5", "--swap-probation", "60"], workers: 1)
      for bad in ["LOAD_FAILS", "PROBE_FAILS", "LOAD_CRASHES"] {
        try server.install(try Fixture.ledger(bad))
        #expect(try server.ctl("swap").exit == 1)
        #expect(try Self.copies(directory).count == 1, "\(bad)")
      }
      try server.install(try Fixture.good)
      for _ in 0..<3 { #expect(try server.ctl("swap").output.contains("nothing to do")) }
      #expect(try Self.copies(directory).count == 1)
      let ledger = try Ledger(server, [.httpFresh, .httpFresh])
      try server.install(try Fixture.ledger("CRASH_AT=3"))
      #expect(try server.ctl("swap").exit == 1)
      _ = try ledger.finish()
      try Deadline.usual.wait(for: "the copy to go", output: { server.log }) {
        try Self.copies(directory).count == 1 ? () : nil
      }
      #expect(try server.stop() == .status(0), "\(server.log)")
      #expect(!FileManager.default.fileExists(atPath: directory))
    }

    @Test("a partial copy, for which the disk has no room, goes, and what serves goes on")
    func noRoom() throws {
      try Root.require()
      let folder = try TemporaryFolder()
      let place = try folder.folder("own")
      let (mounted, said) = try ChildProcess.run(
        "/bin/mount", ["-t", "tmpfs", "-o", "size=300k,mode=755", "none", place])
      try #require(mounted == .status(0), "\(said)")
      defer { _ = try? ChildProcess.run("/bin/umount", ["-l", place]) }
      let server = try SupervisedServer(
        Fixture.good, workers: 1, Self.quick + ["--runtime-dir", place], folder: folder)
      let ledger = try Ledger(server, [.httpFresh, .httpKeepAlive])
      let large = folder.file("large.so")
      try SupervisedServer.replace(large, with: try Fixture.better)
      #expect(truncate(large, 1 << 20) == 0)
      for _ in 0..<3 {
        let (exit, output) = try server.ctl("swap", large)
        #expect(exit == 1 && output.contains("No space left on device"), "\(output)")
      }
      let own = try FileManager.default.contentsOfDirectory(atPath: place)
      #expect(try Self.copies(place + "/" + own[0]).count == 1)
      try server.install(try Fixture.better)
      #expect(try server.ctl("swap").exit == 0 && server.answering() == "B 5")
      ledger.expect(generation: 5)
      try ledger.waitForAnswers(20)
      Drill.expect(try ledger.finish(), onlyOf: ["A 1", "B 5"])
      #expect(try server.stop() == .status(0), "\(server.log)")
    }

    @Test(
      "after a cleaner of temporary files workers start, and swaps and rollbacks go on",
      arguments: [false, true])
    func cleaned(all: Bool) throws {
      let (server, directory) = try Self.start()
      let ways: [Ledger.Way] = [.httpFresh, .httpKeepAlive]
      let ledger = try Ledger(server, ways)
      func clean() throws {
        for path in all ? [directory] : try Self.copies(directory).map({ $0 + "/app.so" }) {
          // What was removed and is not used stays so.
          try? FileManager.default.removeItem(atPath: path)
        }
      }
      try clean()
      let victim = try server.status().serving[0].pid
      kill(victim, SIGKILL)
      try server.wait(for: "a new worker") { status in
        status.serving.count == 2 && status.serving.allSatisfy { $0.pid != victim }
      }
      for _ in 0..<4 { #expect(try server.answering() == "A 1") }
      try server.install(try Fixture.better)
      for (words, letter) in [(["swap"], "B 2"), (["rollback"], "A 1"), (["upgrade"], "A 1")] {
        try clean()
        let (exit, output) = try server.ctl(words, .usual)
        #expect(exit == 0, "\(words): \(output) \(server.log)")
        try Deadline.usual.wait(for: letter, output: { server.log }) {
          try server.answering() == letter ? () : nil
        }
      }
      #expect(server.log.contains("was removed by somebody, and is made again"), "\(server.log)")
      try ledger.waitForAnswers(20)
      // Who was killed took along what it had.
      Drill.expect(try ledger.finish(), lost: ways.count)
      #expect(try server.ctl("stop").exit == 0)
    }

    @Test("a control socket whose directory was removed is bound again when the directory is there again")
    func controlDirectory() throws {
      let folder = try TemporaryFolder()
      let place = try folder.folder("own")
      let server = try SupervisedServer(Fixture.good, workers: 1, ["--runtime-dir", place], folder: folder)
      let away = folder.path + ".away"
      #expect(rename(folder.path, away) == 0)
      defer { try? FileManager.default.removeItem(atPath: away) }
      try server.waitForLog("server: the control socket: ")
      #expect(try server.get().status == 200)
      // Several tries fail meanwhile.
      usleep(2_500_000)
      let said = server.log.split(separator: "\n").count { $0.hasPrefix("server: the control socket: ") }
      #expect(said == 1, "\(server.log)")
      try FileManager.default.createDirectory(atPath: folder.path, withIntermediateDirectories: false)
      try Deadline.usual.wait(for: "the control socket", output: { server.log }) {
        access(server.control, F_OK) == 0 ? () : nil
      }
      #expect(try server.status().serving.count == 1)
      try server.waitForLog("is bound")
      #expect(try server.stop() == .status(0), "\(server.log)")
    }

    @Test("a control socket that was removed is bound again")
    func control() throws {
      let (server, _) = try Self.start(workers: 1)
      #expect(unlink(server.control) == 0)
      try Deadline.usual.wait(for: "the control socket", output: { server.log }) {
        access(server.control, F_OK) == 0 ? () : nil
      }
      #expect(try server.status().serving.count == 1)
      #expect(try server.stop() == .status(0), "\(server.log)")
    }
  }
}
