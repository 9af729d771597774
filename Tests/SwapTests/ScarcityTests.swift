// A server where something is missing that is usually there: it serves, or says in a sentence what it needs.
import Foundation
import Support
import Testing

extension Swaps {
  @Suite struct ScarcityTests {
    /// How a server is started, through a shell that takes something away first.
    private static func run(
      _ preparation: String, _ options: [String], isolated: Bool = false
    ) throws -> ChildProcess {
      let command = ["/bin/sh", "-c", preparation + "\nexec \"$@\"", "sh", Repository.server]
      let words = (isolated ? ["/usr/bin/unshare", "-m"] : []) + command + options
      return try ChildProcess(words[0], Array(words.dropFirst()))
    }

    /// Waits until it says that it serves, or has ended; then asks it, and swaps if it has a master.
    private static func judge(
      _ preparation: String, hasMaster: Bool, isolated: Bool = false, serves: Bool
    ) throws -> String {
      let folder = try TemporaryFolder()
      let (app, control, served) = (folder.file("app.so"), folder.file("ctl"), folder.file("served"))
      try SupervisedServer.replace(app, with: try Fixture.good)
      let port = try FreePort.any()
      let role = hasMaster ? ["-p", "2", "--control-socket", control, "--swap-soak", "0"] : ["--no-master"]
      let process = try run(
        preparation.replacingOccurrences(of: "@", with: folder.path),
        ["--app", app, "--http-socket", "127.0.0.1:\(port)", "-L", "--app-option", "ledger=\(served)"] + role,
        isolated: isolated)
      guard serves else {
        #expect(try process.wait() != .status(0), "\(process.output)")
        let lines = process.output.split(separator: "\n").filter { !$0.contains("apps run as root") }
        #expect(lines.count == 1 && lines[0].hasPrefix("server: "), "\(process.output)")
        return process.output
      }
      _ = try process.waitForOutput("ready") { $0.contains(" ready\n") ? true : nil }
      let address = Address.tcp(host: "127.0.0.1", port: port)
      for _ in 0..<4 {
        #expect(try RawSocket(address).ask("/?id=0").text.hasPrefix("begin A 1"), "\(process.output)")
      }
      let ledger = try Ledger(at: ["http": address], served: served, [.httpFresh, .httpKeepAlive, .stream])
      try ledger.waitForAnswers(20)
      if hasMaster {
        try SupervisedServer.replace(app, with: try Fixture.better)
        let (exit, output) = try ChildProcess.run(
          Repository.server, ["ctl", "--control-socket", control, "swap"])
        #expect(exit == .status(0), "\(output)")
        #expect(try RawSocket(address).ask("/?id=0").text.hasPrefix("begin B 2"), "\(process.output)")
        ledger.expect(generation: 2)
        try ledger.waitForAnswers(20)
      }
      Drill.expect(try ledger.finish(), onlyOf: hasMaster ? ["A 1", "B 2"] : ["A 1"])
      #expect(try process.stop() == .status(0), "\(process.output)")
      return process.output
    }

    @Test("with few descriptors it serves and swaps", arguments: [48, 64, 100, 210], [true, false])
    func fewDescriptors(limit: Int, hasMaster: Bool) throws {
      _ = try Self.judge("ulimit -n \(limit)", hasMaster: hasMaster, serves: true)
    }

    @Test("with too few descriptors one sentence says so, with the limit", arguments: 8...13, [true, false])
    func tooFewDescriptors(limit: Int, hasMaster: Bool) throws {
      let output = try Self.judge("ulimit -n \(limit)", hasMaster: hasMaster, serves: false)
      #expect(output.contains("the limit is \(limit); raise it"), "\(output)")
    }

    @Test(
      "without a home, without its directory, without /dev/shm or /tmp it serves",
      arguments: [
        "unset HOME", "mkdir @/gone; cd @/gone; rmdir @/gone", "mount -t tmpfs -o ro none /dev/shm",
        "mkdir @/own; export TMPDIR=@/own; mount -t tmpfs -o ro none /var/tmp",
        // The test's own folder lies there, and stays what it is.
        "mkdir @/own; export TMPDIR=@/own; mount --bind /tmp /tmp; mount --bind @ @; "
          + "mount -o remount,ro,bind /tmp",
      ], [true, false])
    func missing(preparation: String, hasMaster: Bool) throws {
      try Root.require()
      _ = try Self.judge(preparation, hasMaster: hasMaster, isolated: true, serves: true)
    }

    @Test("with a root that cannot be written to it serves from TMPDIR elsewhere", arguments: [true, false])
    func readOnlyRoot(hasMaster: Bool) throws {
      try Root.require()
      let preparation = """
        mkdir @/own; mount --bind @ @; export TMPDIR=@/own
        mount --bind / / 2>/dev/null; mount -o remount,ro,bind /
        """
      _ = try Self.judge(preparation, hasMaster: hasMaster, isolated: true, serves: true)
    }

    @Test("without /proc one sentence says so", arguments: [true, false])
    func noProc(hasMaster: Bool) throws {
      try Root.require()
      let output = try Self.judge(
        "mount -t tmpfs none /proc", hasMaster: hasMaster, isolated: true, serves: false)
      #expect(output.contains("/proc is not mounted"), "\(output)")
    }

    @Test(
      "a cold start with one worker that cannot start serves with the others, and says so",
      arguments: [0, 1, 2])
    func oneWorkerCannot(which: Int) throws {
      let server = try SupervisedServer(Fixture.ledger("LOAD_FAILS_IN=\(which)"), workers: 3)
      let ledger = try Ledger(server, Drill.ways)
      let status = try server.status()
      #expect(status.serving.map(\.place).sorted() == [1, 2, 3].filter { $0 != which + 1 }, "\(status.text)")
      for _ in 0..<6 { #expect(try server.answering() == "A 1") }
      #expect(server.log.contains("worker \(which) has no ledger"), "\(server.log)")
      #expect(server.log.contains("the start goes on with 2 of 3 workers"), "\(server.log)")
      try server.waitForLog("place \(which + 1) waits 200 ms for its next worker")
      try ledger.waitForAnswers(20)
      Drill.expect(try ledger.finish(), onlyOf: ["A 1"])
      #expect(try server.stop() == .status(0), "\(server.log)")
    }
  }
}
