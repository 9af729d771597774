// io_uring where it is, epoll where it is not, and who is told.
import Foundation
import Support
import Testing

@Suite struct EventLoopTests {
  private let hello = Repository.app("hello_world_app")

  /// The descriptors of a process that are rings.
  private func rings(_ pid: Int32) -> Int {
    let names = (try? FileManager.default.contentsOfDirectory(atPath: "/proc/\(pid)/fd")) ?? []
    return names.count {
      (try? FileManager.default.destinationOfSymbolicLink(atPath: "/proc/\(pid)/fd/\($0)"))
        == "anon_inode:[io_uring]"
    }
  }

  private func answer(_ server: ServerProcess) throws -> String {
    let socket = try server.connect()
    try socket.send("GET / HTTP/1.1\r\nHost: h\r\n\r\n")
    return try socket.receiveReply().text
  }

  @Test("--io says which", arguments: [("epoll", 0), ("io_uring", 1), ("auto", 1)])
  func chosen(name: String, count: Int) throws {
    let server = try ServerProcess(
      app: hello, ["--http-socket", "127.0.0.1:0", "--no-master", "--io", name])
    #expect(try answer(server) == "Hello World!\n")
    #expect(rings(server.process.pid) == count)
    #expect(try server.stop() == .status(0), "\(server.process.output)")
  }

  @Test("a name that is none is refused")
  func unknown() throws {
    let (exit, output) = try ServerProcess.run(
      ["--app", hello, "--http-socket", "127.0.0.1:0", "--io", "kqueue"])
    #expect(exit == .status(1))
    #expect(output.contains("kqueue") && output.contains("io_uring"), "\(output)")
  }

  /// A program that takes io_uring away from what it runs.
  private func launcher(_ folder: TemporaryFolder) throws -> String {
    let path = folder.file("without_uring")
    let source = "\(Repository.root)/Tests/Fixtures/programs/without_uring.c"
    let (built, output) = try ChildProcess.run(
      try Program.gcc.path(), ["-std=c11", "-D_GNU_SOURCE", "-Wall", "-o", path, source])
    try #require(built == .status(0), "\(output)")
    return path
  }

  @Test("where the kernel forbids io_uring the server takes epoll, and says so once")
  func forbidden() throws {
    let folder = try TemporaryFolder()
    let process = try ChildProcess(
      try launcher(folder),
      [Repository.server, "--no-master", "--io", "auto", "--app", hello, "--http-socket", "127.0.0.1:0"])
    let address = try process.waitForOutput("ready") { output in
      output.firstMatch(of: /http socket (127[.:0-9]+) ready/).flatMap { Address(String($0.1)) }
    }
    for _ in 0..<3 {
      let socket = try RawSocket(address)
      try socket.send("GET / HTTP/1.1\r\nHost: h\r\n\r\n")
      #expect(try socket.receiveReply().text == "Hello World!\n")
    }
    #expect(rings(process.pid) == 0)
    #expect(try process.stop() == .status(0))
    let lines = process.output.split(separator: "\n").count { $0.contains("io_uring is not available") }
    #expect(lines == 1, "\(process.output)")
  }

  @Test("who insists on io_uring where it is forbidden is told what to do, and the start fails")
  func insisting() throws {
    let folder = try TemporaryFolder()
    let (exit, output) = try ChildProcess.run(
      try launcher(folder),
      [
        Repository.server, "--no-master", "--io", "io_uring", "--app", hello, "--http-socket", "127.0.0.1:0",
      ])
    #expect(exit == .status(1))
    #expect(output.contains("use --io auto or --io epoll"), "\(output)")
  }
}
