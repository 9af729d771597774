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

/// The same over TLS and HTTP/2, without a front end. There is no reset of TCP to look for: a stream has its
/// own, and with TLS an end without close_notify is one (`TLSRelay`).
@Suite struct BrokenBodyDoorwayTests {
  private func door(_ kind: Doorway.Kind, _ app: String = "conformance") throws -> Doorway {
    try Doorway(kind, app: FixtureApp.path(app), ["--no-master"])
  }

  @Test(
    "an answer that fails midway is seen to be cut, and the next one is whole",
    arguments: Doorway.Kind.allCases)
  func answers(kind: Doorway.Kind) throws {
    let door = try door(kind)
    let long = [UInt8](repeating: 0x78, count: 40_000)
    let client = try kind.isHTTP2 ? door.client() : nil
    for (target, body, isWhole) in [
      ("/fail-late", [], false), ("/flushed", [], true), ("/fail-late", [0x78], false),
      ("/fail-late", long, false), ("/too-short", [], false), ("/flushed", long, true),
    ] as [(String, [UInt8], Bool)] {
      // All of them are streams of one connection.
      let reply =
        if let client { try? client.exchange(target, body: body).reply() } else {
          try? door.exchange(target, body: body)
        }
      let seemsWhole = reply?.status == 200 && reply?.isComplete == true
      #expect(seemsWhole == isWhole, "\(target): \(String(describing: reply))")
    }
    #expect(client?.goAways.isEmpty != false)
    client?.socket.close()
    try stop(door)
  }

  /// How a client breaks its request off.
  enum Break: CaseIterable, Sendable {
    /// Its side of the connection ends; past TLS, where there is TLS.
    case ends
    /// So does all of it.
    case closes
    case resets
  }

  @Test(
    "an app never gets half a body for a whole one, however its client leaves",
    arguments: Doorway.Kind.allCases,
    Break.allCases)
  func requests(kind: Doorway.Kind, way: Break) throws {
    let door = try door(kind)
    let socket = try door.connect()
    var client: HTTP2Client?
    if kind.isHTTP2 {
      let made = try HTTP2Client(socket)
      let id = try made.post("/count", length: 1000)
      try made.upload(id, Array("0123456789".utf8))
      client = made
    } else {
      try socket.send("POST /count HTTP/1.1\r\nHost: h\r\nContent-Length: 1000\r\n\r\n0123456789")
    }
    // Nothing tells that the half has come but the line about its end.
    usleep(100_000)
    switch way {
    case .ends: socket.endSending()
    case .closes: socket.close()
    case .resets:
      socket.resetOnClose()
      socket.close()
    }
    _ = try door.server.process.waitForOutput("a line about it") {
      $0.contains("the client of POST /count has left before its body was complete") ? () : nil
    }
    if way == .ends {
      if let client { try client.finish() } else { #expect(try socket.receiveToItsEnd().bytes.isEmpty) }
      #expect(client?.soFar(1).status ?? 0 == 0)
    }
    socket.close()
    try stop(door)
    #expect(!door.server.process.output.contains("\"POST /count"), "no answer is logged")
  }

  @Test(
    "nor one of a stream that ends before its announced length, or goes beyond it, or is reset",
    arguments: [Doorway.Kind.h2c, .h2])
  func lengths(kind: Doorway.Kind) throws {
    let door = try door(kind)
    let client = try door.client()
    for count in [0, 9, 11] {
      let id = try client.post("/count", length: 10)
      try client.upload(id, [UInt8](repeating: 0x78, count: count), ends: true)
      let answer = try client.answer(id)
      // PROTOCOL_ERROR (RFC 9113 §8.1.1).
      #expect(answer.status == 0 && answer.ending == .reset(1), "\(count): \(answer)")
    }
    let id = try client.post("/count", length: 10)
    try client.upload(id, Array("012".utf8))
    // CANCEL.
    try client.send(HTTP2Bytes.reset, 0, id, HTTP2Bytes.number(8))
    #expect(try client.exchange("/count", body: Array("0123456789".utf8)).text == "read 10, then 0")
    #expect(client.soFar(id).status == 0)
    client.socket.close()
    try stop(door)
    let lines = door.server.process.output.components(separatedBy: "\"POST /count HTTP/2.0\"")
    #expect(lines.count == 2, "one of them was called: \(door.server.process.output)")
  }

  @Test("an app that reads while a body comes is told of its end midway", arguments: Doorway.Kind.allCases)
  func streamedRequests(kind: Doorway.Kind) throws {
    let door = try Doorway(
      kind, app: try FixtureApp.path("streams") + ":failing_nsgi_entry", ["--no-master"])
    let socket = try door.connect()
    if kind.isHTTP2 {
      let client = try HTTP2Client(socket)
      let id = try client.post("/", length: 1000)
      try client.upload(id, Array("0123456789".utf8))
    } else {
      try socket.send("POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 1000\r\n\r\n0123456789")
    }
    usleep(100_000)
    socket.endSending()
    // It answers with "whole" where read() says so.
    #expect(!String(decoding: try socket.receiveToItsEnd().bytes, as: UTF8.self).contains("whole"))
    socket.close()
    try stop(door)
  }
}

extension [UInt8] {
  fileprivate func chunks(of count: Int) -> [[UInt8]] {
    stride(from: 0, to: self.count, by: count).map { Array(self[$0..<Swift.min($0 + count, self.count)]) }
  }
}
