// What happens on one connection: over plain sockets, because no web server or curl would behave like this.
import Foundation
import Support
import Testing

@Suite struct ConnectionTests {
  private let options = ["--http-socket", "127.0.0.1:0"]
  private let request = "GET / HTTP/1.1\r\nHost: localhost\r\n\r\n"

  @Test("pipelined requests are answered in their order")
  func pipelining() throws {
    let server = try ServerProcess()
    let socket = try server.connect()
    let count = 50
    try socket.send((0..<count).map { "GET /\($0) HTTP/1.1\r\nHost: h\r\n\r\n" }.joined())
    for index in 0..<count { #expect(try EnvironReport(socket.receiveReply())["PATH_INFO"] == "/\(index)") }
    socket.close()
    #expect(try server.stop() == .status(0))
  }

  @Test("pipelined requests with bodies are not mixed up, however they are cut")
  func pipeliningWithBodies() throws {
    let server = try ServerProcess()
    let bodies = [3, 0, 70_000, 1, 5000].map { TestBody.bytes($0) }
    let stream = bodies.flatMap {
      Array("POST / HTTP/1.1\r\nHost: h\r\nContent-Length: \($0.count)\r\n\r\n".utf8) + $0
    }
    for piece in [1000, 8191, stream.count] {
      let socket = try server.connect()
      for start in stride(from: 0, to: stream.count, by: piece) {
        try socket.send(stream[start..<min(start + piece, stream.count)])
      }
      for body in bodies {
        let report = try EnvironReport(socket.receiveReply())
        #expect(report.bodyLength == body.count)
        #expect(report.bodyChecksum == TestBody.checksum(body))
      }
    }
    #expect(try server.stop() == .status(0))
  }

  @Test("a request that comes byte by byte is a request")
  func byteByByte() throws {
    let server = try ServerProcess(app: Repository.app("hello_world_app"))
    let socket = try server.connect()
    var off: Int32 = 1
    setsockopt(socket.descriptor, Int32(IPPROTO_TCP), TCP_NODELAY, &off, socklen_t(MemoryLayout<Int32>.size))
    for byte in request.utf8 { try socket.send([byte]) }
    #expect(try socket.receiveReply().text == "Hello World!\n")
    socket.close()
    #expect(try server.stop() == .status(0))
  }

  @Test("a client that sends no more still gets its answer")
  func halfClose() throws {
    let server = try ServerProcess()
    let socket = try server.connect()
    let body = TestBody.bytes(100_000)
    try socket.send("POST / HTTP/1.1\r\nHost: h\r\nContent-Length: \(body.count)\r\n\r\n".utf8 + body)
    socket.endSending()
    #expect(try EnvironReport(socket.receiveLastReply()).bodyChecksum == TestBody.checksum(body))
    socket.close()
    #expect(try server.stop() == .status(0))
  }

  @Test("a client that ends within its request is let go, and others are served")
  func endsInsideRequest() throws {
    let server = try ServerProcess(app: Repository.app("hello_world_app"))
    for part in ["GET / HT", "POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 10\r\n\r\nabc"] {
      let socket = try server.connect()
      try socket.send(part)
      socket.endSending()
      // Whether it is told 400 or nothing, the connection ends.
      _ = try socket.receiveAll()
    }
    let socket = try server.connect()
    try socket.send(request)
    #expect(try socket.receiveReply().text == "Hello World!\n")
    socket.close()
    #expect(try server.stop() == .status(0))
  }

  @Test(
    "a body that the app leaves unread does not spoil the connection", arguments: [10, 60_000, 3_000_000])
  func unreadBody(size: Int) throws {
    let server = try ServerProcess(app: try FixtureApp.path("conformance"))
    let socket = try server.connect()
    let body = TestBody.bytes(size)
    // The answer may come, and the connection end, before the last byte has been sent.
    try socket.send("POST /unread HTTP/1.1\r\nHost: h\r\nContent-Length: \(size)\r\n\r\n".utf8 + body)
    let reply = try socket.receiveReply()
    #expect(reply.text == "not read")
    if reply["connection"] != "close" {
      try socket.send("GET /ok HTTP/1.1\r\nHost: h\r\n\r\n")
      #expect(try socket.receiveReply().text == "ok")
    }
    socket.close()
    #expect(try server.stop() == .status(0))
  }

  @Test("an answer that refuses a body reaches a client that goes on sending it")
  func refusedBodyIsNotReset() throws {
    let server = try ServerProcess(options + ["--limit-post", "1000"])
    let socket = try server.connect()
    let body = TestBody.bytes(2_000_000)
    try socket.send("POST / HTTP/1.1\r\nHost: h\r\nContent-Length: \(body.count)\r\n\r\n".utf8 + body)
    #expect(try socket.receiveReply().status == 413)
    socket.close()
    #expect(try server.stop() == .status(0))
  }

  @Test("100 Continue is sent when the app wants the body, and only when it was asked for")
  func expectContinue() throws {
    let server = try ServerProcess()
    let socket = try server.connect()
    try socket.send("POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 3\r\nExpect: 100-continue\r\n\r\n")
    #expect(try socket.receiveReply().status == 100)
    try socket.send("abc")
    #expect(try EnvironReport(socket.receiveReply()).bodyLength == 3)
    try socket.send("POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 3\r\n\r\nabc")
    #expect(try socket.receiveReply().status == 200)
    socket.close()
    #expect(try server.stop() == .status(0))
  }

  @Test("a slow reader gets a large response whole")
  func slowReader() throws {
    let server = try ServerProcess(app: try FixtureApp.path("conformance"))
    let socket = try server.connect(receiveBuffer: 4096)
    try socket.send("GET /big HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n")
    let reply = try socket.receiveLastReply()
    #expect(reply.isComplete)
    #expect(reply.body.count == 48 * 65536)
    #expect(reply.body[65535] == UInt8(ascii: "a") && reply.body[65536] == UInt8(ascii: "b"))
    socket.close()
    #expect(try server.stop() == .status(0))
  }
}
