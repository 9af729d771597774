// The ugly ways of recv(2), accept4(2) and epoll_wait(2), and what a client sees of them: nothing, mostly.
import Foundation
import Support
import Testing

@testable import Host

extension WorkerSuites {
  @Suite struct ScriptedReadTests {
    @Test("a read that a signal interrupts, or that finds nothing after all, is made again")
    func interrupted() throws {
      let bench = try WorkerBench(loop: .epoll)
      let socket = try bench.connect()
      let steps: [SystemScript.Step] = [
        .fail(EINTR), .fail(EINTR), .fail(EAGAIN), .fail(EINTR), .fail(EAGAIN), .pass,
      ]
      let (reply, left) = try playing(.receive, steps) {
        try socket.send(get("/ok"))
        return try socket.receiveReply()
      }
      #expect(reply.text == "ok")
      #expect(left == 0)
      #expect(try bench.stop())
    }

    @Test("a read or a send for which the kernel has no memory at the moment is made again")
    func noMemory() throws {
      let bench = try WorkerBench(loop: .epoll)
      let socket = try bench.connect()
      for call in [SystemScript.Call.receive, .send] {
        let (reply, left) = try playing(call, [.fail(ENOBUFS), .fail(ENOMEM), .fail(ENOMEM)]) {
          try socket.send(post("/echo", Array("hello".utf8)))
          return try socket.receiveReply()
        }
        #expect(reply.text == "POST 5 hello")
        #expect(left == 0)
      }
      #expect(try bench.stop())
    }

    @Test("a head and a body that come byte by byte from the kernel")
    func oneByteAtATime() throws {
      let bench = try WorkerBench(loop: .epoll)
      let socket = try bench.connect()
      let request = post("/echo", Array("hello".utf8))
      let (reply, left) = try playing(.receive, Array(repeating: .at(1), count: request.count)) {
        try socket.send(request)
        return try socket.receiveReply()
      }
      #expect(reply.text == "POST 5 hello")
      #expect(left == 0)
      #expect(try bench.stop())
    }

    @Test(
      "a long body in short reads, straight to its place and to the spool", arguments: [100_000, 3_000_000])
    func shortBodyReads(size: Int) throws {
      let bench = try WorkerBench(loop: .epoll)
      let socket = try bench.connect()
      var random = SeededRandom(7)
      let steps = (0..<200).map { _ in SystemScript.Step.at(Int.random(in: 1...9000, using: &random)) }
      let body = TestBody.bytes(size)
      let (reply, _) = try playing(.receive, steps) {
        try socket.send(post("/echo", body))
        return try socket.receiveReply()
      }
      #expect(reply.body == Array("POST \(size) ".utf8) + body)
      #expect(try bench.stop())
    }

    @Test("a peer that the kernel says is gone", arguments: [ECONNRESET, ETIMEDOUT, EHOSTUNREACH, ENOTCONN])
    func readFails(code: Int32) throws {
      let bench = try WorkerBench(loop: .epoll)
      for part in ["GET /ok HT", "POST /ok HTTP/1.1\r\nHost: h\r\nContent-Length: 9\r\n\r\nabc"] {
        let socket = try bench.connect()
        // The first read brings the part; the second one, of a byte more, fails.
        let (_, left) = try playing(.receive, [.at(part.utf8.count), .fail(code)]) {
          try socket.send(part + "T")
          // A reset is an end too: bytes were left unread.
          #expect(((try? socket.receiveAll()) ?? []).isEmpty)
        }
        #expect(left == 0)
      }
      #expect(try bench.isWell())
      #expect(try bench.stop())
    }

    @Test(
      "a full table of descriptors: accepting rests instead of spinning, and goes on",
      arguments: [
        EMFILE, ENFILE, ENOBUFS, ENOMEM,
      ])
    func outOfDescriptors(code: Int32) throws {
      let bench = try WorkerBench(loop: .epoll)
      #expect(try bench.isWell())
      // Every wait of the loop plays a step: what is left tells how often it turned.
      let waits = 10_000
      SystemScript.play(.wait, Array(repeating: .pass, count: waits))
      let (reply, left) = try playing(.accept, [.fail(code), .fail(code)]) {
        let socket = try bench.connect()
        try socket.send(get("/ok"))
        return try socket.receiveReply()
      }
      #expect(reply.text == "ok")
      // Two pauses of a tick, four turns a second or so, and the turns of one request.
      #expect(waits - left < 50, "the loop turned \(waits - left) times")
      #expect(try bench.isWell())
      #expect(try bench.stop())
    }

    @Test("connections that are open go on while accepting rests")
    func servedMeanwhile() throws {
      let bench = try WorkerBench(loop: .epoll)
      let open = try bench.connect()
      try open.send(get("/ok"))
      #expect(try open.receiveReply().status == 200)
      let (_, left) = try playing(.accept, [.fail(EMFILE), .fail(EMFILE)]) {
        let waiting = try bench.connect()
        try waiting.send(get("/ok"))
        for _ in 0..<20 {
          try open.send(get("/ok"))
          #expect(try open.receiveReply().text == "ok")
        }
        #expect(try waiting.receiveReply().text == "ok")
      }
      #expect(left == 0)
      #expect(try bench.stop())
    }

    @Test("a worker stops while accepting rests")
    func stopsWhilePaused() throws {
      let bench = try WorkerBench(loop: .epoll)
      #expect(try bench.isWell())
      let (_, _) = try playing(.accept, Array(repeating: .fail(EMFILE), count: 100)) {
        let socket = try bench.connect()
        try socket.send(get("/ok"))
        let other = try? bench.connect()
        _ = other
        #expect(try bench.stop())
      }
    }

    @Test(
      "an accept that fails for one client is not the next one's business",
      arguments: [
        ECONNABORTED, EINTR, EAGAIN, EPROTO, EPERM, ENETDOWN, EHOSTUNREACH,
      ])
    func acceptFails(code: Int32) throws {
      let bench = try WorkerBench(loop: .epoll)
      let (reply, left) = try playing(.accept, [.fail(code)]) {
        let socket = try bench.connect()
        try socket.send(get("/ok"))
        return try socket.receiveReply()
      }
      #expect(reply.text == "ok")
      #expect(left == 0)
      #expect(try bench.stop())
    }

    @Test("a wait that a signal interrupts")
    func waitInterrupted() throws {
      let bench = try WorkerBench(loop: .epoll)
      let socket = try bench.connect()
      try socket.send(get("/ok"))
      #expect(try socket.receiveReply().status == 200)
      let (_, left) = try playing(.wait, Array(repeating: .fail(EINTR), count: 20)) {
        for _ in 0..<5 {
          try socket.send(get("/ok"))
          #expect(try socket.receiveReply().text == "ok")
        }
      }
      #expect(left == 0)
      #expect(try bench.stop())
    }

    @Test("an epoll that is broken ends the worker with an error, not quietly")
    func waitFails() throws {
      let bench = try WorkerBench(loop: .epoll)
      let socket = try bench.connect()
      try playing(.wait, [.fail(EBADF)]) {
        try socket.send(get("/ok"))
        #expect(throws: SystemError.self) { try bench.waitForEnd() }
      }
    }

    @Test("a full disk: the request is refused with 503, the next one is served")
    func spoolIsFull() throws {
      let bench = try WorkerBench(loop: .epoll, settings: { $0.limits.bodyMemoryBytes = 1000 })
      let socket = try bench.connect()
      let body = TestBody.bytes(50_000)
      let (reply, left) = try playing(.write, [.fail(ENOSPC)]) {
        try socket.send(post("/echo", body))
        return try socket.receiveReply()
      }
      #expect(left == 0)
      #expect(reply.status == 503 && reply["retry-after"] != nil)
      #expect(reply["connection"] == "close")
      let other = try bench.connect()
      try other.send(post("/echo", body))
      #expect(try other.receiveReply().body.count == body.count + 11)
      #expect(try bench.stop())
    }

    @Test("a spool that takes its bytes in pieces and is interrupted")
    func spoolInPieces() throws {
      let bench = try WorkerBench(loop: .epoll, settings: { $0.limits.bodyMemoryBytes = 1000 })
      let socket = try bench.connect()
      let body = TestBody.bytes(50_000)
      let steps: [SystemScript.Step] = [
        .at(1), .fail(EINTR), .at(7), .at(999), .fail(EINTR), .at(1), .pass, .at(3),
      ]
      let (reply, left) = try playing(.write, steps) {
        try socket.send(post("/echo", body))
        return try socket.receiveReply()
      }
      #expect(left == 0)
      #expect(reply.body == Array("POST 50000 ".utf8) + body)
      #expect(try bench.stop())
    }
  }
}
