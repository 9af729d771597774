// Who has the server's names, and who the workers are, when a server goes on as another process or reads its
// configuration anew.
import Foundation
import Support
import Testing

extension Swaps {
  @Suite struct HandOverTests {
    private static let identity = ["--uid", "54321", "--gid", "54321"]

    @Test("socket, pid file and control socket are the serving master's alone, whoever fails or follows")
    func names() throws {
      try Root.require()
      let folder = try TemporaryFolder()
      let (app, control) = (folder.file("app.so"), folder.file("ctl"))
      let names = [control, folder.file("http.sock"), folder.file("pid")]
      try SupervisedServer.replace(app, with: try ShellServer.build(1))
      let server = try ServerProcess(
        app: app,
        ["--http-socket", names[1], "-p", "1", "--pidfile", names[2], "--control-socket", control, "-L"]
          + Self.identity + ["--app-option", "closed=\(folder.file("closed"))"])
      func directory() throws -> String { try ShellServer.run(server, "echo $DIR").trimmed }
      func ctl(_ words: String...) throws -> (exit: ChildProcess.Exit, output: String) {
        try ServerProcess.run(["ctl", "--control-socket", control] + words)
      }
      let first = try directory()
      // The follower comes as far as its own directory and first workers, and fails there.
      try folder.write("", to: "closed")
      let refused = try ctl("upgrade")
      #expect(refused.exit == .status(1) && refused.output.contains("closed today"), "\(refused.output)")
      try FileManager.default.removeItem(atPath: folder.file("closed"))
      for name in names { #expect(access(name, F_OK) == 0, "\(name)") }
      #expect(try directory() == first)
      #expect(try String(contentsOfFile: names[2], encoding: .utf8).trimmed == "\(server.process.pid)")

      let upgraded = try ctl("upgrade")
      #expect(upgraded.exit == .status(0), "\(upgraded.output)")
      #expect(try server.process.wait() == .status(0), "\(server.process.output)")
      let status = try Deadline.usual.wait(for: "the follower") {
        let (exit, output) = try ctl("--json", "status")
        return exit == .status(0) ? try MasterStatus(output) : nil
      }
      let pid = try Deadline.usual.wait(for: "the pid file") {
        let text = try? String(contentsOfFile: names[2], encoding: .utf8).trimmed
        return text == "\(status.pid)" ? status.pid : nil
      }
      let second = try directory()
      #expect(second != first && !FileManager.default.fileExists(atPath: first))
      #expect(try ShellServer.run(server, "id -u; id -G; touch $DIR/x").hasPrefix("54321\n54321\n"))
      var owner = stat()
      try #require(lstat(second, &owner) == 0)
      #expect(owner.st_uid == 0 && owner.st_mode & 0o7777 == 0o710)
      #expect(try ctl("stop").exit == .status(0))
      try Deadline.usual.wait(for: "its end") { ProcessUsage.isAlive(pid) ? nil : true }
      for name in names + [second] { #expect(access(name, F_OK) != 0, "\(name)") }
    }

    @Test("a reload changes nothing of who the workers are, and says so")
    func reload() throws {
      try Root.require()
      let folder = try TemporaryFolder()
      let app = folder.file("app.so")
      try SupervisedServer.replace(app, with: try ShellServer.build(1))
      func write(_ lines: String) throws {
        try folder.write(
          "[server]\napp = \(app)\nprocesses = 1\nswap-soak = 0\nswap-probation = 0\n" + lines, to: "s.ini")
      }
      try write("uid = 54321\ngid = 54321\nno-new-privs = true\n")
      let control = folder.file("ctl")
      let server = try ServerProcess(
        app: nil,
        ["--ini", folder.file("s.ini"), "--http-socket", "127.0.0.1:0", "--control-socket", control, "-L"])
      let script = "id -u; id -G; grep NoNewPrivs /proc/$$/status"
      let before = try ShellServer.run(server, script)
      #expect(before.hasPrefix("54321\n54321\n"))
      for (build, lines) in [(2, ""), (3, "uid = root\n"), (4, "uid = 54322\ngid = 0\n")] {
        try write(lines)
        try SupervisedServer.replace(app, with: try ShellServer.build(build))
        let (exit, output) = try ServerProcess.run(["ctl", "--control-socket", control, "reload"])
        #expect(exit == .status(0), "\(output)")
        for name in ["uid", "gid", "no-new-privs"] {
          #expect(output.contains("\(name): a change takes a restart"), "\(output)")
        }
        #expect(try ShellServer.run(server, script) == before)
        #expect(try server.connect().ask("/").text.trimmed == "build \(build)")
      }
      #expect(try server.stop() == .status(0), "\(server.process.output)")
    }
  }
}
