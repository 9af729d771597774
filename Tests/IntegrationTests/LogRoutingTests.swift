// Where lines go: every kind of destination with the real thing at its other end, what is made of lines on
// the way, and what happens when nobody takes them.
import Foundation
import Support
import Testing

@Suite struct LogRoutingTests {
  /// A server whose lines may go anywhere.
  private final class Server {
    let folder: TemporaryFolder
    let process: ChildProcess
    let address: Support.Address

    init(_ options: [String], workers: Int = 1, in folder: TemporaryFolder? = nil) throws {
      let folder = try folder ?? TemporaryFolder()
      self.folder = folder
      address = .unix(path: folder.file("http.sock"))
      let own = [
        "--app", Repository.app("hello_world_app"), "--http-socket", folder.file("http.sock"), "-p",
        "\(workers)",
        "--control-socket", folder.file("ctl"),
      ]
      process = try ChildProcess(
        Repository.server, own + options.map { $0.replacingOccurrences(of: "DIR/", with: folder.path + "/") })
      try Deadline.usual.wait(for: "the socket", output: { [process] in process.output }) { [address] in
        (try? RawSocket(address)).map { $0.close() }
      }
    }

    func get(_ target: String) throws { #expect(try RawSocket(address).ask(target).status == 200) }

    func text(_ name: String) -> String {
      String(decoding: FileManager.default.contents(atPath: folder.file(name)) ?? Data(), as: UTF8.self)
    }

    /// Waits until a file holds a text; all of it.
    @discardableResult
    func wait(_ name: String, for text: String) throws -> String {
      try Deadline.usual.wait(for: "\(text) in \(name)", output: { self.text(name) + process.output }) {
        let found = self.text(name)
        return found.contains(text) ? found : nil
      }
    }

    func ctl(_ words: String...) throws -> String {
      try ChildProcess.run(Repository.server, ["ctl", "--control-socket", folder.file("ctl")] + words).output
    }

    /// So many requests on one connection, each of which is answered.
    func ask(_ count: Int) throws { try RawSocket(address).ask(times: count) }
  }

  private static let udp = Support.Address.tcp(host: "127.0.0.1", port: 0)

  // MARK: Destinations

  @Test("a file, and standard error beside it")
  func file() throws {
    let server = try Server(["--logger", "file:DIR/log", "--logger", "stdio"])
    try server.get("/one")
    try server.wait("log", for: "\"GET /one HTTP/1.1\" 200")
    _ = try server.process.waitForOutput("the line") { $0.contains("GET /one") ? true : nil }
    try server.wait("log", for: " ready\n")
    #expect(try server.process.stop() == .status(0))
  }

  @Test("a drain takes lines away, and a filter lets others through")
  func drains() throws {
    let server = try Server([
      "--logger", "file:DIR/log", "--log-drain", "/secret", "--log-drain", "HEAD", "--log-filter", "GET /",
      "--log-filter", "POST /",
    ])
    for target in ["/secret", "/one", "/secret/two", "/three"] { try server.get(target) }
    let text = try server.wait("log", for: "GET /three")
    // What the server tells its operator passes.
    let lines = text.split(separator: "\n").filter { !$0.hasPrefix("server: ") }
    #expect(lines.count == 2 && lines[0].contains("GET /one"), "\(text)")
    #expect(try server.process.stop() == .status(0))
    #expect(!server.text("log").contains("secret") && server.text("log").contains(" ready\n"))
  }

  @Test("lines of requests have a place of their own, and the last of them reach it")
  func requests() throws {
    let server = try Server(
      ["--logger", "file:DIR/log", "--req-logger", "file:DIR/requests", "--log-format", "%(method) %(uri)"],
      workers: 2)
    // The first worker answers while the other one still loads.
    try server.wait("log", for: " ready\n")
    for number in 0..<50 { try server.get("/\(number)") }
    #expect(try server.process.stop() == .status(0))
    let lines = Set(server.text("requests").split(separator: "\n").map(String.init))
    #expect(lines == Set((0..<50).map { "GET /\($0)" }))
    #expect(!server.text("log").contains("GET /"))
  }

  @Test("UDP and a unix socket: a datagram a line", arguments: ["udp", "unix"])
  func datagrams(kind: String) throws {
    let folder = try TemporaryFolder()
    let receiver = try DatagramReceiver(kind == "udp" ? Self.udp : .unix(path: folder.file("r")))
    let server = try Server(
      ["--req-logger", "socket:\(receiver.text)", "--log-format", "%(uri) %(uagent)"], in: folder)
    let socket = try RawSocket(server.address)
    try socket.send("GET /x HTTP/1.1\r\nHost: h\r\nConnection: close\r\nUser-Agent: a\"b\t\u{9b}\r\n\r\n")
    _ = try socket.receiveLastReply()
    #expect(try receiver.receive("/x") == #"/x a\x22b\x09\xc2\x9b"#)
  }

  @Test("logto takes an address, as in uWSGI")
  func logToAddress() throws {
    let receiver = try DatagramReceiver(Self.udp)
    let server = try Server(["--logto", receiver.text])
    #expect(try receiver.receive(" ready").hasSuffix(" ready"))
    try server.get("/x")
    #expect(try receiver.receive("GET /x").hasSuffix("us"))
  }

  @Test("syslog, by its socket and over the network; and systemd's journal")
  func services() throws {
    let folder = try TemporaryFolder()
    let (local, journal) = (
      try DatagramReceiver(.unix(path: folder.file("log"))),
      try DatagramReceiver(.unix(path: folder.file("journal")))
    )
    let remote = try DatagramReceiver(Self.udp)
    let server = try Server(
      [
        "--logger", "syslog:shop,local3,\(folder.file("log"))", "--logger", "rsyslog:\(remote.text),shop,165",
        "--logger", "systemd:shop,\(folder.file("journal"))", "--log-format", "%(uri)",
      ], in: folder)
    try server.get("/x")
    let date = #/[A-Z][a-z]{2} [ 1-3]\d \d\d:\d\d:\d\d/#
    let first = try local.receive("/x").replacing(date) { _ in "T" }
    #expect(first.wholeMatch(of: #/<158>T shop\[\d+\]: \/x/#) != nil, "\(first)")
    let second = try remote.receive("/x").replacing(date) { _ in "T" }
    #expect(second.wholeMatch(of: #/<165>T [^ ]+ shop: \/x/#) != nil, "\(second)")
    #expect(try journal.receive("/x") == "SYSLOG_IDENTIFIER=shop\nPRIORITY=6\nMESSAGE=/x\n")
    // A line says how grave it is.
    kill(try worker(of: server), SIGKILL)
    #expect(try local.receive("died of SIGKILL").hasPrefix("<155>"))
    #expect(try journal.receive("died of SIGKILL").contains("\nPRIORITY=3\n"))
  }

  private func worker(of server: Server) throws -> pid_t {
    try Deadline.usual.wait(for: "a worker") {
      (try? MasterStatus(server.ctl("--json", "status")))?.serving.first?.pid
    }
  }

  // MARK: On the way

  @Test("routes and encoders")
  func routes() throws {
    let server = try Server([
      "--logger", "file:DIR/rest", "--logger", "ready file:DIR/ready", "--req-logger", "file:DIR/requests",
      "--req-logger", "api file:DIR/api", "--log-route", "ready  ready$", "--log-req-route", "api ^/api/",
      "--log-req-encoder", "prefix:api >", "--log-req-encoder", #"json {"m":"${msg}","u":${unix}}"#,
      "--log-encoder", "format:ready [${message}]${msgnl}", "--log-format", "%(uri) \"%(method)\"",
    ])
    try server.get("/api/1")
    try server.get("/2")
    let api = try server.wait("api", for: "/api/1")
    #expect(api.wholeMatch(of: #/\{"m":">/api/1 \\"GET\\"","u":\d+\}\n/#) != nil, "\(api)")
    let requests = try server.wait("requests", for: "/2")
    #expect(requests.wholeMatch(of: #/\{"m":"/2 \\"GET\\"","u":\d+\}\n/#) != nil, "\(requests)")
    let ready = try server.wait("ready", for: " ready")
    #expect(ready.split(separator: "\n").allSatisfy { $0.hasPrefix("[server: ") }, "\(ready)")
    #expect(!server.text("rest").contains(" ready\n"))
  }

  @Test("--log-json: each line of every process is an object")
  func json() throws {
    let server = try Server(["--log-json", "--logto", "DIR/log"], workers: 2)
    let socket = try RawSocket(server.address)
    try socket.send("GET /x HTTP/1.1\r\nHost: h\r\nConnection: close\r\nUser-Agent: \"\\\t\u{202e}\r\n\r\n")
    _ = try socket.receiveLastReply()
    try server.wait("log", for: "/x")
    kill(try worker(of: server), SIGKILL)
    try server.wait("log", for: "died of SIGKILL")
    #expect(try server.process.stop() == .status(0))
    let objects = try server.text("log").split(separator: "\n").map { line in
      try #require(
        try JSONSerialization.jsonObject(with: Data(line.utf8)) as? [String: Any], "\(line)")
    }
    let request = try #require(objects.first { $0["uri"] as? String == "/x" })
    #expect(request["agent"] as? String == "\"\\\t\u{202e}")
    let crash = try #require(objects.first { ($0["message"] as? String ?? "").contains("SIGKILL") })
    #expect(crash["level"] as? String == "error")
    #expect(objects.allSatisfy { $0["time"] != nil && ($0["message"] != nil || $0["uri"] != nil) })
  }

  @Test("what an application writes on standard error itself is escaped too")
  func raw() throws {
    let folder = try TemporaryFolder()
    let server = try Server(["--logger", "file:DIR/log"], in: folder)
    let pid = try worker(of: server)
    // As the worker itself would: through its standard error.
    let errors = open("/proc/\(pid)/fd/2", O_WRONLY | O_CLOEXEC)
    try #require(errors >= 0)
    let text = "forged\u{1b}[2J\r2026-01-01T00:00:00Z error: x\u{9b}\nsecond\n"
    _ = text.withCString { write(errors, $0, strlen($0)) }
    close(errors)
    let log = try server.wait("log", for: "second\n")
    #expect(log.contains("forged\\x1b[2J\\r2026-01-01T00:00:00Z error: x\\xc2\\x9b\nsecond\n"), "\(log)")
  }

  // MARK: Files that grow

  @Test(
    "a file of its size is renamed, and no line is lost", arguments: [[], ["--log-backupname", "DIR/old"]])
  func maximum(options: [String]) throws {
    let server = try Server(
      [
        "--logto", "DIR/log", "--log-maxsize", "4k", "--log-format",
        "%(uri) \(String(repeating: "x", count: 90))",
      ]
        + options)
    for number in 0..<150 { try server.get("/n\(number)") }
    #expect(try server.process.stop() == .status(0))
    let names = try FileManager.default.contentsOfDirectory(atPath: server.folder.path).filter {
      $0.hasPrefix("log") || $0 == "old"
    }
    let all = names.map { server.text($0) }
    #expect(all.allSatisfy { $0.utf8.count <= 4096 + 200 }, "\(all.map(\.utf8.count))")
    guard options.isEmpty else { return #expect(names.sorted() == ["log", "old"]) }
    #expect(names.count > 3)
    let lines = all.joined().split(separator: "\n").filter { $0.hasPrefix("/n") }
    #expect(lines.count == 150 && Set(lines).count == 150)
  }

  @Test("logrotate itself, with touch-logreopen and with ctl", arguments: ["touch", "ctl", "plain"])
  func logrotate(way: String) throws {
    let folder = try TemporaryFolder()
    try "".write(toFile: folder.file("touch"), atomically: false, encoding: .utf8)
    let target = way == "plain" ? ["--logto", "DIR/log"] : ["--logger", "file:DIR/log"]
    let server = try Server(
      target + ["--log-format", "%(uri)", "--touch-logreopen", "DIR/touch"], workers: 2, in: folder)
    try server.get("/before")
    try server.wait("log", for: "/before\n")
    // The first worker answers while the master still starts, and has not looked at the file.
    try server.wait("log", for: " ready\n")
    let order =
      way == "touch"
      ? "touch \(folder.file("touch"))"
      : "\(Repository.server) ctl --control-socket \(folder.file("ctl")) log-reopen"
    let configuration = """
      \(folder.file("log")) {
        rotate 3
        create 640
        su root root
        postrotate
          \(order)
        endscript
      }

      """
    try configuration.write(toFile: folder.file("conf"), atomically: true, encoding: .utf8)
    // It reads no configuration that others may write.
    chmod(folder.file("conf"), 0o644)
    let (exit, output) = try ChildProcess.run(
      "/usr/sbin/logrotate", ["--force", "--state", folder.file("state"), folder.file("conf")])
    try #require(exit == .status(0), "\(output)")
    let old = server.text("log.1")
    #expect(old.contains("/before\n"))
    // Whoever still writes into the old file has not been told.
    _ = try Deadline.usual.wait(for: "lines in the new file", output: { server.text("log.1") }) {
      () -> Bool? in
      try server.get("/after")
      return server.text("log").contains("/after\n") ? true : nil
    }
    for _ in 0..<20 { try server.get("/later") }
    #expect(try server.process.stop() == .status(0))
    #expect(server.text("log").split(separator: "\n").count { $0 == "/later" } == 20)
    #expect(!server.text("log.1").contains("/later"))
  }

  // MARK: Nobody takes them

  @Test(
    "no request waits for a reader that has stopped, and what was lost is counted and told",
    arguments: ["fifo", "socket", "syslog", "systemd"])
  func stalled(kind: String) throws {
    let folder = try TemporaryFolder()
    let fifo = folder.file("fifo")
    mkfifo(fifo, 0o600)
    let pipe = open(fifo, O_RDWR | O_NONBLOCK | O_CLOEXEC)
    defer { close(pipe) }
    let receiver = try DatagramReceiver(.unix(path: folder.file("r")))
    let destination = [
      "fifo": "file:\(fifo)", "socket": "socket:\(receiver.text)",
      "syslog": "syslog:x,daemon,\(receiver.text)",
      "systemd": "systemd:x,\(receiver.text)",
    ][kind]!
    let server = try Server(["--req-logger", destination], in: folder)
    // More than a pipe, a queue and all memories hold.
    try server.ask(12_000)
    _ = try Deadline.usual.wait(for: "the count", output: { server.process.output }) { () -> Bool? in
      let status = try server.ctl("--json", "status")
      return status.contains(#""droppedLogLines":0"#) ? nil : true
    }
    #expect(try server.ctl("status").contains("lines were dropped"))
    _ = try server.process.waitForOutput("what was lost") {
      $0.contains("lines were dropped: \(destination) did not take them in time") ? true : nil
    }
    try server.ask(100)
    #expect(try server.process.stop() == .status(0))
  }

  @Test("a process of the log that is killed is followed by another, and what was written meanwhile is there")
  func killed() throws {
    let server = try Server(["--logger", "file:DIR/log", "--log-format", "%(uri)"])
    try server.get("/before")
    try server.wait("log", for: "/before\n")
    let collector = try Deadline.usual.wait(for: "the process") { () -> pid_t? in
      let children =
        (try? String(
          contentsOfFile: "/proc/\(server.process.pid)/task/\(server.process.pid)/children", encoding: .utf8))
        ?? ""
      return children.split(separator: " ").compactMap { pid_t($0) }.first { pid in
        let line = FileManager.default.contents(atPath: "/proc/\(pid)/cmdline") ?? Data()
        return String(decoding: line, as: UTF8.self).contains("collect")
      }
    }
    kill(collector, SIGKILL)
    for number in 0..<20 { try server.get("/n\(number)") }
    try server.wait("log", for: "/n19\n")
    #expect(server.text("log").split(separator: "\n").count { $0.hasPrefix("/n") } == 20)
    try server.wait("log", for: "the process that distributes the log's lines ended with SIGKILL")
    #expect(try server.process.stop() == .status(0))
  }

  @Test("an upgrade of the server takes the loggers along")
  func upgrade() throws {
    let server = try Server(["--logger", "file:DIR/log", "--logger", "stdio", "--log-format", "%(uri)"])
    _ = try worker(of: server)
    #expect(try server.ctl("upgrade").contains("the server goes on"))
    try server.get("/after")
    try server.wait("log", for: "/after\n")
    _ = try server.process.waitForOutput("the line") { $0.contains("/after\n") ? true : nil }
    #expect(server.text("log").split(separator: "\n").count { $0 == "/after" } == 1)
  }

  // MARK: What cannot be

  @Test(
    "what cannot be is told at the start",
    arguments: [
      (["--logger", "file:/nonexistent/log"], "the log file /nonexistent/log cannot be opened"),
      (["--logger", "stdio", "--no-master"], "--logger is a master's work, and there is none"),
      (["--logger", "syslog:x,nowhere"], "\"nowhere\" is not known"),
      (["--logger", "socket:80"], "a port alone is ambiguous"),
      (["--log-encoder", "json {${x}}"], "${x} is nothing that a line has"),
      (["--log-format", "%(nonsense)"], "%(nonsense) is nothing that a request's line can have"),
    ])
  func refused(_ row: (options: [String], text: String)) throws {
    let (exit, output) = try ServerProcess.run(
      ["--app", Repository.app("hello_world_app"), "--http-socket", "127.0.0.1:0"] + row.options)
    #expect(exit == .status(1) && output.contains(row.text), "\(output)")
  }
}

extension RawSocket {
  /// So many requests that make long lines of logs, a hundred at a time; each is answered with 200.
  func ask(times count: Int) throws {
    let agent = String(repeating: "a", count: 150)
    let request = "GET / HTTP/1.1\r\nHost: x\r\nUser-Agent: \(agent)\r\n\r\n"
    for _ in 0..<(count / 100) {
      try send(String(repeating: request, count: 100))
      for _ in 0..<100 { #expect(try receiveReply().status == 200) }
    }
  }
}
