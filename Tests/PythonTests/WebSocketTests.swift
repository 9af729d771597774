// WebSockets of ASGI applications, with the frameworks that people write them in and clients that people use:
// directly, over TLS, and behind nginx by each protocol that carries them.
import Foundation
import Support
import Testing

@Suite struct WebSocketTests {
  private static let home = "\(Repository.root)/.build/frameworks"

  private func serve(_ options: [String]) throws -> ServerProcess {
    guard access(Self.home + "/pyvenv.cfg", R_OK) == 0 else { throw SupportError.pythonMissing(Self.home) }
    return try ServerProcess(
      app: nil,
      [
        "--no-master", "-L", "-w", "sockets_app", "-H", Self.home, "--pythonpath",
        Python.folder + "/frameworks",
      ]
        + options)
  }

  /// Runs the clients of Tests/Fixtures/clients/websockets_client.py.
  private func drive(_ words: [String], _ server: ServerProcess) throws {
    let client = "\(Repository.root)/Tests/Fixtures/clients/websockets_client.py"
    let (exit, output) = try ChildProcess.run(Self.home + "/bin/python", [client] + words)
    #expect(exit == .status(0), "\(output)\n\(server.process.output)")
    let errors = server.process.output.split(separator: "\n").filter { $0.contains(" error: ") }
    // What they ask for.
    #expect(errors.contains { $0.contains("WebSocket /echo failed") })
    #expect(errors.contains { $0.contains("without an answer to 'websocket.connect'") })
  }

  static let ways = [
    ["--asgi-loop", "asyncio"], ["--asgi-loop", "uvloop"], ["--websocket-compression", "dedicated"],
    ["--websocket-compression", "off"],
  ]

  @Test("Starlette, FastAPI, Channels and Socket.IO", arguments: ways)
  func frameworks(options: [String]) throws {
    let server = try serve(options + ["--http-socket", "127.0.0.1:0"])
    try drive([try server.url], server)
    #expect(try server.stop() == .status(0), "\(server.process.output)")
  }

  @Test("the same over TLS")
  func secure() throws {
    let certificates = try Certificates()
    try certificates.make("a", hosts: "DNS:localhost")
    let server = try serve(["--https-socket", certificates.socket("a")])
    try drive(["https://localhost:\(try server.address("https").port)", certificates.authority], server)
    #expect(try server.stop() == .status(0), "\(server.process.output)")
  }

  @Test("a stop and its close codes reach the application")
  func stops() throws {
    let server = try serve(["--http-socket", "127.0.0.1:0"])
    let client = try WebSocketClient(try server.address("http"), "/echo")
    try client.send("here")
    #expect(try client.next() == .text("here"))
    server.process.send(SIGTERM)
    #expect(try client.next() == .close(1001, ""))
    try client.close(1001)
    #expect(try client.next() == .end)
    #expect(try server.process.wait() == .status(0), "\(server.process.output)")
  }

  @Test("a message is answered before the wrong frame behind it closes the socket", arguments: 1...5)
  func answersFirst(round: Int) throws {
    let server = try serve(["--http-socket", "127.0.0.1:0", "--asgi-loop", "asyncio"])
    let client = try WebSocketClient(try server.address("http"), "/echo")
    let message = WebSocketClient.frame(1, Array("first".utf8))
    try client.socket.send(message + WebSocketClient.frame(5, []) + message)
    #expect(try client.next() == .text("first"))
    #expect(try client.next() == .close(1002, ""))
    #expect(try client.next() == .end)
    #expect(try server.stop() == .status(0), "\(server.process.output)")
  }

  @Test("a handshake that is wrong is refused at the accept")
  func refusesHandshakes() throws {
    let server = try serve(["--http-socket", "127.0.0.1:0"])
    let socket = try server.connect()
    let fields = WebSocketClient.fields.replacingOccurrences(of: "Version: 13", with: "Version: 7")
    try socket.send("GET /echo HTTP/1.1\r\n\(fields)\r\n")
    #expect(try socket.receiveReply().status == 426)
    #expect(try server.stop() == .status(0), "\(server.process.output)")
    #expect(server.process.output.contains("Sec-WebSocket-Version is not 13"))
  }
}
