// PEP 3333, "Specification Details", "Buffering and Streaming", "Error Handling", file wrappers: each test is
// a sentence of it.
import Foundation
import Support
import Testing

@Suite struct BodyTests {
  @Test(
    "text blocks are a 500, and an error line says that they must be bytes",
    arguments: ["/text-blocks", "/bytearrays"])
  func textBlocks(path: String) throws {
    let output = try Python.run { (server) throws in
      let reply = try server.get(path)
      #expect(reply.status == 500)
      #expect(reply["Content-Type"]?.hasPrefix("text/plain") == true)
    }
    #expect(output.contains("must be bytes"))
  }

  @Test("an error without a traceback names the application, its file and the line")
  func places() throws {
    let folder = try TemporaryFolder()
    let file = try folder.write(
      """
      import functools
      def text(environ, start_response):
          start_response('200 OK', [])
          return [environ['PATH_INFO']]
      def generator(environ, start_response):
          start_response('200 OK', [])
          yield b''
          yield 'text'
      def nothing(environ, start_response):
          start_response('200 OK', [])
      def silent(environ, start_response):
          return [b'no head']
      class Called:
          def __call__(self, environ, start_response):
              return text(environ, start_response)
      class Made:
          def __init__(self, environ, start_response):
              start_response('200 OK', [])
          def __iter__(self):
              return iter(['text'])
      called, part = Called(), functools.partial(text)
      @functools.wraps(text)
      def wrapped(environ, start_response):
          return text(environ, start_response)

      """, to: "wrong.py")
    for (name, line, words) in [
      ("text", 2, "this one is str"), ("generator", 8, "this one is str"),
      ("nothing", 9, "returned NoneType"),
      ("silent", 11, "before start_response was called"), ("called", 14, "this one is str"),
      ("Made", 17, "this one is str"), ("part", 2, "this one is str"), ("wrapped", 2, "this one is str"),
    ] {
      let output = try Python.run("wrong:\(name)", ["--pp", folder.path]) { (server) throws in
        #expect(try server.get("/").status == 500)
      }
      let place = ": wrong:\(name), File \"\(file)\", line \(line)"
      let lines = output.split(separator: "\n").filter { $0.contains(words) && $0.contains(place) }
      #expect(lines.count == 1, "\(name): \(output)")
    }
  }

  @Test("a bare bytes result is sent whole, with one warning")
  func bare() throws {
    let output = try Python.run { (server) throws in
      for _ in 0..<3 {
        let reply = try server.get("/bare")
        #expect(reply.text == "bare body")
        #expect(reply["Content-Length"] == "9")
      }
    }
    #expect(output.components(separatedBy: "they are sent whole").count == 2)
  }

  @Test("each block is on its way before the next one is asked for")
  func noDelay() throws {
    try Python.run { (server) throws in
      let socket = try server.connect()
      try socket.send("GET /paced HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
      var head = try socket.receive(until: "\r\n\r\n")
      #expect(head.contains("chunked"))
      head = try socket.receive(until: "first \r\n")
      #expect(try server.get("/go").text == "gone", "a request beside one that waits")
      #expect(String(decoding: try socket.receiveAll(), as: UTF8.self).contains("second"))
    }
  }

  @Test(
    "what the socket does not take leaves while the application computes",
    arguments: GatewayRequest.gateways, ["700000", "700000-write"])
  func largeBlockLeaves(gateway: String, how: String) throws {
    // The buffer of a unix socket is far smaller than the block, the server's own is larger.
    let size = 700_000
    let server = try Python.serve(
      "pep3333", ["--http-socket", "DIR/http.sock", "--\(gateway)-socket", "DIR/slow.sock"])
    let slow = try RawSocket(.unix(path: server.folder.file("slow.sock")), receiveBuffer: 4096)
    try slow.send(GatewayRequest.bytes(gateway, "/paced-large?\(how)"))
    // The application has gone on, and the client has taken nothing yet.
    #expect(try server.get("/handed").text == "True")
    var count = 0
    while count < size {
      let some = try slow.receive()
      guard !some.isEmpty else { break }
      count += some.count { $0 == UInt8(ascii: "x") }
    }
    #expect(count >= size, "the whole block is here before the next one is asked for")
    #expect(try server.get("/go").text == "gone")
    let rest = String(decoding: try slow.receiveAll(), as: UTF8.self)
    #expect(rest.contains("end"), "\(rest.suffix(200))")
    #expect(try server.stop() == .status(0), "\(server.process.output)")
  }

  @Test("the block that completes a body leaves although the application is not done", arguments: ["1", "4"])
  func lastBlockLeaves(threads: String) throws {
    let server = try Python.serve("pep3333", ["--http-socket", "127.0.0.1:0", "--threads", threads])
    let gate = server.folder.file("gate")
    let socket = try server.connect()
    try socket.send("GET /closed-late?\(gate) HTTP/1.1\r\nHost: x\r\n\r\n")
    _ = try socket.receive(until: "\r\n\r\nwhole")
    try server.folder.write("", to: "gate")
    try Deadline.usual.wait(for: "close()", output: { server.process.output }) {
      try server.get("/closed-list").text.contains(gate) ? true : nil
    }
    #expect(try server.stop() == .status(0), "\(server.process.output)")
  }

  @Test("a body of one block has its length; of several in a list, theirs")
  func lengthOfOneBlock() throws {
    try Python.run { (server) throws in
      #expect(try server.get("/one-block")["Content-Length"] == "6")
      #expect(try server.get("/hello")["Content-Length"] == "13")
    }
  }

  @Test("never more than Content-Length; fewer cut the connection")
  func contentLength() throws {
    let output = try Python.run { (server) throws in
      let exact = try server.get("/lengths?6-2")
      #expect(exact.text == "abcabc" && exact.isComplete)
      let excess = try server.get("/lengths?4-9")
      #expect(excess.text == "abca" && excess.isComplete)
      let short = try server.get("/lengths?9-1")
      #expect(short.text == "abc" && !short.isComplete)
    }
    #expect(output.contains("wrote more than its Content-Length"))
    #expect(output.contains("wrote less than its Content-Length"))
  }

  @Test("HEAD has the head of GET and no body; 204 and 304 have none")
  func noBody() throws {
    try Python.run { (server) throws in
      let head = try server.get("/hello", method: "HEAD")
      #expect(head["Content-Length"] == "13")
      for path in ["/writes", "/in-next", "/one-block", "/file-of?plain", "/lengths?6-2"] {
        let socket = try server.connect()
        try socket.send("HEAD \(path) HTTP/1.1\r\nHost: x\r\n\r\nGET /hello HTTP/1.1\r\nHost: x\r\n\r\n")
        #expect(try socket.receiveReply(toHead: true).status == 200)
        #expect(try socket.receiveReply().text == "Hello World!\n", "after HEAD \(path)")
      }
      for code in [204, 304] {
        let reply = try server.get("/status?\(code)")
        #expect(reply.status == code)
        #expect(reply.body.isEmpty)
        #expect(reply["Transfer-Encoding"] == nil)
      }
      #expect(try server.get("/status?418").status == 418)
    }
  }

  @Test("an exception before the head is a 500 with its traceback in the log")
  func raises() throws {
    let output = try Python.run { (server) throws in
      let reply = try server.get("/raises")
      #expect(reply.status == 500)
      #expect(!reply.text.contains("Traceback"))
    }
    #expect(output.contains("GET /raises failed:"))
    #expect(output.contains("Traceback (most recent call last):"))
    #expect(output.contains("RuntimeError: b\u{f6}om"))
    #expect(!output.contains("<server>"), "the server's own frames are of no use to anybody")
  }

  @Test("with --catch-exceptions the client sees it")
  func catchExceptions() throws {
    try Python.run("pep3333", ["--catch-exceptions"]) { (server) throws in
      let reply = try server.get("/raises")
      #expect(reply.status == 500)
      #expect(reply.text.contains("Traceback"))
      #expect(reply.text.contains("b\u{f6}om"))
    }
  }

  @Test("an exception after the head cuts the connection")
  func raisesLate() throws {
    try Python.run { (server) throws in
      let reply = try server.get("/raises-late")
      #expect(reply.text == "sent")
      #expect(!reply.isComplete)
    }
  }

  @Test("close() is called once: at the end, on an exception, when the client leaves, after HEAD")
  func close() throws {
    let output = try Python.run { (server) throws in
      for how in ["normal", "raises", "raises-late", "text", "empty", "failing"] {
        _ = try? server.get("/closes?\(how)")
      }
      _ = try server.get("/closes?head", method: "HEAD")
      let socket = try server.connect()
      try socket.send("GET /closes?endless HTTP/1.1\r\nHost: x\r\n\r\n")
      _ = try socket.receive(until: "\r\n\r\n")
      socket.resetOnClose()
      socket.close()
      let wanted = ["normal", "raises", "raises-late", "text", "empty", "failing", "head", "endless"].sorted()
      let closed = try Deadline.usual.wait(for: "close() of the endless body") { () -> [String]? in
        let reply = try server.get("/closed-list")
        let list = try JSONSerialization.jsonObject(with: Data(reply.body)) as? [String] ?? []
        return list.contains("endless") ? list : nil
      }
      #expect(closed.sorted() == wanted)
    }
    #expect(output.contains("RuntimeError: close fails"))
  }

  @Test(
    "a file goes from its current position, and is closed",
    arguments: [("plain", 999_985), ("raw", 999_985), ("length", 30), ("bytesio", 100), ("wrapped", 999_985)])
  func fileWrapper(kind: String, size: Int) throws {
    try Python.run { (server) throws in
      let reply = try server.get("/file-of?\(kind)")
      #expect(reply.isComplete)
      #expect(reply.body.count == size)
      let first = kind == "bytesio" ? 0 : 15
      #expect(reply.body == (0..<size).map { UInt8(0x30 + (first + $0) % 10) })
      if kind == "plain" || kind == "raw" { #expect(reply["Content-Length"] == "\(size)", "by sendfile") }
      guard kind != "wrapped" else { return }
      // Closed when the call ends, which is after the last byte has left.
      try Deadline.usual.wait(for: "close()", output: { server.process.output }) {
        try server.get("/file-closed").text == "True" ? () : nil
      }
    }
  }

  @Test("a file of text is refused like any text")
  func textFile() throws {
    try Python.run { (server) throws in #expect(try server.get("/file-of?text").status == 500) }
  }
}
