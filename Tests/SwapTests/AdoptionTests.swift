// Programs that a file names, and what becomes of programs when the master cannot end them.
import Foundation
import Support
import Testing

extension Swaps {
  @Suite struct AdoptionTests {
    private func server(_ options: [String], in folder: TemporaryFolder) throws -> SupervisedServer {
      try SupervisedServer(Fixture.good, workers: 1, options, folder: folder)
    }

    private func text(_ path: String) -> String { (try? String(contentsOfFile: path, encoding: .utf8)) ?? "" }

    private func pid(_ path: String) throws -> pid_t {
      try Deadline.usual.wait(for: "a process at \(path)") {
        pid_t(text(path).trimmingCharacters(in: .whitespacesAndNewlines))
      }
    }

    private func waitForEnd(_ pid: pid_t) throws {
      try Deadline.usual.wait(for: "the end of \(pid)") { kill(pid, 0) != 0 ? () : nil }
    }

    private static let user = ["--uid", "65534", "--gid", "65534"]

    @Test(
      "a process of another user's than the programs' is neither watched nor ended, whoever wrote its number",
      arguments: ["--smart-attach-daemon", "--smart-attach-daemon2"])
    func foreign(option: String) throws {
      try Root.require()
      let folder = try TemporaryFolder()
      chmod(folder.path, 0o777)
      let other = try ChildProcess("/bin/sleep", ["1000"])
      try "\(other.pid)\n".write(toFile: folder.file("pid"), atomically: false, encoding: .utf8)
      chown(folder.file("pid"), 65534, 65534)
      let server = try server([option, "DIR/pid echo says this; sleep 1000"] + Self.user, in: folder)
      try server.waitForLog("process \(other.pid) does not run as user 65534")
      try server.waitForLog("says this")
      #expect(try server.stop() == .status(0), "\(server.log)")
      #expect(other.ended == nil && kill(other.pid, 0) == 0)
    }

    @Test("the programs' own process that a file names is watched, and told to end through what holds it")
    func own() throws {
      try Root.require()
      let folder = try TemporaryFolder()
      chmod(folder.path, 0o777)
      let other = try ChildProcess(
        "/usr/bin/setpriv", ["--reuid", "65534", "--regid", "65534", "--clear-groups", "/bin/sleep", "1000"])
      try Deadline.usual.wait(for: "its user") {
        (ProcessUsage.text(other.pid, "status") ?? "").contains("Uid:\t65534\t65534\t65534\t65534") ? () : nil
      }
      try "\(other.pid)\n".write(toFile: folder.file("pid"), atomically: false, encoding: .utf8)
      chown(folder.file("pid"), 65534, 65534)
      let server = try server(["--smart-attach-daemon", "DIR/pid echo says this"] + Self.user, in: folder)
      _ = try server.get()
      #expect(try server.stop() == .status(0), "\(server.log)")
      #expect(try other.wait() == .signal(SIGTERM) && !server.log.contains("says this"), "\(server.log)")
    }

    @Test("init is not watched")
    func initProcess() throws {
      let folder = try TemporaryFolder()
      try "1\n".write(toFile: folder.file("pid"), atomically: false, encoding: .utf8)
      let server = try server(["--smart-attach-daemon", "DIR/pid echo says this; sleep 1000"], in: folder)
      try server.waitForLog("process 1 is init")
      try server.waitForLog("says this")
      #expect(try server.stop() == .status(0), "\(server.log)")
    }

    @Test("the server does not watch itself")
    func itself() throws {
      let folder = try TemporaryFolder()
      let server = try server(["--smart-attach-daemon2", "DIR/pid echo $PPID > DIR/pid"], in: folder)
      try server.waitForLog("process \(server.pid) is the server")
      #expect(try server.stop() == .status(0), "\(server.log)")
    }

    @Test(
      "what is no file of root's or of the programs' user names nobody",
      arguments: ["link", "fifo", "writable"])
    func strange(kind: String) throws {
      try Root.require()
      let folder = try TemporaryFolder()
      let other = try ChildProcess("/bin/sleep", ["1000"])
      try "\(other.pid)\n".write(toFile: folder.file("other"), atomically: false, encoding: .utf8)
      switch kind {
      case "link": symlink(folder.file("other"), folder.file("pid"))
      case "fifo": mkfifo(folder.file("pid"), 0o666)
      default:
        rename(folder.file("other"), folder.file("pid"))
        chmod(folder.file("pid"), 0o666)
      }
      let server = try server(["--smart-attach-daemon", "DIR/pid echo says this; sleep 1000"], in: folder)
      try server.waitForLog("it is no file that only user 0 or root can have written")
      try server.waitForLog("says this")
      #expect(try server.stop() == .status(0), "\(server.log)")
      #expect(other.ended == nil)
    }

    // MARK: Masters that are killed

    @Test(
      "who kills the master leaves nothing of its programs, whatever they have started and ignore",
      arguments: [
        "sleep 1000 & echo $! > DIR/new; mv DIR/new DIR/pid; wait",
        "trap '' TERM; sh -c 'echo $$ > DIR/new; mv DIR/new DIR/pid; while :; do sleep 1; done'",
      ], [[], ["--uid", "65534", "--gid", "65534"]])
    func orphans(command: String, user: [String]) throws {
      if !user.isEmpty { try Root.require() }
      let folder = try TemporaryFolder()
      chmod(folder.path, 0o777)
      let server = try server(["--attach-daemon", command] + user, in: folder)
      let program = try pid(folder.file("pid"))
      kill(server.pid, SIGKILL)
      try waitForEnd(program)
    }

    @Test("the process that keeps programs is followed by another, which knows them too")
    func keeper() throws {
      let folder = try TemporaryFolder()
      let command = "sleep 1000 & echo $! > DIR/new; mv DIR/new DIR/pid; wait"
      let server = try server(["--attach-daemon", command], in: folder)
      let program = try pid(folder.file("pid"))
      func keeper(not before: pid_t?) throws -> pid_t {
        try Deadline.usual.wait(for: "a keeper", output: { server.log }) {
          let (_, output) = try ChildProcess.run(
            "/usr/bin/pgrep", ["-P", "\(server.pid)", "-f", "supervised-child keep"])
          return output.split(separator: "\n").compactMap { pid_t($0) }.first { $0 != before }
        }
      }
      let first = try keeper(not: nil)
      kill(first, SIGKILL)
      let second = try keeper(not: first)
      // What ends a server is not meant for it, once it is what it is.
      try Deadline.usual.wait(for: "it heeds nobody", output: { server.log }) {
        let lines = (ProcessUsage.text(second, "status") ?? "").split(separator: "\n")
        let mask = lines.first { $0.hasPrefix("SigIgn:") }?.split(separator: "\t").last
        return (mask.flatMap { UInt64($0, radix: 16) } ?? 0) & 1 << UInt64(SIGTERM - 1) != 0 ? () : nil
      }
      kill(second, SIGTERM)
      kill(server.pid, SIGKILL)
      try waitForEnd(program)
      try waitForEnd(second)
    }
  }
}
