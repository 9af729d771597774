// `server ctl` and whoever answers: a server of another user is not taken for one's own.
import Foundation
import Support
import Testing

@Suite struct ControlSocketTests {
  private static let stranger: uid_t = 54321
  /// What the stranger prints once it listens, and for each question that it gets.
  private static let impostor = """
    import fcntl, os, socket, sys
    where = sys.argv[1]
    os.makedirs(os.path.dirname(where), 0o700, exist_ok=True)
    lock = os.open(os.path.dirname(where), os.O_RDONLY)
    fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    if os.path.lexists(where): os.unlink(where)
    listener = socket.socket(socket.AF_UNIX)
    listener.bind(where)
    os.chmod(where, 0o777)
    listener.listen(8)
    print("listening", flush=True)
    while True:
        peer, _ = listener.accept()
        question = peer.recv(4096)
        if question: print("asked", flush=True)
        peer.sendall(b"\\x1b]0;owned\\x07 all is well\\nexit 0\\n")
        peer.close()
    """

  /// A process of the stranger that answers at a path.
  private func impostor(at path: String) throws -> ChildProcess {
    let process = try ChildProcess(
      "/usr/bin/setpriv",
      ["--reuid", "\(Self.stranger)", "--regid", "\(Self.stranger)", "--clear-groups", "--"]
        + [try Program.python3.path(), "-c", Self.impostor, path])
    _ = try process.waitForOutput("the impostor") { $0.contains("listening") ? true : nil }
    return process
  }

  /// Runs `server ctl WORDS` as a user.
  private func ctl(
    as user: uid_t, _ words: [String], _ environment: [String: String] = [:]
  ) throws -> (exit: ChildProcess.Exit, output: String) {
    try ChildProcess.run(
      "/usr/bin/setpriv",
      ["--reuid", "\(user)", "--regid", "\(user)", "--clear-groups", "--", Repository.server, "ctl"] + words,
      environment: environment)
  }

  @Test("a server with a directory of its own is found by it, and by nothing else")
  func ownDirectory() throws {
    let folder = try TemporaryFolder()
    let (own, empty) = (try folder.folder("own"), try folder.folder("empty"))
    func start() throws -> ServerProcess {
      try ServerProcess(
        app: try FixtureApp.path("ledger"),
        ["--http-socket", "127.0.0.1:0", "-L", "-p", "1", "--runtime-dir", own])
    }
    func ctl(_ words: String...) throws -> (exit: ChildProcess.Exit, output: String) {
      try ChildProcess.run(Repository.server, ["ctl"] + words, directory: folder.path)
    }
    let server = try start()
    for directory in [own, "own", "./own/"] {
      let (exit, output) = try ctl("--runtime-dir", directory, "status")
      #expect(exit == .status(0) && output.contains("master pid \(server.process.pid),"), "\(output)")
    }
    let (exit, output) = try ctl("--runtime-dir", empty, "status")
    #expect(exit == .status(1) && output.contains("runs in \(empty)"), "\(output)")
    let both = try ctl("--runtime-dir", own, "--control-socket", "x", "status")
    #expect(both.exit == .status(1) && both.output.contains("leave one out"), "\(both.output)")
    let second = try start()
    let several = try ctl("--runtime-dir", own, "status")
    #expect(several.exit == .status(1) && several.output.contains("several servers run"), "\(several.output)")
    #expect(try second.stop() == .status(0), "\(second.process.output)")
    #expect(try ctl("--runtime-dir=\(own)", "stop").exit == .status(0))
    #expect(try server.process.wait() == .status(0), "\(server.process.output)")
  }

  @Test("a directory of another user is not believed, whoever asks", arguments: [0, 54322] as [uid_t])
  func anothersDirectory(user: uid_t) throws {
    try Root.require()
    let folder = try TemporaryFolder()
    let shared = try folder.folder("shared")
    chmod(shared, 0o1777)
    let process = try impostor(at: "\(shared)/nsgi-1-aaaaaa/control.sock")
    let (exit, output) = try ctl(as: user, ["status"], ["TMPDIR": shared, "XDG_RUNTIME_DIR": ""])
    // Root may have a server of its own in /tmp, which is found then.
    #expect(user == 0 || exit == .status(1) && output.contains("no server of this user"), "\(output)")
    #expect(!output.contains("all is well"), "\(output)")
    #expect(!process.output.contains("asked"))
    // The stranger's own server is the stranger's to ask.
    let own = try ctl(as: Self.stranger, ["status"], ["TMPDIR": shared, "XDG_RUNTIME_DIR": ""])
    #expect(own.exit == .status(0) && own.output.contains("all is well"), "\(own.output)")
    #expect(!own.output.utf8.contains(0x1b) && !own.output.utf8.contains(7), "\(own.output)")
  }

  @Test("a socket that anybody can have put in its place is asked nothing", arguments: [0, 54322] as [uid_t])
  func anothersSocket(user: uid_t) throws {
    try Root.require()
    let folder = try TemporaryFolder()
    let shared = try folder.folder("shared")
    chmod(shared, 0o1777)
    let process = try impostor(at: "\(shared)/ctl")
    let (exit, output) = try ctl(as: user, ["--control-socket", "\(shared)/ctl", "stop"])
    #expect(exit == .status(1) && output.contains("belongs to user \(Self.stranger)"), "\(output)")
    #expect(!process.output.contains("asked"), "\(process.output)")
  }

  @Test("root asks another user's server where that user alone can put one, and is told whose it is")
  func rootAsksAnother() throws {
    try Root.require()
    let folder = try TemporaryFolder()
    let theirs = try folder.folder("theirs")
    chown(theirs, Self.stranger, Self.stranger)
    let process = try impostor(at: "\(theirs)/ctl")
    let (exit, output) = try ctl(as: 0, ["--control-socket", "\(theirs)/ctl", "status"])
    #expect(exit == .status(0) && output.contains("all is well"), "\(output)")
    #expect(output.contains("user \(Self.stranger)'s server"), "\(output)")
    #expect(process.output.contains("asked"))
    let other = try ctl(as: 54322, ["--control-socket", "\(theirs)/ctl", "status"])
    #expect(other.exit == .status(1) && other.output.contains("belongs to user"), "\(other.output)")
  }
}
