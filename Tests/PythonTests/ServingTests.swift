// The command line as uWSGI's users have it by heart, every protocol, and how a server with Python starts and
// ends.
import Foundation
import Support
import Testing

@Suite struct ServingTests {
  @Test(
    "uWSGI's command with the program's name changed, over every kind of socket",
    arguments: ["http", "scgi", "uwsgi", "fastcgi"], ["127.0.0.1:0", "[::1]:0", "DIR/s.sock", "@"])
  func commands(gateway: String, place: String) throws {
    let address = place == "@" ? "@nsgi-\(getpid())-\(UInt32.random(in: 0...(.max)))" : place
    let server = try ServerProcess(
      app: nil,
      ["-L", "--\(gateway)-socket", address, "--plugin", "python3", "--pythonpath", Python.folder]
        + ["-w", "hello_world_app"])
    for _ in 0..<3 {
      let reply = try server.connect(gateway).exchange(gateway, "/")
      #expect(reply.status == 200)
      #expect(reply.text == "Hello World!\n")
      #expect(reply["Content-Type"] == "text/plain")
    }
    #expect(try server.stop() == .status(0), "\(server.process.output)")
  }

  @Test("wsgiref.validate finds nothing, over every protocol", arguments: GatewayRequest.gateways)
  func validates(gateway: String) throws {
    try Self.validate(gateway, [])
  }

  /// The same with any Python, which `options` name.
  static func validate(_ gateway: String, _ options: [String]) throws {
    let server = try Python.serve("pep3333:checked", ["--\(gateway)-socket", "127.0.0.1:0"] + options)
    for path in ["/hello", "/one-block", "/writes", "/file-of?plain", "/lengths?6-2", "/environ?x=y"] {
      let reply = try server.connect(gateway).exchange(gateway, path)
      #expect(reply.status == 200, "\(path): \(server.process.output)")
      #expect(reply.isComplete, "\(path)")
    }
    #expect(try server.connect(gateway).exchange(gateway, "/phrases?iterator").reason == "Fine By Me")
    let body = TestBody.bytes(200_000)
    // Over HTTP the body has no length, and comes in chunks.
    let echo =
      gateway == "http"
      ? try server.post("/echo", body) : try server.connect(gateway).exchange(gateway, "/echo", body: body)
    #expect(echo.body == body)
    #expect(try server.stop() == .status(0))
    #expect(!server.process.output.contains("Error"), "\(server.process.output)")
    #expect(!server.process.output.contains("garbage collected"), "\(server.process.output)")
  }

  /// One CGI request; the reply and what was said beside it.
  private func cgi(
    _ words: [String], _ variables: [String: String], body: [UInt8] = []
  ) throws -> (reply: Reply, output: String) {
    let folder = try TemporaryFolder()
    try Data(body).write(to: URL(fileURLWithPath: folder.file("in")))
    var environment = [
      "GATEWAY_INTERFACE": "CGI/1.1", "REQUEST_METHOD": body.isEmpty ? "GET" : "POST", "SCRIPT_NAME": "/app",
      "PATH_INFO": "/", "SERVER_PROTOCOL": "HTTP/1.1", "SERVER_NAME": "localhost", "SERVER_PORT": "80",
      "QUERY_STRING": "", "CONTENT_LENGTH": "\(body.count)",
    ]
    environment.merge(variables) { $1 }
    let list = words.map { "'\($0)'" }.joined(separator: " ")
    let command = "exec \(list) <'\(folder.file("in"))' >'\(folder.file("out"))'"
    let (exit, output) = try ChildProcess.run("/bin/sh", ["-c", command], environment: environment)
    #expect(exit == .status(0), "\(output)")
    let answer = FileManager.default.contents(atPath: folder.file("out")) ?? Data()
    return (try Reply(gateway: Array(answer)), output)
  }

  @Test("CGI: wsgiref.validate, run_once, prints beside the answer, atexit")
  func overCGI() throws {
    let command = [
      Repository.server, "--cgi", "-L", "--plugin", "python3", "--pythonpath", Python.folder, "-w",
      "pep3333:checked",
    ]
    let (facts, _) = try cgi(command, ["PATH_INFO": "/facts"])
    let object = try JSONSerialization.jsonObject(with: Data(facts.body)) as? [String: Any]
    #expect(object?["run_once"] as? Bool == true)
    #expect(object?["multithread"] as? Bool == false)
    #expect(object?["script"] as? String == "/app")
    #expect(try cgi(command, ["PATH_INFO": "/phrases"]).reply.reason == "Fine By Me")
    let body = TestBody.bytes(50_000)
    #expect(try cgi(command, ["PATH_INFO": "/echo"], body: body).reply.body == body)
    let (reply, output) = try cgi(command, ["PATH_INFO": "/errors"])
    #expect(reply.text == "ok", "what is printed does not reach the client")
    #expect(output.contains("info: printed"))
    #expect(output.contains("info: atexit ran"))
  }

  @Test(
    "every way to name an application",
    arguments: [
      ["-w", "pep3333"], ["-w", "pep3333:application"], ["-w", "pep3333:make()"],
      ["-w", "pep3333:namespace.app"], ["--module", "pep3333"], ["--wsgi", "pep3333"],
      ["-w", "pep3333", "--callable", "application"], ["-w", "pep3333", "--callable", "make()"],
      ["--wsgi-file", "\(Python.folder)/pep3333.py"], ["--file", "\(Python.folder)/pep3333.py"],
      ["--wsgi-file", "\(Python.folder)/pep3333.py:make()"],
      ["--plugin", "python", "-w", "pep3333"], ["--plugin", "python3:pep3333"],
      ["--plugins", "http,python3", "-w", "pep3333"],
    ])
  func names(words: [String]) throws {
    let server = try ServerProcess(
      app: nil, words + ["--pythonpath", Python.folder, "--http-socket", "127.0.0.1:0", "-L"])
    #expect(try server.get("/hello").text == "Hello World!\n")
    #expect(try server.stop() == .status(0), "\(server.process.output)")
  }

  @Test(
    "a factory may have literal arguments, as in gunicorn's command line",
    arguments: [
      "pep3333:make_with(\"prod\", True, size=8)",
      "pep3333:namespace.make_with('a:b/c.py', size=[1, {'x': None}])",
      "\(Python.folder)/pep3333.py:make_with('x.py:1', size=(-1.5, b'y'))",
    ])
  func literals(name: String) throws {
    let shown =
      name.contains("prod")
      ? "('prod', True, {'size': 8})"
      : name.contains("a:b")
        ? "('a:b/c.py', False, {'size': [1, {'x': None}]})" : "('x.py:1', False, {'size': (-1.5, b'y')})"
    let option = name.hasPrefix("/") ? "--wsgi-file" : "-w"
    for words in [[option, name], ["--plugin", "python3", "--mount", "/=\(name)"]] {
      let server = try ServerProcess(
        app: nil, words + ["--pythonpath", Python.folder, "--http-socket", "127.0.0.1:0", "-L"])
      #expect(try server.get("/").text == shown)
      #expect(try server.stop() == .status(0), "\(server.process.output)")
    }
  }

  @Test("several applications at mounts, beside a native one")
  func mounts() throws {
    let words = [
      "--mount", "/made=pep3333:make()", "--mount", "/py=pep3333:application",
      "--mount", "/file=\(Python.folder)/other.wsgi", "--mount",
      "/file/deep=\(Python.folder)/other.wsgi:app", "--app", "/native=" + Repository.app("environ"),
    ]
    try Python.run("hello_world_app", words) { (server) throws in
      #expect(try server.get("/").text == "Hello World!\n")
      #expect(try server.object("/py/facts")["script"] as? String == "/py")
      #expect(try server.object("/made/facts")["script"] as? String == "/made")
      // One interpreter: the module is there once, whichever mount it is reached by.
      #expect(try server.get("/py/go").text == "gone")
      #expect(try server.get("/made/paced").text == "first second")
      #expect(try server.get("/file/a%20b").text == "/file /a b")
      #expect(try server.get("/file/deep/x").text == "/file/deep /x")
      #expect(try server.get("/filet").text == "Hello World!\n")
      #expect(try EnvironReport(try server.get("/native/x"))["SCRIPT_NAME"] == "/native")
    }
  }

  @Test("the interpreter's surroundings are sane")
  func surroundings() throws {
    let folder = try TemporaryFolder()
    let options = ["--env", "FLAG=a=b", "--env", "OTHER=", "--pyargv", "one two", "--pp", folder.path]
    try Python.run("pep3333", options) { (server) throws in
      let facts = try server.object("/facts")
      #expect(facts["argv"] as? [String] == ["server", "one", "two"])
      #expect((facts["path"] as? [String])?.prefix(2) == [Python.folder, folder.path])
      #expect((facts["path"] as? [String])?.contains(facts["cwd"] as? String ?? "?") == true)
      #expect(facts["main"] as? String == "__main__")
      let program = (facts["executable"] as? String)?.split(separator: "/").last
      #expect(program == "python3.11" || program == "python3", "\(facts)")
      #expect(facts["FLAG"] as? String == "a=b")
      #expect(facts["OTHER"] as? String == "")
      #expect(facts["int"] as? String != nil)
    }
  }

  @Test(
    "what cannot be loaded ends the start with 22 and a sentence",
    arguments: [
      (["-w", "broken"], "ModuleNotFoundError: No module named 'no_such_module_at_all'"),
      (["-w", "absent"], "there is no module absent"),
      (["-w", "pep3333:absent"], "module pep3333 has no absent: write -w pep3333:application"),
      (["-w", "pep3333:not_callable"], "is a int and cannot be called"),
      (["--wsgi-file", "absent.py"], "there is no file absent.py"),
      (["-w", "pep3333:make(name)"], "make(name) of module pep3333 is no call that can be made here"),
      (["-w", "pep3333:make(*[1])"], "literals such as create_app('prod', debug=True)"),
      (["-w", "pep3333:make({[1]: 2})"], "literals such as create_app('prod', debug=True)"),
      (["-w", "pep3333:make(1)"], "does not fit its parameters: too many positional arguments"),
      (["-w", "pep3333:make("], "module pep3333 has no make(: write -w pep3333:application"),
    ])
  func cannotLoad(words: [String], sentence: String) throws {
    let (exit, output) = try Python.refusal(words)
    #expect(exit == .status(22))
    #expect(output.contains(sentence), "\(output)")
    let isTraced = words[1] == "broken"
    #expect(output.contains("Traceback (most recent call last):") == isTraced)
    #expect(output.contains("broken.py\", line 1") == isTraced)
  }

  @Test("a plugin that is not there ends the start with 1, the places and the fix")
  func noPlugin() throws {
    let (exit, output) = try ServerProcess.run(
      ["--plugin", "cobol:x", "--plugins-dir", "/nowhere", "--http-socket", "127.0.0.1:0"])
    #expect(exit == .status(1))
    #expect(output.contains("neither cobol_plugin.so nor libcobol_plugin.so is in /nowhere, "))
  }

  @Test("a plugin for another interface ends the start with both versions")
  func laterPlugin() throws {
    let folder = try TemporaryFolder()
    let plugin = folder.file("python3_plugin.so")
    try FileManager.default.copyItem(atPath: FixtureApp.path("later_major"), toPath: plugin)
    let (exit, output) = try Python.refusal(["--plugin", plugin, "-w", "hello_world_app"])
    #expect(exit == .status(22), "\(output)")
    #expect(output.contains("speaks NSGI 2.0 and this server NSGI 1."), "\(output)")
  }

  @Test("a plugin is found in --plugins-dir, and by its path")
  func pluginPlaces() throws {
    let folder = try TemporaryFolder()
    let built = Repository.server.replacingOccurrences(of: "/server", with: "/libpython3_plugin.so")
    try FileManager.default.copyItem(atPath: built, toPath: folder.file("python3_plugin.so"))
    for words in [
      ["--plugins-dir", folder.path, "--plugin", "python3"], ["--plugin", folder.file("python3_plugin.so")],
    ] {
      let server = try ServerProcess(
        app: nil,
        words + ["--pythonpath", Python.folder, "-w", "hello_world_app", "--http-socket", "127.0.0.1:0"])
      #expect(try server.get("/").text == "Hello World!\n")
      #expect(try server.stop() == .status(0))
    }
  }

  @Test("the end runs atexit, whatever the signal", arguments: [SIGTERM, SIGINT, SIGQUIT])
  func ends(signal: Int32) throws {
    let server = try Python.serve()
    #expect(try server.get("/hello").status == 200)
    #expect(try server.stop(signal) == .status(0), "\(server.process.output)")
    #expect(server.process.output.contains("info: atexit ran"))
  }

  @Test("a stop waits for the request under way")
  func endsGracefully() throws {
    let server = try Python.serve()
    let socket = try server.connect()
    try socket.send("GET /paced HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
    _ = try socket.receive(until: "first")
    let other = try server.connect()
    try other.send("GET /environ HTTP/1.1\r\nHost: x\r\n\r\n")
    _ = try other.receiveReply()
    server.process.send(SIGTERM)
    try other.send("GET /go HTTP/1.1\r\nHost: x\r\n\r\n")
    _ = try? other.receiveReply()
    #expect(String(decoding: try socket.receiveAll(), as: UTF8.self).contains("second"))
    #expect(try server.process.wait() == .status(0), "\(server.process.output)")
  }

  @Test("calls run at once in threads of the server, and the application's own threads go on")
  func threads() throws {
    try Python.run("pep3333", ["--threads", "4"]) { (server) throws in
      let began = Date()
      let sockets = try (0..<4).map { _ in try server.connect() }
      for socket in sockets { try socket.send(GatewayRequest.bytes("http", "/sleeps?1")) }
      #expect(try server.get("/background").text == "4999950000")
      for socket in sockets { #expect(try socket.receiveReply().status == 200) }
      #expect(
        Date().timeIntervalSince(began) < 3.5, "four sleeps of a second, one after the other, take four")
    }
  }
}
