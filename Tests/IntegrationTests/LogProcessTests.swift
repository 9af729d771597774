// The process that distributes the log's lines: when it hangs, dies, or has no place to put them.
import Foundation
import Support
import Testing

@Suite struct LogProcessTests {
  /// A server whose lines go by way of that process, in `DIR/`.
  private struct Server {
    let server: SupervisedServer

    init(_ options: [String]) throws {
      server = try SupervisedServer(
        Repository.app("hello_world_app"), workers: 1, ["--logger", "stdio"] + options)
    }

    func text(_ name: String) -> String {
      let bytes = FileManager.default.contents(atPath: server.folder.file(name)) ?? Data()
      return String(decoding: bytes, as: UTF8.self)
    }

    func wait(for text: String) throws {
      try Deadline.usual.wait(for: text, output: { self.text("log") }) {
        self.text("log").contains(text) ? () : nil
      }
    }

    /// The process, if it is another than `before`.
    func process(not before: pid_t? = nil) throws -> pid_t {
      try Deadline.usual.wait(for: "the process", output: { self.text("log") }) {
        let list = ProcessUsage.text(server.pid, "task/\(server.pid)/children") ?? ""
        return list.split(separator: " ").compactMap { pid_t($0) }.first { pid in
          pid != before && ProcessUsage.text(pid, "cmdline")?.contains("collect") ?? false
        }
      }
    }

    /// Has a worker write so many lines to its standard error, "N xxx…", and waits until they are taken.
    func write(_ count: Int) throws {
      let worker = try #require(try server.status().serving.first?.pid)
      let line = String(repeating: "x", count: 500)
      let script = "i=0; while [ $i -lt \(count) ]; do echo $i \(line); i=$((i+1)); done"
      let (exit, _) = try ChildProcess.run("/bin/sh", ["-c", "(\(script)) >/proc/\(worker)/fd/2"])
      #expect(exit == .status(0))
    }

    /// The numbers of the lines that are in the log.
    var numbers: Set<Int> {
      Set(
        text("log").split(separator: "\n").filter { $0.hasSuffix("xx") }.compactMap {
          Int($0.prefix { $0 != " " })
        })
    }
  }

  @Test("one that is stopped is ended, and whoever writes to standard error goes on with the next")
  func stopped() throws {
    let server = try Server(["--logger", "file:DIR/log", "--worker-timeout", "1"])
    let first = try server.process()
    kill(first, SIGSTOP)
    // More than a pipe holds.
    try server.write(3000)
    let second = try server.process(not: first)
    try server.wait(for: "(pid \(first)) has read nothing for 1 s (--worker-timeout); it is killed")
    #expect(!ProcessUsage.isAlive(first) && ProcessUsage.isAlive(second))
    #expect(try server.server.stop() == .status(0))
    #expect(server.numbers.count == 3000)
  }

  @Test("one that has died before a stop is followed for the last lines")
  func killed() throws {
    let server = try Server(["--logger", "file:DIR/log"])
    for round in 0..<2 {
      let process = try server.process()
      kill(process, SIGKILL)
      if round == 0 { _ = try server.process(not: process) }
    }
    try server.write(50)
    #expect(try server.server.stop() == .status(0))
    #expect(server.numbers == Set(0..<50))
  }

  @Test("one that is stopped before the server is does not keep it, nor the last lines")
  func stoppedBefore() throws {
    let server = try Server(["--logger", "file:DIR/log"])
    kill(try server.process(), SIGSTOP)
    try server.write(50)
    #expect(try server.server.stop() == .status(0))
    #expect(server.numbers == Set(0..<50))
  }

  @Test("a place that takes nothing is told once, not each second")
  func full() throws {
    let server = try Server(["--logger", "file:/dev/full", "--logger", "file:DIR/log"])
    try server.wait(for: "/dev/full takes nothing")
    for _ in 0..<4 {
      #expect(try server.server.get("/").status == 200)
      usleep(600_000)
    }
    #expect(try server.server.stop() == .status(0))
    let lines = server.text("log").split(separator: "\n").filter { $0.contains("/dev/full takes nothing") }
    #expect(lines.count == 1, "\(lines)")
  }

  @Test("what the server tells its operator passes every filter and drain")
  func serversOwn() throws {
    let folder = try TemporaryFolder()
    try folder.write("print('noise of the module')\nraise RuntimeError('GONE')\n", to: "broken.py")
    for option in [["--log-filter", "GET"], ["--log-drain", "cannot"], ["--log-drain", "server"]] {
      let (exit, output) = try ServerProcess.run(
        ["--http-socket", "127.0.0.1:0", "-p", "1", "--pp", folder.path, "-w", "broken"] + option)
      #expect(exit == .status(22) && "\n\(output)".contains("\nserver: "), "\(output)")
      #expect(output.contains("GONE") && !(option[1] == "GET" && output.contains("noise")), "\(output)")
    }
  }
}
