// WebSockets of a native application, spoken to over plain sockets, on either event loop (NSGI_IO).
import Foundation
import Support
import Testing

@Suite struct WebSocketTests {
  private func serve(
    _ options: [String] = [], defines: [String] = [], sockets: [String] = ["--http-socket", "127.0.0.1:0"]
  ) throws -> ServerProcess {
    let app = try FixtureApp.path("websockets", defines: defines)
    return try ServerProcess(app: app, ["--no-master", "-L"] + sockets + options)
  }

  @Test("messages of all sizes come back, whole, in fragments and many at once")
  func echoes() throws {
    let server = try serve()
    let client = try WebSocketClient(try server.address("http"))
    for count in [0, 1, 125, 126, 127, 1000, 16_383, 16_385, 65_535, 65_536, 300_000] {
      let bytes = TestBody.bytes(count)
      try client.send(bytes)
      #expect(try client.next() == .binary(bytes), "\(count) bytes")
    }
    try client.send("ü€😀")
    #expect(try client.next() == .text("ü€😀"))
    try client.socket.send(
      WebSocketClient.frame(1, Array("frag".utf8), isFinal: false)
        + WebSocketClient.frame(9, Array("between".utf8)) + WebSocketClient.frame(0, Array("ments".utf8)))
    #expect(try client.next() == .pong(Array("between".utf8)))
    #expect(try client.next() == .text("fragments"))
    var many: [UInt8] = []
    for number in 0..<500 { many += WebSocketClient.frame(1, Array("\(number)".utf8)) }
    try client.socket.send(many)
    for number in 0..<500 { #expect(try client.next() == .text("\(number)")) }
    try client.close(1000, "bye")
    #expect(try client.next() == .close(1000, "") && client.next() == .end)
    _ = try server.process.waitForOutput("the end") {
      $0.contains("closed with 1000 'bye' late -2") ? () : nil
    }
    #expect(try server.stop() == .status(0), "\(server.process.output)")
  }

  @Test("what is sent with the handshake, and before the answer, is not lost")
  func earlyFrames() throws {
    let server = try serve()
    let socket = try server.connect()
    try socket.send(
      Array("GET /early HTTP/1.1\r\n\(WebSocketClient.fields)\r\n".utf8)
        + WebSocketClient.frame(1, Array("at once".utf8)))
    let head = try socket.receive(until: "\r\n\r\n")
    #expect(
      head.contains("Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n") && head.contains("X-Build: 1"))
    #expect(try socket.receive(exactly: 7) == [0x81, 5] + Array("early".utf8))
    #expect(try socket.receive(exactly: 9) == [0x81, 7] + Array("at once".utf8))
  }

  @Test("a handshake that is wrong gets its status, and the log a line")
  func refusesHandshakes() throws {
    let server = try serve()
    func ask(_ change: (String) -> String) throws -> Reply {
      let socket = try server.connect()
      try socket.send(change("GET / HTTP/1.1\r\n\(WebSocketClient.fields)\r\n"))
      return try socket.receiveReply()
    }
    func replacing(_ old: String, _ new: String) throws -> Reply {
      try ask { $0.replacingOccurrences(of: old, with: new) }
    }
    let version = try replacing("Version: 13", "Version: 8")
    #expect(version.status == 426 && version["Sec-WebSocket-Version"] == "13")
    #expect(try replacing("dGhlIHNhbXBsZSBub25jZQ==", "short").status == 400)
    #expect(try replacing("Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n", "").status == 400)
    #expect(try replacing("Connection: Upgrade", "Connection: keep-alive").status == 400)
    #expect(try replacing("GET", "PUT").status == 400)
    #expect(try replacing("HTTP/1.1", "HTTP/1.0").status == 400)
    #expect(try replacing("\r\n\r\n", "\r\nContent-Length: 2\r\n\r\nab").status == 400)
    #expect(try replacing("\r\n\r\n", "\r\nSec-WebSocket-Protocol: a b\r\n\r\n").status == 400)
    #expect(try replacing("\r\n\r\n", "\r\nSec-WebSocket-Extensions: a;\r\n\r\n").status == 400)
    let key = "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
    #expect(try replacing(key, key + key).status == 400)
    let none = try replacing("Sec-WebSocket-Version: 13\r\n", "")
    #expect(none.status == 426 && none["Sec-WebSocket-Version"] == "13" && none["Upgrade"] == "websocket")
    #expect(try replacing("GET / ", "GET /wrong ").text == "misuse")
    #expect(try replacing("Upgrade: websocket", "Upgrade: h2c").text == "plain")
    let lines = server.process.output.split(separator: "\n").filter { $0.contains("request refused with") }
    #expect(lines.count == 11 && lines[0].contains("Sec-WebSocket-Version is not 13: GET /"), "\(lines)")
    #expect(server.process.output.contains("with a subprotocol that the client does not offer"))
  }

  @Test("pages of other origins are refused, and whoever is no browser is not", arguments: ["self", "other"])
  func origins(kind: String) throws {
    let good = "https://good.example"
    let server = try serve(["--websocket-origin", kind == "self" ? "self" : good])
    let address = try server.address("http")
    _ = try WebSocketClient(address)
    let own = kind == "self" ? "http://localhost" : good
    _ = try WebSocketClient(address, fields: "Origin: \(own)\r\n")
    for origin in ["https://evil.example", "\(own).evil", "null"] {
      let socket = try server.connect()
      try socket.send("GET / HTTP/1.1\r\n\(WebSocketClient.fields)Origin: \(origin)\r\n\r\n")
      #expect(try socket.receiveReply().status == 403, "\(origin)")
    }
    #expect(server.process.output.contains("403: a page of this origin may open no WebSocket here"))
  }

  @Test("no more sockets are open than may be, and the status shows how many there are")
  func bounded() throws {
    let app = try FixtureApp.path("websockets")
    let server = try SupervisedServer(app, workers: 1, ["--websocket-max", "3"])
    let address = try server.server.address("http")
    var clients = try (0..<3).map { _ in try WebSocketClient(address) }
    func status() throws -> Int {
      let socket = try server.server.connect()
      try socket.send("GET / HTTP/1.1\r\n\(WebSocketClient.fields)\r\n")
      return try socket.receiveReply().status
    }
    #expect(try status() == 503)
    try server.waitForLog("503: there are as many WebSockets as may be (--websocket-max)")
    _ = try server.wait(for: "three sockets") { $0.text.contains("\"webSockets\":3") }
    #expect(try server.ctl("status").output.contains(", 3 WebSockets\n"))
    // One goes, and another comes.
    let last = clients.removeLast()
    try last.close(1000)
    _ = try server.wait(for: "two sockets") { $0.text.contains("\"webSockets\":2") }
    clients.append(try WebSocketClient(address))
    try clients[2].send("here")
    #expect(try clients[2].next() == .text("here"))
    #expect(try server.stop() == .status(0))
  }

  @Test("the example ticker tells everybody the same")
  func ticker() throws {
    let server = try ServerProcess(
      app: Repository.app("ticker"),
      ["-p", "1", "--http-socket", "127.0.0.1:0", "--app-option", "milliseconds=20"])
    let clients = try (0..<5).map { _ in try WebSocketClient(try server.address("http")) }
    func ticks(_ client: WebSocketClient, until last: Int? = nil) throws -> [Int] {
      var found: [Int] = []
      while last.map({ (found.last ?? 0) < $0 }) ?? (found.count < 5) {
        guard case .text(let text) = try client.next(), let number = Int(text.dropFirst(5)) else { return [] }
        found.append(number)
      }
      return found
    }
    // Whoever came last hears five, and everybody else those too, each once and in order.
    let last = try ticks(clients[4])
    #expect(last.count == 5 && last == Array(last[0]...last[4]))
    for client in clients[..<4] { #expect(try ticks(client, until: last[4]).suffix(5) == last[...]) }
    #expect(try server.connect().ask("/").text.contains("new WebSocket("))
    #expect(try server.stop() == .status(0), "\(server.process.output)")
  }

  @Test("frames that are wrong close the socket with their code")
  func refusesFrames() throws {
    let server = try serve(["--websocket-max-message", "1000"])
    func code(_ bytes: [UInt8]) throws -> WebSocketClient.Frame {
      let client = try WebSocketClient(try server.address("http"))
      try client.socket.send(bytes)
      return try client.next()
    }
    #expect(try code([0x81, 0x01, 0x61]) == .close(1002, ""))
    #expect(try code(WebSocketClient.frame(1, [0xff])) == .close(1007, ""))
    #expect(try code(WebSocketClient.frame(2, TestBody.bytes(1001))) == .close(1009, ""))
    #expect(try code(WebSocketClient.frame(3, [])) == .close(1002, ""))
    #expect(try code(WebSocketClient.frame(1, [1], reserved: 0x40)) == .close(1002, ""))
    #expect(try code(WebSocketClient.frame(8, [3])) == .close(1002, ""))
    _ = try server.process.waitForOutput("all ends") { output in
      output.components(separatedBy: " late -2").count == 7 ? () : nil
    }
  }

  @Test("an application closes with code and reason, pings, and sends what it has encoded")
  func doesWhatTheApplicationSays() throws {
    let server = try serve()
    let client = try WebSocketClient(try server.address("http"), fields: "Sec-WebSocket-Protocol: chat\r\n")
    #expect(client.head.contains("Sec-WebSocket-Protocol: chat\r\n"))
    try client.send("ping")
    #expect(try client.next() == .ping(Array("are you there".utf8)))
    try client.send("frame")
    #expect(try client.next() == .text("a frame") && client.next() == .text("a frame"))
    // Lent messages arrive, and are given back, those for nobody as well.
    for (count, back) in [(0, 2), (5, 4), (100_000, 6)] {
      try client.send("lend \(count)")
      #expect(try client.next() == .text(String(repeating: "y", count: count)))
      #expect(try client.next() == .text("lent 0 -2 -3, \(back) back"))
    }
    try client.send("close 4001 go away")
    #expect(try client.next() == .close(4001, "go away"))
    try client.close(4001)
    #expect(try client.next() == .end)
    _ = try server.process.waitForOutput("the end") { $0.contains("closed with 4001 ''") ? () : nil }
  }

  @Test("what a client has sent behind the message for which it is closed does not reach the application")
  func dropsWhatCameTooLate() throws {
    let server = try serve()
    let client = try WebSocketClient(try server.address("http"))
    let flood = WebSocketClient.frame(1, Array("flood 1".utf8))
    try client.socket.send(WebSocketClient.frame(1, Array("close 4001 enough".utf8)) + flood + flood)
    #expect(try client.next() == .close(4001, "enough"))
    try client.socket.send(flood)
    try client.close(4001)
    #expect(try client.next() == .end)
    _ = try server.process.waitForOutput("the end") { $0.contains("closed with 4001 ''") ? () : nil }
    #expect(!server.process.output.contains("flooded"))
  }

  @Test("topics reach those who have joined, and nobody else", arguments: [[], ["ALONE"]])
  func topics(defines: [String]) throws {
    let server = try serve(defines: defines)
    let clients = try (0..<4).map { _ in try WebSocketClient(try server.address("http")) }
    for client in clients[..<3] {
      try client.send("join room")
      #expect(try client.next() == .text("joined"))
    }
    try clients[2].send("leave room")
    #expect(try clients[2].next() == .text("left"))
    try clients[0].send("tell room")
    #expect(try clients[0].next() == .text("told 1"))
    #expect(try clients[1].next() == .text("tell room"))
    try clients[1].close(1000)
    #expect(try clients[1].next() == .close(1000, "") && clients[1].next() == .end)
    try clients[3].send("tell room")
    #expect(try clients[3].next() == .text("told 1"))
    #expect(try clients[0].next() == .text("tell room"))
  }

  @Test("a handler that waits holds up its own socket alone")
  func handsOff() throws {
    let server = try serve()
    let slow = try WebSocketClient(try server.address("http"))
    let fast = try WebSocketClient(try server.address("http"))
    try slow.send("sleep 700")
    try slow.send("behind")
    for number in 0..<20 {
      try fast.send("\(number)")
      #expect(try fast.next() == .text("\(number)"))
    }
    #expect(try slow.next() == .text("slept") && slow.next() == .text("behind"))
    // A client that leaves meanwhile is told of when the handler has returned.
    try slow.send("sleep 300")
    slow.socket.close()
    _ = try server.process.waitForOutput("the end") { $0.contains("closed with 1006") ? () : nil }
  }

  @Test("a client that does not read fills the queue, and no more; then there is room again")
  func backpressure() throws {
    let server = try serve(["--websocket-queue", "100000"])
    let client = try WebSocketClient(try server.address("http"))
    try client.send("flood 10000")
    let taken = try server.process.waitForOutput("the flood") { output in
      output.firstMatch(of: /flooded (\d+)/).flatMap { Int($0.output.1) }
    }
    #expect(taken >= 10 && taken < 100_000)
    for _ in 0..<taken { #expect(try client.next() == .binary([UInt8](repeating: 0, count: 10_000))) }
    try client.send("drains")
    #expect(try client.next() == .text("drains 1"))
  }

  @Test("a silent client is pinged; one that answers stays, one that does not is dropped")
  func pings() throws {
    let server = try serve(["--websocket-ping", "0.5"])
    let client = try WebSocketClient(try server.address("http"))
    for _ in 0..<2 {
      #expect(try client.next() == .ping([]))
      try client.socket.send(WebSocketClient.frame(10, []))
    }
    #expect(try client.next() == .ping([]) && client.next() == .end)
    _ = try server.process.waitForOutput("the end") { $0.contains("closed with 1006") ? () : nil }
  }

  @Test("half a frame that lies there is no sign of life, however often it is looked at")
  func pingsBehindHalfAFrame() throws {
    let server = try serve(["--websocket-ping", "0.5"])
    let silent = try WebSocketClient(try server.address("http"))
    try silent.send("watch")
    #expect(try silent.next() == .text("watched"))
    try silent.socket.send([0x81])
    let other = try WebSocketClient(try server.address("http"))
    func isDropped() -> Bool { server.process.output.contains("closed with 1006") }
    for _ in 0..<200 where !isDropped() {
      try other.send("nudge")
      #expect(try other.next() == .text("nudged"))
      usleep(50_000)
    }
    #expect(isDropped())
    #expect(try silent.next() == .ping([]) && silent.next() == .end)
  }

  @Test("a stop closes sockets with 1001, and waits for their answers")
  func stops() throws {
    let server = try serve()
    let clients = try (0..<3).map { _ in try WebSocketClient(try server.address("http")) }
    for client in clients {
      try client.send("here")
      #expect(try client.next() == .text("here"))
    }
    server.process.send(SIGTERM)
    for client in clients {
      #expect(try client.next() == .close(1001, ""))
      try client.close(1001)
      #expect(try client.next() == .end)
    }
    #expect(try server.process.wait() == .status(0))
    #expect(server.process.output.components(separatedBy: "closed with 1001").count == 4)
  }

  @Test("clients that vanish are noticed, at whatever point")
  func vanish() throws {
    let server = try serve()
    for index in 0..<12 {
      let client = try WebSocketClient(try server.address("http"))
      if index % 3 == 0 { try client.socket.send([0x81, 0x85, 1, 2]) }
      if index % 3 == 1 { try client.send("size 3000000") }
      if index % 2 == 0 { client.socket.resetOnClose() }
      client.socket.close()
    }
    _ = try server.process.waitForOutput("all ends") { output in
      output.components(separatedBy: "closed with 1006").count == 13 ? () : nil
    }
    #expect(try server.stop() == .status(0), "\(server.process.output)")
  }

  @Test("what cannot carry a socket answers 501, and says why")
  func notByFastCGI() throws {
    let server = try serve(sockets: ["--fastcgi-socket", "DIR/f.sock"])
    let frontEnd = try FrontEnd("nginx/fastcgi-unix.conf", before: server)
    let socket = try RawSocket(.tcp(host: "127.0.0.1", port: frontEnd.port))
    try socket.send("GET / HTTP/1.1\r\n\(WebSocketClient.fields)\r\n")
    let reply = try socket.receiveReply()
    #expect(reply.status == 501 && reply.text.contains("docs/WEBSOCKET.md"))
    _ = try frontEnd.stop()
  }

  static let frontEnds: [(String, String)] = [
    ("nginx/websocket.conf", "/http"), ("nginx/websocket.conf", "/scgi"), ("nginx/websocket.conf", "/uwsgi"),
    ("lighttpd/websocket.conf", "/"), ("haproxy/websocket.cfg", "/"), ("apache/websocket.conf", "/"),
  ]

  @Test("front ends pass sockets on, in both directions and to their end", arguments: frontEnds)
  func behindFrontEnds(file: String, path: String) throws {
    let sockets = [
      "--http-socket", "127.0.0.1:0", "--scgi-socket", "127.0.0.1:0", "--uwsgi-socket", "127.0.0.1:0",
    ]
    let server = try serve(sockets: sockets)
    let frontEnd = try FrontEnd(file, before: server)
    let client = try WebSocketClient(.tcp(host: "127.0.0.1", port: frontEnd.port), path)
    for count in [0, 5, 126, 70_000, 400_000] {
      let bytes = TestBody.bytes(count)
      try client.send(bytes)
      #expect(try client.next() == .binary(bytes), "\(count) bytes")
    }
    try client.send("close 4002 enough")
    #expect(try client.next() == .close(4002, "enough"))
    try client.close(4002)
    #expect(try client.next() == .end)
    // One that vanishes is noticed through the front end.
    let other = try WebSocketClient(.tcp(host: "127.0.0.1", port: frontEnd.port), path)
    other.socket.close()
    _ = try server.process.waitForOutput("both ends") { output in
      output.contains("closed with 4002") && output.contains("closed with 1006") ? () : nil
    }
    _ = try frontEnd.stop()
    #expect(try server.stop() == .status(0), "\(server.process.output)")
  }
}
