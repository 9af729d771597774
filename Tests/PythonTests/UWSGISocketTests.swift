// WebSockets of WSGI applications by uWSGI's functions: `uwsgi.websocket_*`.
import Foundation
import Support
import Testing

@Suite struct UWSGISocketTests {
  private struct Site {
    let folder: TemporaryFolder
    let server: ServerProcess
    let address: Support.Address
    var log: String { server.process.output }

    /// With one thread for requests: sockets have threads of their own.
    ///
    /// - Parameter word: the configuration's word for that.
    init(
      _ lines: String = "", _ options: [String] = [], word: String = "http-websockets = true"
    ) throws {
      folder = try TemporaryFolder()
      try folder.write(
        """
        [uwsgi]
        pythonpath = \(Python.folder)
        module = uwsgi_sockets
        master = true
        processes = 1
        threads = 1
        disable-logging = true
        \(word)
        \(lines)
        """ + "\n", to: "app.ini")
      server = try ServerProcess(
        app: nil, ["--ini", folder.file("app.ini"), "--http-socket", "127.0.0.1:0"] + options)
      address = try server.address("http")
    }

    func join(_ path: String, fields: String = "") throws -> WebSocketClient {
      try WebSocketClient(address, path, fields: fields)
    }

    /// What a request for a WebSocket is answered with in place of one.
    func ask(_ path: String, _ fields: String = WebSocketClient.fields) throws -> Reply {
      let socket = try server.connect()
      try socket.send("GET \(path) HTTP/1.1\r\n\(fields)\r\n")
      return try socket.receiveReply()
    }
  }

  @Test(
    "messages go both ways, of both kinds and many sockets at once, and requests go on",
    arguments: [["--embed"], [], ["--lazy-apps"]])
  func messages(options: [String]) throws {
    let site = try Site("", options)
    var clients: [WebSocketClient] = []
    for _ in 0..<20 { clients.append(try site.join("/text")) }
    #expect(try site.server.get("/plain").text == "plain")
    for (number, client) in clients.enumerated() {
      try client.send("ü \(number)")
      try client.send(Array("bytes".utf8))
    }
    for (number, client) in clients.enumerated() {
      #expect(try client.next() == .text("ü \(number)") && client.next() == .text("bytes"))
    }
    let binary = try site.join("/binary", fields: "Sec-WebSocket-Protocol: chat\r\n")
    #expect(binary.head.contains("Sec-WebSocket-Protocol: chat\r\n"))
    for count in [0, 1, 70_000, 1_000_000] {
      let bytes = TestBody.bytes(count)
      try binary.send(bytes)
      #expect(try binary.next() == .binary(bytes), "\(count)")
    }
    // More than wait for an application: the client waits, and nothing is lost.
    for number in 0..<500 { try binary.send(Array("\(number)".utf8)) }
    for number in 0..<500 { #expect(try binary.next() == .binary(Array("\(number)".utf8))) }
    let look = try site.join("/look")
    #expect(try look.next() == .text("nothing"))
    try look.send("x")
    #expect(try look.next() == .text("found x"))
    for client in clients + [binary, look] { try client.close(1000) }
    #expect(try clients[0].next() == .close(1000, "") && clients[0].next() == .end)
    #expect(try site.server.get("/plain").text == "plain")
    #expect(try site.server.stop() == .status(0), "\(site.log)")
    #expect(!site.log.contains("Traceback") && !site.log.contains(" failed:"), "\(site.log)")
  }

  @Test("a client that reads slowly is waited for")
  func slow() throws {
    let site = try Site("websocket-queue = 65536")
    let client = try site.join("/flood")
    #expect(try site.server.get("/plain").text == "plain")
    for number in 0..<200 {
      #expect(try client.next() == .binary(Array(repeating: UInt8(number), count: 65536)))
    }
    #expect(try client.next() == .text("all is said"))
    #expect(try site.server.stop() == .status(0), "\(site.log)")
  }

  @Test("the end: of the application, of its client, and of the server")
  func ends() throws {
    let site = try Site()
    #expect(try site.join("/returns").next() == .close(1000, ""))
    let raises = try site.join("/raises")
    #expect(try raises.next() == .text("soon") && raises.next() == .close(1011, ""))
    _ = try site.server.process.waitForOutput("the traceback") {
      $0.contains("WebSocket GET /raises failed:") && $0.contains("behind the handshake") ? true : nil
    }
    // One that goes without a word, and one that is there at the end.
    try site.join("/text").socket.close()
    let last = try site.join("/text")
    try last.send("here")
    #expect(try last.next() == .text("here"))
    site.server.process.send(SIGTERM)
    #expect(try last.next() == .close(1001, ""))
    try last.close(1001)
    #expect(try site.server.process.wait() == .status(0), "\(site.log)")
    #expect(site.log.components(separatedBy: "Traceback").count == 2, "\(site.log)")
  }

  @Test("what is no WebSocket is told, and what is refused is answered")
  func refused() throws {
    let site = try Site("websocket-max = 2")
    #expect(try site.server.get("/unasked").text.contains("this request asks for no WebSocket"))
    #expect(try site.server.get("/early").text.contains("call uwsgi.websocket_handshake() first"))
    let refused = try site.ask("/refuse")
    #expect(refused.status == 403 && refused.text == "not you")
    #expect(try site.ask("/plain").text == "plain")
    #expect(try site.ask("/fails").status == 500)
    let clients = [try site.join("/text"), try site.join("/text")]
    #expect(try site.ask("/text").status == 503)
    #expect(try site.ask("/plain").status == 503, "no thread is begun for any application")
    for client in clients {
      try client.send("still")
      #expect(try client.next() == .text("still"))
    }
    let socket = try site.server.connect()
    let fields = WebSocketClient.fields.replacingOccurrences(of: "Version: 13", with: "Version: 8")
    try socket.send("GET /text HTTP/1.1\r\n\(fields)\r\n")
    #expect(try socket.receiveReply().status == 426)
    #expect(try site.server.stop() == .status(0), "\(site.log)")
  }

  @Test("only a good handshake is a call of its own thread", arguments: ["epoll", "auto"])
  func badHandshakes(io: String) throws {
    let site = try Site("websocket-origin = self", ["--io", io])
    let good = WebSocketClient.fields
    #expect(try site.ask("/thread").text == "another")
    for (old, new) in [
      ("Version: 13", "Version: 8"), ("Connection: Upgrade", "Connection: close"),
      ("Sec-WebSocket-Key: ", "Sec-WebSocket-Key: x"), ("Upgrade: websocket", "Upgrade: h2c"),
      ("Host:", "Origin: https://elsewhere.example\r\nHost:"),
      ("Host:", "Content-Length: 1\r\nHost:"),
    ] {
      let bad = good.replacingOccurrences(of: old, with: new)
      #expect(bad != good, "\(old)")
      let body = new.hasPrefix("Content-Length") ? "x" : ""
      let socket = try site.server.connect()
      try socket.send("GET /thread HTTP/1.1\r\n\(bad)\r\n\(body)")
      #expect(try socket.receiveReply().text == "the importing one", "\(new)")
    }
    // Whatever the application does about it: it has been answered.
    let old = good.replacingOccurrences(of: "Version: 13", with: "Version: 8")
    for path in ["/text", "/caught", "/yields"] { #expect(try site.ask(path, old).status == 426, "\(path)") }
    #expect(try site.server.get("/plain").text == "plain")
    #expect(try site.server.stop() == .status(0), "\(site.log)")
    #expect(!site.log.contains("Traceback"), "\(site.log)")
  }

  @Test(
    "with one thread, and no word of WebSockets, it makes all calls", arguments: ["epoll", "auto"])
  func oneThread(io: String) throws {
    let site = try Site("", ["--io", io], word: "")
    #expect(try site.ask("/thread").text == "the importing one")
    #expect(try site.ask("/multithread").text == "False")
    let reply = try site.ask("/unasked")
    #expect(reply.text.contains("write http-websockets = true"), "\(reply.text)")
    #expect(try site.server.stop() == .status(0), "\(site.log)")
    let more = try Site("", ["--io", io, "--threads", "2"], word: "")
    let client = try more.join("/text")
    try client.send("here")
    #expect(try client.next() == .text("here"))
    #expect(try more.server.stop() == .status(0), "\(more.log)")
  }

  @Test(
    "a copy that the call of a socket makes ends with it, and has no socket", arguments: ["epoll", "auto"])
  func copies(io: String) throws {
    let site = try Site("", ["--io", io])
    for (how, status) in [("return", 0), ("exit3", 3), ("raise", 1), ("receive", 1), ("send", 1)] {
      let client = try site.join("/fork/\(how)")
      #expect(try client.next() == .text("\(status)"), "\(how): \(site.log)")
      try client.send("still")
      #expect(try client.next() == .text("still"))
    }
    #expect(try site.ask("/fork_before").text == "0", "\(site.log)")
    #expect(try site.server.stop() == .status(0), "\(site.log)")
  }

  @Test("of a generator the blocks behind the handshake go nowhere, and its end is a good one")
  func generators() throws {
    let site = try Site()
    #expect(try site.join("/yields").next() == .close(1000, ""))
    #expect(try site.join("/late_head").next() == .close(1000, ""))
    for kind in ["bytes", "text"] {
      let client = try site.join("/streams/\(kind)")
      #expect(try client.next() == .text("said"))
      try client.send("here")
      #expect(try client.next() == .text("here"))
      try client.close(1000)
      #expect(try client.next() == .close(1000, ""))
    }
    let words = [
      "WebSocket GET /streams/text failed:", "this one is str", "uwsgi_sockets:application, File ",
    ]
    _ = try site.server.process.waitForOutput("the mistake of the second one") { output in
      words.allSatisfy { output.contains($0) } ? true : nil
    }
    #expect(try site.ask("/plain").text == "plain")
    #expect(try site.server.stop() == .status(0), "\(site.log)")
    #expect(site.log.components(separatedBy: " failed:").count == 2, "\(site.log)")
  }

  @Test("messages keep their order behind a reader that is never without one")
  func behind() throws {
    let site = try Site()
    let client = try site.join("/slowly")
    for number in 0..<2000 { try client.send(Array("\(number)".utf8)) }
    for number in 0..<2000 { #expect(try client.next() == .text("\(number)")) }
    #expect(try site.server.stop() == .status(0), "\(site.log)")
  }

  @Test("a reload closes sockets of the old version with 1012, and the new one has those that come")
  func reload() throws {
    let site = try Site()
    let old = try site.join("/text")
    try old.send("here")
    #expect(try old.next() == .text("here"))
    site.server.process.send(SIGHUP)
    #expect(try old.next() == .close(1012, ""))
    try old.close(1012)
    let new = try site.join("/text")
    try new.send("there")
    #expect(try new.next() == .text("there"))
    #expect(try site.server.stop() == .status(0), "\(site.log)")
  }
}
