// Starts in surroundings that launchers, containers and supervisors make: closed descriptors, few of them,
// sockets at a descriptor, variables of a cluster.
import Foundation
import Support
import Testing

@Suite struct StartTests {
  private let environ = Repository.app("environ")

  /// Starts the server through a shell whose words stand before and behind its own.
  private func start(
    _ before: String, _ behind: String, _ options: [String], _ folder: TemporaryFolder
  ) throws -> ChildProcess {
    try ChildProcess(
      "/bin/sh",
      [
        "-c", "\(before) exec \"$0\" \"$@\" \(behind)", Repository.server, "--app", environ, "--http-socket",
        folder.file("s.sock"),
      ] + options)
  }

  /// It answers, and ends well.
  private func serves(_ process: ChildProcess, _ folder: TemporaryFolder) throws {
    let address = Address.unix(path: folder.file("s.sock"))
    let socket = try Deadline.usual.wait(for: "\(address)", output: { process.output }) {
      if let ended = process.ended {
        throw SupportError.ended(program: "server", exit: ended, output: process.output)
      }
      return try? RawSocket(address)
    }
    #expect(try EnvironReport(socket.ask("/started"))["PATH_INFO"] == "/started")
    #expect(try process.stop() == .status(0), "\(process.output)")
  }

  @Test(
    "closed standard descriptors are no sockets", arguments: ["<&-", ">&-", "<&- >&-", "<&- >&- 2>&-"],
    [["-p", "1"], ["--no-master"]])
  func closedDescriptors(closed: String, options: [String]) throws {
    let folder = try TemporaryFolder()
    let process = try start("", closed, options, folder)
    try serves(process, folder)
    #expect(!process.output.contains("recognised"), "\(process.output)")
  }

  @Test(
    "few descriptors are enough", arguments: [48, 64, 128, 199, 200, 201, 210],
    [["-p", "2"], ["--no-master"]])
  func fewDescriptors(limit: Int, options: [String]) throws {
    let folder = try TemporaryFolder()
    try serves(try start("ulimit -n \(limit);", "", options, folder), folder)
  }

  @Test("too few descriptors end the start with the limit and the fix", arguments: [8, 10, 12])
  func tooFewDescriptors(limit: Int) throws {
    let folder = try TemporaryFolder()
    let process = try start("ulimit -n \(limit);", "", ["-p", "2"], folder)
    #expect(try process.wait() != .status(0))
    #expect(
      process.output.contains("the limit is \(limit)") && process.output.contains("ulimit -n"),
      "\(process.output)")
  }

  @Test(
    "a limit on the size of files ends no process: a body above it is refused, a log at it is cut off",
    .disabled(if: Repository.isThreadSanitized, "its shadow memory is a file"),
    arguments: [["-p", "1"], ["--no-master"]])
  func smallFiles(options: [String]) throws {
    let folder = try TemporaryFolder()
    let log = folder.file("log")
    let process = try start("ulimit -f 600;", ">>'\(log)' 2>&1", ["-b", "100000"] + options, folder)
    let address = Address.unix(path: folder.file("s.sock"))
    let socket = try Deadline.usual.wait(for: "\(address)", output: { process.output }) {
      try? RawSocket(address)
    }
    let body = TestBody.bytes(2_000_000)
    // Whether all of the body was taken is not the question.
    _ = try? socket.send("POST / HTTP/1.1\r\nHost: x\r\nContent-Length: \(body.count)\r\n\r\n")
    _ = try? socket.send(body)
    #expect(try socket.receiveReply().status == 413)
    let target = "/" + String(repeating: "a", count: 60_000)
    for _ in 0..<20 {
      let answer = try RawSocket(address).ask(target)
      #expect(answer.status == 200)
    }
    let written = try FileManager.default.attributesOfItem(atPath: log)[.size] as? Int
    #expect(try #require(written) <= 600 * 1024)
    try serves(process, folder)
    let text = try String(contentsOfFile: log, encoding: .utf8)
    #expect(text.contains("ulimit -f") && !text.contains("died"), "\(text.prefix(2000))")
  }

  @Test(
    "fd://N is a socket that is there already",
    arguments: [("http", 0), ("scgi", 0), ("fastcgi", 3), ("uwsgi", 4)],
    [["-p", "2"], ["--no-master"]])
  func descriptorAsAddress(place: (gateway: String, descriptor: Int), options: [String]) throws {
    let sockets = try (0..<2).map { _ in try ListeningSocket(.tcp(host: "127.0.0.1", port: 0)) }
    let wanted = place.descriptor == 4 ? sockets[1] : sockets[0]
    let server = try ServerProcess(
      app: environ, ["--\(place.gateway)-socket", "fd://\(place.descriptor)"] + options,
      input: place.descriptor == 0 ? .descriptor(wanted.descriptor) : .nothing,
      descriptors: sockets.map(\.descriptor))
    #expect("\(try server.address(place.gateway))" == "\(wanted.address)")
    let client = try RawSocket(wanted.address)
    #expect(try EnvironReport(client.exchange(place.gateway, "/given"))["PATH_INFO"] == "/given")
    client.close()
    #expect(server.process.output.matches(of: /socket .* ready/).count == 1, "\(server.process.output)")
    #expect(try server.stop() == .status(0), "\(server.process.output)")
  }

  @Test("fd://N that is no socket, or would be one of the server's own, is refused", arguments: [3, 5, 9])
  func noDescriptor(number: Int) throws {
    let (exit, output) = try ServerProcess.run([
      "--app", environ, "--http-socket", "127.0.0.1:0", "--scgi-socket", "fd://\(number)",
    ])
    #expect(exit == .status(1), "\(output)")
    #expect(output.contains("descriptor \(number) is not a listening socket"), "\(output)")
    let daemon = try ServerProcess.run([
      "--app", environ, "--http-socket", "fd://\(number)", "--daemonize", "/dev/null",
    ])
    #expect(daemon.exit == .status(1) && daemon.output.contains("--daemonize"), "\(daemon.output)")
  }

  @Test("variables of a service called nsgi do not hinder the start, and a mistyped one is told of")
  func serviceVariables() throws {
    let server = try ServerProcess(
      app: environ,
      environment: [
        "NSGI_PORT": "tcp://10.96.0.12:80", "NSGI_SERVICE_HOST": "10.96.0.12", "NSGI_SERVICE_PORT": "80",
        "NSGI_PORT_80_TCP_PROTO": "tcp", "NSGI_THREDS": "4",
      ])
    #expect(server.process.output.matches(of: /is ignored/).count == 1, "\(server.process.output)")
    #expect(server.process.output.contains("did you mean NSGI_THREADS?"), "\(server.process.output)")
    #expect(try EnvironReport(server.connect().ask("/x"))["PATH_INFO"] == "/x")
    #expect(try server.stop() == .status(0))
  }

  @Test("what lies in the place of a control socket or a log is named")
  func wrongPlaces() throws {
    let folder = try TemporaryFolder()
    try folder.write("text", to: "file")
    for (options, words) in [
      (["--control-socket", folder.path], "the control socket: \(folder.path) is a directory"),
      (["--control-socket", folder.file("file")], "is a file and no socket"),
      (["--control-socket", folder.file("none/ctl")], "\(folder.file("none")) does not exist"),
      (["--daemonize", folder.file("none/log")], "the log file \(folder.file("none/log")) cannot be opened"),
      (["--scgi-socket", folder.path], "\(folder.path) is a directory; write"),
    ] {
      let (exit, output) = try ServerProcess.run(
        ["--app", environ, "--http-socket", "127.0.0.1:0"] + options)
      #expect(exit == .status(1) && output.contains(words), "\(output)")
    }
  }

  @Test("two addresses of one server that collide are not laid on another server")
  func ownCollision() throws {
    let port = try FreePort.any()
    let (exit, output) = try ServerProcess.run([
      "--app", environ, "--http-socket", "127.0.0.1:\(port)", "--scgi-socket", ":\(port)",
    ])
    #expect(exit == .status(1) && output.contains("of this server cannot both be had"), "\(output)")
  }
}
