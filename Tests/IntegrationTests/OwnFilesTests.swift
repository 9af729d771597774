// The names that a server makes for others to find: pid files, logs, unix sockets. They are there for their
// owner alone to make, and gone at the end.
import Foundation
import Support
import Testing

@Suite struct OwnFilesTests {
  static let stranger: uid_t = 54321

  /// A directory that anybody can write to, sticky as /tmp or not, and a file of root's beside it.
  struct Shared {
    let folder: TemporaryFolder
    let path: String
    let victim: String

    init(_ mode: mode_t) throws {
      try Root.require()
      folder = try TemporaryFolder()
      path = try folder.folder("shared")
      victim = try folder.write("precious", to: "victim")
      chmod(path, mode)
    }

    /// What a stranger has put there.
    enum Trap: String, CaseIterable, Sendable {
      case link, danglingLink, hardLink, theirFile, pipe, linkOnTheWay
    }

    /// The name that the server is to use.
    func set(_ trap: Trap) throws -> String {
      let name = "\(path)/name"
      switch trap {
      case .link: try #require(symlink(victim, name) == 0)
      case .danglingLink: try #require(symlink(folder.file("new"), name) == 0)
      case .hardLink: try #require(link(victim, name) == 0)
      case .theirFile: try "theirs".write(toFile: name, atomically: false, encoding: .utf8)
      case .pipe: try #require(mkfifo(name, 0o666) == 0)
      case .linkOnTheWay: try #require(symlink(folder.path, name) == 0)
      }
      if trap != .hardLink { try #require(lchown(name, OwnFilesTests.stranger, OwnFilesTests.stranger) == 0) }
      return trap == .linkOnTheWay ? name + "/victim" : name
    }

    var isUnharmed: Bool {
      (try? String(contentsOfFile: victim, encoding: .utf8)) == "precious"
        && !FileManager.default.fileExists(atPath: folder.file("new"))
    }
  }

  private func refuses(_ options: [String], _ word: String) throws {
    let (exit, output) = try ServerProcess.run(
      ["--app", Repository.app("environ"), "--http-socket", "127.0.0.1:0", "-p", "1"] + options)
    #expect(exit == .status(1), "\(options): \(output)")
    #expect(output.contains(word), "\(options): \(output)")
    #expect(output.split(separator: "\n").count == 1, "\(output)")
  }

  @Test(
    "a pid file or a log where others can write is not written through what they have put there",
    arguments: Shared.Trap.allCases, [0o1777, 0o777] as [mode_t])
  func traps(trap: Shared.Trap, mode: mode_t) throws {
    for option in ["--pidfile", "--logto", "--daemonize"] {
      let shared = try Shared(mode)
      let name = try shared.set(trap)
      try refuses([option, name], name)
      #expect(shared.isUnharmed, "\(option)")
      if trap == .theirFile {
        #expect(try String(contentsOfFile: name, encoding: .utf8) == "theirs")
      }
    }
  }

  @Test("links of the operator's own are followed, and devices and pipes taken, where others cannot write")
  func ownLinks() throws {
    let shared = try Shared(0o1777)
    let (link, log) = ("\(shared.path)/log", shared.folder.file("real.log"))
    try #require(symlink(log, link) == 0)
    try shared.folder.folder("run")
    try #require(symlink("run", shared.folder.file("var")) == 0)
    let pid = shared.folder.file("var/pid")
    let server = try ServerProcess(
      ["--http-socket", "127.0.0.1:0", "-p", "1", "--logto", link, "--pidfile", pid], sockets: 0)
    try Deadline.usual.wait(for: "the log") {
      (try? String(contentsOfFile: log, encoding: .utf8))?.contains(" ready\n") ?? false ? true : nil
    }
    #expect(
      try String(contentsOfFile: shared.folder.file("run/pid"), encoding: .utf8).trimmed
        == "\(server.process.pid)")
    #expect(try server.stop() == .status(0), "\(server.process.output)")
    #expect(!FileManager.default.fileExists(atPath: pid))
    for device in ["/dev/stderr", "/proc/self/fd/2", "/dev/null"] {
      let server = try ServerProcess(
        ["--http-socket", shared.folder.file("http.sock"), "-p", "1", "--logto", device],
        sockets: device == "/dev/null" ? 0 : 1)
      let address = Address.unix(path: shared.folder.file("http.sock"))
      _ = try Deadline.usual.wait(for: "its socket") { try? RawSocket(address).ask("/") }
      #expect(try server.stop() == .status(0), "\(server.process.output)")
    }
  }

  @Test("a log that somebody has replaced by a link is not reopened through it")
  func reopening() throws {
    let shared = try Shared(0o1777)
    let log = "\(shared.path)/log"
    let server = try ServerProcess(
      ["--http-socket", shared.folder.file("http.sock"), "-p", "1", "--logto", log, "--control-socket"]
        + [shared.folder.file("ctl")], sockets: 0)
    let address = Address.unix(path: shared.folder.file("http.sock"))
    _ = try Deadline.usual.wait(for: "its socket") { try? RawSocket(address).ask("/") }
    try #require(rename(log, log + ".1") == 0 && symlink(shared.victim, log) == 0)
    try #require(lchown(log, Self.stranger, Self.stranger) == 0)
    let (exit, output) = try ServerProcess.run(
      ["ctl", "--control-socket", shared.folder.file("ctl"), "log-reopen"])
    #expect(exit == .status(1) && output.contains("cannot be reopened"), "\(output)")
    #expect(try RawSocket(address).ask("/").status == 200)
    #expect(shared.isUnharmed)
    #expect(try server.stop() == .status(0), "\(server.process.output)")
    #expect(shared.isUnharmed)
  }

  @Test(
    "what a plain process made as root is gone when it ends as another user", arguments: [SIGTERM, SIGKILL])
  func withoutMaster(signal: Int32) throws {
    try Root.require()
    let folder = try TemporaryFolder()
    let (socket, pid) = (folder.file("http.sock"), folder.file("pid"))
    let server = try ServerProcess(
      app: try ShellServer.build(1),
      ["--no-master", "--uid", "54321", "--gid", "54321", "--http-socket", socket, "--pidfile", pid])
    #expect(try ShellServer.run(server, "id -u; rm -f \(pid) \(socket)").contains("54321\n"))
    #expect(try String(contentsOfFile: pid, encoding: .utf8).trimmed == "\(server.process.pid)")
    // The process that keeps root's rights is nobody's child, and holds no socket.
    #expect(ProcessUsage.text(server.process.pid, "task/\(server.process.pid)/children") == nil)
    let exit = try server.stop(signal)
    #expect(exit == (signal == SIGTERM ? .status(0) : .signal(SIGKILL)), "\(server.process.output)")
    if signal == SIGKILL {
      try Deadline.usual.wait(for: "the files to go") { access(socket, F_OK) == 0 ? nil : true }
    }
    #expect(try FileManager.default.contentsOfDirectory(atPath: folder.path).isEmpty)
  }

  @Test("what has taken the place of a server's file is not removed as the server's")
  func replacedFile() throws {
    try Root.require()
    let folder = try TemporaryFolder()
    let (socket, pid) = (folder.file("http.sock"), folder.file("pid"))
    let server = try ServerProcess(
      app: try ShellServer.build(1),
      ["--no-master", "--uid", "54321", "--gid", "54321", "--http-socket", socket, "--pidfile", pid])
    unlink(pid)
    unlink(socket)
    try folder.write("another's", to: "pid")
    try folder.write("another's", to: "http.sock")
    #expect(try server.stop() == .status(0), "\(server.process.output)")
    #expect(try String(contentsOfFile: pid, encoding: .utf8) == "another's")
    #expect(try String(contentsOfFile: socket, encoding: .utf8) == "another's")
  }

  @Test("a socket file has its mode and owner from the first moment, for its owner to change alone")
  func socketFile() throws {
    try Root.require()
    let folder = try TemporaryFolder()
    let path = folder.file("http.sock")
    for (options, mode, owner) in [
      (["--chmod-socket=640", "--chown-socket", "54321:54322"], 0o640, (54321, 54322)),
      (["--chmod-socket=666", "--umask", "077"], 0o666, (0, 0)), (["--umask", "027"], 0o750, (0, 0)),
      (["--chown-socket", ":54322", "--uid", "54321", "--gid", "54321"], 0o755, (0, 54322)),
    ] as [([String], mode_t, (uid_t, gid_t))] {
      let server = try ServerProcess(["--http-socket", path, "-p", "1"] + options, sockets: 1)
      var status = stat()
      try #require(lstat(path, &status) == 0)
      #expect(status.st_mode & 0o7777 == mode && status.st_uid == owner.0 && status.st_gid == owner.1)
      #expect(try server.stop() == .status(0), "\(server.process.output)")
      #expect(access(path, F_OK) != 0)
    }
  }

  @Test("the way to a socket does not lead through another user's link")
  func socketBehindALink() throws {
    let shared = try Shared(0o1777)
    let name = "\(shared.path)/name"
    try #require(symlink(shared.folder.path, name) == 0)
    try #require(lchown(name, Self.stranger, Self.stranger) == 0)
    for option in ["--http-socket", "--control-socket"] {
      try refuses([option, name + "/s.sock"], name + "/s.sock")
      #expect(access(shared.folder.file("s.sock"), F_OK) != 0)
    }
  }
}
