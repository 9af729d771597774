// WebSockets that wait for their application: because it has paused them, or because it is at work elsewhere.
import Foundation
import Support
import Testing

@Suite struct WebSocketPauseTests {
  private func serve(_ options: [String] = [], defines: [String] = []) throws -> ServerProcess {
    try ServerProcess(
      app: try FixtureApp.path("websockets", defines: defines),
      ["--no-master", "-L", "--http-socket", "127.0.0.1:0"] + options)
  }

  /// The next frame that is no ping; those are answered.
  private func answer(_ client: WebSocketClient) throws -> WebSocketClient.Frame {
    while true {
      let frame = try client.next()
      guard case .ping(let payload) = frame else { return frame }
      try client.socket.send(WebSocketClient.frame(10, payload))
    }
  }

  /// Says something on a socket of its own, and returns what is answered.
  private func tell(_ server: ServerProcess, _ text: String) throws -> WebSocketClient.Frame {
    let client = try WebSocketClient(try server.address("http"))
    defer { client.socket.close() }
    try client.send(text)
    return try answer(client)
  }

  /// A client whose socket the application has paused.
  private func held(_ server: ServerProcess) throws -> WebSocketClient {
    let client = try WebSocketClient(try server.address("http"))
    try client.send("watch")
    #expect(try answer(client) == .text("watched"))
    #expect(try tell(server, "hold") == .text("held"))
    return client
  }

  @Test("a client that is not read is pinged and stays; then what it has sent is served")
  func staysWhilePaused() throws {
    let server = try serve(["--websocket-ping", "0.3"])
    let client = try held(server)
    try client.send("later")
    for _ in 0..<4 {
      #expect(try client.next() == .ping([]))
      try client.socket.send(WebSocketClient.frame(10, []))
    }
    #expect(try tell(server, "free") == .text("freed"))
    #expect(try answer(client) == .text("later"))
    #expect(!server.process.output.contains("has answered no ping"))
    client.socket.close()
    #expect(try server.stop() == .status(0), "\(server.process.output)")
  }

  @Test("an application that has paused a socket closes it, and is told what its client answers")
  func closesWhilePaused() throws {
    let server = try serve()
    let client = try held(server)
    try client.send("flood 1")
    #expect(try tell(server, "shut") == .text("is shut"))
    #expect(try client.next() == .close(4000, "enough"))
    try client.close(4000)
    #expect(try client.next() == .end)
    _ = try server.process.waitForOutput("the end") { $0.contains("closed with 4000 ''") ? () : nil }
    #expect(!server.process.output.contains("flooded"), "\(server.process.output)")
    #expect(try server.stop() == .status(0), "\(server.process.output)")
  }

  @Test("what is answered without a turn of the application does not wait for one")
  func behindAnotherCall() throws {
    let server = try serve(defines: ["ALONE"])
    let gate = server.folder.file("gate")
    let clients = try (0..<3).map { _ in try WebSocketClient(try server.address("http")) }
    let (slow, quick, leaving) = (clients[0], clients[1], clients[2])
    try slow.send("gate \(gate)")
    try quick.socket.send(
      WebSocketClient.frame(9, Array("there".utf8)) + WebSocketClient.frame(1, Array("behind".utf8)))
    #expect(try quick.next() == .pong(Array("there".utf8)))
    try leaving.close(1000)
    #expect(try leaving.next() == .close(1000, ""))
    try "".write(toFile: gate, atomically: true, encoding: .utf8)
    #expect(try slow.next() == .text("open"))
    #expect(try quick.next() == .text("behind"))
    #expect(try leaving.next() == .end)
    #expect(try server.stop() == .status(0), "\(server.process.output)")
  }
}
