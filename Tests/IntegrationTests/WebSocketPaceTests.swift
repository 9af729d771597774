// WebSockets whose clients stall: in the middle of a message, in taking what is sent to them, or in the
// closing handshake. None of them holds memory or its connection for ever.
import Foundation
import Support
import Testing

@Suite struct WebSocketPaceTests {
  private func serve(_ options: [String]) throws -> ServerProcess {
    try ServerProcess(
      app: try FixtureApp.path("websockets"),
      ["--no-master", "-L", "--http-socket", "127.0.0.1:0"] + options)
  }

  /// Half a second in hand, and a speed that a byte now and then does not reach.
  private static let demanding = ["--body-min-rate", "100000", "--min-rate-grace", "0.5"]
  private static let sentence = "closed with 1008 'a message comes too slowly'"

  /// The head of a frame of so many bytes, and its first ones.
  private func half(_ count: Int) -> [UInt8] {
    Array(WebSocketClient.frame(2, [UInt8](repeating: 0, count: count)).prefix(20))
  }

  /// Repeats `step` until the server has closed; what it has closed with.
  private func closing(
    _ client: WebSocketClient, _ step: () throws -> Void
  ) throws -> WebSocketClient.Frame {
    let deadline = Deadline.usual
    while !deadline.isOver {
      try step()
      guard client.socket.hasInput else { continue }
      switch try client.next() {
      case .ping(let payload): try client.socket.send(WebSocketClient.frame(10, payload))
      case .pong: break
      case let frame: return frame
      }
    }
    throw SupportError.timedOut(waitingFor: "a close frame", output: "")
  }

  /// How a client goes on with a message that it has begun.
  enum Stall: CaseIterable, Sendable {
    /// Not at all, but it answers pings.
    case silent
    /// Not at all, and there are no pings.
    case mute
    /// With a byte now and then.
    case drips
    /// With pings of its own alone, which may stand between fragments.
    case pings
    /// With fragments that are empty.
    case empty
  }

  @Test("half a message that does not go on, or too slowly, closes its socket", arguments: Stall.allCases)
  func halfMessage(way: Stall) throws {
    // Empty fragments are bounded in number too; here time is to bound them.
    let server = try serve(Self.demanding + ["--websocket-ping", way == .silent ? "0.2" : "0"])
    let client = try WebSocketClient(try server.address("http"))
    try client.send("before")
    #expect(try client.next() == .text("before"))
    switch way {
    case .silent, .mute, .drips: try client.socket.send(half(100_000))
    case .pings, .empty: try client.socket.send(WebSocketClient.frame(1, [0x61], isFinal: false))
    }
    let frame = try closing(client) {
      switch way {
      case .silent, .mute: break
      case .drips: try client.socket.send([0])
      case .pings: try client.socket.send(WebSocketClient.frame(9, [1]))
      case .empty: try client.socket.send(WebSocketClient.frame(0, [], isFinal: false))
      }
      usleep(20_000)
    }
    #expect(frame == .close(1008, ""))
    _ = try server.process.waitForOutput("its end") { $0.contains(Self.sentence) ? () : nil }
    // Others are served meanwhile and afterwards.
    let other = try WebSocketClient(try server.address("http"))
    try other.send("well")
    #expect(try other.next() == .text("well"))
    other.socket.close()
    client.socket.close()
    #expect(try server.stop() == .status(0), "\(server.process.output)")
  }

  @Test("a message that keeps the pace is served, and a socket without one may be silent")
  func steadyMessage() throws {
    let server = try serve(["--body-min-rate", "2000", "--min-rate-grace", "0.5", "--websocket-ping", "0"])
    let client = try WebSocketClient(try server.address("http"))
    let bytes = TestBody.bytes(20_000)
    let frame = WebSocketClient.frame(2, bytes)
    for round in 0..<2 {
      for start in stride(from: 0, to: frame.count, by: 500) {
        try client.socket.send(frame[start..<min(start + 500, frame.count)])
        usleep(40_000)
      }
      #expect(try client.next() == .binary(bytes), "\(round)")
      // Longer than a message may be behind.
      if round == 0 { usleep(1_500_000) }
    }
    client.socket.close()
    #expect(try server.stop() == .status(0), "\(server.process.output)")
  }

  @Test(
    "a client that takes nothing, or too little, of what it is sent is let go, whether it talks or not",
    arguments: [
      (0, true, ["--write-timeout", "1", "--write-min-rate", "0"]),
      (2000, true, ["--write-min-rate", "5000000", "--min-rate-grace", "0.5"]),
      // Without pings and without a word nothing but time draws attention to it.
      (0, false, ["--write-timeout", "1", "--write-min-rate", "0", "--websocket-ping", "0"]),
    ])
  func takesTooLittle(taken: Int, talks: Bool, options: [String]) throws {
    let server = try serve(options)
    let client = try WebSocketClient(try server.address("http"), receiveBuffer: 4096)
    // Beyond what the machine's own buffers hold.
    try client.send("size 16000000")
    let deadline = Deadline.usual
    while !server.process.output.contains("closed with 1006"), !deadline.isOver {
      if taken > 0 { _ = try? client.socket.receive(taken) }
      // It is heard: what ends it is not that it answers no ping.
      if talks { try client.socket.send(WebSocketClient.frame(10, [])) }
      usleep(20_000)
    }
    let output = server.process.output
    #expect(output.contains("closed with 1006") && !output.contains("has answered no ping"), "\(output)")
    client.socket.close()
    #expect(try server.stop() == .status(0), "\(server.process.output)")
  }

  @Test("a client that takes it slowly gets all of it")
  func takesSlowly() throws {
    let server = try serve(["--write-timeout", "1", "--websocket-ping", "0.3", "--write-min-rate", "1000"])
    let client = try WebSocketClient(try server.address("http"), receiveBuffer: 4096)
    try client.send("size 1000000")
    var count = 0
    // The message and its head.
    while count < 1_000_010 {
      let some = try client.socket.receive(40_000)
      guard !some.isEmpty else { break }
      count += some.count
      try client.socket.send(WebSocketClient.frame(10, []))
      usleep(5000)
    }
    #expect(count >= 1_000_010)
    client.socket.close()
    #expect(try server.stop() == .status(0), "\(server.process.output)")
  }

  @Test("a client that sends on behind the server's close frame is not heard, and ended in time")
  func sendsOn() throws {
    let server = try serve(["--websocket-ping", "0"])
    let client = try WebSocketClient(try server.address("http"))
    try client.send("close 4001 enough")
    #expect(try client.next() == .close(4001, "enough"))
    let deadline = Deadline.usual
    var rounds = 0
    while !server.process.output.contains("closed with "), !deadline.isOver {
      // The first ones would do no harm; those after them would leave a line if they were heard.
      try client.send(rounds < 10 ? "echo" : "flood 1")
      rounds += 1
      usleep(20_000)
    }
    let output = server.process.output
    #expect(output.contains("closed with 1006") && rounds > 10, "\(output)")
    #expect(!output.contains("flooded"), "\(output)")
    #expect(try client.socket.receiveToItsEnd().bytes.isEmpty, "nor answered")
    client.socket.close()
    #expect(try server.stop() == .status(0), "\(server.process.output)")
  }

  @Test("nor does such a client hold up a stop", arguments: ["text", "ping"])
  func sendsOnAtStop(kind: String) throws {
    let server = try serve(["--websocket-ping", "0"])
    let client = try WebSocketClient(try server.address("http"))
    try client.send("here")
    #expect(try client.next() == .text("here"))
    server.process.send(SIGTERM)
    #expect(try client.next() == .close(1001, ""))
    let deadline = Deadline.usual
    while server.process.ended == nil, !deadline.isOver {
      try client.socket.send(WebSocketClient.frame(kind == "text" ? 1 : 9, Array("flood 1".utf8)))
      usleep(20_000)
    }
    #expect(server.process.ended == .status(0), "\(server.process.output)")
  }
}
