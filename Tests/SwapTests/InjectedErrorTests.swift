// A system call that fails once, at any place: the server serves, or one sentence says why it does not, and
// in both cases it ends when it is told to.
import Foundation
import Support
import Testing

extension Swaps {
  @Suite struct InjectedErrorTests {
    /// Which calls fail, with which error, and which of them: the numbers of strace(1).
    struct Injection: Sendable, CustomTestStringConvertible {
      let calls: String
      let error: String
      let when: String
      /// In the master's process alone, or in each process and thread.
      let isMasters: Bool

      init(_ calls: String, _ error: String, _ when: String, isMasters: Bool) {
        (self.calls, self.error, self.when, self.isMasters) = (calls, error, when, isMasters)
      }
      var testDescription: String { "\(calls) \(error) \(when)" }
      var options: [String] {
        (isMasters ? [] : ["-f"])
          + ["-e", "trace=\(calls)", "-e", "inject=\(calls):error=\(error):when=\(when)"]
      }
    }

    /// Kills a worker that serves, and waits until its place and all others serve.
    private static func killWorker(_ control: String, _ process: ChildProcess) throws {
      func status() throws -> MasterStatus? {
        let (exit, output) = try ChildProcess.run(
          Repository.server, ["ctl", "--control-socket", control, "--json", "status"])
        return exit == .status(0) ? try MasterStatus(output) : nil
      }
      let victim = try Deadline.usual.wait(for: "a worker", output: { process.output }) {
        try status()?.serving.first
      }
      kill(victim.pid, SIGKILL)
      try Deadline.usual.wait(for: "the next worker", output: { process.output }) {
        let serving = try status()?.serving ?? []
        let isFollowed = !serving.contains { $0.pid == victim.pid }
        return isFollowed && Set(serving.map(\.place)) == [1, 2] ? () : nil
      }
    }

    private static func judge(_ injection: Injection, loop: String) throws {
      let folder = try TemporaryFolder()
      let (app, control, trace) = (folder.file("app.so"), folder.file("ctl"), folder.file("trace"))
      try SupervisedServer.replace(app, with: try Fixture.good)
      let port = try FreePort.any()
      // The server is the child, and strace the grandchild.
      let process = try ChildProcess(
        "/usr/bin/strace",
        ["-D", "-qq", "-o", trace] + injection.options + [
          Repository.server, "--app", app, "--http-socket", "127.0.0.1:\(port)", "-L", "-p", "2",
          "--control-socket", control, "--swap-soak", "0",
        ], environment: ["NSGI_IO": loop])
      defer { _ = try? process.stop(SIGKILL) }
      let serves = try Deadline.usual.wait(for: "a server that serves or ends", output: { process.output }) {
        process.output.contains(" ready\n") ? true : process.ended == nil ? nil : false
      }
      if serves {
        let address = Address.tcp(host: "127.0.0.1", port: port)
        func expectAnswer() throws {
          let text = try RawSocket(address).ask("/?id=1").text
          // The reload may have put the build to work that a rollback had left.
          let builds = ["begin A 1", "begin B 2", "begin B 3"]
          #expect(builds.contains { text.hasPrefix($0) }, "\(text) \(process.output)")
        }
        for _ in 0..<4 { try expectAnswer() }
        try SupervisedServer.replace(app, with: try Fixture.better)
        for change in ["swap", "rollback", "reload"] {
          let (exit, output) = try ChildProcess.run(
            Repository.server, ["ctl", "--control-socket", control, change])
          #expect(
            exit == .status(0) || exit == .status(1) && output.contains("refused: "), "\(change): \(output)")
        }
        try killWorker(control, process)
        for _ in 0..<4 { try expectAnswer() }
        // How many of these calls a request takes depends on what comes at once: ask until one has failed.
        _ = try Deadline.usual.wait(for: "a call that fails", output: { process.output }) {
          try expectAnswer()
          return try String(contentsOfFile: trace, encoding: .utf8).contains("INJECTED") ? true : nil
        }
        #expect(try process.stop() == .status(0), "\(process.output)")
      } else {
        #expect(process.ended != .status(0))
        let lines = process.output.split(separator: "\n").filter { !$0.contains("apps run as root") }
        #expect(lines.count == 1 && lines[0].hasPrefix("server: "), "\(process.output)")
      }
      let injected = try String(contentsOfFile: trace, encoding: .utf8)
      #expect(injected.contains("INJECTED"), "nothing has failed")
    }

    @Test(
      "a call of the master that fails once leaves nothing that hangs",
      arguments: [
        Injection("epoll_ctl", "ENOMEM", "3", isMasters: true),
        Injection("epoll_ctl", "ENOMEM", "9", isMasters: true),
        Injection("epoll_ctl", "ENOMEM", "12", isMasters: true),
        Injection("epoll_ctl", "ENOMEM", "14", isMasters: true),
        Injection("epoll_wait", "ENOMEM", "3..12", isMasters: true),
        Injection("epoll_wait", "EBADF", "20..30", isMasters: true),
        Injection("pidfd_open", "ENOMEM", "4", isMasters: true),
        Injection("memfd_create", "EMFILE", "7", isMasters: true),
        Injection("clone,clone3,vfork", "EAGAIN", "4", isMasters: true),
        Injection("wait4,waitid", "EINTR", "1", isMasters: true),
      ], Drill.loops)
    func master(injection: Injection, loop: String) throws { try Self.judge(injection, loop: loop) }

    @Test("without inotify --watch looks once a second, and that is said once")
    func blindWatch() throws {
      let folder = try TemporaryFolder()
      let (app, served) = (folder.file("app.so"), folder.file("served"))
      try SupervisedServer.replace(app, with: try Fixture.good)
      let port = try FreePort.any()
      let process = try ChildProcess(
        "/usr/bin/strace",
        ["-D", "-qq", "-o", folder.file("trace"), "-e", "trace=inotify_init1"]
          + ["-e", "inject=inotify_init1:error=EMFILE:when=1+"]
          + [
            Repository.server, "--app", app, "--http-socket", "127.0.0.1:\(port)", "-L", "-p", "1", "--watch",
            "--control-socket", folder.file("ctl"), "--app-option", "ledger=\(served)", "--swap-soak", "0",
          ])
      defer { _ = try? process.stop(SIGKILL) }
      _ = try process.waitForOutput("the server") { $0.contains(" ready\n") ? true : nil }
      let sentence = "the kernel does not tell of changed files"
      _ = try process.waitForOutput(sentence) { $0.contains(sentence) ? true : nil }
      try SupervisedServer.replace(app, with: try Fixture.better)
      let address = Address.tcp(host: "127.0.0.1", port: port)
      try Deadline.usual.wait(for: "the new build", output: { process.output }) {
        try RawSocket(address).ask("/?id=1").text.hasPrefix("begin B 2") ? () : nil
      }
      #expect(try process.stop() == .status(0), "\(process.output)")
      let lines = process.output.split(separator: "\n")
      let said = lines.filter { $0.contains(sentence) }
      #expect(said.count == 1, "\(process.output)")
      // Another limit would not help.
      #expect(said.allSatisfy { $0.contains("fs.inotify.max_user_instances") && !$0.contains("--max-fd") })
      #expect(try String(contentsOfFile: folder.file("trace"), encoding: .utf8).contains("INJECTED"))
    }

    @Test("a master that can wait for nothing any more looks by itself, and ends with the reason")
    func blindMaster() throws {
      let folder = try TemporaryFolder()
      let (trace, served) = (folder.file("trace"), folder.file("served"))
      let port = try FreePort.any()
      let process = try ChildProcess(
        "/usr/bin/strace",
        ["-D", "-qq", "-o", trace, "-e", "trace=epoll_wait", "-e", "inject=epoll_wait:error=EINVAL:when=8+"]
          + [
            Repository.server, "--app", try Fixture.good, "--http-socket", "127.0.0.1:\(port)", "-L", "-p",
            "2",
            "--control-socket", folder.file("ctl"), "--app-option", "ledger=\(served)", "--pidfile",
            folder.file("pid"),
          ])
      defer { _ = try? process.stop(SIGKILL) }
      _ = try process.waitForOutput("the server") { $0.contains(" ready\n") ? true : nil }
      let ledger = try Ledger(
        at: ["http": .tcp(host: "127.0.0.1", port: port)], served: served, [.httpFresh, .httpKeepAlive])
      // It is heard meanwhile.
      let (exit, output) = try ChildProcess.run(
        Repository.server, ["ctl", "--control-socket", folder.file("ctl"), "status"])
      #expect(exit == .status(0) || process.ended != nil, "\(output)")
      #expect(try process.wait() == .status(1), "\(process.output)")
      let report = try ledger.finish()
      let lost = report.losses.filter { $0.kind != .refused }
      #expect(lost.isEmpty && report.duplicates.isEmpty && report.answered > 0, "\(report)")
      let lines = process.output.split(separator: "\n")
      #expect(lines.count { $0.contains("the master looks by itself") } == 1, "\(process.output)")
      #expect(lines.count { $0.contains("server: the server ends: epoll_wait: ") } == 1, "\(process.output)")
      for name in ["ctl", "pid"] { #expect(access(folder.file(name), F_OK) != 0, "\(name)") }
      let failures = try String(contentsOfFile: trace, encoding: .utf8).split(separator: "\n").count {
        $0.contains("INJECTED")
      }
      #expect((50..<200).contains(failures), "\(failures) failed waits")
    }

    @Test(
      "a call that fails in each process for want of memory, or by a signal, is made again",
      arguments: [
        Injection("accept4", "ENOMEM", "1", isMasters: false),
        Injection("accept4", "ECONNABORTED", "1..3", isMasters: false),
        Injection("recvfrom,sendto", "ENOBUFS", "1..2", isMasters: false),
        Injection("recvmsg,sendmsg", "ENOMEM", "1..2", isMasters: false),
      ], ["epoll", "auto"])
    func everybody(injection: Injection, loop: String) throws { try Self.judge(injection, loop: loop) }

    /// What a connection is for is asked of the kernel again, until it can: nobody is left unserved.
    @Test(
      "connections that a worker cannot watch for want of memory are served", arguments: ["6..7", "8", "6+2"])
    func unwatched(when: String) throws {
      let folder = try TemporaryFolder()
      let trace = folder.file("trace")
      let port = try FreePort.any()
      let process = try ChildProcess(
        "/usr/bin/strace",
        ["-D", "-qq", "-f", "-o", trace, "-e", "trace=epoll_ctl"]
          + ["-e", "inject=epoll_ctl:error=ENOMEM:when=\(when)"] + [
            Repository.server, "--app", try Fixture.good, "--http-socket", "127.0.0.1:\(port)", "-L",
            "--no-master", "--io", "epoll",
          ])
      defer { _ = try? process.stop(SIGKILL) }
      _ = try process.waitForOutput("the server") { $0.contains(" ready\n") ? true : nil }
      let address = Address.tcp(host: "127.0.0.1", port: port)
      let sockets = try (0..<8).map { _ in try RawSocket(address) }
      for round in 0..<3 {
        for (index, socket) in sockets.enumerated() {
          try socket.send("GET /?id=\(round * 8 + index) HTTP/1.1\r\nHost: a\r\n\r\n")
        }
        for socket in sockets { #expect(try socket.receiveReply().text.hasPrefix("begin A 1")) }
      }
      #expect(try process.stop() == .status(0), "\(process.output)")
      let injected = try String(contentsOfFile: trace, encoding: .utf8)
      #expect(injected.contains("INJECTED"), "nothing has failed: \(injected)")
    }

    @Test(
      "a failed wait for events is made again, and a ring that fails for good is left for epoll",
      arguments: [
        (Injection("epoll_wait,epoll_pwait", "ENOMEM", "2..5", isMasters: false), "epoll"),
        (Injection("epoll_wait,epoll_pwait", "EINTR", "2..9", isMasters: false), "epoll"),
        (Injection("io_uring_enter", "ENOMEM", "1..4", isMasters: false), "auto"),
        (Injection("io_uring_enter", "EINTR", "2..9", isMasters: false), "auto"),
        (Injection("io_uring_enter", "EINVAL", "3+", isMasters: false), "auto"),
      ])
    func waits(injection: Injection, loop: String) throws { try Self.judge(injection, loop: loop) }

    @Test("a worker whose waits fail for good leaves, and the log has the reason", arguments: Drill.loops)
    func waitsForNothing(loop: String) throws {
      // Other processes than one's own children can be traced by root.
      try Root.require()
      let ways: [Ledger.Way] = [.httpFresh, .httpKeepAlive]
      let server = try Drill.server(try Fixture.good, loop)
      let ledger = try Ledger(server, ways)
      try ledger.waitForAnswers(20)
      let victim = try #require(try server.status().serving.first)
      let calls = "io_uring_enter,epoll_wait,epoll_pwait"
      let tracer = try ChildProcess(
        "/usr/bin/strace",
        ["-f", "-qq", "-o", server.folder.file("trace"), "-p", "\(victim.pid)", "-e", "trace=\(calls)"]
          + ["-e", "inject=\(calls):error=EINVAL"])
      let status = try server.wait(for: "the next worker") { status in
        status.serving.count == 2 && !status.serving.contains { $0.pid == victim.pid }
      }
      let sentence = try #require(status.crashes.first)
      #expect(sentence.contains("(pid \(victim.pid)) died of exit code 1"), "\(status.crashes)")
      #expect(sentence.contains(": the event loop failed: epoll_wait: Invalid argument"), "\(sentence)")
      #expect(server.log.contains(sentence), "\(server.log)")
      try tracer.wait()
      try ledger.waitForAnswers(20)
      Drill.expect(try ledger.finish(), lost: ways.count)
      #expect(try server.stop() == .status(0), "\(server.log)")
    }
  }
}
