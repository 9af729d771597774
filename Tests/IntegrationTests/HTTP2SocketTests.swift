// WebSockets on streams of HTTP/2 (RFC 8441), over TLS and without, on either event loop.
import Foundation
import Support
import Testing

extension Doorway {
  /// The ways in of HTTP/2.
  static let ofStreams: [Kind] = [.h2c, .h2]

  /// A server of the application that does what messages say.
  static func ofSockets(
    _ kind: Kind, _ options: [String] = [], defines: [String] = []
  ) throws -> Doorway {
    try Doorway(kind, app: FixtureApp.path("websockets", defines: defines), ["--no-master", "-L"] + options)
  }

  /// The same, and a connection to it whose client lets so much of each stream come.
  static func connected(
    _ kind: Kind, _ options: [String] = [], defines: [String] = [], window: UInt32 = HTTP2Client.widest
  ) throws -> (door: Doorway, client: HTTP2Client) {
    let door = try ofSockets(kind, options, defines: defines)
    return (door, try door.client(window: window))
  }
}

/// Ends a connection and its server, which has nothing to complain of.
func stop(_ door: Doorway, _ client: HTTP2Client) throws {
  client.socket.close()
  try stop(door)
}

@Suite struct HTTP2SocketTests {
  @Test(
    "messages of all sizes come back through windows, whole, in fragments and many at once",
    arguments: Doorway.ofStreams, ["epoll", "auto"])
  func echoes(kind: Doorway.Kind, io: String) throws {
    let door = try Doorway.ofSockets(kind, ["--io", io])
    // A stream takes as much as one of a client that says nothing about it.
    let client = try door.client(window: 65_535, givesBack: true)
    let socket = try HTTP2Socket(client)
    for count in [0, 1, 125, 126, 16_384, 65_535, 65_536, 300_000, 3_000_000] {
      let bytes = TestBody.bytes(count)
      try socket.send(bytes)
      #expect(try socket.next() == .binary(bytes), "\(count) bytes")
    }
    try socket.send("ü€😀")
    #expect(try socket.next() == .text("ü€😀"))
    try socket.say(
      WebSocketClient.frame(1, Array("frag".utf8), isFinal: false)
        + WebSocketClient.frame(9, Array("between".utf8)) + WebSocketClient.frame(0, Array("ments".utf8)))
    #expect(try socket.next() == .pong(Array("between".utf8)))
    #expect(try socket.next() == .text("fragments"))
    var many: [UInt8] = []
    for number in 0..<500 { many += WebSocketClient.frame(1, Array("\(number)".utf8)) }
    // Frames of WebSocket and of HTTP/2 need not begin or end together.
    for start in stride(from: 0, to: many.count, by: 7) {
      try socket.say(Array(many[start..<min(start + 7, many.count)]))
    }
    for number in 0..<500 { #expect(try socket.next() == .text("\(number)")) }
    try socket.close(1000, "bye")
    #expect(try socket.next() == .close(1000, "") && socket.next() == .end)
    #expect(socket.ending == .whole)
    _ = try door.server.process.waitForOutput("the end") {
      $0.contains("closed with 1000 'bye' late -2") ? () : nil
    }
    #expect(try client.exchange("/").text == "plain" && client.goAways.isEmpty)
    try stop(door, client)
  }

  @Test("a client that is not ours says the same", arguments: Doorway.ofStreams)
  func otherClient(kind: Doorway.Kind) throws {
    let app = try FixtureApp.path("websockets")
    let (certificates, gateway) = (try Certificates(), kind == .h2 ? "https" : "http")
    try certificates.make("a", hosts: "DNS:a.test")
    let socket = kind == .h2 ? certificates.socket("a") : "127.0.0.1:0"
    let server = try ServerProcess(app: app, ["--no-master", "-L", "--\(gateway)-socket", socket])
    let script = "\(Repository.root)/Tests/Fixtures/clients/h2_client.py"
    let (exit, output) = try ChildProcess.run(
      try Repository.python("python"),
      [script, "websocket", "\(try server.address(gateway))", "/", "hello"],
      environment: kind == .h2 ? ["H2_AUTHORITY": certificates.authority] : [:])
    #expect(exit == .status(0) && output == "200 hello 1000 True\n", "\(output)")
    #expect(try server.stop() == .status(0), "\(server.process.output)")
  }

  @Test(
    "the answer is 200 with what was agreed on, and early frames go both ways", arguments: Doorway.ofStreams)
  func handshake(kind: Doorway.Kind) throws {
    let (door, client) = try Doorway.connected(kind)
    let fields = HTTP2Socket.fields + [(name: "sec-websocket-protocol", value: "chat")]
    let id = try client.connect("/early", fields: fields)
    // Before the answer is here.
    try client.send(HTTP2Bytes.data, 0, id, WebSocketClient.frame(1, Array("at once".utf8)))
    let answer = try client.head(id)
    #expect(client.settings[8] == 1)
    #expect(answer.status == 200 && answer["x-build"] == "1", "\(answer)")
    #expect(answer["sec-websocket-protocol"] == "chat")
    let others = ["sec-websocket-accept", "connection", "upgrade"]
    #expect(others.allSatisfy { answer[$0] == nil })
    let expected: [UInt8] = [0x81, 5] + Array("early".utf8) + [0x81, 7] + Array("at once".utf8)
    try Deadline.usual.wait(for: "both messages") {
      try client.takeIn()
      return client.soFar(id).body.count >= expected.count ? () : nil
    }
    #expect(client.soFar(id).body == expected)
    try stop(door, client)
  }

  @Test("messages are compressed where the client can", arguments: Doorway.ofStreams)
  func deflates(kind: Doorway.Kind) throws {
    let (door, client) = try Doorway.connected(kind)
    let socket = try HTTP2Socket(client, fields: [("sec-websocket-extensions", "permessage-deflate")])
    #expect(socket["sec-websocket-extensions"] != nil)
    try socket.send("size 100000")
    // FIN, RSV1 and text; shorter than it was.
    let head = try socket.receive(exactly: 2)
    #expect(head[0] == 0xc1 && head[1] < 127, "\(head)")
    try stop(door, client)
  }

  // MARK: Refusals

  @Test("a handshake that is wrong gets its status, and the log a line", arguments: Doorway.ofStreams)
  func refusesHandshakes(kind: Doorway.Kind) throws {
    let (door, client) = try Doorway.connected(kind, ["--websocket-origin", "self"])
    func ask(_ fields: [(name: String, value: String)], _ target: String = "/") throws -> HTTP2Client.Answer {
      let answer = try client.answer(try client.connect(target, fields: fields))
      #expect(answer.ending == .whole && answer["upgrade"] == nil, "\(answer)")
      return answer
    }
    let version = try ask([("sec-websocket-version", "8")])
    #expect(version.status == 400 && version["sec-websocket-version"] == "13")
    #expect(try ask([]).status == 400)
    #expect(try ask(HTTP2Socket.fields + [(name: "sec-websocket-protocol", value: "a b")]).status == 400)
    #expect(try ask(HTTP2Socket.fields + [(name: "origin", value: "https://evil.example")]).status == 403)
    #expect(try ask(HTTP2Socket.fields, "/wrong").text == "misuse")
    let lines = door.server.process.output.split(separator: "\n").filter {
      $0.contains("request refused with")
    }
    #expect(lines.count == 4 && lines[0].contains("Sec-WebSocket-Version is not 13: GET /"), "\(lines)")
    let own = try HTTP2Socket(client, fields: [("origin", "https://localhost")])
    try own.send("here")
    #expect(try own.next() == .text("here"))
    try stop(door, client)
  }

  @Test(
    "CONNECT for something else is a 501, and a malformed one costs its stream alone",
    arguments: Doorway.ofStreams)
  func otherConnects(kind: Doorway.Kind) throws {
    let (door, client) = try Doorway.connected(kind)
    let socket = try HTTP2Socket(client)
    func ask(
      _ method: String, without name: String = "", as other: String = "websocket"
    ) throws -> HTTP2Client.Answer {
      let head = [
        (name: ":method", value: method), (name: ":protocol", value: other),
        (name: ":scheme", value: "https"), (name: ":path", value: "/"),
        (name: ":authority", value: "localhost"), (name: "sec-websocket-version", value: "13"),
      ]
      return try client.answer(try client.open(head.filter { $0.name != name }, ends: false))
    }
    #expect(try ask("CONNECT", without: ":protocol").status == 501)
    #expect(try ask("CONNECT", as: "connect-udp").status == 501)
    // PROTOCOL_ERROR.
    #expect(try ask("CONNECT", without: ":path").ending == .reset(1))
    #expect(try ask("CONNECT", without: ":scheme").ending == .reset(1))
    #expect(try ask("GET").ending == .reset(1))
    try socket.send("here")
    #expect(try socket.next() == .text("here") && client.goAways.isEmpty)
    try stop(door, client)
  }

  @Test("an answer that is no WebSocket is never a success", arguments: Doorway.ofStreams)
  func otherAnswers(kind: Doorway.Kind) throws {
    let door = try Doorway(kind, app: FixtureApp.path("conformance"), ["--no-master", "-L"])
    let client = try door.client()
    for path in ["/ok", "/empty", "/pieces", "/flushed", "/no-content", "/big"] {
      let answer = try client.answer(try client.connect(path, fields: HTTP2Socket.fields))
      #expect(answer.status == 501 && answer.body.isEmpty && answer.ending == .whole, "\(path): \(answer)")
    }
    for path in ["/status/404", "/redirect", "/fail"] {
      let answer = try client.answer(try client.connect(path, fields: HTTP2Socket.fields))
      let plain = try client.exchange(path)
      #expect(answer.status == plain.status && answer.body == plain.body, "\(path): \(answer)")
    }
    #expect(door.server.process.output.contains("501: it asks for a WebSocket"))
    #expect(try client.exchange("/ok").text == "ok")
    try stop(door, client)
  }

  @Test("no more sockets are open than may be, and the status shows how many there are")
  func bounded() throws {
    let app = try FixtureApp.path("websockets")
    let server = try SupervisedServer(app, workers: 1, ["--websocket-max", "3"])
    let client = try HTTP2Client(server.server.connect())
    let sockets = try (0..<3).map { _ in try HTTP2Socket(client) }
    #expect(try client.answer(try client.connect("/", fields: HTTP2Socket.fields)).status == 503)
    try server.waitForLog("503: there are as many WebSockets as may be (--websocket-max)")
    _ = try server.wait(for: "three sockets") { $0.text.contains("\"webSockets\":3") }
    #expect(try server.ctl("status").output.contains(", 3 WebSockets\n"))
    try sockets[0].close(1000)
    _ = try server.wait(for: "two sockets") { $0.text.contains("\"webSockets\":2") }
    let another = try HTTP2Socket(client)
    try another.send("here")
    #expect(try another.next() == .text("here"))
    client.socket.close()
    #expect(try server.stop() == .status(0))
  }

  // MARK: Many on one connection

  @Test(
    "sockets and requests go on beside a socket that nobody reads",
    arguments: Doorway.ofStreams, ["epoll", "auto"])
  func beside(kind: Doorway.Kind, io: String) throws {
    let door = try Doorway.ofSockets(kind, ["--io", io])
    let gate = door.server.folder.file("gate")
    let client = try door.client()
    let (shut, open) = (try HTTP2Socket(client), try HTTP2Socket(client))
    try shut.send("gate \(gate)")
    // Its handler waits: what comes behind the message stays in the window.
    let bytes = TestBody.bytes(600_000)
    let frame = WebSocketClient.frame(2, bytes)
    let sent = try client.push(shut.id, frame)
    #expect(sent > 200_000 && sent <= 256 * 1024, "\(sent)")
    for number in 0..<20 {
      try open.send("\(number)")
      #expect(try open.next() == .text("\(number)"))
      #expect(try client.exchange("/").text == "plain")
    }
    let large = TestBody.bytes(1_000_000)
    try open.send(large)
    #expect(try open.next() == .binary(large))
    let (hasNews, more) = (try shut.hasNews(), try client.push(shut.id, Array(frame[sent...])))
    #expect(!hasNews && more < 100, "its window is shut: \(more)")
    try "".write(toFile: gate, atomically: true, encoding: .utf8)
    try shut.say(Array(frame[(sent + more)...]))
    #expect(try shut.next() == .text("open") && shut.next() == .binary(bytes))
    try stop(door, client)
  }

  @Test(
    "a message that waits for its turn is not touched by what comes behind it", arguments: Doorway.ofStreams)
  func queued(kind: Doorway.Kind) throws {
    // An application that is called once at a time.
    let door = try Doorway.ofSockets(kind, defines: ["ALONE"])
    let gate = door.server.folder.file("gate")
    let client = try door.client()
    let (first, second) = (try HTTP2Socket(client), try HTTP2Socket(client))
    try first.send("gate \(gate)")
    let messages = (0..<40).map { number in TestBody.bytes(1000 + 100 * number) }
    for message in messages { try second.send(message) }
    try "".write(toFile: gate, atomically: true, encoding: .utf8)
    #expect(try first.next() == .text("open"))
    for message in messages { #expect(try second.next() == .binary(message)) }
    try stop(door, client)
  }

  @Test(
    "a client that lets nothing come fills its queue, and no more; then there is room",
    arguments: Doorway.ofStreams)
  func backpressure(kind: Doorway.Kind) throws {
    let (door, client) = try Doorway.connected(kind, ["--websocket-queue", "100000"], window: 20_000)
    let (shut, open) = (try HTTP2Socket(client), try HTTP2Socket(client))
    try shut.send("flood 10000")
    let taken = try door.server.process.waitForOutput("the flood") { output in
      output.firstMatch(of: /flooded (\d+)/).flatMap { Int($0.output.1) }
    }
    #expect(taken >= 9 && taken <= 13, "the queue, and what the window takes: \(taken)")
    try open.send("here")
    #expect(try open.next() == .text("here") && client.exchange("/").text == "plain")
    #expect(client.soFar(shut.id).body.count <= 20_000)
    try client.widen(shut.id, by: 10_000_000)
    for _ in 0..<taken { #expect(try shut.next() == .binary([UInt8](repeating: 0, count: 10_000))) }
    try shut.send("drains")
    #expect(try shut.next() == .text("drains 1"))
    try stop(door, client)
  }

  @Test("topics reach sockets of HTTP/1.1 and of HTTP/2", arguments: [[], ["ALONE"]])
  func topics(defines: [String]) throws {
    let (door, client) = try Doorway.connected(.h2c, defines: defines)
    let streams = try (0..<2).map { _ in try HTTP2Socket(client) }
    let other = try WebSocketClient(try door.server.address("http"))
    for stream in streams {
      try stream.send("join room")
      #expect(try stream.next() == .text("joined"))
    }
    try other.send("join room")
    #expect(try other.next() == .text("joined"))
    try streams[0].send("tell room")
    #expect(try streams[0].next() == .text("told 2"))
    #expect(try streams[1].next() == .text("tell room") && other.next() == .text("tell room"))
    try other.send("tell room")
    #expect(try other.next() == .text("told 2"))
    for stream in streams { #expect(try stream.next() == .text("tell room")) }
    client.socket.close()
    other.socket.close()
    try stop(door)
  }
}
