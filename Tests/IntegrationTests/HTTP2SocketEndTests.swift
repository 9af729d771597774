// How WebSockets on streams of HTTP/2 end: by either side, by their stream or its connection, or because
// their client is too slow.
import Foundation
import Support
import Testing

@Suite struct HTTP2SocketEndTests {
  /// Waits until so many sockets have ended with a code.
  private func waitForEnds(_ count: Int, _ code: Int, _ door: Doorway) throws {
    _ = try door.server.process.waitForOutput("\(count) ends with \(code)") { output in
      output.components(separatedBy: "closed with \(code)").count == count + 1 ? () : nil
    }
  }

  @Test(
    "streams and connections that break end their sockets with 1006, and only these",
    arguments: Doorway.ofStreams)
  func breaks(kind: Doorway.Kind) throws {
    let (door, client) = try Doorway.connected(kind)
    let sockets = try (0..<5).map { _ in try HTTP2Socket(client) }
    try sockets[0].reset()
    try waitForEnds(1, 1006, door)
    // In the middle of a message.
    try sockets[1].say([0x81, 0x85, 1, 2])
    try sockets[1].reset()
    try waitForEnds(2, 1006, door)
    // END_STREAM without a close frame: what came before it is served, and CANCEL answers it.
    try sockets[2].send("flood 100000")
    try sockets[2].end()
    try waitForEnds(3, 1006, door)
    #expect(door.server.process.output.contains("flooded "))
    #expect(try client.answer(sockets[2].id).ending == .reset(8))
    try sockets[3].send("here")
    #expect(try sockets[3].next() == .text("here") && client.goAways.isEmpty)
    client.socket.close()
    try waitForEnds(5, 1006, door)
    try stop(door)
  }

  @Test("an application closes with code and reason, and its client answers", arguments: Doorway.ofStreams)
  func applicationCloses(kind: Doorway.Kind) throws {
    let (door, client) = try Doorway.connected(kind)
    let socket = try HTTP2Socket(client)
    try socket.send("ping")
    #expect(try socket.next() == .ping(Array("are you there".utf8)))
    try socket.send("frame")
    #expect(try socket.next() == .text("a frame") && socket.next() == .text("a frame"))
    try socket.send("close 4001 go away")
    #expect(try socket.next() == .close(4001, "go away"))
    try socket.close(4001)
    // With its last frame, or behind it.
    try? socket.end()
    #expect(try socket.next() == .end)
    #expect(socket.ending == .whole)
    try waitForEnds(1, 4001, door)
    try stop(door, client)
  }

  @Test(
    "frames that are wrong close the socket with their code, and nothing else", arguments: Doorway.ofStreams)
  func refusesFrames(kind: Doorway.Kind) throws {
    let (door, client) = try Doorway.connected(kind, ["--websocket-max-message", "1000"])
    let bystander = try HTTP2Socket(client)
    func code(_ bytes: [UInt8]) throws -> WebSocketClient.Frame {
      let socket = try HTTP2Socket(client)
      try socket.say(bytes)
      let frame = try socket.next()
      #expect(try socket.next() == .end)
      #expect(socket.ending == .whole)
      return frame
    }
    #expect(try code([0x81, 0x01, 0x61]) == .close(1002, ""))
    #expect(try code(WebSocketClient.frame(1, [0xff])) == .close(1007, ""))
    #expect(try code(WebSocketClient.frame(2, TestBody.bytes(1001))) == .close(1009, ""))
    #expect(try code(WebSocketClient.frame(1, [1], reserved: 0x40)) == .close(1002, ""))
    try bystander.send("here")
    #expect(try bystander.next() == .text("here") && client.goAways.isEmpty)
    try stop(door, client)
  }

  @Test("a silent client is pinged; one that answers stays, one that does not loses its stream")
  func pings() throws {
    let (door, client) = try Doorway.connected(.h2c, ["--websocket-ping", "0.5"])
    let (silent, open) = (try HTTP2Socket(client), try HTTP2Socket(client))
    // PING of HTTP/2 is no sign of life of a socket.
    while silent.ending == .open {
      guard case .ping = try open.next() else { break }
      try open.say(WebSocketClient.frame(10, []))
      try client.send(HTTP2Bytes.ping, 0, 0, Array("12345678".utf8))
    }
    #expect(silent.ending == .reset(8))
    #expect(try silent.next() == .ping([]) && silent.next() == .end)
    try open.send("here")
    var frame = try open.next()
    while case .ping = frame { frame = try open.next() }
    #expect(frame == .text("here"))
    #expect(door.server.process.output.contains("has answered no ping (--websocket-ping): GET /"))
    try stop(door, client)
  }

  @Test(
    "a stop closes sockets with 1001, and the connection behind the last of them",
    arguments: Doorway.ofStreams)
  func stops(kind: Doorway.Kind) throws {
    let (door, client) = try Doorway.connected(kind)
    let sockets = try (0..<3).map { _ in try HTTP2Socket(client) }
    for socket in sockets {
      try socket.send("here")
      #expect(try socket.next() == .text("here"))
    }
    door.server.process.send(SIGTERM)
    for socket in sockets {
      #expect(try socket.next() == .close(1001, ""))
      try socket.close(1001)
      #expect(try socket.next() == .end)
      #expect(socket.ending == .whole)
    }
    try client.finish()
    #expect(client.goAways.last?.code == 0)
    #expect(try door.server.process.wait() == .status(0))
    #expect(door.server.process.output.components(separatedBy: "closed with 1001").count == 4)
  }

  @Test("a handler that takes too long loses its stream, and the others go on", arguments: Doorway.ofStreams)
  func harakiri(kind: Doorway.Kind) throws {
    let door = try Doorway.ofSockets(kind, ["--harakiri", "1"])
    let gate = door.server.folder.file("gate")
    let client = try door.client()
    let (slow, quick) = (try HTTP2Socket(client), try HTTP2Socket(client))
    try slow.send("gate \(gate)")
    #expect(try slow.next() == .end)
    #expect(slow.ending == .reset(8))
    try quick.send("here")
    #expect(try quick.next() == .text("here"))
    try "".write(toFile: gate, atomically: true, encoding: .utf8)
    try waitForEnds(1, 1006, door)
    #expect(door.server.process.output.contains("takes too long for a message of GET /"))
    try stop(door, client)
  }

  @Test(
    "half a message that does not go on closes its socket, however much else comes",
    arguments: Doorway.ofStreams)
  func halfMessage(kind: Doorway.Kind) throws {
    let door = try Doorway.ofSockets(
      kind, ["--body-min-rate", "100000", "--min-rate-grace", "0.5", "--websocket-ping", "0"])
    let client = try door.client()
    let (half, open) = (try HTTP2Socket(client), try HTTP2Socket(client))
    try half.say(Array(WebSocketClient.frame(2, [UInt8](repeating: 0, count: 100_000)).prefix(20)))
    try Deadline.usual.wait(for: "a close frame") {
      if try half.hasNews() { return () }
      try half.say([0])
      try open.send("here")
      #expect(try open.next() == .text("here"))
      usleep(20_000)
      return nil
    }
    #expect(try half.next() == .close(1008, ""))
    try waitForEnds(1, 1008, door)
    try stop(door, client)
  }

  @Test(
    "a client that never opens a window is let go, though it goes on talking", arguments: Doorway.ofStreams)
  func takesNothing(kind: Doorway.Kind) throws {
    let (door, client) = try Doorway.connected(
      kind, ["--write-timeout", "1", "--write-min-rate", "0"], window: 1000)
    let (shut, open) = (try HTTP2Socket(client), try HTTP2Socket(client))
    try shut.send("size 100000")
    try Deadline.usual.wait(for: "its end") {
      try client.takeIn()
      if shut.ending != .open { return () }
      // It is heard: what ends it is not that it answers no ping.
      try shut.say(WebSocketClient.frame(10, []))
      usleep(20_000)
      return nil
    }
    #expect(shut.ending == .reset(8) && client.soFar(shut.id).body.count == 1000)
    try waitForEnds(1, 1006, door)
    try open.send("here")
    #expect(try open.next() == .text("here") && client.exchange("/").text == "plain")
    try stop(door, client)
  }

  @Test(
    "what a client has sent behind the message for which it is closed does not reach the application",
    arguments: Doorway.ofStreams)
  func dropsWhatCameTooLate(kind: Doorway.Kind) throws {
    let (door, client) = try Doorway.connected(kind)
    let socket = try HTTP2Socket(client)
    let flood = WebSocketClient.frame(1, Array("flood 1".utf8))
    try socket.say(WebSocketClient.frame(1, Array("close 4001 enough".utf8)) + flood + flood)
    #expect(try socket.next() == .close(4001, "enough"))
    try socket.say(flood)
    try socket.close(4001)
    #expect(try socket.next() == .end)
    try waitForEnds(1, 4001, door)
    #expect(!door.server.process.output.contains("flooded"))
    try stop(door, client)
  }

  @Test("a client that does not answer the close frame is cut off in time")
  func answersNoClose() throws {
    let (door, client) = try Doorway.connected(.h2c, ["--websocket-ping", "0"])
    let socket = try HTTP2Socket(client)
    try socket.send("close 4001 enough")
    #expect(try socket.next() == .close(4001, "enough"))
    try Deadline.usual.wait(for: "its end") {
      if try socket.hasNews() { return () }
      try socket.send("flood 1")
      usleep(20_000)
      return nil
    }
    #expect(try socket.next() == .end)
    #expect(socket.ending == .reset(8))
    try waitForEnds(1, 1006, door)
    #expect(!door.server.process.output.contains("flooded"))
    #expect(try client.exchange("/").text == "plain")
    try stop(door, client)
  }
}
