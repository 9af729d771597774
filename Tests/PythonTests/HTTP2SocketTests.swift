// WebSockets of Python applications on streams of HTTP/2 (RFC 8441): ASGI's, and those of uWSGI's functions.
import Foundation
import Support
import Testing

@Suite struct HTTP2SocketTests {
  @Test("an ASGI application sees what it sees over HTTP/1.1, but for the key")
  func scopes() throws {
    try Python.run("asgi_sockets") { (server) throws in
      let client = try HTTP2Client(server.connect())
      let socket = try HTTP2Socket(
        client, "/scope?a=b", fields: [("sec-websocket-protocol", "chat, other"), ("x-own", "1")])
      #expect(socket["sec-websocket-protocol"] == "chat" && socket["x-made"] == "here")
      guard case .text(let text) = try socket.next() else { throw SupportError.malformedReply("no text") }
      let value = try JSONSerialization.jsonObject(with: Data(text.utf8))
      let scope = try #require(value as? [String: Any], "\(text)")
      #expect(scope["type"] as? String == "websocket" && scope["scheme"] as? String == "ws")
      #expect(scope["http_version"] as? String == "2" && scope["path"] as? String == "/scope")
      #expect(scope["query_string"] as? String == "a=b")
      #expect(scope["subprotocols"] as? [String] == ["chat", "other"])
      #expect(
        scope["headers"] as? [String] == ["host", "sec-websocket-protocol", "sec-websocket-version", "x-own"])
      client.socket.close()
    }
  }

  @Test("messages, denials and both ends of sockets, beside requests")
  func messages() throws {
    let server = try Python.serve("asgi_sockets")
    let client = try HTTP2Client(server.connect(), window: 65_535, givesBack: true)
    let sockets = try (0..<5).map { _ in try HTTP2Socket(client) }
    for count in [0, 1, 70_000, 2_000_000] {
      let bytes = TestBody.bytes(count)
      try sockets[0].send(bytes)
      #expect(try sockets[0].next() == .binary(bytes), "\(count)")
    }
    for (number, socket) in sockets.enumerated() { try socket.send("ü \(number)") }
    for (number, socket) in sockets.enumerated() { #expect(try socket.next() == .text("ü \(number)")) }
    #expect(try client.exchange("/").text == "plain")
    #expect(try client.answer(try client.connect("/closed", fields: HTTP2Socket.fields)).status == 403)
    let denied = try client.answer(try client.connect("/denied", fields: HTTP2Socket.fields))
    #expect(denied.status == 451 && denied.text == "not here" && denied["x-why"] == "law")
    try sockets[0].send("go")
    #expect(try sockets[0].next() == .close(4000, "went"))
    try sockets[0].close(4000)
    #expect(try sockets[0].next() == .end)
    #expect(sockets[0].ending == .whole)
    try sockets[1].close(3001, "enough")
    #expect(try sockets[1].next() == .close(3001, "") && sockets[1].next() == .end)
    try sockets[2].reset()
    for code in [3001, 1006] {
      _ = try server.process.waitForOutput("an end with \(code)") {
        $0.contains("gone with \(code)") ? true : nil
      }
    }
    // More than waits for an application: the client waits, and nothing is lost.
    for number in 0..<500 { try sockets[3].send("\(number)") }
    for number in 0..<500 { #expect(try sockets[3].next() == .text("\(number)")) }
    server.process.send(SIGTERM)
    for socket in sockets[3...] {
      #expect(try socket.next() == .close(1001, ""))
      try socket.close(1001)
      #expect(try socket.next() == .end)
    }
    client.socket.close()
    #expect(try server.process.wait() == .status(0), "\(server.process.output)")
    let output = server.process.output
    #expect(output.contains("gone with 1001") && !output.contains("Traceback"), "\(output)")
  }

  @Test("a WSGI application speaks by uWSGI's functions, and is waited for")
  func uwsgi() throws {
    let folder = try TemporaryFolder()
    try folder.write(
      """
      [uwsgi]
      pythonpath = \(Python.folder)
      module = uwsgi_sockets
      master = true
      processes = 1
      threads = 1
      disable-logging = true
      http-websockets = true
      websocket-queue = 65536
      """ + "\n", to: "app.ini")
    let server = try ServerProcess(
      app: nil, ["--ini", folder.file("app.ini"), "--http-socket", "127.0.0.1:0"])
    let client = try HTTP2Client(server.connect(), window: 65_535, givesBack: true)
    let (text, flood) = (try HTTP2Socket(client, "/text"), try HTTP2Socket(client, "/flood"))
    try text.send("ü")
    #expect(try text.next() == .text("ü"))
    #expect(try client.exchange("/plain").text == "plain")
    for number in 0..<200 {
      #expect(try flood.next() == .binary(Array(repeating: UInt8(number), count: 65536)))
    }
    #expect(try flood.next() == .text("all is said"))
    // What a call answers that has not accepted: no success, which would be a socket for the client.
    #expect(try client.answer(try client.connect("/refuse", fields: HTTP2Socket.fields)).status == 403)
    #expect(try client.answer(try client.connect("/plain", fields: HTTP2Socket.fields)).status == 501)
    try text.close(1000)
    #expect(try text.next() == .close(1000, "") && text.next() == .end)
    #expect(text.ending == .whole)
    client.socket.close()
    #expect(try server.stop() == .status(0), "\(server.process.output)")
    #expect(!server.process.output.contains("Traceback"), "\(server.process.output)")
  }
}
