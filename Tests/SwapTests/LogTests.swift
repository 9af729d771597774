// The logs of a server with a master: rotated under every process, and showing nothing unescaped.
import Foundation
import Support
import Testing

extension Swaps {
  @Suite struct LogTests {
    /// A server that writes its log into a file, until the end of the test.
    private final class Logging {
      let folder: TemporaryFolder
      let pid: pid_t
      private let process: ChildProcess?

      init(_ option: String) throws {
        folder = try TemporaryFolder()
        let words = [
          "--app", try Fixture.good, "--http-socket", folder.file("http.sock"), "--control-socket",
          folder.file("ctl"), option, folder.file("log"), "--pidfile", folder.file("pid"), "-p", "2",
        ]
        if option == "--daemonize" {
          process = nil
          let (exit, output) = try ServerProcess.run(words)
          #expect(exit == .status(0), "\(output)")
        } else {
          process = try ChildProcess(Repository.server, words)
        }
        let text = try Deadline.usual.wait(for: "the server") { [folder] () -> String? in
          let log = try? String(contentsOfFile: folder.file("log"), encoding: .utf8)
          guard log?.contains(" ready") == true else { return nil }
          let text = try? String(contentsOfFile: folder.file("pid"), encoding: .utf8)
          return text?.hasSuffix("\n") ?? false ? text : nil
        }
        pid = try #require(pid_t(text.dropLast()))
      }

      deinit { if process == nil { kill(pid, SIGTERM) } }

      func text(_ name: String) -> String {
        (try? String(contentsOfFile: folder.file(name), encoding: .utf8)) ?? ""
      }

      func rename(_ from: String, _ to: String) throws {
        try FileManager.default.moveItem(atPath: folder.file(from), toPath: folder.file(to))
      }

      func ctl(_ words: String...) throws -> (exit: ChildProcess.Exit, output: String) {
        try ServerProcess.run(["ctl", "--control-socket", folder.file("ctl")] + words)
      }

      func get(_ target: String) throws {
        #expect(try RawSocket(.unix(path: folder.file("http.sock"))).ask(target).status == 200)
      }

      /// The workers that serve.
      func workers() throws -> [pid_t] {
        try MasterStatus(ctl("--json", "status").output).serving.map(\.pid)
      }

      /// Waits until master and both workers write to `log`, and nobody to what it was before.
      func waitForAll(_ descriptors: [Int32]) throws {
        let path = folder.file("log")
        func log() -> String { text("log") }
        try Deadline.usual.wait(for: "everybody at the new log", output: log) { () -> Bool? in
          let workers = try workers()
          guard workers.count == 2 else { return nil }
          let isThere = (workers + [pid]).allSatisfy { pid in
            descriptors.allSatisfy {
              (try? FileManager.default.destinationOfSymbolicLink(atPath: "/proc/\(pid)/fd/\($0)")) == path
            }
          }
          return isThere ? true : nil
        }
      }
    }

    @Test(
      "after a rotation master, workers and those that start later write into the new file",
      arguments: ["--logto", "--daemonize"], ["ctl", "USR1"])
    func rotation(option: String, way: String) throws {
      let server = try Logging(option)
      let descriptors: [Int32] = option == "--daemonize" ? [1, 2] : [2]
      try server.get("/before?id=0")
      try server.rename("log", "log.1")
      if way == "ctl" {
        let (exit, output) = try server.ctl("log-reopen")
        #expect(exit == .status(0) && output.contains("reopened"), "\(output)")
      } else {
        kill(server.pid, SIGUSR1)
      }
      try server.waitForAll(descriptors)
      let old = server.text("log.1")
      #expect(old.contains("GET /before"))
      for _ in 0..<8 { try server.get("/after?id=0") }
      kill(try server.workers()[0], SIGKILL)
      try Deadline.usual.wait(for: "the crash line") {
        server.text("log").contains("died of SIGKILL") ? true : nil
      }
      try server.waitForAll(descriptors)
      for _ in 0..<8 { try server.get("/later?id=0") }
      for target in ["GET /after", "GET /later"] {
        try Deadline.usual.wait(for: "8 lines of \(target)", output: { server.text("log") }) {
          server.text("log").split(separator: "\n").count { $0.contains(target) } == 8 ? true : nil
        }
      }
      #expect(server.text("log.1") == old)
    }

    @Test("log-reopen says when it cannot be done, and when there is no file")
    func refusals() throws {
      let server = try Logging("--logto")
      try server.rename("log", "log.1")
      try FileManager.default.createDirectory(
        atPath: server.folder.file("log"), withIntermediateDirectories: false)
      let (exit, output) = try server.ctl("log-reopen")
      #expect(exit == .status(1) && output.contains("cannot be reopened"), "\(output)")
      #expect(server.text("log.1").contains("cannot be reopened"))
      try server.get("/goes-on?id=0")
      let other = try SupervisedServer(Fixture.good, workers: 1)
      let answer = try other.ctl("log-reopen")
      #expect(answer.exit == 0 && answer.output.contains("no log file"), "\(answer)")
    }

    @Test("whoever answers at a control socket cannot command the terminal, nor forge the verdict's line")
    func evilAnswer() throws {
      let folder = try TemporaryFolder()
      let listener = try ListeningSocket(.unix(path: folder.file("ctl")))
      let answer = "\u{1b}]0;x\u{7}\u{9b}2J\u{202e}evil\nexit 0\n"
      let thread = Thread {
        let peer = accept(listener.descriptor, nil, nil)
        var question = [UInt8](repeating: 0, count: 4096)
        _ = read(peer, &question, question.count)
        _ = answer.withCString { write(peer, $0, strlen($0)) }
        close(peer)
      }
      thread.start()
      let (_, output) = try ServerProcess.run(["ctl", "--control-socket", folder.file("ctl"), "status"])
      #expect(output == #"\x1b]0;x\x07\xc2\x9b2J\xe2\x80\xaeevil"# + "\n", "\(output)")
    }
  }
}
