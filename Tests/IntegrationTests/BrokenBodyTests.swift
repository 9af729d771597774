// Bodies that fail midway, behind real front ends over TCP and over unix sockets: nobody may take half a page
// for a whole one.
import Foundation
import Support
import Testing

@Suite struct BrokenBodyTests {
  private static let files = [
    "nginx/scgi-", "nginx/uwsgi-", "nginx/fastcgi-", "nginx/fastcgi-keep-", "nginx/proxy-", "apache/scgi-",
    "apache/uwsgi-", "apache/fastcgi-", "apache/http-", "lighttpd/scgi-", "lighttpd/uwsgi-",
    "lighttpd/fastcgi-", "lighttpd/proxy-", "haproxy/fastcgi-", "haproxy/http-",
  ].flatMap { file in
    ["tcp", "unix"].map { "\(file)\($0).\(file.hasPrefix("haproxy") ? "cfg" : "conf")" }
  }

  @Test("a front end passes it on as cut, and the next page whole", arguments: files)
  func frontEnds(file: String) throws { try passesOn(file, "auto") }

  @Test(
    "and without io_uring",
    arguments: [
      "nginx/scgi-unix.conf", "nginx/uwsgi-unix.conf", "nginx/fastcgi-unix.conf", "nginx/proxy-unix.conf",
    ])
  func overEpoll(file: String) throws { try passesOn(file, "epoll") }

  private func passesOn(_ file: String, _ io: String) throws {
    let sockets = ["http", "scgi", "uwsgi", "fastcgi"].flatMap {
      ["--\($0)-socket", file.contains("unix") ? "DIR/\($0).sock" : "127.0.0.1:0"]
    }
    let server = try ServerProcess(
      app: try FixtureApp.path("conformance"), sockets + ["--io", io, "--chmod-socket=666"])
    // lighttpd gathers a page otherwise, and makes a whole one of what has come.
    let web = try FrontEnd(
      file, before: server, extra: file.hasPrefix("lighttpd") ? "\nserver.stream-response-body = 1\n" : "")
    let long = [UInt8](repeating: 0x78, count: 40_000)
    for (target, body, isWhole) in [
      ("/fail-late", [], false), ("/flushed", [], true), ("/fail-late", [0x78], false),
      ("/fail-late", long, false), ("/too-short", [], false), ("/flushed", long, true),
    ] {
      let socket = try RawSocket(.tcp(host: "127.0.0.1", port: web.port))
      try socket.send(GatewayRequest.bytes("http", target, body: body))
      let reply = try? socket.receiveReply()
      let seemsWhole = reply?.status == 200 && reply?.isComplete == true
      #expect(seemsWhole == isWhole, "\(target): \(String(describing: reply))")
    }
    try web.stop()
    #expect(try server.stop() == .status(0), "\(server.process.output)")
  }

  @Test(
    "the connection is reset, also by a worker that is killed", arguments: ["scgi", "uwsgi", "fastcgi"],
    ["127.0.0.1:0", "DIR/s.sock"])
  func resets(gateway: String, place: String) throws {
    let server = try ServerProcess(
      app: try FixtureApp.path("conformance"), ["--\(gateway)-socket", place, "--no-master"])
    let socket = try server.connect(gateway)
    try socket.send(GatewayRequest.bytes(gateway, "/fail-late"))
    let (bytes, isReset) = try socket.receiveToItsEnd()
    #expect(isReset && String(decoding: bytes, as: UTF8.self).contains("half"))
    // A body under way when the process goes.
    let other = try server.connect(gateway, receiveBuffer: 4096)
    try other.send(GatewayRequest.bytes(gateway, "/big"))
    #expect(try !other.receive(1000).isEmpty)
    try server.stop(SIGKILL)
    #expect(try other.receiveToItsEnd().isReset)
  }

  @Test(
    "a peer that takes its answer too slowly gets a reset and no end",
    arguments: ["scgi", "uwsgi", "fastcgi"])
  func slowReaders(gateway: String) throws {
    let server = try ServerProcess(
      app: try FixtureApp.path("conformance"),
      ["--\(gateway)-socket", "DIR/s.sock", "--no-master", "-L", "--write-timeout", "1"])
    let socket = try server.connect(gateway)
    try socket.send(GatewayRequest.bytes(gateway, "/big"))
    // Several times the server's patience: nothing else tells that it is over.
    sleep(5)
    #expect(try socket.receiveToItsEnd().isReset, "\(server.process.output)")
    #expect(try server.stop() == .status(0), "\(server.process.output)")
  }

  @Test(
    "over a unix socket no whole answer is reset, however its request comes",
    arguments: GatewayRequest.gateways, ["epoll", "auto"])
  func wholeAnswers(gateway: String, io: String) throws {
    let server = try ServerProcess(
      app: try FixtureApp.path("conformance"), ["--\(gateway)-socket", "DIR/s.sock", "--io", io])
    let long = [UInt8](repeating: 0x78, count: 40_000)
    let requests = [("/ok", []), ("/flushed", []), ("/count", [0x78]), ("/count", long), ("/unread", long)]
    for (target, body) in requests {
      let bytes = GatewayRequest.bytes(gateway, target, body: body)
      let two = [Array(bytes.prefix(20)), Array(bytes.dropFirst(20))]
      for pieces in [[bytes], two, bytes.chunks(of: 9_000)] {
        for endsItsSide in [false, true] {
          let socket = try server.connect(gateway)
          for piece in pieces {
            try socket.send(piece)
            // Not a must: the server may find some of them together.
            if pieces.count > 1 { usleep(2000) }
          }
          if endsItsSide { socket.endSending() }
          let (answer, isReset) = try socket.receiveToItsEnd()
          #expect(!isReset, "\(gateway) \(target) in \(pieces.count) pieces")
          #expect(try GatewayRequest.reply(gateway, answer).status == 200, "\(server.process.output)")
        }
      }
    }
    #expect(try server.stop() == .status(0), "\(server.process.output)")
  }
}

extension [UInt8] {
  fileprivate func chunks(of count: Int) -> [[UInt8]] {
    stride(from: 0, to: self.count, by: count).map { Array(self[$0..<Swift.min($0 + count, self.count)]) }
  }
}
