// A log whose reader has stopped: requests, signals and other processes do not wait for it, and what was lost
// is counted and told.
import Foundation
import Support
import Testing

@Suite struct StalledLogTests {
  /// A server whose standard error is a pipe that the test holds, and does not read unless it wants to.
  private struct Stalled {
    let folder: TemporaryFolder
    let pipe: Int32
    let process: ChildProcess
    let address: Address

    init(_ options: [String]) throws {
      folder = try TemporaryFolder()
      let name = folder.file("log")
      guard mkfifo(name, 0o600) == 0 else { throw SupportError.system(call: "mkfifo", errno: errno) }
      pipe = open(name, O_RDWR | O_NONBLOCK | O_CLOEXEC)
      guard pipe >= 0 else { throw SupportError.system(call: "open", errno: errno) }
      address = .unix(path: folder.file("http.sock"))
      process = try ChildProcess(
        "/bin/sh",
        [
          "-c", "exec \"$0\" \"$@\" 2>\(name)", Repository.server, "--app", Repository.app("hello_world_app"),
          "--http-socket", folder.file("http.sock"),
        ] + options)
      try Deadline.usual.wait(for: "the socket") { (try? RawSocket(address)).map { $0.close() } }
    }

    /// More lines than a pipe and the server's own memory hold, some two hundred bytes each.
    func fill() throws {
      let socket = try RawSocket(address)
      let agent = String(repeating: "a", count: 150)
      let request = "GET / HTTP/1.1\r\nHost: x\r\nUser-Agent: \(agent)\r\n\r\n"
      for _ in 0..<100 {
        try socket.send(String(repeating: request, count: 100))
        for _ in 0..<100 { #expect(try socket.receiveReply().status == 200) }
      }
    }

    /// Everything that is in the pipe, and comes into it until a text is there.
    func read(until text: String) throws -> String {
      var all: [UInt8] = []
      var piece = [UInt8](repeating: 0, count: 65536)
      return try Deadline.usual.wait(for: text) {
        while case let count = Glibc.read(pipe, &piece, piece.count), count > 0 { all += piece[..<count] }
        let found = String(decoding: all, as: UTF8.self)
        return found.contains(text) ? found : nil
      }
    }
  }

  @Test(
    "requests and a stop go on, and the lines that were lost are told",
    arguments: [
      ["--no-master", "--io", "epoll"], ["--no-master", "--io", "auto"], ["-p", "1"],
    ])
  func stalled(options: [String]) throws {
    let server = try Stalled(options)
    defer { close(server.pipe) }
    try server.fill()
    let log = try server.read(until: "lines were dropped: nobody took them in time")
    // What was not lost is whole.
    let lines = log.split(separator: "\n").filter { $0.contains("GET /") }
    #expect(lines.count > 1000 && lines.count < 10_000)
    #expect(lines.allSatisfy { $0.hasSuffix("us") }, "\(lines.filter { !$0.hasSuffix("us") })")
    try server.fill()
    #expect(try server.process.stop() == .status(0))
  }

  @Test("the status counts the lines that were lost")
  func counted() throws {
    let folder = try TemporaryFolder()
    let server = try Stalled(["-p", "1", "--control-socket", folder.file("ctl")])
    defer { close(server.pipe) }
    try server.fill()
    try Deadline.usual.wait(for: "the count") {
      let (_, output) = try ChildProcess.run(
        Repository.server, ["ctl", "--control-socket", folder.file("ctl"), "status"])
      return output.contains("lines were dropped") ? () : nil
    }
    #expect(try server.process.stop() == .status(0))
  }
}
