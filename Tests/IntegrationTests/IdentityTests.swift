// --uid, --gid, --no-new-privs: what apps run as is what was asked for, and nothing of root's is left.
import Foundation
import Support
import Testing

@Suite struct IdentityTests {
  /// How apps run: with a master and without.
  static let masters = [["-p", "1"], ["--no-master"]]

  /// What an app says of itself: lines of /proc/self/status, and its environment.
  private struct Report {
    let status: [String: String]
    let environment: [String: String]

    init(_ server: ServerProcess) throws {
      let text = try ShellServer.run(server, "cat /proc/$$/status; echo; env")
      let parts = text.components(separatedBy: "\n\n")
      func table(_ text: String, _ separator: Character) -> [String: String] {
        let pairs = text.split(separator: "\n").compactMap { line -> (String, String)? in
          let halves = line.split(separator: separator, maxSplits: 1, omittingEmptySubsequences: false)
          return halves.count == 2 ? (String(halves[0]), String(halves[1]).trimmed) : nil
        }
        return Dictionary(pairs) { first, _ in first }
      }
      status = table(parts[0], ":")
      environment = table(parts.count > 1 ? parts[1] : "", "=")
    }

    func numbers(_ name: String) -> [Int] {
      (status[name] ?? "?").split(whereSeparator: \.isWhitespace).map { Int($0) ?? -1 }
    }
  }

  private func server(_ options: [String], environment: [String: String] = [:]) throws -> ServerProcess {
    try Root.require()
    return try ServerProcess(
      app: try ShellServer.build(1), ["--http-socket", "127.0.0.1:0"] + options, environment: environment)
  }

  @Test("a user and a group by number: their ids four times, one group, no capability", arguments: masters)
  func byNumber(master: [String]) throws {
    let server = try server(
      ["--uid", "54321", "--gid", "54322"] + master,
      environment: ["HOME": "/root", "USER": "root", "LOGNAME": "root", "XDG_RUNTIME_DIR": "/run/user/0"])
    let report = try Report(server)
    #expect(report.numbers("Uid") == [54321, 54321, 54321, 54321])
    #expect(report.numbers("Gid") == [54322, 54322, 54322, 54322])
    #expect(report.numbers("Groups") == [54322])
    for name in ["CapInh", "CapPrm", "CapEff", "CapAmb"] {
      #expect(report.status[name]?.allSatisfy { $0 == "0" } ?? false, "\(name) \(report.status)")
    }
    #expect(report.status["NoNewPrivs"] == "0")
    let variables = ["HOME", "USER", "LOGNAME", "XDG_RUNTIME_DIR"].map { report.environment[$0] }
    #expect(variables == ["/", "54321", "54321", nil])
    #expect(try ShellServer.run(server, "setpriv --reuid 0 id -u").contains("not permitted"))
    #expect(try server.stop() == .status(0), "\(server.process.output)")
  }

  @Test("a group alone: the user stays, root's groups do not", arguments: masters)
  func groupAlone(master: [String]) throws {
    let server = try server(["--gid", "54322"] + master)
    let report = try Report(server)
    #expect(report.numbers("Uid") == [0, 0, 0, 0] && report.numbers("Gid") == [54322, 54322, 54322, 54322])
    #expect(report.numbers("Groups") == [54322])
    #expect(try server.stop() == .status(0), "\(server.process.output)")
  }

  @Test("a user by name, or by the number of a name: its groups, home and name", arguments: masters)
  func byName(master: [String]) throws {
    let entry = try #require(getpwnam("www-data"))
    let (user, group) = (Int(entry.pointee.pw_uid), Int(entry.pointee.pw_gid))
    let home = String(cString: entry.pointee.pw_dir)
    let (_, list) = try ChildProcess.run("/usr/bin/id", ["-G", "www-data"])
    let groups = list.split(whereSeparator: \.isWhitespace).map { Int($0)! }
    for name in ["www-data", "\(user)"] {
      let server = try server(["--uid", name] + master)
      let report = try Report(server)
      #expect(report.numbers("Uid") == Array(repeating: user, count: 4))
      #expect(report.numbers("Gid") == Array(repeating: group, count: 4))
      #expect(Set(report.numbers("Groups")) == Set(groups))
      let variables = ["HOME", "USER", "LOGNAME"].map { report.environment[$0] }
      #expect(variables == [home, "www-data", "www-data"])
      #expect(try server.stop() == .status(0), "\(server.process.output)")
    }
  }

  @Test("whom nobody knows is refused with one sentence and the fix", arguments: masters)
  func unknown(master: [String]) throws {
    try Root.require()
    let folder = try TemporaryFolder()
    for (options, fix) in [
      (["--uid", "54321"], "add --gid 54321"), (["--uid", "nobody-like-this"], "correct --uid"),
      (["--uid", "4294967295"], "correct --uid"), (["--gid", "no-such-group"], "correct --gid"),
      (["--uid", "nobody", "--gid", "4294967295"], "correct --gid"),
    ] {
      let (exit, output) = try ServerProcess.run(
        ["--app", try ShellServer.build(1), "--http-socket", folder.file("http.sock"), "--pidfile"]
          + [folder.file("pid")] + options + master)
      #expect(exit == .status(1) && output.contains(fix), "\(options): \(output)")
      #expect(output.split(separator: "\n").count == 1, "\(output)")
      #expect(try FileManager.default.contentsOfDirectory(atPath: folder.path).isEmpty)
    }
  }

  @Test("who may not become another user says so; who is that user already need not", arguments: masters)
  func notRoot(master: [String]) throws {
    try Root.require()
    let library = try ShellServer.build(1)
    func start(_ uid: String) -> [String] {
      ["--reuid", "54321", "--regid", "54321", "--clear-groups", "--", Repository.server, "--app", library]
        + ["--http-socket", "127.0.0.1:0", "--uid", uid, "--gid", uid] + master
    }
    let refused = try ChildProcess.run("/usr/bin/setpriv", start("54322"))
    #expect(refused.exit == .status(1) && refused.output.contains("start it as root"), "\(refused.output)")
    let process = try ChildProcess("/usr/bin/setpriv", start("54321"))
    _ = try process.waitForOutput("the socket") { $0.contains(" ready") ? true : nil }
    #expect(try process.stop() == .status(0), "\(process.output)")
  }

  @Test("--no-new-privs: a set-user-ID program that an app starts gains nothing", arguments: masters)
  func noNewPrivileges(master: [String]) throws {
    try Root.require()
    let folder = try TemporaryFolder()
    let program = folder.file("id")
    // By another process: one that this one starts meanwhile would hold the file open for writing, and a file
    // that is written is not executed.
    #expect(try ChildProcess.run("/bin/cp", ["/usr/bin/id", program]).exit == .status(0))
    chmod(program, 0o4755)
    for (options, effective) in [([], "0"), (["--no-new-privs"], "54321")] {
      let server = try server(["--uid", "54321", "--gid", "54321"] + options + master)
      #expect(try ShellServer.run(server, "\(program) -u").trimmed == effective)
      #expect(try Report(server).status["NoNewPrivs"] == (options.isEmpty ? "0" : "1"))
      #expect(try server.stop() == .status(0), "\(server.process.output)")
    }
  }

  @Test("apps that run as root because nobody said otherwise are told of once", arguments: masters)
  func rootSaysSo(master: [String]) throws {
    for (options, isSaid) in [
      ([], true), (["--gid", "54321"], true), (["--uid", "root"], false),
      (["--uid", "54321", "--gid", "54321"], false),
    ] {
      let server = try server(options + master)
      let user = options.contains("--uid") && !options.contains("root") ? "54321" : "0"
      #expect(try ShellServer.run(server, "id -u").trimmed == user)
      #expect(server.process.output.components(separatedBy: "run as root").count == (isSaid ? 2 : 1))
      #expect(try server.stop() == .status(0), "\(server.process.output)")
    }
  }

  @Test("a runtime directory that is closed to the workers' user is not taken", arguments: masters)
  func closedRuntimeDirectory(master: [String]) throws {
    let folder = try TemporaryFolder()
    let closed = try folder.folder("closed")
    chmod(closed, 0o700)
    let server = try server(
      ["--uid", "54321", "--gid", "54321"] + master,
      environment: ["XDG_RUNTIME_DIR": closed, "TMPDIR": closed])
    #expect(try !ShellServer.run(server, "echo $DIR").contains(closed))
    #expect(try FileManager.default.contentsOfDirectory(atPath: closed).isEmpty)
    #expect(try server.stop() == .status(0), "\(server.process.output)")
  }

  @Test("a runtime directory that others can rename or replace is not taken")
  func unsafeRuntimeDirectory() throws {
    let folder = try TemporaryFolder()
    let shared = try folder.folder("shared")
    let theirs = try folder.folder("theirs/inner")
    chmod(shared, 0o777)
    chown(folder.file("theirs"), 54321, 54321)
    for place in [shared, theirs] {
      let server = try server(["-p", "1"], environment: ["XDG_RUNTIME_DIR": place, "TMPDIR": place])
      #expect(try !ShellServer.run(server, "echo $DIR").contains(place))
      #expect(try server.stop() == .status(0), "\(server.process.output)")
    }
  }
}
