// A root master whose workers are another user's: whatever that user does in the server's directory, or tells
// its master, nothing of root's is lost by it.
import Foundation
import Support
import Testing

extension Swaps {
  @Suite struct OwnDirectoryTests {
    /// What root has and the workers' user must not reach.
    private struct Victim {
      let folder: TemporaryFolder
      let path: String

      init() throws {
        folder = try TemporaryFolder()
        path = try folder.folder("victim")
        for name in ["shadow", "app.so", "shell.so"] { try folder.write("precious", to: "victim/" + name) }
        try folder.folder("victim/inner")
        try folder.write("precious", to: "victim/inner/shadow")
      }

      var isWhole: Bool {
        ["shadow", "app.so", "shell.so", "inner/shadow"].allSatisfy {
          (try? String(contentsOfFile: "\(path)/\($0)", encoding: .utf8)) == "precious"
        }
      }
    }

    /// Links where the master may look, names taken away and put back: each may fail, none may be seen.
    private static func attack(_ victim: String) -> String {
      """
      V=\(victim)
      ln -s $V $DIR/gen-evil; ln -s $V $DIR/gen-2; ln -s $V $DIR/gen-9; ln -s $V $COPY/inner
      mv $COPY $DIR/old; rm -rf $COPY; ln -s $V $COPY
      ln -sf $V/shadow $COPY/app.so; chmod u+w $COPY/app.so; echo changed > $COPY/app.so
      rm -f $DIR/control.sock; mv $DIR/control.sock $DIR/other; ln -sf $V/shadow $DIR/control.sock
      chmod 777 $DIR $COPY; chown \(ShellServer.user) $DIR $COPY
      mv $DIR $DIR.away; ln -sn $V $DIR
      mkdir $DIR/gen-3; touch $DIR/gen-4
      true
      """
    }

    @Test(
      "links and renames of the workers' user change nothing of the master's",
      arguments: ["rolling", "in-place"])
    func linksAndRenames(mode: String) throws {
      let victim = try Victim()
      let shell = try ShellServer(workers: 2, ["--swap", mode])
      let before = try Self.listing(shell.directory)
      func stands(_ copies: Int) throws {
        let now = try Self.listing(shell.directory)
        #expect(now.count == before.count + (copies - 1) * 2, "\(now)")
        #expect(now.allSatisfy { $0.owner == 0 && $0.mode & 0o022 == 0 && !$0.isLink }, "\(now)")
      }
      for build in 2...3 {
        let said = try shell.run(Self.attack(victim.path))
        #expect(said.contains("Permission denied") && said.contains("Operation not permitted"), "\(said)")
        try stands(build - 1)
        try shell.server.install(try ShellServer.build(build))
        let (exit, output) = try shell.server.ctl("swap")
        #expect(exit == 0, "\(output)")
        #expect(output.contains("(in place)") == (mode == "in-place"), "\(output)")
        #expect(try shell.answering() == build)
        try stands(build)
      }
      try shell.run(Self.attack(victim.path))
      let (exit, output) = try shell.server.ctl("rollback")
      #expect(exit == 0, "\(output)")
      #expect(try shell.answering() == 2)
      try shell.run(Self.attack(victim.path))
      #expect(try shell.server.stop() == .status(0), "\(shell.server.log)")
      #expect(victim.isWhole)
      #expect(!FileManager.default.fileExists(atPath: shell.directory))
      #expect(!FileManager.default.fileExists(atPath: shell.directory + ".away"))
    }

    @Test("a build under trial that names other files as its copy loses nobody anything")
    func namesAnotherFile() throws {
      let victim = try Victim()
      let shell = try ShellServer(["--swap-timeout", "2"])
      let fields = ["path=\(victim.path)/shadow", "same=0", "build="].joined(separator: "\\0")
      let said = "copied\\0app=0\\0\(fields)\\0"
      for (number, defines) in [(2, ["SAYS=\"\(said)\""]), (3, ["SAYS=\"\(said)\"", "HANGS"])] {
        try shell.server.install(
          try FixtureApp.path("shell", defines: ["BUILD=\(number)"] + defines))
        let isGood = defines.count == 1
        #expect(try shell.server.ctl("swap").exit == (isGood ? 0 : 1), "\(shell.server.log)")
        #expect(try shell.answering() == 2)
        // The copy that serves is the master's, not the one that was named.
        #expect(try shell.run("dirname $COPY").trimmed == shell.directory)
      }
      for build in 4...8 {
        try shell.server.install(try ShellServer.build(build))
        #expect(try shell.server.ctl("swap").exit == 0, "\(shell.server.log)")
      }
      // Three builds are kept, and nothing of what was refused.
      #expect(try Self.listing(shell.directory).count { $0.path.hasSuffix("/app.so") } == 3)
      #expect(try shell.server.stop() == .status(0), "\(shell.server.log)")
      #expect(victim.isWhole)
      #expect(!FileManager.default.fileExists(atPath: shell.directory))
    }

    @Test("the control socket lies where the workers' user cannot replace it")
    func controlSocket() throws {
      try Root.require()
      let folder = try TemporaryFolder()
      let app = folder.file("app.so")
      try SupervisedServer.replace(app, with: try ShellServer.build(1))
      let server = try ServerProcess(
        app: app, ["--http-socket", "127.0.0.1:0", "-p", "1", "--uid", "54321", "--gid", "54321"],
        environment: ["TMPDIR": folder.path, "XDG_RUNTIME_DIR": ""])
      let directory = try ShellServer.run(server, "echo $DIR").trimmed
      #expect(directory.hasPrefix(folder.path + "/nsgi-"))
      let said = try ShellServer.run(
        server, "rm -f $DIR/control.sock; mv $DIR $DIR.away; ls $DIR; cat < $DIR/control.sock")
      let lines = said.split(separator: "\n")
      #expect(lines.count == 4 && lines.allSatisfy { $0.contains(/denied|permitted/) }, "\(said)")
      let (exit, output) = try ServerProcess.run(["ctl", "status"], environment: ["TMPDIR": folder.path])
      #expect(exit == .status(0) && output.contains("master pid \(server.process.pid)"), "\(output)")
      #expect(try server.stop() == .status(0), "\(server.process.output)")
    }

    @Test("a trial that hangs as another user ends with its master")
    func trialEndsWithItsMaster() throws {
      let shell = try ShellServer(["--swap-timeout", "600"])
      try shell.server.install(try ShellServer.build(2, "HANGS"))
      let ctl = try ChildProcess(
        Repository.server, ["ctl", "--control-socket", shell.server.control, "swap"])
      func trial() -> pid_t? {
        let children = ProcessUsage.text(shell.server.pid, "task/\(shell.server.pid)/children") ?? ""
        return children.split(separator: " ").compactMap { pid_t($0) }.first {
          ProcessUsage.text($0, "cmdline")?.contains("stage") ?? false
        }
      }
      let pid = try Deadline.usual.wait(for: "the trial", output: { shell.server.log }) { trial() }
      // It has become the other user, with which the kernel forgets a wish to end with the parent.
      try Deadline.usual.wait(for: "its user", output: { shell.server.log }) {
        ProcessUsage.text(pid, "status")?.contains("Uid:\t54321") ?? false ? true : nil
      }
      try Deadline.usual.wait(for: "load()") {
        ProcessUsage.text(pid, "maps")?.contains("gen-") ?? false ? true : nil
      }
      kill(shell.server.pid, SIGKILL)
      try Deadline.usual.wait(for: "the end of the trial") { ProcessUsage.isAlive(pid) ? nil : true }
      _ = try ctl.wait()
    }

    /// Everything below a directory.
    private static func listing(
      _ directory: String
    ) throws -> [(path: String, owner: uid_t, mode: mode_t, isLink: Bool)] {
      let names = FileManager.default.enumerator(atPath: directory)?.compactMap { $0 as? String } ?? []
      return try (["."] + names).map { name in
        var status = stat()
        try #require(lstat("\(directory)/\(name)", &status) == 0)
        return (name, status.st_uid, status.st_mode & 0o7777, status.st_mode & S_IFMT == S_IFLNK)
      }
    }
  }
}
