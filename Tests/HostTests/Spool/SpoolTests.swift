// Bodies and answers that are too long for memory: where they go, how much of them there may be, and what a
// client is told when there is no room.
import Config
import Foundation
import Support
import Testing

@testable import Host

@Suite struct SpoolRoomTests {
  private func append(_ count: Int, _ spool: Spool) throws {
    try TestBody.bytes(count).withUnsafeBytes { try spool.append($0) }
  }

  @Test("all spools together hold no more than they may, and what ends makes room")
  func together() throws {
    let room = SpoolRoom(directory: "/tmp", most: 1000)
    let first = try Spool(in: room)
    try append(600, first)
    do {
      let second = try Spool(in: room)
      try append(400, second)
      #expect(room.bytes == 1000)
      #expect(throws: SpoolError.self) { try append(1, first) }
      #expect(first.count == 600 && room.bytes == 1000)
    }
    #expect(room.bytes == 600)
    try append(400, first)
  }

  @Test("a directory that takes no files")
  func noFiles() {
    #expect(throws: SpoolError.self) { try Spool(in: SpoolRoom(directory: "/proc", most: .max)) }
    #expect(throws: SpoolError.self) { try Spool(in: SpoolRoom(directory: "/no/such", most: .max)) }
  }

  @Test(
    "what can be mended by waiting is 503, what is above a limit on files 413, the rest 500",
    arguments: [
      (ENOSPC, 503), (EDQUOT, 503), (EMFILE, 503), (ENFILE, 503), (ENOMEM, 503), (EFBIG, 413),
      (EIO, 500), (EROFS, 500),
    ])
  func status(code: Int32, status: Int) {
    #expect(SpoolError.failed(SystemError("pwrite", code)).status == status)
  }

  @Test("one complaint a second")
  func complaints() {
    let room = SpoolRoom(directory: "/tmp", most: 0)
    #expect(room.mayComplain(5_000_000_000))
    #expect(!room.mayComplain(5_900_000_000))
    #expect(room.mayComplain(6_000_000_000))
  }
}

extension WorkerSuites {
  @Suite struct SpoolTests {
    private func small(_ settings: inout Settings) {
      settings.limits.bodyMemoryBytes = 1000
      settings.limits.spoolBytes = 100_000
      settings.limits.lingerSeconds = 0.1
    }

    @Test(
      "a body that never fits is refused before it comes, or when it has come so far",
      arguments: ["http", "scgi", "uwsgi", "fastcgi"])
    func neverFits(gateway: String) throws {
      let gateways = ["http": ListenerProtocol.http1, "scgi": .scgi, "uwsgi": .uwsgi, "fastcgi": .fastcgi]
      let bench = try WorkerBench([try #require(gateways[gateway])], settings: small)
      let socket = try bench.connect()
      let request = GatewayRequest.bytes(gateway, "/echo", body: TestBody.bytes(100_001))
      try socket.send(request.dropLast(90_000))
      let reply = try GatewayRequest.reply(gateway, try socket.receiveAll())
      #expect(reply.status == 413, "\(reply.text)")
      let other = try bench.connect()
      let body = TestBody.bytes(90_000)
      try other.send(GatewayRequest.bytes(gateway, "/echo", body: body))
      let echo =
        try gateway == "http"
        ? other.receiveReply() : GatewayRequest.reply(gateway, other.receiveAll())
      #expect(echo.body == Array("POST 90000 ".utf8) + body)
      #expect(try bench.stop())
      #expect(bench.worker.spools.bytes == 0)
    }

    @Test("a chunked body that turns out never to fit is refused with 413")
    func neverFitsChunked() throws {
      let bench = try WorkerBench(settings: small)
      let socket = try bench.connect()
      var request = HTTP1Request()
      (request.method, request.target, request.body) = ("POST", "/echo", TestBody.bytes(200_000))
      request.chunks = [50_000, 50_000, 50_000, 50_000]
      _ = try? socket.send(request.bytes)
      let reply = try socket.receiveReply()
      #expect(reply.status == 413, "\(reply.text)")
      #expect(try bench.stop())
    }

    @Test("while others hold the room a body is refused with 503 and told to come back; then it is served")
    func full() throws {
      let bench = try WorkerBench(settings: {
        small(&$0)
        $0.limits.spoolBytes = 6_000_000
        $0.limits.responseBufferBytes = 16_000_000
      })
      // Longer than what the ring brings in one turn (4 MiB), which may be served from where it lies.
      let body = TestBody.bytes(4_500_000)
      let holder = try bench.connect()
      try holder.send(post("/echo", body).dropLast(1))
      try Deadline.usual.wait(for: "all of it in a spool, or the holder is who is refused") {
        bench.worker.spools.bytes == body.count - 1 ? () : nil
      }
      let log = try capturingErrors {
        for _ in 0..<5 {
          let other = try bench.connect()
          _ = try? other.send(post("/echo", body))
          let reply = try other.receiveReply()
          #expect(reply.status == 503 && reply["retry-after"] != nil, "\(reply)")
          #expect(reply["connection"] == "close")
          #expect(try bench.isWell())
        }
      }
      #expect(log.contains("--spool-max"))
      #expect(log.components(separatedBy: "cannot be stored").count - 1 <= 3, "\(log)")
      try holder.send(body.suffix(1))
      #expect(try holder.receiveReply().body.count == body.count + 13)
      let other = try bench.connect()
      try other.send(post("/echo", body))
      #expect(try other.receiveReply().body.count == body.count + 13)
      for each in [holder, other] { each.close() }
      #expect(try bench.stop())
      #expect(bench.worker.spools.bytes == 0)
    }

    @Test(
      "an app that streams and asks for a whole that does not fit: its failure is a 413",
      arguments: [true, false])
    func gathered(isTooLong: Bool) throws {
      let bench = try WorkerBench(app: "streams", symbol: "failing_nsgi_entry", settings: small)
      let body = TestBody.bytes(isTooLong ? 100_001 : 99_000)
      let socket = try bench.connect()
      _ = try? socket.send(post("/whole", body))
      let reply = try socket.receiveReply()
      #expect(isTooLong ? reply.status == 413 : reply.text == "whole", "\(reply.status) \(reply.text)")
      #expect(try bench.stop())
    }

    @Test(
      "a whole answer that a client does not take goes to a file, and reaches it unchanged",
      arguments: ["http", "scgi", "uwsgi", "fastcgi"], ["nsgi_entry", "never_waits_nsgi_entry"])
    func answers(gateway: String, symbol: String) throws {
      let gateways = ["http": ListenerProtocol.http1, "scgi": .scgi, "uwsgi": .uwsgi, "fastcgi": .fastcgi]
      let bench = try WorkerBench(
        app: "whole", symbol: symbol, [try #require(gateways[gateway])], onUnixSockets: true,
        settings: { $0.limits.responseBufferBytes = 100_000 })
      let size = 5_000_000
      for path in ["whole", "write", "sent"] {
        let socket = try bench.connect()
        try socket.send(GatewayRequest.bytes(gateway, "/\(path)?\(size)"))
        usleep(100_000)
        let waitsInFile = path == "whole" || symbol != "nsgi_entry"
        if waitsInFile {
          try Deadline.usual.wait(for: "a spool of \(path)") {
            bench.worker.spools.bytes > 4_000_000 ? () : nil
          }
        } else {
          #expect(bench.worker.spools.bytes == 0)
        }
        let reply =
          try gateway == "http"
          ? socket.receiveReply() : GatewayRequest.reply(gateway, socket.receiveAll())
        #expect(reply.body == TestBody.bytes(size), "\(path)")
      }
      #expect(bench.worker.spools.bytes == 0)
      #expect(try bench.stop())
    }

    @Test("without room an answer waits for its client in the call")
    func answersWithoutRoom() throws {
      let bench = try WorkerBench(
        app: "whole", onUnixSockets: true,
        settings: {
          $0.limits.responseBufferBytes = 100_000
          $0.limits.spoolBytes = 1000
        })
      let socket = try bench.connect()
      try socket.send(get("/whole?5000000"))
      let other = try bench.connect()
      try other.send(get("/whole?5"))
      #expect(try other.receiveReply().body == TestBody.bytes(5))
      #expect(try socket.receiveReply().body == TestBody.bytes(5_000_000))
      for each in [socket, other] { each.close() }
      #expect(try bench.stop())
    }

    @Test("pipelined large answers come in their order, each behind its spool")
    func pipelined() throws {
      let bench = try WorkerBench(
        app: "whole", onUnixSockets: true, settings: { $0.limits.responseBufferBytes = 100_000 })
      let socket = try bench.connect()
      let sizes = [3_000_000, 10, 2_000_000, 0, 1_000_001]
      for size in sizes { try socket.send(get("/whole?\(size)")) }
      usleep(50_000)
      for size in sizes { #expect(try socket.receiveReply().body == TestBody.bytes(size)) }
      socket.close()
      #expect(try bench.stop())
      #expect(bench.worker.spools.bytes == 0)
    }

    @Test("a client that leaves before its spool is sent takes it along")
    func leaves() throws {
      let bench = try WorkerBench(
        app: "whole", onUnixSockets: true, settings: { $0.limits.responseBufferBytes = 100_000 })
      let socket = try bench.connect()
      try socket.send(get("/whole?5000000"))
      try Deadline.usual.wait(for: "a spool") { bench.worker.spools.bytes > 4_000_000 ? () : nil }
      socket.close()
      try Deadline.usual.wait(for: "the end of the spool") { bench.worker.spools.bytes == 0 ? () : nil }
      #expect(try bench.isWell("/whole?1"))
      #expect(try bench.stop())
    }
  }
}
