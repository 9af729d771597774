// ASGI 3 over HTTP: what an application is called with, what it may send, and in which order. Much of it is
// what the applications in the tests of NGINX Unit and of granian ask for, asked anew.
import Foundation
import Support
import Testing

@Suite struct ASGITests {
  private func scope(_ reply: Reply) throws -> [String: Any] {
    let value = try JSONSerialization.jsonObject(with: Data(reply.body))
    return try #require(value as? [String: Any], "\(reply.text)")
  }

  @Test("the scope is that of the specification, over every protocol", arguments: GatewayRequest.gateways)
  func scopes(gateway: String) throws {
    try Python.run("asgi_app", ["--\(gateway)-socket", "127.0.0.1:0"]) { (server) throws in
      let scope = try scope(try server.ask(gateway, "/scope?a=%20b&c"))
      #expect(scope["type"] as? String == "http" && scope["method"] as? String == "GET")
      #expect(scope["asgi"] as? [String: String] == ["version": "3.0", "spec_version": "2.5"])
      #expect(scope["http_version"] as? String == "1.1" && scope["scheme"] as? String == "http")
      #expect(scope["path"] as? String == "/scope" && scope["root_path"] as? String == "")
      #expect(scope["raw_path"] as? String == "/scope" && scope["query_string"] as? String == "a=%20b&c")
      let client = try #require(scope["client"] as? [Any])
      #expect(client[0] as? String == (gateway == "http" ? "127.0.0.1" : "192.0.2.1") && client[1] is Int)
      #expect((scope["server"] as? [Any])?.count == 2)
      #expect(scope["pairs"] as? Bool == true && scope["state"] as? [String] == ["list", "made"])
      let types = try #require(scope["types"] as? [String: String])
      #expect(types["raw_path"] == "bytes" && types["query_string"] == "bytes" && types["headers"] == "list")
      #expect(types["state"] == "dict" && types["extensions"] == "dict")
    }
  }

  @Test("path and raw_path: percent signs, UTF-8, bytes that are none, an absolute target, a mount")
  func paths() throws {
    try Python.run("asgi_app", ["--mount", "/shop=asgi_app:application"]) { (server) throws in
      let encoded = try scope(try server.get("/scope/%C3%A9%2Fx%20y?q=%C3%A9"))
      #expect(encoded["path"] as? String == "/scope/é/x y")
      #expect(encoded["raw_path"] as? String == "/scope/%C3%A9%2Fx%20y")
      #expect(encoded["query_string"] as? String == "q=%C3%A9")
      #expect(try scope(try server.get("/scope/%ff"))["path"] as? String == "/scope/\u{fffd}")
      #expect(try scope(try server.get("http://localhost/scope/a"))["raw_path"] as? String == "/scope/a")
      let mounted = try scope(try server.get("/shop/scope"))
      #expect(mounted["root_path"] as? String == "/shop" && mounted["path"] as? String == "/shop/scope")
    }
  }

  @Test("headers keep their order and their bytes, in lower case; versions and methods")
  func requestHeaders() throws {
    try Python.run("asgi_app") { (server) throws in
      let socket = try server.connect()
      var head = Array("GET /scope HTTP/1.0\r\nHost: x\r\nX-B: 1\r\nX-a: 2\r\nX-B: ".utf8)
      head += [0x63, 0xe9] + Array("\r\nCookie: a=b\r\n\r\n".utf8)
      try socket.send(head)
      let scope = try scope(try socket.receiveReply())
      let pairs = try #require(scope["headers"] as? [[String]])
      #expect(
        pairs == [["host", "x"], ["x-b", "1"], ["x-a", "2"], ["x-b", "c\u{e9}"], ["cookie", "a=b"]])
      #expect(scope["http_version"] as? String == "1.0")
      #expect(try self.scope(try server.get("/scope", method: "DELETE"))["method"] as? String == "DELETE")
      let made = try server.get("/headers")
      #expect(made.status == 201 && made.text == "made", "\(made)")
      let fields = made.fields.filter { $0.name.lowercased().hasPrefix("x-") || $0.name == "Set-Cookie" }
      #expect(fields.map(\.value).prefix(2) == ["1", "2"], "\(made)")
      #expect(made["Transfer-Encoding"] == nil && made["Content-Length"] == "4")
    }
  }

  @Test("server is the socket's own address, whatever the client calls it; on a unix socket its path")
  func servers() throws {
    let sockets = ["--http-socket", "127.0.0.1:0", "--http-socket", "DIR/s.sock"]
    try Python.run("asgi_app", sockets) { (server) throws in
      let port = Int(try server.address("http").port)
      let socket = try server.connect()
      try socket.send("GET /scope HTTP/1.1\r\nHost: example.test:1\r\n\r\n")
      let own = try #require(try scope(try socket.receiveReply())["server"] as? [Any])
      #expect(own[0] as? String == "127.0.0.1" && own[1] as? Int == port, "\(own)")
      let other = try scope(try RawSocket(try server.address("http", 1)).ask("/scope"))
      let pair = try #require(other["server"] as? [Any])
      #expect((pair[0] as? String)?.hasSuffix("/s.sock") == true && pair[1] is NSNull, "\(pair)")
      #expect(other["client"] is NSNull)
      let stream = try HTTP2Client(try server.connect()).exchange("/scope")
      let value = try JSONSerialization.jsonObject(with: Data(stream.body))
      let seen = try #require(value as? [String: Any], "\(stream.text)")
      #expect(seen["http_version"] as? String == "2" && seen["scheme"] as? String == "http")
      #expect((seen["server"] as? [Any])?[1] as? Int == port)
      #expect((seen["headers"] as? [[String]])?.first?.first == "host")
    }
  }

  @Test("bodies in pieces come and go, over every protocol", arguments: GatewayRequest.gateways)
  func bodies(gateway: String) throws {
    try Python.run("asgi_app", ["--\(gateway)-socket", "127.0.0.1:0"]) { (server) throws in
      for size in [1, 5_000, 900_000] {
        let body = TestBody.bytes(size)
        // Over HTTP the answer has no length, and comes in chunks.
        let reply =
          gateway == "http"
          ? try server.post("/mirror", body)
          : try server.connect(gateway).exchange(gateway, "/mirror", body: body)
        #expect(reply.status == 200 && reply.body == body, "\(size)")
      }
      #expect(try server.ask(gateway, "/stream").text == "0\n1\n2\n3\n4\n")
      #expect(try server.ask(gateway, "/large").body == [UInt8](repeating: 0x79, count: 3_000_000))
    }
  }

  @Test("chunked requests, 100-continue, HEAD, keep-alive and pipelines")
  func framings() throws {
    try Python.run("asgi_app") { (server) throws in
      let body = TestBody.bytes(300_000)
      let url = try server.url
      let chunked = ["-H", "Transfer-Encoding: chunked", "-H", "Expect: 100-continue"]
      #expect(try Curl.post(url + "/mirror", body, chunked).body == body)
      #expect(try Curl.post(url + "/count", body).text == "300000 True")
      #expect(try server.get("/count").text == "0 False")
      let head = try server.get("/large", method: "HEAD")
      #expect(head["Content-Length"] == "3000000" && head.body.isEmpty)
      let socket = try server.connect()
      for _ in 0..<3 {
        try socket.send("GET / HTTP/1.1\r\nHost: x\r\n\r\nGET /stream HTTP/1.1\r\nHost: x\r\n\r\n")
        #expect(try socket.receiveReply().text == "hello from ASGI\n")
        #expect(try socket.receiveReply().text == "0\n1\n2\n3\n4\n")
      }
    }
  }

  @Test("http.response.pathsend sends a file whole, small and large")
  func files() throws {
    let folder = try TemporaryFolder()
    let bytes = TestBody.bytes(5_000_000)
    try Data(bytes).write(to: URL(fileURLWithPath: folder.file("large")))
    try Python.run("asgi_app") { (server) throws in
      let reply = try server.get("/file?\(folder.file("large"))")
      #expect(reply.body == bytes && reply["X-Offered"] == "yes")
      // A client that takes its time holds nobody up.
      let slow = try server.connect(receiveBuffer: 4096)
      try slow.send(GatewayRequest.bytes("http", "/file?\(folder.file("large"))"))
      _ = try slow.receive(until: "\r\n\r\n")
      #expect(try server.get("/").text == "hello from ASGI\n")
      #expect(try slow.receiveAll() == bytes)
      #expect(try server.get("/file?/etc/hostname").status == 200)
    }
  }

  @Test(
    "http.response.pathsend sends what files of /proc and /sys read as", arguments: GatewayRequest.gateways)
  func unsizedFiles(gateway: String) throws {
    let server = try Python.serve("asgi_app", ["--\(gateway)-socket", "127.0.0.1:0"])
    for path in ["/proc/version", "/proc/filesystems", "/sys/kernel/mm/transparent_hugepage/enabled"] {
      let reply = try server.ask(gateway, "/file?\(path)")
      let wanted = try String(contentsOfFile: path, encoding: .utf8)
      #expect(reply.text == wanted && reply.isComplete, "\(path): \(reply)")
    }
    #expect(try server.stop() == .status(0), "\(server.process.output)")
  }

  @Test("exceptions are a page and a traceback; in the middle the answer is cut; behind the end it stands")
  func failures() throws {
    let output = try Python.run("asgi_app") { (server) throws in
      let page = try server.get("/fail")
      #expect(page.status == 500 && !page.text.contains("KeyError"))
      let cut = try server.get("/fail_late")
      #expect(!cut.isComplete && cut.text == "half", "\(cut)")
      #expect(try server.get("/fail_after").text == "whole")
      #expect(try server.get("/leave").status == 500)
      #expect(try server.get("/").status == 200)
    }
    #expect(output.contains("GET /fail failed:") && output.contains("in fail"), "\(output)")
    #expect(output.contains("KeyError: 'it fails in the middle'"), "\(output)")
    #expect(output.contains("GET /fail_after failed after its response:"), "\(output)")
    #expect(!output.contains("<server>/exchange.py"), "no frames of the server: \(output)")
    try Python.run("asgi_app", ["--catch-exceptions"]) { (server) throws in
      #expect(try server.get("/fail").text.contains("KeyError: 'the application fails'"))
    }
  }

  /// Paths of applications that are at fault, and a sentence of the log.
  static let faults = [
    ("silent", "the application returned without a response: asgi_app:application, File "),
    ("half", "the application returned before the body of its response: asgi_app:application"),
    ("body_first", "expected the ASGI message 'http.response.start', but got 'http.response.body'"),
    ("start_twice", "expected the ASGI message 'http.response.body', but got 'http.response.start'"),
    ("bad_status", "the status of 'http.response.start' is a number from 200 to 599, not '200 OK'"),
    ("bad_header", "the headers of 'http.response.start' are pairs of bytes"),
    ("bad_value", "a field value holds a control character"),
    ("no_status", "the status of 'http.response.start' is a number from 200 to 599, not None"),
    ("bad_name", "a field name is not a token"),
    ("bad_path", "the path of 'http.response.pathsend' is an absolute one, not 'etc/hostname'"),
    ("no_path", "FileNotFoundError"),
    ("too_long", "Content-Length is not one number, or not that of the body's bytes"),
    ("too_short", "Content-Length is not one number, or not that of the body's bytes"),
    ("bad_body", "the body of 'http.response.body' is bytes, not str"),
  ]

  @Test("a body that is longer or shorter than its head says, or has no place, is never another answer's")
  func lengths() throws {
    let output = try Python.run("asgi_app") { (server) throws in
      for (path, text, isComplete) in [
        ("grows", "ab", true), ("shrinks", "abcd", false), ("fits", "ababcd", true), ("views", "acxy", true),
      ] {
        let reply = try server.get("/\(path)")
        #expect(reply.status == 200 && reply.text == text, "\(path): \(reply)")
        #expect(reply.isComplete == isComplete, "\(path)")
      }
      let socket = try server.connect()
      for (path, status) in [("none", 204), ("none_in_pieces", 204), ("unchanged", 304)] {
        try socket.send("GET /\(path) HTTP/1.1\r\nHost: x\r\n\r\n")
        #expect(try socket.receiveReply().status == status, "\(path)")
      }
      for path in ["stream", "views", "mirror"] {
        try socket.send("HEAD /\(path) HTTP/1.1\r\nHost: x\r\n\r\n")
        #expect(try socket.receiveReply(toHead: true).status == 200, "\(path)")
      }
      #expect(try socket.ask("/").text == "hello from ASGI\n")
      #expect(try server.get("/polls").text == "0")
    }
    #expect(output.contains("goes beyond the Content-Length"), "\(output)")
  }

  @Test("an application that keeps to no order is a 500 and one sentence", arguments: faults)
  func fault(path: String, sentence: String) throws {
    let output = try Python.run("asgi_app") { (server) throws in
      #expect(try server.get("/\(path)").status == 500)
      #expect(try server.get("/").status == 200)
    }
    #expect(output.contains(sentence), "\(output)")
  }

  @Test("after the end of a response a message is refused, and receive() says http.disconnect")
  func afterTheEnd() throws {
    try Python.run("asgi_app") { (server) throws in
      #expect(try server.get("/after_end").text == "whole")
      #expect(try server.get("/background").text == "answered")
      let told = try Deadline.usual.wait(for: "the background task") { () -> String? in
        let told = try server.get("/told").text
        return told.contains("http.disconnect") ? told : nil
      }
      #expect(told.contains("after the end: unexpected ASGI message 'http.response.body'"), "\(told)")
      #expect(told.contains("background: done"), "\(told)")
    }
  }

  @Test(
    "tasks, context variables, groups, timeouts, threads and processes are asyncio's own",
    arguments: ["asyncio", "auto", "uvloop"])
  func tasks(loop: String) throws {
    let home = "\(Repository.root)/.build/frameworks"
    let options = ["--asgi-loop", loop] + (loop != "asyncio" ? ["-H", home] : [])
    try Python.run("asgi_app", options) { (server) throws in
      for round in 0..<3 {
        let found = try server.object("/tasks?\(round)")
        for name in ["current", "loop", "same_thread", "still", "timeout"] {
          #expect(found[name] as? Bool == true, "\(name): \(found)")
        }
        #expect(found["context"] as? [String] == ["none", "\(round)", "\(round)"])
        #expect(found["thread"] as? String == "worked" && found["process"] as? String == "child")
        #expect(found["loop_type"] as? String == (loop == "uvloop" ? "uvloop" : "asyncio"))
      }
    }
  }

  @Test("so it is with every Python that is here", arguments: Interpreter.others)
  func interpreters(python: Interpreter) throws {
    try Python.run("asgi_app", python.options) { (server) throws in
      #expect(try server.object("/tasks?w")["context"] as? [String] == ["none", "w", "w"])
      let body = TestBody.bytes(200_000)
      #expect(try server.post("/mirror", body).body == body)
      #expect(try server.get("/stream").text == "0\n1\n2\n3\n4\n")
      #expect(try server.get("/fail").status == 500)
    }
  }

  @Test("WSGI and ASGI side by side, and a CGI program")
  func sideBySide() throws {
    let mounts = ["--mount", "/wsgi=hello_world_app:application", "--mount", "/other=asgi_targets:instance"]
    try Python.run("asgi_app", mounts) { (server) throws in
      #expect(try server.get("/wsgi").text == "Hello World!\n")
      #expect(try server.get("/other").text == "instance")
      #expect(try server.get("/").text == "hello from ASGI\n")
    }
    let variables = [
      "GATEWAY_INTERFACE": "CGI/1.1", "REQUEST_METHOD": "GET", "SCRIPT_NAME": "/cgi", "PATH_INFO": "/scope",
      "SERVER_PROTOCOL": "HTTP/1.1", "SERVER_NAME": "localhost", "SERVER_PORT": "80", "QUERY_STRING": "",
    ]
    let (exit, output) = try ServerProcess.run(
      ["--cgi", "-L", "--pythonpath", Python.folder, "-w", "asgi_app"], environment: variables)
    #expect(exit == .status(0) && output.contains("\"root_path\": \"/cgi\""), "\(output)")
    #expect(output.contains("\"path\": \"/cgi/scope\""), "\(output)")
  }
}
