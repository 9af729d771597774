// From the command line to the exit status.
import Foundation
import Support
import Testing

@Suite struct LifecycleTests {
  private let hello = Repository.app("hello_world_app")

  @Test("SIGTERM and SIGINT end an idle server with 0", arguments: [SIGTERM, SIGINT])
  func endsWhenIdle(signal: Int32) throws {
    let server = try ServerProcess(
      app: hello, ["--http-socket", "127.0.0.1:0", "--scgi-socket", "127.0.0.1:0"])
    #expect(try server.stop(signal) == .status(0), "\(server.process.output)")
  }

  @Test("connections that wait between requests do not hold the end up", arguments: [SIGTERM, SIGINT])
  func endsWithIdleConnections(signal: Int32) throws {
    let server = try ServerProcess(app: hello)
    let idle = try server.connect()
    let kept = try server.connect()
    try kept.send("GET / HTTP/1.1\r\nHost: localhost\r\n\r\n")
    #expect(try kept.receiveReply().text == "Hello World!\n")
    server.process.send(signal)
    #expect(try kept.receiveAll().isEmpty)
    #expect(try idle.receiveAll().isEmpty)
    #expect(try server.process.wait() == .status(0))
  }

  @Test("a request that the app has is answered before the end", arguments: [SIGTERM, SIGINT])
  func finishesTheCall(signal: Int32) throws {
    let server = try ServerProcess(app: try FixtureApp.path("gate"))
    let gate = server.folder.file("gate")
    let socket = try server.connect()
    try socket.send("GET /?\(gate) HTTP/1.1\r\nHost: localhost\r\n\r\n")
    try Deadline.usual.wait(for: "the app", output: { server.process.output }) {
      access("\(gate).entered", F_OK) == 0 ? true : nil
    }
    server.process.send(signal)
    #expect(server.process.ended == nil)
    try server.folder.write("", to: "gate.open")
    #expect(try socket.receiveLastReply().text == "through\n")
    #expect(try server.process.wait() == .status(0))
  }

  @Test("a request of which half has come is waited for, then answered")
  func finishesTheRequest() throws {
    let server = try ServerProcess()
    let socket = try server.connect()
    try socket.send("POST /f HTTP/1.1\r\nHost: h\r\nContent-Length: 6\r\nExpect: 100-continue\r\n\r\n")
    // The interim answer shows that the server has read the head.
    #expect(try socket.receiveReply().status == 100)
    try socket.send("abc")
    server.process.send(SIGTERM)
    // It accepts no more, which shows that it has seen the signal.
    let address = try server.address("http")
    try Deadline.usual.wait(for: "the listening socket to close", output: { server.process.output }) {
      (try? RawSocket(address)) == nil ? true : nil
    }
    try socket.send("def")
    let reply = try socket.receiveLastReply()
    #expect(try EnvironReport(reply).bodyLength == 6)
    #expect(reply["connection"] == "close")
    #expect(try server.process.wait() == .status(0))
  }

  @Test("a second signal does not wait")
  func secondSignalStopsAtOnce() throws {
    let server = try ServerProcess()
    let socket = try server.connect()
    try socket.send("POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: 6\r\nExpect: 100-continue\r\n\r\n")
    #expect(try socket.receiveReply().status == 100)
    server.process.send(SIGTERM)
    let address = try server.address("http")
    try Deadline.usual.wait(for: "the listening socket to close", output: { server.process.output }) {
      (try? RawSocket(address)) == nil ? true : nil
    }
    server.process.send(SIGTERM)
    let exit = try server.process.wait()
    #expect(exit == .status(0) || exit == .status(1), "\(exit)")
  }

  @Test("--version and --help answer and end")
  func versionAndHelp() throws {
    let version = try ServerProcess.run(["--version"])
    #expect(version.exit == .status(0))
    #expect(version.output.contains(try Regex("[0-9]+\\.[0-9]+\\.[0-9]+")), "\(version.output)")
    let help = try ServerProcess.run(["--help"])
    #expect(help.exit == .status(0))
    for option in ["--app", "--http-socket", "--scgi-socket", "-L", "--version"] {
      #expect(help.output.contains(option), "\(option) is not in the help")
    }
  }

  @Test(
    "a wrong command line ends the start with one sentence and 1",
    arguments: [
      (["--http-socket", "127.0.0.1:0"], "--app"),
      (["--app", "APP"], "socket"),
      (["--app", "APP", "--http-socket", "127.0.0.1:0", "--htpt-socket", "x"], "--htpt-socket"),
      (["--app", "APP", "--http-socket"], "--http-socket"),
      (["--app", "APP", "--http-socket", "127.0.0.1:99999"], "99999"),
      (["--app", "APP", "--http-socket", "8080"], "8080"),
      (["--app", "APP", "--http-socket", "/nowhere/at/all/h.sock"], "/nowhere/at/all/h.sock"),
    ])
  func wrongCommandLine(arguments: [String], named: String) throws {
    let (exit, output) = try ServerProcess.run(arguments.map { $0 == "APP" ? hello : $0 })
    #expect(exit == .status(1), "\(output)")
    #expect(output.contains(named), "\(output)")
    #expect(output.split(separator: "\n").count == 1, "\(output)")
  }
}
