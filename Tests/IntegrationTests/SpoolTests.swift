// Where a server spools, as its operator says it: --spool-dir, TMPDIR, --spool-max.
import Foundation
import Support
import Testing

@Suite struct SpoolPlaceTests {
  private let folder: TemporaryFolder
  init() throws { folder = try TemporaryFolder() }

  /// Whether the server has a file without a name in the folder.
  private func spools(_ server: ServerProcess) -> Bool {
    let directory = "/proc/\(server.process.pid)/fd"
    let names = (try? FileManager.default.contentsOfDirectory(atPath: directory)) ?? []
    return names.contains {
      let target = try? FileManager.default.destinationOfSymbolicLink(atPath: "\(directory)/\($0)")
      return target?.hasPrefix(folder.path) ?? false
    }
  }

  private func server(_ options: [String], _ environment: [String: String] = [:]) throws -> ServerProcess {
    try ServerProcess(
      app: try FixtureApp.path("conformance"),
      ["--no-master", "--post-buffering", "1000", "--http-socket", "127.0.0.1:0"] + options,
      environment: environment)
  }

  private func expectSpooled(_ server: ServerProcess) throws {
    let socket = try server.connect()
    let body = TestBody.bytes(50_000)
    try socket.send(GatewayRequest.bytes("http", "/echo", body: body).dropLast(1))
    try Deadline.usual.wait(for: "a spool in \(folder.path)") { spools(server) ? () : nil }
    #expect(try FileManager.default.contentsOfDirectory(atPath: folder.path).isEmpty)
    try socket.send(body.suffix(1))
    #expect(try socket.receiveLastReply().body == Array("POST 50000 ".utf8) + body)
    try Deadline.usual.wait(for: "the spool to go") { spools(server) ? nil : () }
    #expect(try server.stop() == .status(0))
  }

  @Test func directoryOfTheOption() throws {
    let own = try TemporaryFolder()
    let environment = ["TMPDIR": "/no/such/place", "XDG_RUNTIME_DIR": own.path]
    try expectSpooled(try server(["--spool-dir", folder.path], environment))
  }

  @Test func directoryOfTheEnvironment() throws {
    let own = try TemporaryFolder()
    try expectSpooled(try server([], ["TMPDIR": folder.path, "XDG_RUNTIME_DIR": own.path]))
  }

  @Test("a TMPDIR that takes no files is left for /tmp, with a line")
  func uselessEnvironment() throws {
    let server = try server([], ["TMPDIR": "/no/such/place", "XDG_RUNTIME_DIR": folder.path])
    let socket = try server.connect()
    let body = TestBody.bytes(50_000)
    try socket.send(GatewayRequest.bytes("http", "/echo", body: body))
    #expect(try socket.receiveLastReply().body.count == body.count + 11)
    let line = "TMPDIR (/no/such/place: No such file or directory): /tmp is used"
    #expect(server.process.output.contains(line))
    #expect(try server.stop() == .status(0))
  }

  @Test(
    "a directory that takes no files ends the start with a sentence",
    arguments: [["--no-master"], ["-p", "2"]], ["/no/such/place", "/proc", "/dev/null"])
  func uselessOption(mode: [String], directory: String) throws {
    let (exit, output) = try ServerProcess.run(
      ["--app", try FixtureApp.path("conformance"), "--http-socket", "127.0.0.1:0", "--spool-dir", directory]
        + mode)
    #expect(exit == .status(1))
    #expect(output.contains("nothing can be spooled to \(directory)") && output.contains("--spool-dir"))
  }

  @Test("the bound holds for the whole server, whichever of its workers spool", arguments: [1, 4])
  func bound(workers: Int) throws {
    let server = try ServerProcess(
      app: try FixtureApp.path("conformance"),
      [
        "-L", "-p", "\(workers)", "--post-buffering", "1000", "--spool-max", "6m", "--spool-dir", folder.path,
        "--http-socket", "127.0.0.1:0",
      ])
    // Longer than what the ring brings in one turn (4 MiB), which may be served from where it lies.
    let body = TestBody.bytes(4_500_000)
    let request = GatewayRequest.bytes("http", "/echo", body: body)
    let holder = try server.connect()
    try holder.send(request.dropLast(1))
    try Deadline.usual.wait(for: "the holder's body in a spool") {
      try spooled(server.process.pid) >= body.count - 1 ? () : nil
    }
    for _ in 0..<12 {
      let other = try server.connect()
      _ = try? other.send(request)
      let reply = try other.receiveLastReply()
      #expect(reply.status == 503 && reply["retry-after"] != nil, "\(reply.status)")
    }
    let large = try server.connect()
    try large.send("POST /echo HTTP/1.1\r\nHost: h\r\nContent-Length: 20000000\r\n\r\n")
    #expect(try large.receiveLastReply().status == 413)
    try holder.send(body.suffix(1))
    #expect(try holder.receiveLastReply().body.count == body.count + 13)
    try Deadline.usual.wait(for: "room again") {
      let other = try server.connect()
      _ = try? other.send(request)
      return try other.receiveLastReply().status == 200 ? () : nil
    }
    #expect(try server.stop() == .status(0))
  }

  /// Bytes of files without a name on the folder's file system that the processes below a master hold.
  private func spooled(_ master: pid_t) throws -> Int {
    let children = try ChildProcess.run("/usr/bin/pgrep", ["-P", "\(master)"]).output.split(separator: "\n")
    var (sum, place) = (0, stat())
    _ = stat(self.folder.path, &place)
    for child in children {
      let folder = "/proc/\(child)/fd"
      for name in (try? FileManager.default.contentsOfDirectory(atPath: folder)) ?? [] {
        var facts = stat()
        guard stat("\(folder)/\(name)", &facts) == 0, facts.st_dev == place.st_dev, facts.st_nlink == 0
        else { continue }
        sum += Int(facts.st_size)
      }
    }
    return sum
  }
}
