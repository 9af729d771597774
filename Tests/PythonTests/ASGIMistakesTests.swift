// Mistakes of ASGI applications: each costs its own request what it has to, gets its line in the log, and
// leaves the event loop to the others.
import Foundation
import Support
import Testing

@Suite struct ASGIMistakesTests {
  private static let loops = ["asyncio", "uvloop"]

  private func run(_ loop: String = "asyncio", _ body: (ServerProcess) throws -> Void) throws -> String {
    try Python.run("asgi_mistakes", try Python.options(loop: loop), body)
  }

  @Test("what would end the event loop does not", arguments: ["exits_in_a_task", "stops_the_loop"], loops)
  func loopGoesOn(target: String, loop: String) throws {
    let said = try run(loop) { (server) throws in
      for _ in 0..<3 {
        #expect(try server.get("/\(target)").text == "went on")
        #expect(try server.get("/ok").text == "ok")
      }
    }
    let word = target == "exits_in_a_task" ? "SystemExit: 3" : "has stopped the event loop"
    #expect(said.contains(word), "\(said)")
  }

  @Test("an application that fails in any way answers 500, once, and the next request is served")
  func failures() throws {
    let said = try run { (server) throws in
      for target in ["exits", "without_path", "odd", "odd_cause", "fails"] {
        #expect(try server.get("/\(target)").status == 500, "\(target)")
        #expect(try server.get("/ok").text == "ok")
      }
    }
    #expect(said.contains("as it should"), "\(said)")
  }

  @Test("a path that is no file's is the application's mistake, and not a client that left")
  func paths() throws {
    let said = try run { (server) throws in
      for target in ["sends_directory", "sends_fifo"] {
        #expect(try server.get("/\(target)").status == 500, "\(target)")
      }
      #expect(try server.get("/ok").text == "ok")
    }
    #expect(said.components(separatedBy: "is a regular file's, not").count == 3, "\(said)")
  }

  @Test("headers that are changed while the server warns of one of them leave as they were")
  func changedHeaders() throws {
    let said = try run { (server) throws in
      let reply = try server.get("/changes_headers")
      #expect(reply.status == 200 && reply.text == "2 pairs", "\(reply)")
      for number in 0..<20 { #expect(reply["X-\(number)"] == "the value of \(number)", "\(number)") }
    }
    #expect(said.contains("sends the header connection"), "\(said)")
    #expect(!said.contains(" failed"), "\(said)")
  }

  @Test("no path begins a line of the log")
  func forged() throws {
    let said = try run { (server) throws in
      #expect(try server.get("/fails%0A2026-01-01T00:00:00Z%20error:%20forged%1B%5B2J").status == 500)
    }
    #expect(!said.contains("\n2026-01-01") && !said.contains("\u{1b}"), "\(said)")
    #expect(said.contains("/fails\\n2026-01-01T00:00:00Z error: forged\\x1b[2J failed"), "\(said)")
  }

  @Test("an application that accepts a WebSocket at once is told of it all the same")
  func hasty() throws {
    _ = try run { (server) throws in
      let socket = try WebSocketClient(try server.address("http"), "/hasty")
      try socket.send("x")
      #expect(try socket.next() == .text("websocket.connect websocket.receive"))
      #expect(try socket.next() == .close(1000, ""))
      try socket.close(1000)
      #expect(try socket.next() == .end)
    }
  }

  @Test("a text of more bytes than characters holds up nothing that comes after it", arguments: loops)
  func wideText(loop: String) throws {
    _ = try run(loop) { (server) throws in
      let socket = try WebSocketClient(try server.address("http"), "/lengths")
      for _ in 0..<3 {
        try socket.send(String(repeating: "\u{e9}", count: 600_000))
        try socket.send("x")
        #expect(try socket.next() == .text("600000"))
        #expect(try socket.next() == .text("1"))
      }
      try socket.close(1000)
      #expect(try socket.next() == .close(1000, ""))
    }
  }

  @Test(
    "a WebSocket that is closed in a wrong way, or sends what is no message, is closed all the same",
    arguments: [
      #"{"reason": 5}"#, #"{"code": "x"}"#, #"{"reason": "\ud800"}"#, #"{"code": 1005}"#, #"{"code": -1}"#,
      #"{"code": 0}"#, #"{"code": 1267650600228229401496703205376}"#, #"{"bytes": 5}"#, #"{"bytes": "x"}"#,
      #"{"bytes": [1, 2]}"#, #"{"text": 5}"#, #"{"text": "\ud800"}"#, #"{"text": ["x"]}"#,
    ])
  func sockets(words: String) throws {
    _ = try run { (server) throws in
      let socket = try WebSocketClient(try server.address("http"))
      try socket.send(words)
      #expect(try socket.next() == .close(1011, ""))
      try socket.close(1011)
      #expect(try socket.next() == .end)
      #expect(try server.get("/closed").text.contains("Error"))
    }
  }
}
