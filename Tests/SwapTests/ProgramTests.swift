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

    /// Holds a lock as a port is held, and takes half a second to let it go.
    private static let holder = """
      mkdir DIR/lock || { echo the place is taken; exit 1; }
      trap 'sleep 0.5; rmdir DIR/lock; exit 0' TERM
      echo $$ > DIR/new; mv DIR/new DIR/pid; while :; do sleep 0.1; done
      """

    @Test("a program that the server cannot do without ends before an upgrade starts the new server's")
    func vitalUpgrade() throws {
      let server = try server("--attach-control-daemon", Self.holder)
      let file = server.folder.file("pid")
      var program = try pid(file)
      for _ in 0..<2 {
        let old = try server.status().pid
        let (exit, output) = try server.ctl("upgrade")
        #expect(exit == 0, "\(output)")
        let next = try pid(file, not: program)
        #expect(!ProcessUsage.isAlive(program))
        program = next
        try Deadline.usual.wait(for: "the old master to leave") { ProcessUsage.isAlive(old) ? nil : () }
        #expect(try server.status().serving.count == 1 && ProcessUsage.isAlive(program))
      }
      #expect(!server.log.contains("the place is taken") && !server.log.contains("and the server with it"))
      _ = try server.ctl("stop")
      try waitForEnd(program)
    }

    @Test("a program that does not end at an upgrade is killed, and the new server's is started")
    func stubbornUpgrade() throws {
      let server = try server(
        "--attach-daemon", "trap '' TERM; echo $$ > DIR/new; mv DIR/new DIR/pid; while :; do sleep 1; done")
      let first = try pid(server.folder.file("pid"))
      #expect(try server.ctl("upgrade").exit == 0)
      let second = try pid(server.folder.file("pid"), not: first)
      #expect(!ProcessUsage.isAlive(first) && server.log.contains("is killed: it has not stopped"))
      kill(second, SIGKILL)
      _ = try server.ctl("stop")
      try waitForEnd(second)
    }

    @Test("a command that runs when the server is upgraded comes to its end; with the server it ends at once")
    func running() throws {
      let command =
        "echo $$ > DIR/new; mv DIR/new DIR/pid; until [ -e DIR/go ]; do sleep 0.1; done; touch DIR/over.$$"
      for isStopped in [false, true] {
        let server = try server("--exec-post-app", command)
        let first = try pid(server.folder.file("pid"))
        let old = try server.status().pid
        #expect(try server.ctl("upgrade").exit == 0)
        let second = try pid(server.folder.file("pid"), not: first)
        #expect(try ProcessUsage.isAlive(first) && server.status().pid != old)
        if isStopped {
          #expect(try server.ctl("stop").exit == 0)
          try waitForEnd(first)
          try waitForEnd(second)
          try Deadline.usual.wait(for: "the old master") { ProcessUsage.isAlive(old) ? nil : () }
          #expect(access(server.folder.file("over.\(first)"), F_OK) != 0)
        } else {
          try "".write(toFile: server.folder.file("go"), atomically: true, encoding: .utf8)
          try Deadline.usual.wait(for: "its end") {
            access(server.folder.file("over.\(first)"), F_OK) == 0 ? () : nil
          }
          try Deadline.usual.wait(for: "the old master") { ProcessUsage.isAlive(old) ? nil : () }
          #expect(try server.ctl("stop").exit == 0)
        }
      }
    }

    @Test(
      "a command at the end that hangs has its time, or none if somebody is impatient", arguments: [1, 2])
    func hangingEnd(signals: Int) throws {
      let server = try server(
        "--worker-reload-mercy", "1", "--exec-as-user-atexit",
        "echo $$ > DIR/new; mv DIR/new DIR/pid; exec sleep 300")
      server.server.process.send(SIGTERM)
      let step = try pid(server.folder.file("pid"))
      #expect(
        try server.ctl("status").exit != 0 && access(server.control, F_OK) != 0, "it takes no more orders")
      if signals == 2 { server.server.process.send(SIGTERM) }
      #expect(try server.server.process.wait() == .status(0), "\(server.log)")
      #expect(server.log.contains("stopped while `echo") && !ProcessUsage.isAlive(step))
    }

    @Test("a command runs when its minute begins, and others do not")
    func minutes() throws {
      let server = try server(
        "--cron=-1 -1 -1 -1 -1 echo cron >> DIR/ran", "--cron2", "unique=1 echo cron2 >> DIR/ran",
        "--cron=-1 -1 31 2 -1 echo never >> DIR/ran")
      // A minute and what a slow machine takes.
      try Deadline(seconds: 75).wait(for: "the minute", output: { server.log }) {
        let ran = text(server.folder.file("ran"))
        return ran.contains("cron\n") && ran.contains("cron2\n") ? () : nil
      }
      #expect(!text(server.folder.file("ran")).contains("never"))
      #expect(try server.stop() == .status(0), "\(server.log)")
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
