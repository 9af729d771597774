// The life of workers: who is started, who is replaced and why, what is said, and what is left behind.
import Foundation
import Support
import Testing

extension Swaps {
  @Suite struct SupervisionTests {
    /// pid and count of the worker that answers.
    private func who(_ server: SupervisedServer) throws -> (pid: pid_t, count: Int) {
      let words = try server.get("/who?id=0").text.split(whereSeparator: \.isWhitespace)
      guard let at = words.firstIndex(of: "pid"), let pid = pid_t(words[at + 1]),
        let count = Int(words[at + 5])
      else { throw SupportError.malformedReply(words.joined(separator: " ")) }
      return (pid, count)
    }

    @Test("-p N are N workers and a master, which say who they are", arguments: [1, 3])
    func processes(count: Int) throws {
      let server = try SupervisedServer(Fixture.good, workers: count)
      let status = try server.status()
      #expect(status.serving.count == count && status.pid == server.pid && status.respawns == 0)
      #expect(Set(status.workers.map(\.place)) == Set(1...count))
      for worker in status.workers {
        let line = try #require(ProcessUsage.text(worker.pid, "cmdline"))
        let words = line.split(separator: "\0")
        #expect(words.suffix(4) == ["worker", "\(worker.place)", "of", "\(count)"], "\(words)")
      }
      let text = try server.ctl("status").output
      for worker in status.workers { #expect(text.contains("worker \(worker.place) (pid \(worker.pid))")) }
      #expect(try server.stop() == .status(0), "\(server.log)")
      for worker in status.workers { #expect(!ProcessUsage.isAlive(worker.pid)) }
    }

    @Test("a worker that crashes is named with app, generation and request, and has a successor")
    func crash() throws {
      let server = try SupervisedServer(Fixture.ledger("CRASH_AT=3"), workers: 1)
      let old = try server.status()
      for _ in 0..<2 { _ = try server.get() }
      #expect(throws: (any Error).self) { try server.get("/the/end?id=9") }
      let status = try server.wait(for: "a successor") { $0.serving.count == 1 && $0.respawns == 1 }
      #expect(status.workers[0].pid != old.workers[0].pid && status.workers[0].place == 1)
      let sentence =
        "worker 1 (pid \(old.workers[0].pid)) died of SIGABRT in ledger generation 1"
        + " while serving GET /the/end?id=9"
      #expect(status.crashes.first == sentence, "\(status.crashes)")
      #expect(server.log.contains(sentence), "\(server.log)")
      // The place where it happened.
      #expect(server.log.contains("app.so"), "\(server.log)")
      #expect(try server.answering() == "A 1")
      #expect(try server.stop() == .status(0), "\(server.log)")
    }

    @Test("the line about a crash has the id of its request")
    func crashOfNamedRequest() throws {
      let server = try SupervisedServer(
        Fixture.ledger("CRASH_AT=1"), workers: 1, ["--request-id", "--trusted-proxy", "127.0.0.1"])
      let socket = try server.server.connect()
      try socket.send("GET /the/end HTTP/1.1\r\nHost: x\r\nX-Request-ID: order-7.1\r\n\r\n")
      try server.waitForLog("generation 1 while serving GET /the/end [order-7.1]")
      let status = try server.wait(for: "a successor") { $0.respawns == 1 }
      #expect(status.crashes.first?.hasSuffix("GET /the/end [order-7.1]") == true, "\(status.crashes)")
      #expect(try server.stop() == .status(0), "\(server.log)")
    }

    @Test("a place whose workers are killed as soon as they serve waits 100 ms or more; the other one serves")
    func backsOff() throws {
      let server = try SupervisedServer(Fixture.good, workers: 2)
      func kill(_ place: Int) throws {
        let status = try server.wait(for: "worker \(place)") { $0.serving.contains { $0.place == place } }
        let worker = try #require(status.serving.first { $0.place == place })
        Glibc.kill(worker.pid, SIGKILL)
        try server.wait(for: "its end") { !$0.workers.contains(worker) }
      }
      for _ in 0..<4 {
        try kill(1)
        #expect(try server.answering() == "A 1")
      }
      let waits = server.log.matches(of: /place 1 waits ([0-9]+) ms/).compactMap { Int($0.output.1) }
      #expect(waits == waits.sorted() && waits.count >= 3 && waits.first! >= 100, "\(server.log)")
      #expect(try server.wait(for: "worker 1") { $0.serving.count == 2 }.respawns == 4)
      #expect(try server.stop() == .status(0), "\(server.log)")
    }

    @Test(
      "a start that fails ends with one sentence and 22",
      arguments: [
        ("ledger", "LOAD_FAILS", "the ledger is closed today"), ("ledger", "PROBE_FAILS", "probe"),
        ("ledger", "LOAD_CRASHES", "SIGABRT"), ("ledger", "LOAD_HANGS", "--swap-timeout"),
        ("no_entry", "X", "nsgi_entry"), ("exits_in_load", "X", "exit"),
      ])
    func failsToStart(fixture: String, define: String, word: String) throws {
      let folder = try TemporaryFolder()
      let (exit, output) = try ServerProcess.run([
        "--app", try FixtureApp.path(fixture, defines: [define]), "--http-socket", folder.file("http.sock"),
        "-p", "2", "--control-socket", folder.file("ctl"), "--swap-timeout", "1", "--pidfile",
        folder.file("pid"),
      ])
      #expect(exit == .status(22), "\(output)")
      let sentences = output.split(separator: "\n").filter {
        $0.hasPrefix("server: ") && !$0.hasPrefix("server: crash: ")
      }
      #expect(sentences.count == 1 && sentences[0].contains(word), "\(output)")
      #expect(try FileManager.default.contentsOfDirectory(atPath: folder.path).isEmpty)
    }

    @Test("what is in use ends the start with 1 and one sentence")
    func inUse() throws {
      let server = try SupervisedServer(Fixture.good)
      let address = "\(try server.server.address("http"))"
      for (http, control) in [(address, server.folder.file("other")), ("127.0.0.1:0", server.control)] {
        let (exit, output) = try ServerProcess.run(
          ["--app", server.app, "--http-socket", http, "--control-socket", control])
        #expect(exit == .status(1), "\(output)")
        #expect(output.split(separator: "\n").count == 1 && output.contains("in use"), "\(output)")
      }
      #expect(try server.answering() == "A 1")
      #expect(try server.ctl("status").exit == 0)
      #expect(try server.stop() == .status(0), "\(server.log)")
    }

    @Test("a worker that can no longer start is not started for ever, and the end says why")
    func givesUp() throws {
      let folder = try TemporaryFolder()
      try folder.folder("home")
      let server = try SupervisedServer(Fixture.good, workers: 1, ["--chdir", folder.file("home")])
      try FileManager.default.removeItem(atPath: folder.file("home"))
      kill(try server.status().workers[0].pid, SIGKILL)
      // Nobody serves: starts go on for a minute, a second apart in the end.
      for wait in [100, 200, 400] { try server.waitForLog("place 1 waits \(wait) ms for its next worker") }
      guard Swaps.isProof else { return }
      let exit = try server.server.process.wait(Deadline(seconds: 120))
      #expect(exit == .status(22), "\(server.log)")
      #expect(server.log.contains("server: no worker can start: "), "\(server.log)")
    }

    @Test("--max-requests replaces a worker, new first, and its state goes on")
    func maxRequests() throws {
      let server = try SupervisedServer(Fixture.good, workers: 1, ["--max-requests", "50"])
      let first = try who(server).pid
      let ledger = try Ledger(server, [.httpFresh, .httpKeepAlive, .stream])
      let status = try server.wait(for: "a successor") { status in
        status.serving.count == 1 && status.serving[0].pid != first
      }
      try ledger.waitForAnswers(50)
      let report = try ledger.finish()
      #expect(report.losses.isEmpty && report.duplicates.isEmpty, "\(report)")
      #expect(server.log.contains("(--max-requests)"), "\(server.log)")
      // save() of the one is load() of the other.
      #expect(try who(server).count > 50)
      #expect(status.crashes.isEmpty)
      #expect(try server.stop() == .status(0), "\(server.log)")
    }

    @Test(
      "a worker is replaced after its lifetime, and when it has grown",
      arguments: [
        (["--max-worker-lifetime", "0.3"], "(--max-worker-lifetime)", ""),
        (["--reload-on-rss", "64"], "(--reload-on-rss)", "GROWS=1024"),
      ])
    func replaced(options: [String], reason: String, define: String) throws {
      let library = try define.isEmpty ? Fixture.good : Fixture.ledger(define)
      let server = try SupervisedServer(library, workers: 1, options)
      let first = try server.status().workers[0]
      let ledger = try Ledger(server, [.httpFresh, .httpKeepAlive])
      try server.wait(for: "a successor") { $0.serving.count == 1 && $0.serving[0].pid != first.pid }
      try ledger.waitForAnswers(20)
      let report = try ledger.finish()
      #expect(report.losses.isEmpty, "\(report)")
      #expect(server.log.contains("worker 1 (pid \(first.pid)) is replaced: "), "\(server.log)")
      #expect(server.log.contains(reason), "\(server.log)")
      #expect(try server.stop() == .status(0), "\(server.log)")
    }

    @Test("pid file, directory, descriptors and processors are as asked, and the files go with the server")
    func surroundings() throws {
      let folder = try TemporaryFolder()
      let home = try folder.folder("home")
      let pidFile = folder.file("pid")
      let server = try SupervisedServer(
        Fixture.good,
        ["--chdir", home, "--pidfile", pidFile, "--max-fd", "300", "--cpu-affinity", "1", "--umask", "027"])
      #expect(try String(contentsOfFile: pidFile, encoding: .utf8) == "\(server.pid)\n")
      var processors: Set<String> = []
      for worker in try server.status().workers {
        let cwd = "/proc/\(worker.pid)/cwd"
        #expect(try FileManager.default.destinationOfSymbolicLink(atPath: cwd) == home)
        let limits = try #require(ProcessUsage.text(worker.pid, "limits"))
        #expect(limits.contains(#/Max open files +300 /#), "\(limits)")
        let status = try #require(ProcessUsage.text(worker.pid, "status"))
        let line = try #require(status.split(separator: "\n").first { $0.hasPrefix("Cpus_allowed_list:") })
        let list = line.split(separator: "\t")[1]
        #expect(!list.contains("-") && !list.contains(","), "\(list)")
        processors.insert(String(list))
        #expect(status.contains("Umask:\t0027"), "\(status)")
      }
      #expect(processors.count == min(2, ProcessInfo.processInfo.activeProcessorCount))
      #expect(try server.stop() == .status(0), "\(server.log)")
      #expect(!FileManager.default.fileExists(atPath: pidFile))
    }

    @Test("workers become user and group; the master, a swap and a new worker work as before")
    func user() throws {
      let folder = try TemporaryFolder()
      guard getuid() == 0 else {
        let (exit, output) = try ServerProcess.run(
          ["--app", try Fixture.good, "--uid", "nobody", "--http-socket", folder.file("http.sock")])
        #expect(exit == .status(1) && output.contains("start it as root"), "\(output)")
        return
      }
      chmod(folder.path, 0o777)
      let server = try SupervisedServer(
        Fixture.good, ["--uid", "nobody", "--gid", "nogroup", "--swap-soak", "0", "--swap-probation", "0"],
        folder: folder)
      func identities(_ pid: pid_t) throws -> [Substring] {
        let status = try #require(ProcessUsage.text(pid, "status"))
        return status.split(separator: "\n").filter { $0.hasPrefix("Uid:") || $0.hasPrefix("Gid:") }
      }
      for worker in try server.status().workers {
        let nobody = Array(repeating: "65534", count: 4).joined(separator: "\t")
        #expect(try identities(worker.pid) == ["Uid:\t\(nobody)", "Gid:\t\(nobody)"])
      }
      #expect(try identities(server.pid)[0] == "Uid:\t0\t0\t0\t0")
      try server.install(try Fixture.better)
      let (exit, output) = try server.ctl("swap")
      #expect(exit == 0, "\(output)")
      #expect(try server.answering() == "B 2")
      kill(try server.status().serving[0].pid, SIGKILL)
      try server.wait(for: "two workers") { $0.serving.count == 2 && $0.respawns == 1 }
      #expect(try server.answering() == "B 2")
      #expect(try server.stop() == .status(0), "\(server.log)")
    }

    @Test("as process 1 of a container it reaps what applications leave behind, and ends at a SIGTERM")
    func processOne() throws {
      try Root.require()
      let folder = try TemporaryFolder()
      let unshare = "/usr/bin/unshare --pid --fork --kill-child --mount-proc"
      let program = try folder.program("#!/bin/sh\nexec \(unshare) '\(Repository.server)' \"$@\"\n", "server")
      let server = try ServerProcess(
        app: try ShellServer.build(1), ["--http-socket", "127.0.0.1:0", "-p", "1"], program: program)
      let left = try ShellServer.run(server, "sleep 0.1 >/dev/null 2>&1 & echo $!").trimmed
      // One that has ended and has not been waited for keeps its directory.
      try Deadline.usual.wait(for: "the end of \(left)", output: { server.process.output }) {
        try ShellServer.run(server, "test -e /proc/\(left) || echo gone").trimmed == "gone" ? () : nil
      }
      try ShellServer.run(server, "kill -TERM 1")
      #expect(try server.process.wait() == .status(0), "\(server.process.output)")
    }

    @Test("--daemonize leaves the terminal when the server serves, and says so by its exit code")
    func daemonize() throws {
      let folder = try TemporaryFolder()
      let (control, log) = (folder.file("ctl"), folder.file("log"))
      let words = [
        "--http-socket", folder.file("http.sock"), "--control-socket", control, "--daemonize", log,
        "--pidfile", folder.file("pid"), "-p", "2",
      ]
      let (exit, output) = try ServerProcess.run(["--app", try Fixture.good] + words)
      #expect(exit == .status(0), "\(output)")
      let text = try String(contentsOfFile: folder.file("pid"), encoding: .utf8)
      let pid = try #require(pid_t(text.dropLast()))
      #expect(ProcessUsage.isAlive(pid) && getsid(pid) != getsid(0))
      let reply = try RawSocket(.unix(path: folder.file("http.sock"))).ask("/?id=0")
      #expect(reply.status == 200)
      let stop = try ServerProcess.run(["ctl", "--control-socket", control, "stop"])
      #expect(stop.exit == .status(0), "\(stop.output)")
      try Deadline.usual.wait(for: "its end") { ProcessUsage.isAlive(pid) ? nil : true }
      #expect(!FileManager.default.fileExists(atPath: folder.file("pid")))
      // What cannot start says so at the terminal.
      let bad = try ServerProcess.run(["--app", try Fixture.ledger("LOAD_FAILS")] + words)
      #expect(bad.exit == .status(22) && bad.output.contains("the ledger is closed today"), "\(bad.output)")
    }
  }
}
