// Slow clients. Each test shortens the one timeout it is about; none measures time.
import Foundation
import Support
import Testing

@Suite struct TimeoutTests {
  private func server(_ options: String...) throws -> ServerProcess {
    try ServerProcess(["--http-socket", "127.0.0.1:0"] + options)
  }

  @Test("half a head: 408")
  func slowHead() throws {
    let server = try server("--header-timeout", "0.2")
    let socket = try server.connect()
    try socket.send("GET / HTTP/1.1\r\nHo")
    let reply = try socket.receiveLastReply()
    #expect(reply.status == 408)
    #expect(reply["connection"] == "close")
    socket.close()
    #expect(try server.stop() == .status(0))
  }

  @Test("a head that drips in, always a byte in time: 408 all the same")
  func drippingHead() throws {
    let server = try server("--header-timeout", "0.3")
    let socket = try server.connect()
    try socket.send("GET / HTTP/1.1\r\nHost: h\r\nX-Slow: ")
    let deadline = Deadline.usual
    var entry = pollfd(fd: socket.descriptor, events: Int16(POLLIN), revents: 0)
    while poll(&entry, 1, 20) == 0, !deadline.isOver { try socket.send("a") }
    #expect(try socket.receiveReply().status == 408)
    socket.close()
    #expect(try server.stop() == .status(0))
  }

  @Test("half a body: 408")
  func slowBody() throws {
    let server = try server("--body-timeout", "0.2")
    let socket = try server.connect()
    try socket.send("POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 10\r\n\r\nabc")
    #expect(try socket.receiveLastReply().status == 408)
    socket.close()
    #expect(try server.stop() == .status(0))
  }

  @Test("a connection that says nothing is closed without an answer")
  func silentConnection() throws {
    let server = try server("--header-timeout", "0.2", "--keep-alive-timeout", "0.2")
    let socket = try server.connect()
    #expect(try socket.receiveAll().isEmpty)
    socket.close()
    #expect(try server.stop() == .status(0))
  }

  @Test("a connection that waits too long for its next request is closed")
  func keepAlive() throws {
    let server = try server("--keep-alive-timeout", "0.2")
    let socket = try server.connect()
    try socket.send("GET / HTTP/1.1\r\nHost: h\r\n\r\n")
    #expect(try socket.receiveReply().status == 200)
    #expect(try socket.receiveAll().isEmpty)
    socket.close()
    #expect(try server.stop() == .status(0))
  }

  @Test("keep-alive timeout 0 closes after each response, and says so")
  func noKeepAlive() throws {
    let server = try server("--keep-alive-timeout", "0")
    let socket = try server.connect()
    try socket.send("GET / HTTP/1.1\r\nHost: h\r\n\r\n")
    #expect(try socket.receiveLastReply()["connection"] == "close")
    socket.close()
    #expect(try server.stop() == .status(0))
  }

  @Test("a client that takes nothing of its response is let go")
  func slowReader() throws {
    let server = try ServerProcess(
      app: try FixtureApp.path("conformance"), ["--http-socket", "DIR/h.sock", "--write-timeout", "0.2"])
    let socket = try server.connect()
    try socket.send("GET /big HTTP/1.1\r\nHost: h\r\n\r\n")
    // The server ends although this client has not taken its response: the end does not wait for it.
    #expect(try socket.receive(until: "\r\n\r\n").hasPrefix("HTTP/1.1 200"))
    let other = try server.connect()
    try other.send("GET /ok HTTP/1.1\r\nHost: h\r\n\r\n")
    #expect(try other.receiveReply().text == "ok")
    socket.close()
    #expect(try server.stop() == .status(0), "\(server.process.output)")
  }
}
