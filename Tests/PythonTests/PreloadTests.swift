// Applications that are loaded once, in a zygote that forks the workers (docs/decisions/009).
import Foundation
import Support
import Testing

@Suite(.serialized) struct PreloadTests {
  private let folder: TemporaryFolder

  init() throws {
    folder = try TemporaryFolder()
    try folder.write(try Repository.text("Tests/Fixtures/python/preloaded.py"), to: "preloaded.py")
    try folder.write("", to: "marks")
  }

  private func serve(_ options: [String] = [], workers: Int = 3) throws -> SupervisedServer {
    try SupervisedServer(
      runtime: ["--preload", "--pythonpath", folder.path, "-w", "preloaded", "--env"]
        + ["MARKS=\(folder.file("marks"))", "--swap-soak", "0", "--swap-probation", "0"] + options,
      workers: workers, folder: folder)
  }

  /// Processes that have loaded the application.
  private func loads() throws -> [pid_t] {
    try String(contentsOfFile: folder.file("marks"), encoding: .utf8).split(separator: "\n")
      .compactMap { pid_t($0) }
  }

  /// What each of so many workers answers, by its process.
  private func answers(_ server: SupervisedServer, _ count: Int) throws -> [Int: [String: Any]] {
    var found: [Int: [String: Any]] = [:]
    try Deadline.usual.wait(for: "an answer of each of \(count) workers", output: { server.log }) {
      let answer = try server.server.object("/")
      found[try #require(answer["pid"] as? Int)] = answer
      return found.count == count ? true : nil
    }
    return found
  }

  private func check(_ server: SupervisedServer, _ program: String) throws {
    let status = try server.status()
    #expect(status.zygotes.count == 1 && status.zygotes[0].state == "ready", "\(status.text)")
    let zygote = Int(status.zygotes[0].pid)
    #expect(try loads() == [status.zygotes[0].pid])
    let answers = try answers(server, 3)
    #expect(Set(answers.keys) == Set(status.workers.map { Int($0.pid) }))
    for (_, answer) in answers {
      #expect(answer["loaded"] as? Int == zygote && answer["parent"] as? Int == Int(server.pid))
      #expect(answer["identity"] is NSNull && answer["generation"] as? Int == 1)
      #expect(answer["argv"] as? [String] == ["server", "a", "b"])
      #expect(answer["program"] as? String == Repository.realPath(program))
      #expect((answer["title"] as? String)?.contains(" worker ") == true, "\(answer)")
      #expect((answer["threads"] as? [String])?.contains("own") == true, "\(answer)")
      let calls = try #require(answer["calls"] as? [String: Int])
      #expect(
        calls == ["before": 1, "after_in_parent": 0, "after_in_child": 1, "post_load": 1, "post_fork": 1])
    }
    #expect(Set(answers.values.compactMap { $0["worker"] as? Int }) == [0, 1, 2])
    // A copy that the application makes has its functions run as in any process.
    #expect(try server.server.object("/fork")["status"] as? Int == 2)
    #expect(try server.stop() == .status(0), "\(server.log)")
    #expect(!ProcessUsage.isAlive(pid_t(zygote)))
  }

  @Test("workers are forked from one process that has loaded the application", arguments: Interpreter.all)
  func once(python: Interpreter) throws {
    try check(try serve(["--pyargv", "a b"] + python.options), python.path)
  }

  @Test("on each event loop, and with one thread", arguments: ["epoll", "auto"])
  func loops(loop: String) throws {
    try check(
      try serve(["--pyargv", "a b", "--io", loop, "--threads", "1"]), Interpreter.system.path)
  }

  // MARK: Replacement

  @Test("a worker is replaced without loading again: when it is killed, and after its requests")
  func replacement() throws {
    let server = try serve(["--max-requests", "20"], workers: 2)
    let killed = try server.status().serving[0].pid
    kill(killed, SIGKILL)
    try server.waitForLog("(pid \(killed)) died of SIGKILL")
    let first = try server.wait(for: "another") {
      $0.serving.count == 2 && !$0.workers.map(\.pid).contains(killed)
    }
    // Which worker takes them is the kernel's choice.
    for _ in 0..<100 { #expect(try server.get("/").status == 200) }
    try server.waitForLog("(--max-requests)")
    try server.wait(for: "another worker") {
      $0.serving.count == 2 && Set($0.serving.map(\.pid)) != Set(first.serving.map(\.pid))
    }
    #expect(try loads().count == 1, "\(server.log)")
    #expect(try server.stop() == .status(0), "\(server.log)")
  }

  @Test("a killed zygote is followed by another, and the workers serve on")
  func killedZygote() throws {
    let server = try serve(workers: 2)
    let before = try server.status()
    kill(before.zygotes[0].pid, SIGKILL)
    let after = try server.wait(for: "another zygote") {
      $0.zygotes.first?.state == "ready" && $0.zygotes[0].pid != before.zygotes[0].pid
    }
    #expect(after.workers == before.workers, "\(server.log)")
    let line = "the zygote of generation 1 (pid \(before.zygotes[0].pid)) died of SIGKILL; another is started"
    #expect(server.log.components(separatedBy: line).count == 2, "\(server.log)")
    #expect(try loads() == [before.zygotes[0].pid, after.zygotes[0].pid])
    kill(after.workers[0].pid, SIGKILL)
    try server.wait(for: "a worker of the other zygote") {
      $0.serving.count == 2 && $0.serving.map(\.pid) != after.workers.map(\.pid)
    }
    let loaded = try answers(server, 2).values.compactMap { $0["loaded"] as? Int }
    #expect(Set(loaded) == Set([before, after].map { Int($0.zygotes[0].pid) }))
    #expect(try server.stop() == .status(0), "\(server.log)")
  }

  @Test("more and fewer workers, as the work asks for them, are those of one zygote")
  func cheaper() throws {
    let server = try serve(["--cheaper", "1", "--cheaper-initial", "2"], workers: 3)
    #expect(try server.status().serving.count == 2)
    try server.wait(for: "one worker", Deadline(seconds: 60)) { $0.workers.count == 1 }
    #expect(try server.get("/").status == 200)
    #expect(try loads().count == 1)
    #expect(try server.stop() == .status(0), "\(server.log)")
  }

  // MARK: What cannot be loaded

  @Test(
    "what cannot be loaded ends the start in the same words and with the same code as without",
    arguments: ["import no_such_module", "this is no Python (", "raise RuntimeError('closed')", "x = 1"])
  func cannotLoad(line: String) throws {
    try folder.write(line + "\n", to: "broken.py")
    func refusal(_ options: [String]) throws -> (ChildProcess.Exit, Set<Substring>) {
      let (exit, output) = try Python.refusal(
        ["--pythonpath", folder.path, "-w", "broken", "-p", "2"] + options)
      return (exit, Set(output.split(separator: "\n").map { $0.drop { $0 != " " } }))
    }
    let (exit, output) = try refusal(["--preload"])
    let (plainExit, plainOutput) = try refusal([])
    #expect(exit == .status(22) && plainExit == exit)
    #expect(output == plainOutput, "\(output)\n\(plainOutput)")
  }

  @Test("a thread that the application has started while it was loaded is refused by its name")
  func threads() throws {
    try folder.write(
      """
      import threading, time
      from preloaded import application
      def start(name, seconds):
        threading.Thread(target=time.sleep, args=(seconds,), name=name, daemon=True).start()
      start('brief', 0.1)
      """, to: "brief.py")
    try folder.write("from brief import *\nstart('pump', 600)\n", to: "lasting.py")
    let marks = ["--env", "MARKS=\(folder.file("marks"))"]
    let (exit, output) = try Python.refusal(
      ["--preload", "--pythonpath", folder.path, "-w", "lasting", "-p", "2"] + marks)
    #expect(exit == .status(22))
    #expect(output.contains("lasting cannot start: it has started the thread 'pump' while"), "\(output)")
    #expect(output.contains("--lazy-apps"), "\(output)")
    for options in [["-w", "brief", "--preload"], ["-w", "lasting", "--lazy-apps"]] {
      let server = try SupervisedServer(
        runtime: ["--pythonpath", folder.path] + options + marks, folder: try TemporaryFolder())
      #expect(try server.get("/").status == 200)
      #expect(try server.stop() == .status(0), "\(server.log)")
    }
  }

  @Test("an application that dies while it is loaded ends the start")
  func dies() throws {
    try folder.write("import os, signal\nos.kill(os.getpid(), signal.SIGSEGV)\n", to: "dying.py")
    let (exit, output) = try Python.refusal(
      ["--preload", "--pythonpath", folder.path, "-w", "dying", "-p", "2"])
    #expect(exit == .status(22))
    #expect(output.contains("the zygote ended with SIGSEGV before it was ready"), "\(output)")
  }

  @Test(
    "one that never comes back, from its import or from a function for forks, ends the start in time",
    arguments: [
      "", "os.register_at_fork(after_in_child=lambda: time.sleep(600))\ndef application(e, s): pass\n",
    ])
  func hangs(text: String) throws {
    try folder.write("import os, time\n" + (text.isEmpty ? "time.sleep(600)\n" : text), to: "hanging.py")
    let (exit, output) = try Python.refusal(
      ["--preload", "--pythonpath", folder.path, "-w", "hanging", "-p", "2", "--swap-timeout", "1"])
    #expect(exit == .status(22))
    #expect(output.contains("did not become ready in time (--swap-timeout)"), "\(output)")
  }

  // MARK: What applications do while they are loaded

  @Test("directory, signals and files of the application are as it has left them, and the server's its own")
  func surroundings() throws {
    let other = try folder.folder("other")
    try folder.write(
      """
      import os, signal
      os.chdir(\"\(other)\")
      def heed(number, frame): print('heeded', number)
      for name in ('SIGTERM', 'SIGINT', 'SIGHUP', 'SIGCHLD'): signal.signal(getattr(signal, name), heed)
      files = [open('%d' % one, 'w+') for one in range(12)]
      if not os.fork(): raise SystemExit(3)
      from preloaded import application as inner
      def application(environ, start):
        for one in files: one.write('x'), one.flush()
        return inner(environ, start)
      """, to: "moving.py")
    let server = try serve(["-w", "moving", "--chdir", folder.path], workers: 2)
    for (_, answer) in try answers(server, 2) {
      #expect(answer["directory"] as? String == other, "\(answer)")
    }
    #expect(try loads().count == 1)
    let lengths = try (0..<12).map { try Data(contentsOf: URL(fileURLWithPath: "\(other)/\($0)")).count }
    #expect(lengths.allSatisfy { $0 >= 2 && $0 == lengths[0] }, "\(lengths)")
    let status = try server.status()
    for pid in [status.zygotes[0].pid, status.workers[0].pid] { kill(pid, SIGTERM) }
    let after = try server.wait(for: "another worker") {
      $0.serving.count == 2 && $0.workers != status.workers
    }
    #expect(after.zygotes == status.zygotes, "\(server.log)")
    let (exit, output) = try server.ctl("swap")
    #expect(exit == 0, "\(output)")
    #expect(try server.stop() == .status(0), "\(server.log)")
    #expect(!server.log.contains("heeded \(SIGTERM)"), "\(server.log)")
  }

  @Test("everything of the application runs as the workers' user")
  func user() throws {
    try Root.require()
    chmod(folder.path, 0o755)
    chmod(folder.file("marks"), 0o666)
    let server = try serve(["--uid", "nobody", "--gid", "nogroup"], workers: 2)
    let status = try server.status()
    let text = try #require(ProcessUsage.text(status.zygotes[0].pid, "status"))
    #expect(text.contains("Uid:\t65534\t65534\t65534\t65534\n"), "\(text)")
    for (_, answer) in try answers(server, 2) { #expect(answer["user"] as? Int == 65534) }
    #expect(try server.stop() == .status(0), "\(server.log)")
  }

  @Test("what was loaded is in memory once")
  func memory() throws {
    try folder.write("from preloaded import *\nload = b'x' * 50_000_000\n", to: "large.py")
    let server = try serve(["-w", "large"], workers: 4)
    _ = try answers(server, 4)
    let status = try server.status()
    let shares = try (status.workers.map(\.pid) + [status.zygotes[0].pid]).map { pid in
      let text = try #require(ProcessUsage.text(pid, "smaps_rollup"))
      let line = try #require(text.split(separator: "\n").first { $0.hasPrefix("Pss:") })
      return try #require(Int(line.split(separator: " ")[1]))
    }
    // Five times 50 MB, and what Python itself takes, otherwise.
    #expect(shares.reduce(0, +) < 3 * 50_000, "\(shares) KiB")
    #expect(try server.stop() == .status(0), "\(server.log)")
  }
}
