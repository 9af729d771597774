// PEP 3333, "environ Variables", "Input and Error Streams": each test is a sentence of it.
import Foundation
import Support
import Testing

@Suite struct EnvironTests {
  @Test("environ is a builtin dict whose CGI values are native strings")
  func builtinDict() throws {
    try Python.run { (server) throws in
      let environ = try server.object("/environ?a=b%20c")
      #expect(environ["type"] as? String == "dict")
      #expect(environ["types"] as? [String] == ["str"])
      for name in ["REQUEST_METHOD", "SERVER_NAME", "SERVER_PORT", "SERVER_PROTOCOL"] {
        #expect((environ[name] as? String)?.isEmpty == false, "\(name)")
      }
      #expect(environ["SCRIPT_NAME"] as? String == "")
      #expect(environ["QUERY_STRING"] as? String == "a=b%20c")
      #expect(environ["version is a tuple"] as? Bool == true)
      #expect(environ["wsgi.url_scheme"] as? String == "http")
      #expect(environ["nsgi.version"] as? String != nil)
      for name in ["HTTP_CONTENT_TYPE", "HTTP_CONTENT_LENGTH", "CONTENT_LENGTH", "CONTENT_TYPE"] {
        #expect(environ[name] == nil, "\(name) of a request without a body")
      }
    }
  }

  @Test(
    "the server's own objects are its own, whatever a front end names",
    arguments: ["scgi", "uwsgi", "fastcgi"])
  func ownObjects(gateway: String) throws {
    try Python.run("pep3333", ["--\(gateway)-socket", "127.0.0.1:0"]) { (server) throws in
      let forged = [
        "wsgi.url_scheme", "wsgi.input", "wsgi.errors", "wsgi.version", "wsgi.file_wrapper", "nsgi.version",
        "wsgi.multithread",
      ]
      let variables = [(name: "REQUEST_METHOD", value: "GET"), (name: "PATH_INFO", value: "/environ")]
      let socket = try server.connect(gateway)
      try socket.send(
        GatewayRequest.bytes(gateway, variables: variables + forged.map { (name: $0, value: "forged") }))
      let reply = try GatewayRequest.reply(gateway, try socket.receiveAll())
      #expect(reply.status == 200 && !reply.text.contains("forged"), "\(reply.text)")
      let object = try JSONSerialization.jsonObject(with: Data(reply.body))
      let environ = try #require(object as? [String: Any])
      #expect(environ["wsgi.url_scheme"] as? String == "http")
      #expect(environ["version is a tuple"] as? Bool == true)
    }
  }

  @Test("each request has a fresh environ, which the application may modify in any way")
  func freshForEachRequest() throws {
    try Python.run { (server) throws in
      let socket = try server.connect()
      for _ in 0..<4 {
        try socket.send("GET /fresh HTTP/1.1\r\nHost: localhost\r\n\r\n")
        #expect(try socket.receiveReply().text == "fresh")
      }
    }
  }

  @Test("what repeats is reused, and what differs is not")
  func valuesFollowTheRequest() throws {
    try Python.run { (server) throws in
      let socket = try server.connect()
      for index in 0..<200 {
        // Names of one length and last letter, so that templates of their shape meet.
        let name = ["X-Aa", "X-Ba", "X-Ca"][index % 3]
        let value = String(repeating: "v", count: index % 40) + "\(index % 7)"
        try socket.send("GET /environ?\(index) HTTP/1.1\r\nHost: h\(index % 5)\r\n\(name): \(value)\r\n\r\n")
        let reply = try socket.receiveReply()
        let environ = try #require(
          try JSONSerialization.jsonObject(with: Data(reply.body)) as? [String: Any])
        let key = "HTTP_" + name.uppercased().replacingOccurrences(of: "-", with: "_")
        #expect(environ[key] as? String == value)
        #expect(environ["HTTP_HOST"] as? String == "h\(index % 5)")
        #expect(environ["QUERY_STRING"] as? String == "\(index)")
        #expect(environ.keys.count { $0.hasPrefix("HTTP_X_") } == 1)
      }
    }
  }

  @Test("an environ that the application keeps stays as it is")
  func kept() throws {
    try Python.run { (server) throws in
      let socket = try server.connect()
      var queries: [String] = []
      for index in 0..<6 {
        queries.append("q\(index / 2)")
        try socket.send("GET /keeps?\(queries.last!) HTTP/1.1\r\nHost: localhost\r\n\r\n")
        #expect(try socket.receiveReply().text == queries.joined(separator: " "))
      }
    }
  }

  @Test("an environ that comes back late does not bring its values to a later request")
  func late() throws {
    try Python.run { (server) throws in
      let slow = try server.connect()
      try slow.send("GET /paced?old HTTP/1.1\r\nHost: localhost\r\n\r\n")
      _ = try slow.receive(until: "first \r\n")
      let other = try server.connect()
      func query(_ socket: RawSocket, _ value: String) throws -> String? {
        try socket.send("GET /environ?\(value) HTTP/1.1\r\nHost: localhost\r\n\r\n")
        let object = try JSONSerialization.jsonObject(with: Data(try socket.receiveReply().body))
        return (object as? [String: Any])?["QUERY_STRING"] as? String
      }
      for value in ["a", "b"] { #expect(try query(other, value) == value) }
      try other.send("GET /go?b HTTP/1.1\r\nHost: localhost\r\n\r\n")
      #expect(try other.receiveReply().text == "gone")
      _ = try slow.receive(until: "0\r\n\r\n")
      for value in ["b", "c", "c", "old", "a"] {
        #expect(try query(slow, value) == value)
        #expect(try query(other, value) == value)
      }
    }
  }

  @Test("strings hold bytes as latin-1, and the path is percent-decoded")
  func latin1() throws {
    try Python.run { (server) throws in
      let socket = try server.connect()
      // What has been decoded is no path of the table any more: the answer is that of an unknown one.
      try socket.send("GET /%65nviron?%C3%A4 HTTP/1.1\r\nHost: localhost\r\nX-Name: \u{e4}\r\n\r\n")
      let reply = try socket.receiveReply()
      let environ = try #require(try JSONSerialization.jsonObject(with: Data(reply.body)) as? [String: Any])
      #expect(environ["PATH_INFO"] as? String == "/environ")
      #expect(environ["QUERY_STRING"] as? String == "%C3%A4")
      #expect(environ["HTTP_X_NAME"] as? String == "\u{c3}\u{a4}", "two bytes, two characters")
    }
  }

  @Test("multithread, multiprocess and run_once say how it is", arguments: [1, 4], [1, 2])
  func truthfulFlags(threads: Int, processes: Int) throws {
    try Python.run("pep3333", ["--threads", "\(threads)", "-M", "-p", "\(processes)"]) { (server) throws in
      let facts = try server.object("/facts")
      #expect(facts["multithread"] as? Bool == (threads > 1))
      #expect(facts["multiprocess"] as? Bool == (processes > 1))
      #expect(facts["run_once"] as? Bool == false)
    }
  }

  @Test("read, readline, readlines and iteration honour their sizes, and the end is b'' for ever")
  func input() throws {
    try Python.run { (server) throws in
      let reply = try server.post("/reads", Array("abcdefg\nhij\nkl\nmn\nop\nqr".utf8))
      let sized = "b'', b'ab', b'cde', b'fg\\n', b'hij\\n', [b'kl\\n'], b'mn\\n'"
      #expect(reply.text == "[\(sized), [b'op\\n', b'qr'], b'', b'', b'', []]")
    }
  }

  @Test("a body of any size arrives whole", arguments: [0, 1, 4096, 70_000, 3_000_000])
  func bodies(size: Int) throws {
    try Python.run { (server) throws in
      let body = TestBody.bytes(size)
      #expect(try server.post("/echo", body).body == body)
    }
  }

  @Test("a body in chunks has an end and a length")
  func chunked() throws {
    try Python.run { (server) throws in
      let socket = try server.connect()
      try socket.send(
        "POST /echo HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n"
          + "3\r\nabc\r\n4\r\ndefg\r\n0\r\n\r\n"
      )
      let reply = try socket.receiveReply()
      #expect(reply.text == "abcdefg")
      #expect(reply["X-Length"] == "7")
      #expect(reply["X-Terminated"] == "True")
    }
  }

  @Test("Expect: 100-continue is answered, so that the body comes")
  func expectContinue() throws {
    try Python.run { (server) throws in
      let reply = try Curl.post(
        try server.url + "/echo", TestBody.bytes(5000),
        ["-H", "Expect: 100-continue", "--expect100-timeout", "30"])
      #expect(reply.body == TestBody.bytes(5000))
    }
  }

  @Test("what a request leaves behind is dead after it")
  func deadAfterTheRequest() throws {
    try Python.run { (server) throws in
      #expect(try server.get("/after-the-end").text == "")
      // The input of a request without a body holds nothing that could be gone.
      let rest = " AssertionError AssertionError"
      #expect(try server.get("/after-the-end").text == "allowed" + rest)
      #expect(try server.post("/after-the-end", [1]).text == "allowed" + rest)
      #expect(try server.get("/after-the-end").text == "ValueError" + rest)
    }
  }

  @Test("wsgi.errors takes any text, and lines reach the log; so do prints, logging and warnings")
  func errors() throws {
    let output = try Python.run { (server) throws in #expect(try server.get("/errors").text == "ok") }
    for line in [
      "error: half a line", "error: snow \u{2603}", "error: surrogate \\udc80", "error: no newline",
      "info: printed", "warning: logged", "UserWarning: warned",
    ] { #expect(output.contains(line), "\(line) in:\n\(output)") }
  }
}
