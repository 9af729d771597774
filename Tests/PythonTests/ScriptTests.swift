// Python scripts as web servers start them, the module `nsgi`, and what helps in development.
import Foundation
import Support
import Testing

@Suite struct ScriptTests {
  private let folder: TemporaryFolder

  init() throws {
    folder = try TemporaryFolder()
    symlink(Repository.server, folder.file("server"))
  }

  /// PATH with the server in it.
  private var path: String { "\(folder.path):/usr/bin:/bin" }

  private func script(_ name: String, _ text: String) throws -> String { try folder.program(text, name) }

  private static let line = "#!/usr/bin/env -S server --plugin python3 --wsgi-file\n"
  private static let hello = """
    def application(environ, start_response):
        start_response('200 OK', [('Content-Type', 'text/plain')])
        return [f"{environ['SCRIPT_NAME']} {environ['PATH_INFO']} {environ['QUERY_STRING']}".encode()]

    """

  /// One CGI request to a program; what it wrote to standard output.
  private func cgi(_ file: String, arguments: String = "", query: String) throws -> Reply {
    let out = folder.file("out")
    let (exit, output) = try ChildProcess.run(
      "/bin/sh", ["-c", "exec '\(file)' \(arguments) >'\(out)'"],
      environment: [
        "PATH": path, "GATEWAY_INTERFACE": "CGI/1.1", "REQUEST_METHOD": "GET", "SCRIPT_NAME": "/run.cgi",
        "SCRIPT_FILENAME": file, "PATH_INFO": "/x", "QUERY_STRING": query, "SERVER_PROTOCOL": "HTTP/1.1",
        "SERVER_NAME": "localhost", "SERVER_PORT": "80", "PYTHONPATH": "\(Repository.root)/sdk/python",
      ])
    #expect(exit == .status(0), "\(output)")
    return try Reply(gateway: Array(FileManager.default.contents(atPath: out) ?? Data()))
  }

  /// A program on descriptor 0 answers in every protocol, and ends well.
  private func serves(_ file: String, _ program: [String] = []) throws {
    let socket = try ListeningSocket(.unix(path: folder.file("\(UInt32.random(in: 0...(.max))).sock")))
    let words = program + [file]
    let process = try ChildProcess(
      words[0], Array(words.dropFirst()),
      environment: ["PATH": path, "PYTHONPATH": "\(Repository.root)/sdk/python"],
      input: .descriptor(socket.descriptor))
    for gateway in GatewayRequest.gateways {
      do {
        let reply = try RawSocket(socket.address).exchange(gateway, "/\(gateway)?q")
        #expect(reply.text == " /\(gateway) q", "\(gateway): \(process.output)")
      } catch {
        Issue.record("\(gateway): \(error); the program: \(process.output)")
        return
      }
    }
    #expect(try process.stop() == .status(0), "\(process.output)")
  }

  @Test("a script with the server in its first line is a CGI program")
  func scriptAsCGI() throws {
    let file = try script("run.cgi", Self.line + Self.hello)
    #expect(try cgi(file, query: "a=b").text == "/run.cgi /x a=b")
    #expect(try cgi(file, arguments: "what ever", query: "what+ever").text == "/run.cgi /x what+ever")
  }

  @Test("the same script serves on the listening socket that it finds on descriptor 0")
  func scriptOnSocket() throws {
    try serves(try script("run.fcgi", Self.line + Self.hello))
  }

  @Test("lighttpd starts such a script by bin-path")
  func lighttpdStartsAScript() throws {
    let file = try script("app.fcgi", Self.line + Self.hello)
    let port = try FreePort.any()
    let configuration = try folder.write(
      """
      server.modules = ( "mod_fastcgi" )
      server.bind = "127.0.0.1"
      server.port = \(port)
      server.document-root = "\(folder.path)"
      fastcgi.server = ( "/py" => ((
        "bin-path" => "\(file)", "socket" => "\(folder.file("l.sock"))", "max-procs" => 1,
        "bin-environment" => ( "PATH" => "\(path)" ), "check-local" => "disable" )) )

      """, to: "lighttpd.conf")
    let process = try ChildProcess(try Program.lighttpd.path(), ["-D", "-f", configuration])
    _ = try process.waitForOutput("port \(port)") { _ in
      try? RawSocket(.tcp(host: "127.0.0.1", port: port))
    }
    let reply = try Curl.get("http://127.0.0.1:\(port)/py/cart?id=7")
    #expect(reply.text == "/py /cart id=7", "\(process.output)")
    _ = try process.stop()
  }

  @Test(
    "a script for flup or flipflop runs with one import line changed",
    arguments: ["WSGIServer(application).run()", "if __name__ == '__main__': WSGIServer(application).run()"])
  func handsOver(end: String) throws {
    let text = "#!/usr/bin/python3\nfrom nsgi import WSGIServer\n" + Self.hello + end + "\n"
    let file = try script("flup.fcgi", text)
    try serves(file)
    #expect(try cgi(file, query: "a").text == "/run.cgi /x a")
    let renamed = text.replacingOccurrences(of: "application", with: "shop")
    try serves(try script("renamed.fcgi", renamed))
  }

  @Test("a script that is started by hand is told how to try it, and who starts it otherwise")
  func startedByHand() throws {
    let environment = ["PATH": path, "PYTHONPATH": "\(Repository.root)/sdk/python"]
    let text =
      "#!/usr/bin/python3\nfrom nsgi import WSGIServer\n" + Self.hello
      + "WSGIServer(application).run()\n"
    let flipflop = try script("by_hand.fcgi", text)
    let (exit, output) = try ChildProcess.run(flipflop, [], environment: environment)
    #expect(exit == .status(1))
    #expect(output.contains("\(flipflop) was started by hand"), "\(output)")
    #expect(output.contains("server --plugin python3 --wsgi-file \(flipflop) --http-socket 127.0.0.1:8080"))
    let own = try script("by_hand.py", Self.line + Self.hello)
    let (ownExit, words) = try ChildProcess.run(own, [], environment: environment)
    #expect(ownExit == .status(1))
    #expect(words.contains("(`\(own) --http-socket 127.0.0.1:8080`)"), "\(words)")
    let process = try ChildProcess(own, ["--http-socket", "127.0.0.1:0"], environment: environment)
    _ = try process.waitForOutput("the socket") { $0.contains("ready") ? true : nil }
    #expect(try process.stop() == .status(0), "\(process.output)")
  }

  @Test("a script for flup may say where it listens")
  func handsOverWithAddress() throws {
    let socket = folder.file("own.sock")
    let text =
      "from nsgi import WSGIServer\n" + Self.hello
      + "WSGIServer(application, bindAddress='\(socket)', multithreaded=True).run()\n"
    let process = try ChildProcess(
      "/usr/bin/python3", [try script("bind.py", text)],
      environment: ["PATH": path, "PYTHONPATH": "\(Repository.root)/sdk/python"])
    _ = try process.waitForOutput("the socket") { $0.contains("ready") ? true : nil }
    #expect(try RawSocket(.unix(path: socket)).exchange("fastcgi", "/f?x").text == " /f x")
    #expect(try process.stop() == .status(0))
  }

  @Test("inside the server, nsgi says where the application runs and takes its lines")
  func insideTheServer() throws {
    try folder.write(
      """
      import nsgi
      ready = []

      @nsgi.post_load
      def later():
          ready.append(application.__name__)

      def application(environ, start_response):
          nsgi.log('noted \u{2603}', 'warning')
          try:
              nsgi.log('x', 'loud')
          except ValueError:
              ready.append('refused')
          start_response('200 OK', [])
          return [repr((nsgi.worker_id, nsgi.generation, nsgi.version, ready)).encode()]

      """, to: "inside_nsgi.py")
    // "nsgi-server 1.2.3"
    let version = try ServerProcess.run(["--version"]).output.trimmed.split(separator: " ").last ?? ""
    let output = try Python.run("inside_nsgi", ["--pp", folder.path]) { (server) throws in
      #expect(try server.get("/").text == "(0, 1, '\(version)', ['application', 'refused'])")
    }
    #expect(output.contains("warning: noted \u{2603}"))
  }

  @Test("nobody is told that this is uWSGI")
  func noUWSGI() throws {
    try folder.write(
      """
      try:
          import uwsgi
          found = b'uwsgi'
      except ImportError:
          found = b'none'
      def application(environ, start_response):
          start_response('200 OK', [])
          return [found + repr([name for name in environ if 'uwsgi' in name.lower()]).encode()]

      """, to: "sniffs.py")
    try Python.run("sniffs", ["--pp", folder.path]) { (server) throws in
      #expect(try server.get("/").text == "none[]")
    }
  }

  @Test("--py-autoreload serves what has been saved, and keeps what cannot be compiled out")
  func autoreload() throws {
    func source(_ text: String) -> String {
      "def application(environ, start_response):\n    start_response('200 OK', [])\n    return [b'\(text)']\n"
    }
    let file = try folder.write(source("one"), to: "changing.py")
    let port = try FreePort.any()
    let server = try Python.serve(
      "changing",
      ["--pp", folder.path, "--py-autoreload", "1", "--http-socket", "127.0.0.1:\(port)"])
    func answer(_ text: String) throws {
      _ = try Deadline.usual.wait(for: "the answer \(text)", output: { server.process.output }) {
        (try? server.get("/"))?.text == text ? true : nil
      }
    }
    try answer("one")
    // Later than the file's first time stamp, whatever the clock of the file system.
    try folder.write("this is no Python (", to: "changing.py")
    _ = try server.process.waitForOutput("the refusal") { $0.contains("is not loaded: ") ? true : nil }
    try answer("one")
    try folder.write(source("two and more"), to: "changing.py")
    try answer("two and more")
    #expect(server.process.output.contains("\(file) has changed: reloading"))
    #expect(try server.stop() == .status(0))
  }
}
