// A server with Python applications of Tests/Fixtures/python.
import Foundation
import Support
import Testing

enum Python {
  /// Where the applications are.
  static let folder = "\(Repository.root)/Tests/Fixtures/python"

  /// Python in the server's own program, or, with PYTHON_UNDER_TEST=program, in a worker that is the program
  /// of the interpreter.
  static let role: [String] =
    ProcessInfo.processInfo.environment["PYTHON_UNDER_TEST"] == "program"
    ? ["--master", "-p", "1"] : ["--no-master"]

  /// A server for `-w MODULE`, with an HTTP socket unless `options` name sockets.
  static func serve(
    _ module: String = "pep3333", _ options: [String] = [], environment: [String: String] = [:]
  ) throws -> ServerProcess {
    let sockets = options.contains { $0.hasSuffix("-socket") } ? [] : ["--http-socket", "127.0.0.1:0"]
    return try ServerProcess(
      app: nil,
      role + ["--plugin", "python3", "--pythonpath", folder, "-w", module, "-L"] + sockets + options,
      environment: environment)
  }

  /// The options for an event loop of ASGI; uvloop comes from the frameworks' environment.
  static func options(loop: String) throws -> [String] {
    guard loop == "uvloop" else { return ["--asgi-loop", loop] }
    let home = "\(Repository.root)/.build/frameworks"
    guard access(home + "/pyvenv.cfg", R_OK) == 0 else { throw SupportError.pythonMissing(home) }
    return ["--asgi-loop", loop, "-H", home]
  }

  /// lighttpd before the FastCGI socket `f.sock` of a server; its files are in `folder`.
  ///
  /// - Parameter settings: lines of its configuration besides.
  static func lighttpd(
    before server: ServerProcess, in folder: TemporaryFolder, settings: String = ""
  ) throws -> (process: ChildProcess, url: String) {
    let port = try FreePort.any()
    let configuration = try folder.write(
      """
      server.modules = ( "mod_fastcgi" )
      server.bind = "127.0.0.1"
      server.port = \(port)
      server.document-root = "\(folder.path)"
      server.upload-dirs = ( "\(folder.path)" )
      \(settings)
      fastcgi.server = ( "/" => (( "socket" => "\(server.folder.file("f.sock"))",
        "check-local" => "disable", "fix-root-scriptname" => "enable" )) )

      """, to: "lighttpd.conf")
    let process = try ChildProcess(try Program.lighttpd.path(), ["-D", "-f", configuration])
    _ = try process.waitForOutput("port \(port)") { _ in
      try? RawSocket(.tcp(host: "127.0.0.1", port: port))
    }
    return (process, "http://127.0.0.1:\(port)")
  }

  /// Starts a server, gives it to `body`, stops it; the end must be a good one. Returns all that it said.
  @discardableResult
  static func run(
    _ module: String = "pep3333", _ options: [String] = [], _ body: (ServerProcess) throws -> Void
  ) throws -> String {
    let server = try serve(module, options)
    do { try body(server) } catch { Issue.record("\(error)\n\(server.process.output)") }
    #expect(try server.stop() == .status(0), "\(server.process.output)")
    return server.process.output
  }

  /// Options that do not start: the exit code and the words.
  static func refusal(_ options: [String]) throws -> (exit: ChildProcess.Exit, output: String) {
    try ServerProcess.run(
      ["--pythonpath", folder, "--http-socket", "127.0.0.1:0", "-L"] + options)
  }
}

extension ServerProcess {
  /// GET on a connection of its own.
  func get(_ target: String, method: String = "GET", fields: [(String, String)] = []) throws -> Reply {
    let socket = try connect()
    let lines = fields.map { "\($0.0): \($0.1)\r\n" }.joined()
    try socket.send("\(method) \(target) HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\(lines)\r\n")
    return try socket.receiveReply(toHead: method == "HEAD")
  }

  /// GET of a target over any protocol, on a connection of its own.
  func ask(_ gateway: String, _ target: String) throws -> Reply {
    gateway == "http" ? try get(target) : try connect(gateway).exchange(gateway, target)
  }

  /// POST of a body.
  func post(_ target: String, _ body: [UInt8]) throws -> Reply {
    let socket = try connect()
    try socket.send(GatewayRequest.bytes("http", target, body: body))
    return try socket.receiveReply()
  }

  /// A JSON object that an application answers.
  func object(_ target: String) throws -> [String: Any] {
    let reply = try get(target)
    let value = try JSONSerialization.jsonObject(with: Data(reply.body))
    return try #require(value as? [String: Any], "\(reply.text)")
  }
}
