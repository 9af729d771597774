// Every way in which something else holds the listening socket and starts the server.
import Foundation
import Support
import Testing

@Suite struct LauncherTests {
  private let environ = Repository.app("environ")

  @Test(
    "lighttpd starts the server, serves through it, and ends it", arguments: ["fastcgi", "scgi", "uwsgi"])
  func lighttpd(gateway: String) throws {
    let frontEnd = try FrontEnd("lighttpd/spawn-\(gateway).conf")
    let body = TestBody.bytes(100_000)
    for path in ["/one", "/two"] {
      let report = try EnvironReport(Curl.post(frontEnd.url + path, body))
      #expect(report["PATH_INFO"] == path)
      #expect(report["SCRIPT_NAME"] == "")
      #expect(report.bodyChecksum == TestBody.checksum(body))
    }
    let socket = Address.unix(
      path: try #require(
        FileManager.default.contentsOfDirectory(atPath: frontEnd.folder.path)
          .first { $0.hasPrefix("spawned-\(gateway).sock") }.map(frontEnd.folder.file)))
    _ = try RawSocket(socket)
    try frontEnd.stop()
    // lighttpd sends its signal and does not wait; the server drains and ends, and nobody listens any more.
    _ = try Deadline.usual.wait(for: "the end of the server") { (try? RawSocket(socket)) == nil ? true : nil }
  }

  @Test("CGI behind a web server", arguments: ["lighttpd/cgi.conf", "apache/cgi.conf"])
  func cgi(file: String) throws {
    let frontEnd = try FrontEnd(file)
    let body = TestBody.bytes(100_000)
    let report = try EnvironReport(Curl.post(frontEnd.url + "/app/some/path?q=1", body))
    #expect(report["SCRIPT_NAME"] == "/app")
    #expect(report["PATH_INFO"] == "/some/path")
    #expect(report["QUERY_STRING"] == "q=1")
    #expect(report["REMOTE_ADDR"] == "127.0.0.1")
    #expect(report.bodyChecksum == TestBody.checksum(body))
    try frontEnd.stop()
  }

  /// A FastCGI server on descriptor 0 answers at `address`, and ends with `process`.
  private func servesFastCGI(_ process: ChildProcess, _ address: Address) throws {
    let socket = try Deadline.usual.wait(for: "\(address)", output: { process.output }) {
      try? RawSocket(address)
    }
    let body = TestBody.bytes(50_000)
    let report = try EnvironReport(socket.exchange("fastcgi", "/launched?a=b", body: body))
    #expect(report["PATH_INFO"] == "/launched")
    #expect(report.bodyChecksum == TestBody.checksum(body))
    socket.close()
    #expect(try process.stop() == .status(0), "\(process.output)")
  }

  @Test("spawn-fcgi, over TCP and over a unix socket", arguments: [true, false])
  func spawnFCGI(overTCP: Bool) throws {
    let folder = try TemporaryFolder()
    let port = try FreePort.any()
    let address: Address =
      overTCP ? .tcp(host: "127.0.0.1", port: port) : .unix(path: folder.file("f.sock"))
    let place = overTCP ? ["-a", "127.0.0.1", "-p", "\(port)"] : ["-s", folder.file("f.sock")]
    let process = try ChildProcess(
      try Program.spawnFcgi.path(),
      ["-n"] + place + ["--", Repository.server, "--app", environ, "--protocol", "fastcgi"])
    try servesFastCGI(process, address)
  }

  @Test("multiwatch keeps two servers on one socket")
  func multiwatch() throws {
    let folder = try TemporaryFolder()
    let path = folder.file("m.sock")
    let process = try ChildProcess(
      try Program.spawnFcgi.path(),
      // Without -s, multiwatch leaves its children alone when it is told to end.
      ["-n", "-s", path, "--", try Program.multiwatch.path(), "-f", "2", "-s", "TERM", "--"]
        + [Repository.server, "--app", environ, "--protocol", "fastcgi"])
    try servesFastCGI(process, .unix(path: path))
  }

  @Test("systemd's way: descriptors from 3 on, their names being protocols, and readiness told")
  func systemd() throws {
    let folder = try TemporaryFolder()
    let notify = try NotifySocket(folder.file("notify"))
    let names = ["http", "scgi", "uwsgi", "fastcgi", "web"]
    let sockets = try names.map { _ in try ListeningSocket(.tcp(host: "127.0.0.1", port: 0)) }
    // LISTEN_PID is the server's own process id, which only the process itself can know before it starts.
    let process = try ChildProcess(
      "/bin/sh", ["-c", "LISTEN_PID=$$ exec \"$0\" \"$@\"", Repository.server, "--app", environ],
      environment: [
        "LISTEN_FDS": "\(names.count)", "LISTEN_FDNAMES": names.joined(separator: ":"),
        "NOTIFY_SOCKET": notify.path,
      ], descriptors: sockets.map(\.descriptor))
    #expect(try notify.receive().split(separator: "\n").contains("READY=1"))
    for (name, socket) in zip(names, sockets) {
      let gateway = name == "web" ? "http" : name
      let client = try RawSocket(socket.address)
      #expect(try EnvironReport(client.exchange(gateway, "/\(name)"))["PATH_INFO"] == "/\(name)")
      client.close()
    }
    process.send(SIGTERM)
    #expect(try notify.receive().contains("STOPPING=1"))
    #expect(try process.wait() == .status(0), "\(process.output)")
  }

  @Test("systemd itself activates the server: its first client is answered, each name a protocol")
  func systemdActivates() throws {
    let folder = try TemporaryFolder()
    let notify = try NotifySocket(folder.file("notify"))
    // A colon separates names; "web" is none of a protocol, so the first bytes decide.
    let names = ["web", "fastcgi", "uwsgi", "scgi", "http"]
    let listens = names.flatMap { ["-l", folder.file("\($0).sock")] }
    let process = try ChildProcess(
      try Program.systemdSocketActivate.path(),
      ["--fdname=\(names.joined(separator: ":"))", "-E", "NOTIFY_SOCKET=\(notify.path)"] + listens
        + [Repository.server, "--app", environ])
    for name in names {
      let address = Address.unix(path: folder.file("\(name).sock"))
      let client = try process.waitForOutput("a socket at \(address)") { _ in try? RawSocket(address) }
      let report = try EnvironReport(client.exchange(name == "web" ? "scgi" : name, "/\(name)"))
      #expect(report["PATH_INFO"] == "/\(name)")
      client.close()
    }
    // Named http, it does not recognise: what is no HTTP is told so.
    let wrong = try RawSocket(.unix(path: folder.file("http.sock")))
    try wrong.send(GatewayRequest.bytes("scgi", "/"))
    #expect(try Reply(gateway: wrong.receiveAll()).status == 400)
    wrong.close()
    #expect(try notify.receive().split(separator: "\n").contains("READY=1"))
    #expect(try process.stop() == .status(0), "\(process.output)")
  }

  @Test("systemd finds nothing wrong in the unit files")
  func unitFiles() throws {
    let folder = try TemporaryFolder()
    let files = try ["nsgi.socket", "nsgi.service"].map { name in
      let text = try Repository.text("docs/deploy/systemd/\(name)")
      // The one thing it would miss here: a program that is not installed.
      return try folder.write(
        text.replacingOccurrences(of: "/usr/local/bin/server", with: Repository.server), to: name)
    }
    let checked = try ChildProcess.run(
      try Program.systemdAnalyze.path(), ["verify", "--man=no", "--recursive-errors=no"] + files)
    #expect(checked.exit == .status(0), "\(checked.output)")
    #expect(checked.output.isEmpty)
    #expect(try Repository.text("docs/deploy/systemd/nsgi.socket").contains("FileDescriptorName=http\n"))
    #expect(try Repository.text("docs/deploy/systemd/nsgi.service").contains("Type=notify\n"))
  }

  @Test("systemd finds that the units leave a server little to do harm with")
  func hardening() throws {
    let folder = try TemporaryFolder()
    for (path, name, program) in [
      ("docs/deploy/systemd/nsgi.service", "nsgi.service", "/usr/local/bin/server"),
      ("packaging/systemd/nsgi-server@.service", "nsgi-server@site.service", "@PREFIX@/bin/nsgi-server"),
    ] {
      let text = try Repository.text(path)
      #expect(text.contains(program), "\(path)")
      let file = try folder.write(text.replacingOccurrences(of: program, with: Repository.server), to: name)
      // In tenths of its scale from 0, sealed off, to 10; a unit that says nothing has more than 9.
      let (exit, output) = try ChildProcess.run(
        try Program.systemdAnalyze.path(), ["security", "--offline=true", "--threshold=25", file])
      #expect(exit == .status(0), "\(output)")
    }
  }

  @Test("a socket without a protocol recognises each connection's", arguments: [true, false])
  func recognises(inherited: Bool) throws {
    let listening = try ListeningSocket(.tcp(host: "127.0.0.1", port: 0))
    let server = try ServerProcess(
      inherited ? [] : ["--socket", "127.0.0.1:0"],
      input: inherited ? .descriptor(listening.descriptor) : .nothing, sockets: 1)
    let address = inherited ? listening.address : try server.address("recognised")
    for gateway in GatewayRequest.gateways + GatewayRequest.gateways.reversed() {
      let socket = try RawSocket(address)
      let reply = try socket.exchange(gateway, "/\(gateway)", body: TestBody.bytes(1000))
      #expect(try EnvironReport(reply).bodyLength == 1000, "\(gateway)")
      socket.close()
    }
    #expect(try server.stop() == .status(0), "\(server.process.output)")
  }

  @Test("abstract sockets, and the mode of a unix socket's file")
  func socketOptions() throws {
    let name = "nsgi-test-\(getpid())-\(UInt32.random(in: 0...(.max)))"
    let server = try ServerProcess(
      ["--http-socket", "@\(name)", "--scgi-socket", "DIR/s.sock", "--chmod-socket=640"])
    let socket = try RawSocket(.abstract(name: name))
    #expect(try socket.exchange("http", "/").status == 200)
    socket.close()
    let attributes = try FileManager.default.attributesOfItem(atPath: server.folder.file("s.sock"))
    #expect(attributes[.posixPermissions] as? Int == 0o640)
    #expect(try server.stop() == .status(0), "\(server.process.output)")
  }
}
