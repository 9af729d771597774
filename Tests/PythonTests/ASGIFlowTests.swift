// Clients that are slow, that leave, and requests that take too long, of ASGI applications.
import Foundation
import Support
import Testing

@Suite struct ASGIFlowTests {
  private func waitUntilTold(_ server: ServerProcess, _ words: String) throws {
    _ = try Deadline.usual.wait(for: words, output: { server.process.output }) {
      try server.get("/told").text.contains(words) ? true : nil
    }
  }

  @Test("a client that takes nothing stops send(), and the others go on", arguments: ["epoll", "auto"])
  func backPressure(loop: String) throws {
    try Python.run("asgi_app", ["--io", loop]) { (server) throws in
      let slow = try server.connect(receiveBuffer: 4096)
      try slow.send(GatewayRequest.bytes("http", "/flood"))
      _ = try slow.receive(until: "\r\n\r\n")
      var last = -1
      let stopped = try Deadline.usual.wait(for: "send() to wait") { () -> Int? in
        let now = Int(try server.get("/flooded").text) ?? -1
        defer { last = now }
        usleep(200_000)
        return now == last ? now : nil
      }
      #expect(stopped < 32 << 20, "it does not go on without its client: \(stopped)")
      #expect(try slow.receiveAll(Deadline(seconds: 120)).count > 64 << 20)
      #expect(try server.get("/flooded").text == "\(64 << 20)")
    }
  }

  @Test("an upload waits until receive() asks for it")
  func upload() throws {
    try Python.run("asgi_app") { (server) throws in
      let socket = try server.connect()
      let size = 20_000_000
      try socket.send("POST /slow_upload HTTP/1.1\r\nHost: x\r\nContent-Length: \(size)\r\n\r\n")
      try socket.send(TestBody.bytes(size), Deadline(seconds: 60))
      let reply = try socket.receiveReply()
      #expect(reply.text == "waiting\n\(size)\n")
    }
  }

  @Test("a client that leaves is an http.disconnect, and an OSError of send()", arguments: ["epoll", "auto"])
  func disconnect(loop: String) throws {
    try Python.run("asgi_app", ["--io", loop]) { (server) throws in
      let waiting = try server.connect()
      try waiting.send("GET /wait HTTP/1.1\r\nHost: x\r\n\r\n")
      usleep(100_000)
      waiting.close()
      try waitUntilTold(server, "again http.disconnect")
      try waitUntilTold(server, "OSError")
      let events = try server.connect()
      try events.send("GET /events HTTP/1.1\r\nHost: x\r\n\r\n")
      _ = try events.receive(until: "data: x\n\n")
      events.close()
      try waitUntilTold(server, "events: left")
      let flooded = try server.connect(receiveBuffer: 4096)
      try flooded.send("GET /flood HTTP/1.1\r\nHost: x\r\n\r\n")
      _ = try flooded.receive(until: "\r\n\r\n")
      flooded.resetOnClose()
      flooded.close()
      try waitUntilTold(server, "flood: ClientDisconnected")
      let upload = try server.connect()
      try upload.send("POST /count HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\nhalf")
      usleep(100_000)
      upload.close()
      try waitUntilTold(server, "the body broke off")
    }
  }

  @Test("a request whose time is over is cancelled, and its client gets a 504")
  func harakiri() throws {
    let output = try Python.run("asgi_app", ["--harakiri", "1"]) { (server) throws in
      #expect(try server.get("/sleep?30").status == 504)
      try waitUntilTold(server, "sleep: CancelledError")
      #expect(try server.get("/sleep?0.1").text == "slept")
    }
    #expect(!output.contains("Traceback"), "\(output)")
    #expect(output.contains("stack of GET /sleep?30:") && output.contains(" in sleep"), "\(output)")
  }

  @Test("a call that blocks the loop is named, and what is not of the loop goes on")
  func blocking() throws {
    let output = try Python.run("asgi_app", ["--mount", "/wsgi=hello_world_app:application"]) {
      (server) throws in
      let blocked = try server.connect()
      try blocked.send("GET /block HTTP/1.1\r\nHost: x\r\n\r\n")
      usleep(100_000)
      let other = try server.connect()
      try other.send("GET / HTTP/1.1\r\nHost: x\r\n\r\n")
      #expect(try server.get("/wsgi").text == "Hello World!\n")
      #expect(try other.receiveReply().text == "hello from ASGI\n")
      #expect(try blocked.receiveReply().text == "blocked")
    }
    #expect(output.contains("the event loop has been held up for more than a second"), "\(output)")
    #expect(output.contains("does not await (GET /block, in block, File \""), "\(output)")
    #expect(output.contains("asgi_app.py\", line "), "\(output)")
  }

  @Test("so many tasks at once, and the rest waits its turn")
  func bounded() throws {
    try Python.run("asgi_app", ["--asgi-tasks", "2"]) { (server) throws in
      let sockets = try (0..<6).map { _ in try server.connect() }
      for socket in sockets { try socket.send("GET /sleep?0.2 HTTP/1.1\r\nHost: x\r\n\r\n") }
      for socket in sockets { #expect(try socket.receiveReply().text == "slept") }
      // One that leaves while it waits for its turn takes nobody's.
      let held = try (0..<2).map { _ in try server.connect() }
      for socket in held { try socket.send("GET /sleep?0.5 HTTP/1.1\r\nHost: x\r\n\r\n") }
      usleep(100_000)
      let gone = try server.connect()
      try gone.send("GET /sleep?60 HTTP/1.1\r\nHost: x\r\n\r\n")
      gone.resetOnClose()
      gone.close()
      for socket in held { #expect(try socket.receiveReply().text == "slept") }
      #expect(try server.get("/").text == "hello from ASGI\n")
    }
  }

  @Test("hundreds of streams at once end whole")
  func manyStreams() throws {
    try Python.run("asgi_app") { (server) throws in
      let sockets = try (0..<300).map { _ in try server.connect() }
      for socket in sockets { try socket.send("GET /stream HTTP/1.1\r\nHost: x\r\n\r\n") }
      for socket in sockets { #expect(try socket.receiveReply().text == "0\n1\n2\n3\n4\n") }
    }
  }

  @Test("a few requests that wait in an event loop do not make it a busy server")
  func load() throws {
    let options = ["--master", "-p", "1", "--threads", "16", "--agent-check", "DIR/agent.sock"]
    try Python.run("asgi_app", ["--http-socket", "127.0.0.1:0"] + options) { (server) throws in
      let waiting = try (0..<4).map { _ in
        let socket = try server.connect()
        try socket.send(GatewayRequest.bytes("http", "/sleep?4"))
        return socket
      }
      let line = try Deadline.usual.wait(for: "the agent to see them", output: { server.process.output }) {
        let said = try RawSocket(.unix(path: server.folder.file("agent.sock"))).receiveAll()
        let line = String(decoding: said, as: UTF8.self)
        return line.contains("100%") ? nil : line
      }
      // A quarter of what as many threads could do.
      let weight = try #require(line.split(separator: " ").last.flatMap { Int($0.dropLast(2)) }, "\(line)")
      #expect(weight >= 70, "\(line)")
      for socket in waiting { #expect(try socket.receiveReply().status == 200) }
    }
  }
}
