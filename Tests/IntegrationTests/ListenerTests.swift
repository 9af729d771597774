// Sockets: which addresses are taken, which are refused, and what is left behind.
import Foundation
import Support
import Testing

@Suite struct ListenerTests {
  private let hello = Repository.app("hello_world_app")

  private func greets(_ address: Address) throws -> Bool {
    let socket = try RawSocket(address)
    try socket.send("GET / HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
    return try socket.receiveLastReply().text == "Hello World!\n"
  }

  @Test("each socket option may be repeated, and port 0 says which port it became")
  func repeatedOptions() throws {
    let server = try ServerProcess(
      app: hello,
      [
        "--http-socket", "127.0.0.1:0", "--scgi-socket", "127.0.0.1:0", "--http-socket", "DIR/h.sock",
        "--scgi-socket", "DIR/s.sock", "--http-socket", "127.0.0.1:0",
      ])
    for index in 0..<3 { #expect(try greets(server.address("http", index))) }
    #expect(try server.address("http", 0).port != server.address("http", 2).port)
    for index in 0..<2 { _ = try RawSocket(server.address("scgi", index)) }
    #expect(try server.stop() == .status(0))
  }

  @Test("all interfaces, IPv6 and a path are addresses", arguments: [":0", "[::1]:0", "DIR/a b.sock"])
  func addressForms(address: String) throws {
    // A path with a blank would not be one word of the ready line; it is reached by the path itself.
    if address.contains(" ") {
      let folder = try TemporaryFolder()
      let path = folder.file("a b.sock")
      let process = try ChildProcess(Repository.server, ["--app", hello, "--http-socket", path])
      _ = try process.waitForOutput("ready") { $0.contains("ready") ? true : nil }
      #expect(try greets(.unix(path: path)))
      #expect(try process.stop() == .status(0))
      return
    }
    let server = try ServerProcess(app: hello, ["--http-socket", address])
    let port = try server.address("http").port
    #expect(port != 0)
    #expect(try greets(.tcp(host: address.hasPrefix("[") ? "::1" : "127.0.0.1", port: port)))
    #expect(try server.stop() == .status(0))
  }

  @Test("a unix socket file that nobody serves is replaced, and is gone afterwards")
  func staleSocketFile() throws {
    let folder = try TemporaryFolder()
    let path = folder.file("s.sock")
    let first = try ServerProcess(app: hello, ["--http-socket", path])
    #expect(try first.process.stop(SIGKILL) == .signal(SIGKILL))
    #expect(FileManager.default.fileExists(atPath: path))
    // Its workers hold the socket until they have seen that their master is gone.
    try Deadline.usual.wait(for: "nobody at \(path)", output: { first.process.output }) {
      (try? RawSocket(.unix(path: path))) == nil ? () : nil
    }
    let second = try ServerProcess(app: hello, ["--http-socket", path])
    #expect(try greets(.unix(path: path)))
    #expect(try second.stop() == .status(0))
    #expect(!FileManager.default.fileExists(atPath: path))
  }

  @Test("a unix socket that another server serves is left to it")
  func liveSocketFile() throws {
    let server = try ServerProcess(app: hello, ["--http-socket", "DIR/h.sock"])
    let path = try server.address("http").description
    let (exit, output) = try ServerProcess.run(["--app", hello, "--http-socket", path])
    #expect(exit == .status(1))
    #expect(output.contains("in use by another server"), "\(output)")
    #expect(output.contains(path))
    #expect(try greets(.unix(path: path)))
    #expect(try server.stop() == .status(0))
  }

  @Test("a file that is no socket is not removed")
  func otherFile() throws {
    let folder = try TemporaryFolder()
    let path = try folder.write("precious", to: "h.sock")
    let (exit, output) = try ServerProcess.run(["--app", hello, "--http-socket", path])
    #expect(exit == .status(1))
    #expect(output.contains(path))
    #expect(try String(contentsOfFile: path, encoding: .utf8) == "precious")
  }

  @Test("a port in use ends the start with one sentence")
  func portInUse() throws {
    let server = try ServerProcess(app: hello)
    let address = try server.address("http").description
    let (exit, output) = try ServerProcess.run(["--app", hello, "--http-socket", address])
    #expect(exit == .status(1))
    #expect(output.contains(address) && output.contains("in use"), "\(output)")
    #expect(output.split(separator: "\n").count == 1, "\(output)")
    #expect(try server.stop() == .status(0))
  }

  @Test("a server that was killed leaves its port free at once")
  func restartsOnItsPort() throws {
    let first = try ServerProcess(app: hello)
    let address = try first.address("http")
    // A connection that the server closed first would linger in TIME_WAIT on its side.
    #expect(try greets(address))
    #expect(try first.stop() == .status(0))
    let second = try ServerProcess(app: hello, ["--http-socket", address.description])
    #expect(try greets(address))
    #expect(try second.stop() == .status(0))
  }
}
