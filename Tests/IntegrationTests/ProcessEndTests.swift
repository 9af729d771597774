// How the process ends: while an app still loads, with an app that takes the signals, and with what runs at
// the very end.
import Foundation
import Support
import Testing

@Suite struct ProcessEndTests {
  // MARK: While an app loads

  /// A server whose app does not come back from load(), and the process that is in it.
  private struct Loading {
    let folder: TemporaryFolder
    let server: ChildProcess
    let loader: pid_t

    init(_ options: [String]) throws {
      let folder = try TemporaryFolder()
      let sockets = ["--socket", folder.file("s"), "--pidfile", folder.file("pid")]
      // Far more than the test waits.
      let app = ["--app", try FixtureApp.path("hangs_in_load"), "--worker-reload-mercy", "60"]
      let entered = try TemporaryFolder()
      let server = try ChildProcess(
        Repository.server,
        app + sockets + ["--app-option", "entered=\(entered.file("in"))"] + options,
        environment: ["TMPDIR": folder.path, "XDG_RUNTIME_DIR": folder.path])
      (self.folder, self.server) = (folder, server)
      loader = try Deadline.usual.wait(for: "load()", output: { server.output }) {
        (try? String(contentsOfFile: entered.file("in"), encoding: .utf8))
          .flatMap { $0.hasSuffix("\n") ? pid_t($0.dropLast()) : nil }
      }
    }

    /// Waits for the end of the process that is in load().
    func expectEnd() throws {
      try Deadline.usual.wait(for: "the end of the worker") { kill(loader, 0) == 0 ? nil : true }
    }
  }

  private static let modes = [["--no-master"], ["-p", "1"], ["-p", "2"]]

  @Test("a signal while an app loads ends the server at once", arguments: modes, [SIGTERM, SIGINT])
  func stopsWhileLoading(mode: [String], signal: Int32) throws {
    let loading = try Loading(mode)
    let exit = try loading.server.stop(signal, Deadline(seconds: 20))
    #expect(exit == .status(0), "\(loading.server.output)")
    let left = try FileManager.default.contentsOfDirectory(atPath: loading.folder.path)
    #expect(left.isEmpty, "\(left)")
    try loading.expectEnd()
  }

  @Test("a worker that loads does not outlive its master")
  func masterKilledWhileLoading() throws {
    let loading = try Loading(["-p", "1"])
    #expect(try loading.server.stop(SIGKILL) == .signal(SIGKILL))
    try loading.expectEnd()
  }

  // MARK: Apps that take signals

  @Test(
    "an app that takes the signals does not keep the server from ending",
    arguments: ["/takes", "/ignores", "/blocks"], [SIGTERM, SIGINT])
  func takenInCall(path: String, signal: Int32) throws {
    for mode in [["--no-master"], ["-p", "1"]] {
      let server = try ServerProcess(
        app: try FixtureApp.path("takes_signals"), ["--http-socket", "127.0.0.1:0"] + mode)
      for _ in 0..<3 { #expect(try Curl.get(try server.url + path).text == "taken\n") }
      #expect(try server.stop(signal) == .status(0), "\(server.process.output)")
    }
  }

  @Test("not even one that takes them all the time", arguments: [["--no-master"], ["-p", "1"]])
  func takenAlways(mode: [String]) throws {
    let server = try ServerProcess(
      app: try FixtureApp.path("takes_signals"),
      ["--http-socket", "127.0.0.1:0", "--app-option", "thread=yes"] + mode)
    #expect(try Curl.get(try server.url).text == "taken\n")
    #expect(try server.stop() == .status(0), "\(server.process.output)")
  }

  @Test("the log is opened anew for SIGUSR1 although an app has taken that", arguments: [SIGUSR1, SIGHUP])
  func reopens(signal: Int32) throws {
    let folder = try TemporaryFolder()
    let log = folder.file("log")
    let server = try ServerProcess(
      app: try FixtureApp.path("takes_signals"),
      ["--socket", folder.file("s"), "--no-master", "--logto", log], sockets: 0)
    try Deadline.usual.wait(for: "the socket") { access(folder.file("s"), F_OK) == 0 ? true : nil }
    let get = ["--unix-socket", folder.file("s"), "-s", "http://h/takes"]
    try Deadline.usual.wait(for: "an answer") {
      try ChildProcess.run("/usr/bin/curl", get).output == "taken\n" ? true : nil
    }
    #expect(rename(log, log + ".1") == 0)
    server.process.send(signal)
    try Deadline.usual.wait(for: "the new log") { access(log, F_OK) == 0 ? true : nil }
    #expect(try server.stop() == .status(0))
  }

  // MARK: At the very end

  /// Serves once, stops, and returns what was said after that.
  private func end(_ what: String, _ mode: [String]) throws -> (exit: ChildProcess.Exit, said: String) {
    let server = try ServerProcess(
      app: try FixtureApp.path("ends"),
      ["--http-socket", "127.0.0.1:0", "--app-option", "end=\(what)", "-L"] + mode)
    #expect(try Curl.get(try server.url).text == "ok\n")
    let before = server.process.output
    let exit = try server.stop()
    return (exit, String(server.process.output.dropFirst(before.count)))
  }

  private static let plainModes = [["--no-master"], ["-p", "1"]]

  @Test(
    "destructors and atexit handlers run at a graceful end, after unload()",
    .disabled(if: Repository.isThreadSanitized, "such a server ends without them"), arguments: plainModes)
  func destructors(mode: [String]) throws {
    let (exit, said) = try end("say", mode)
    #expect(exit == .status(0))
    #expect(said == "unload ran\nthe atexit handler ran\nthe destructor ran\n", "\(said)")
  }

  @Test(
    "a destructor that does not come back is cut off",
    .disabled(if: Repository.isThreadSanitized, "such a server ends without them"), arguments: plainModes)
  func endless(mode: [String]) throws {
    let (exit, said) = try end("wait", mode)
    #expect(exit == .status(0))
    #expect(said.contains("have not come to an end within 2 s"), "\(said)")
  }

  @Test(
    "a fault in a destructor is told with the app and changes nothing about the end",
    .disabled(if: Repository.isSanitized, "a sanitizer has handlers of its own"),
    arguments: plainModes, ["fault", "abort"])
  func fault(mode: [String], what: String) throws {
    let (exit, said) = try end(what, mode)
    #expect(exit == .status(0), "\(said)")
    #expect(said.contains("crash at the end, in a destructor or an atexit handler"), "\(said)")
    #expect(said.contains("/ends.so\n"), "\(said)")
    #expect(!said.contains("died of"), "\(said)")
  }

  @Test(
    "an app that was built with --coverage writes its data",
    .disabled(if: Repository.isThreadSanitized, "such a server ends without them"), arguments: plainModes)
  func coverage(mode: [String]) throws {
    let folder = try TemporaryFolder()
    let library = folder.file("covered.so")
    let (exit, output) = try ChildProcess.run(
      try Program.gcc.path(),
      [
        "--coverage", "-O0", "-shared", "-fPIC", "-I\(Repository.root)/Sources/CNSGI/include", "-o", library,
        "\(Repository.root)/Tests/Fixtures/apps/plain.c",
      ], directory: folder.path)
    try #require(exit == .status(0), "\(output)")
    let server = try ServerProcess(app: library, ["--http-socket", "127.0.0.1:0"] + mode)
    #expect(try Curl.get(try server.url + "/bare").text == "bare")
    #expect(try server.stop() == .status(0), "\(server.process.output)")
    let files = try FileManager.default.contentsOfDirectory(atPath: folder.path)
    #expect(files.contains { $0.hasSuffix(".gcda") }, "\(files)")
  }
}
