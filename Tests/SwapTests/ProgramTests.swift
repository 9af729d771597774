// Programs that the server runs for its operator: beside it, and on its way.
import Foundation
import Support
import Testing

extension Swaps {
  @Suite struct ProgramTests {
    /// A server with options in which `DIR/` is its folder.
    private func server(_ options: String..., folder: TemporaryFolder? = nil) throws -> SupervisedServer {
      try SupervisedServer(Fixture.good, workers: 1, options, folder: folder)
    }

    private func text(_ path: String) -> String { (try? String(contentsOfFile: path, encoding: .utf8)) ?? "" }

    /// The number that a program has written into a file, if it is another than `before`.
    private func pid(_ path: String, not before: pid_t? = nil) throws -> pid_t {
      try Deadline.usual.wait(for: "a process at \(path)") {
        guard let pid = pid_t(text(path).trimmingCharacters(in: .whitespacesAndNewlines)), pid != before
        else {
          return nil
        }
        return pid
      }
    }

    private func waitForEnd(_ pid: pid_t) throws {
      try Deadline.usual.wait(for: "the end of \(pid)") { kill(pid, 0) != 0 ? () : nil }
    }

    private static let sleeper =
      "echo $$ > DIR/pid.new; mv DIR/pid.new DIR/pid; echo says this; exec sleep 1000"

    @Test("a program runs beside the server, is started again, is heard in the log, and ends with the server")
    func attached() throws {
      let server = try server("--attach-daemon", Self.sleeper)
      let file = server.folder.file("pid")
      let first = try pid(file)
      try server.waitForLog("says this")
      kill(first, SIGKILL)
      let second = try pid(file, not: first)
      #expect(server.log.contains("ended with SIGKILL; it is started again"))
      #expect(try server.stop() == .status(0), "\(server.log)")
      try waitForEnd(second)
    }

    @Test("whatever happens to the master, nothing of it is left")
    func orphan() throws {
      let server = try server("--attach-daemon", Self.sleeper)
      let program = try pid(server.folder.file("pid"))
      kill(server.pid, SIGKILL)
      try waitForEnd(program)
    }

    @Test("a program that does not stop is killed, and one that ends at once does not keep the master busy")
    func stubborn() throws {
      let server = try server(
        "--attach-daemon", "trap '' TERM; echo $$ > DIR/pid; while :; do sleep 1; done", "--attach-daemon",
        "echo once more")
      let program = try pid(server.folder.file("pid"))
      try server.waitForLog("`echo once more` ended with exit code 0; it is started again")
      #expect(server.log.split(separator: "\n").count { $0 == "once more" } < 8)
      #expect(try server.stop() == .status(0), "\(server.log)")
      try waitForEnd(program)
    }

    @Test("a program that the server cannot do without ends it")
    func vital() throws {
      let server = try server("--attach-control-daemon", "test -e DIR/go || sleep 1; touch DIR/go")
      let exit = try Deadline.usual.wait(for: "the end", output: { server.log }) {
        server.server.process.ended
      }
      #expect(exit == .status(0) && server.log.contains("and the server with it"), "\(server.log)")
    }

    @Test("a process that its file names is not started again, but watched")
    func smart() throws {
      let folder = try TemporaryFolder()
      let other = try ChildProcess("/bin/sleep", ["1000"])
      try "\(other.pid)\n".write(toFile: folder.file("pid"), atomically: true, encoding: .utf8)
      let server = try server("--smart-attach-daemon", "DIR/pid \(Self.sleeper)", folder: folder)
      _ = try server.get()
      #expect(text(folder.file("pid")) == "\(other.pid)\n" && !server.log.contains("says this"))
      kill(other.pid, SIGKILL)
      _ = other.ended
      try Deadline.usual.wait(for: "its end") { other.ended != nil ? () : nil }
      let next = try pid(folder.file("pid"), not: other.pid)
      #expect(try server.stop() == .status(0), "\(server.log)")
      try waitForEnd(next)
    }

    @Test("an upgrade leaves one program, of the new server")
    func upgrade() throws {
      let server = try server("--attach-daemon", Self.sleeper)
      let file = server.folder.file("pid")
      let first = try pid(file)
      let (exit, output) = try server.ctl("upgrade")
      #expect(exit == 0, "\(output)")
      let second = try pid(file, not: first)
      try waitForEnd(first)
      _ = try server.ctl("stop")
      try waitForEnd(second)
    }

    @Test("commands on the way run in their order, as their users, and one that fails ends the start")
    func steps() throws {
      let say = { (word: String) in "echo \(word) $(id -u) >> DIR/steps" }
      let folder = try TemporaryFolder()
      chmod(folder.path, 0o777)
      try "".write(toFile: folder.file("steps"), atomically: false, encoding: .utf8)
      chmod(folder.file("steps"), 0o666)
      let user = getuid() == 0 ? ["--uid", "65534", "--gid", "65534"] : []
      let server = try SupervisedServer(
        Fixture.good, workers: 1,
        [
          "--exec-as-user", say("user"), "--exec-asap", say("first"), "--exec-post-app", say("ready"),
          "--exec-as-user-atexit", say("end"),
        ] + user, folder: folder)
      try Deadline.usual.wait(for: "ready", output: { server.log }) {
        text(folder.file("steps")).contains("ready") ? () : nil
      }
      #expect(try server.stop() == .status(0), "\(server.log)")
      let (own, other) = (getuid(), getuid() == 0 ? 65534 : getuid())
      #expect(text(folder.file("steps")) == "first \(own)\nuser \(other)\nready \(other)\nend \(other)\n")
      let (exit, output) = try ServerProcess.run([
        "--app", Fixture.good, "--http-socket", "127.0.0.1:0", "-p", "1", "--exec-asap", "exit 3",
      ])
      #expect(exit == .status(1) && output.contains("`exit 3` ended with exit code 3"), "\(output)")
    }
  }
}
