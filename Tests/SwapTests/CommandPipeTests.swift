// uWSGI's master-fifo, and the titles of processes.
import Foundation
import Support
import Testing

extension Swaps {
  @Suite struct CommandPipeTests {
    private func say(_ words: String, to path: String) throws {
      let fd = open(path, O_WRONLY | O_NONBLOCK)
      guard fd >= 0 else { throw SupportError.system(call: "open", errno: errno) }
      defer { close(fd) }
      _ = words.withCString { write(fd, $0, strlen($0)) }
    }

    @Test("a byte in the pipe is a command, and nothing else is")
    func commands() throws {
      let server = try SupervisedServer(Fixture.good, ["--master-fifo", "DIR/fifo"])
      let pipe = server.folder.file("fifo")
      var status = stat()
      #expect(
        stat(pipe, &status) == 0 && status.st_mode & 0o7777 == 0o600 && status.st_mode & S_IFMT == S_IFIFO)
      try say("s\n", to: pipe)
      try server.waitForLog("info: master pid \(server.pid)")
      try say("?", to: pipe)
      try server.waitForLog("master-fifo: r, R, c, w, W reload")
      try say("p", to: pipe)
      try server.waitForLog("master-fifo: p is nothing here: the server does not pause")
      try say("\u{1b}xyz\u{7f}", to: pipe)
      try server.waitForLog("master-fifo: of what was written 5 is no command")
      try say("l", to: pipe)
      try say("r", to: pipe)
      try server.wait(for: "a reload") { $0.last.contains("nothing to do") || !$0.last.isEmpty }
      #expect(try server.get().status == 200)
      try say(String(repeating: "R", count: 4000), to: pipe)
      try server.waitForLog("R reloads as r does")
      #expect(try server.get().status == 200)
      try say("q", to: pipe)
      #expect(try server.server.process.wait() == .status(0), "\(server.log)")
      #expect(access(pipe, F_OK) != 0)
    }

    @Test("Q ends the server at once")
    func atOnce() throws {
      let server = try SupervisedServer(Fixture.good, ["--master-fifo", "DIR/fifo"])
      try say("Q", to: server.folder.file("fifo"))
      #expect(try server.server.process.wait() == .status(0), "\(server.log)")
    }

    @Test("what is no pipe of the server's own is not taken for one, nor touched")
    func guarded() throws {
      let folder = try TemporaryFolder()
      try folder.write("text", to: "file")
      symlink(folder.file("elsewhere"), folder.file("link"))
      mkfifo(folder.file("open"), 0o622)
      chmod(folder.file("open"), 0o622)
      for name in ["file", "link", "open", "no/such"] {
        let (exit, output) = try ServerProcess.run([
          "--app", Repository.app("hello_world_app"), "--http-socket", "127.0.0.1:0", "--master-fifo",
          folder.file(name),
        ])
        #expect(exit == .status(1) && output.contains("choose another --master-fifo"), "\(output)")
      }
      #expect(try String(contentsOfFile: folder.file("file"), encoding: .utf8) == "text")
      #expect(access(folder.file("elsewhere"), F_OK) != 0)
      #expect(access(folder.file("open"), F_OK) == 0)
    }

    @Test("a second server with the same pipe is refused, and the first keeps it")
    func alone() throws {
      let server = try SupervisedServer(Fixture.good, ["--master-fifo", "DIR/fifo"])
      let pipe = server.folder.file("fifo")
      let (exit, output) = try ServerProcess.run([
        "--app", Repository.app("hello_world_app"), "--http-socket", "127.0.0.1:0", "--master-fifo", pipe,
      ])
      #expect(exit == .status(1) && output.contains("the pipe \(pipe) is another server's"), "\(output)")
      try say("s", to: pipe)
      try server.waitForLog("info: master pid \(server.pid)")
      unlink(pipe)
      try server.waitForLog("\(pipe) was removed by somebody, and is made again")
      try Deadline.usual.wait(for: "a new pipe") { access(pipe, F_OK) == 0 ? () : nil }
      try say("q", to: pipe)
      #expect(try server.server.process.wait() == .status(0), "\(server.log)")
      #expect(access(pipe, F_OK) != 0)
    }

    @Test("the pipe goes on with the server that follows")
    func upgrade() throws {
      let server = try SupervisedServer(
        Fixture.good, ["--master-fifo", "DIR/fifo", "--pidfile", "DIR/pid", "--auto-procname"])
      let (exit, output) = try server.ctl("upgrade")
      #expect(exit == 0, "\(output)")
      let follower = try Deadline.usual.wait(for: "the new master") { () -> pid_t? in
        let text = try String(contentsOfFile: server.folder.file("pid"), encoding: .utf8)
        return pid_t(text.trimmingCharacters(in: .whitespacesAndNewlines)).flatMap {
          $0 == server.pid ? nil : $0
        }
      }
      #expect(Self.title(of: follower) == "uWSGI master")
      try Deadline.usual.wait(for: "an answer by the pipe", output: { server.log }) {
        try? say("s", to: server.folder.file("fifo"))
        return server.log.contains("master pid \(follower)") ? () : nil
      }
      try say("q", to: server.folder.file("fifo"))
      try Deadline.usual.wait(for: "the end") { kill(follower, 0) != 0 ? () : nil }
      _ = try server.stop()
    }

    /// The command line that ps shows.
    private static func title(of pid: pid_t) -> String {
      let bytes = (try? Data(contentsOf: URL(fileURLWithPath: "/proc/\(pid)/cmdline"))) ?? Data()
      return String(decoding: bytes.prefix { $0 != 0 }, as: UTF8.self)
    }

    private static func titles(_ options: [String]) throws -> (master: String, workers: [String]) {
      let server = try SupervisedServer(Fixture.good, options)
      let workers = try server.status().workers.sorted { $0.place < $1.place }
      let found = (title(of: server.pid), workers.map { title(of: $0.pid) })
      #expect(try server.stop() == .status(0), "\(server.log)")
      return found
    }

    static let rows: [(options: [String], master: String, workers: [String])] = [
      (["--auto-procname"], "uWSGI master", ["uWSGI worker 1", "uWSGI worker 2"]),
      (
        ["--procname-prefix-spaced", "shop", "--procname-append", " (a b)"], "shop uWSGI master (a b)",
        ["shop uWSGI worker 1 (a b)", "shop uWSGI worker 2 (a b)"]
      ),
      (["--procname", "shop", "--procname-prefix", "x:"], "x:shop", ["x:shop", "x:shop"]),
      (
        ["--auto-procname", "--procname-master", "chief"], "chief", ["uWSGI worker 1", "uWSGI worker 2"]
      ),
    ]

    @Test("processes are called what they are to be called", arguments: rows.indices)
    func titles(_ row: Int) throws {
      let (options, master, workers) = Self.rows[row]
      let found = try Self.titles(options)
      #expect(found.master == master && found.workers == workers, "\(found)")
    }

    @Test("a title may be longer than the command line, and no environment is lost by it")
    func long() throws {
      let long = String(repeating: "long-", count: 30)
      let folder = try TemporaryFolder()
      try folder.write(
        """
        import os, subprocess
        def application(environ, start):
            start('200 OK', [])
            child = subprocess.run(['/bin/sh', '-c', 'echo $SOME_VARIABLE'], capture_output=True)
            return [os.environ['SOME_VARIABLE'].encode() + b', ' + child.stdout]

        """, to: "variables.py")
      for hosting in [[], ["--embed"]] {
        let server = try ServerProcess(
          app: nil,
          [
            "-p", "1", "--pp", folder.path, "-w", "variables", "-L", "--procname-prefix", long,
            "--http-socket", "127.0.0.1:0",
          ] + hosting, environment: ["SOME_VARIABLE": "kept whole"])
        let master = Self.title(of: server.process.pid)
        #expect(master.hasPrefix("long-long-") && "\(long)uWSGI master".hasPrefix(master), "\(master)")
        #expect(try server.connect().ask("/").text == "kept whole, kept whole\n", "\(server.process.output)")
        #expect(try server.stop() == .status(0), "\(server.process.output)")
      }
    }

    @Test("a title does not keep a server without a master from starting its program again")
    func again() throws {
      let folder = try TemporaryFolder()
      func text(_ word: String) -> String {
        "def application(environ, start):\n    start('200 OK', [])\n    return [b'\(word)']\n"
      }
      try folder.write(text("one"), to: "again_app.py")
      let server = try ServerProcess(
        app: nil,
        [
          "--no-master", "--py-autoreload", "1", "--auto-procname", "--pp", folder.path, "-w", "again_app",
          "-L",
          "--http-socket", "127.0.0.1:\(try FreePort.any())",
        ])
      #expect(Self.title(of: server.process.pid).hasPrefix("uWSGI"))
      #expect(try server.connect().ask("/").text == "one")
      try folder.write(text("and another"), to: "again_app.py")
      try Deadline.usual.wait(for: "the new text", output: { server.process.output }) {
        (try? server.connect().ask("/").text) == "and another" ? () : nil
      }
      #expect(try server.stop() == .status(0), "\(server.process.output)")
    }

    @Test("only the master has a name where only it is given one")
    func onlyMaster() throws {
      let found = try Self.titles(["--procname-master", "chief"])
      #expect(found.master == "chief" && found.workers.allSatisfy { $0 == "server" }, "\(found)")
    }
  }
}
