// Calls that wait for slow clients: they leave their permits to others, and get them back in their turn.
import Config
import Foundation
import Support
import Testing

@testable import Host

extension WorkerSuites {
  @Suite struct CallPermitTests {
    private func upload(_ bench: WorkerBench, _ body: [UInt8]) throws -> RawSocket {
      let socket = try bench.connect()
      try socket.send(post("/", body).dropLast(body.count / 2))
      return socket
    }

    private func absent(_ bench: WorkerBench, _ count: Int) throws {
      let calls = bench.worker.apps.all[0].calls
      try Deadline.usual.wait(for: "\(count) calls that wait for their clients") {
        calls.pointee.absent == count && calls.pointee.active == 0 ? () : nil
      }
    }

    @Test("more slow uploads than threads, and others are called all the same", arguments: [2, 4])
    func slowUploads(threads: Int) throws {
      let bench = try WorkerBench(app: "streams", threads: threads)
      let body = TestBody.bytes(100_000)
      let uploads = try (0..<12).map { _ in try upload(bench, body) }
      #expect(try bench.isWell("/ignored"))
      try absent(bench, 12)
      for _ in 0..<20 { #expect(try bench.isWell("/ignored")) }
      for socket in uploads { try socket.send(body.suffix(50_000)) }
      for socket in uploads {
        #expect(try socket.receiveReply().text == "100000 \(TestBody.checksum(body)), then 0")
        socket.close()
      }
      try absent(bench, 0)
      #expect(try bench.stop())
    }

    @Test("more slow readers than threads, and others are called all the same")
    func slowReaders() throws {
      let bench = try WorkerBench(
        app: "whole", onUnixSockets: true, threads: 2,
        settings: { $0.limits.responseBufferBytes = 100_000 })
      let readers = try (0..<8).map { _ in
        let socket = try bench.connect()
        try socket.send(get("/write?3000000"))
        return socket
      }
      #expect(try bench.isWell("/whole?1"))
      try absent(bench, 8)
      for socket in readers {
        #expect(try socket.receiveReply().body == TestBody.bytes(3_000_000))
        socket.close()
      }
      try absent(bench, 0)
      #expect(try bench.stop())
    }

    @Test("calls that come back wait for a permit, before those that have not begun")
    func bound() throws {
      // Each call that has its body sleeps; no more than two may do so at once.
      let bench = try WorkerBench(app: "streams", symbol: "counting_nsgi_entry", threads: 2)
      let body = TestBody.bytes(1000)
      let uploads = try (0..<10).map { _ in try upload(bench, body) }
      try absent(bench, 10)
      for socket in uploads { try socket.send(body.suffix(500)) }
      for socket in uploads {
        let text = try socket.receiveReply().text
        #expect(["1 at once", "2 at once"].contains(text), "\(text)")
        socket.close()
      }
      #expect(try bench.stop())
    }

    @Test("clients that leave while their calls wait: every permit comes back")
    func leaving() throws {
      let bench = try WorkerBench(app: "streams", threads: 2)
      for _ in 0..<3 {
        let uploads = try (0..<8).map { _ in try upload(bench, TestBody.bytes(1000)) }
        try absent(bench, 8)
        for (number, socket) in uploads.enumerated() {
          if number % 2 == 0 { socket.resetOnClose() }
          socket.close()
        }
        try absent(bench, 0)
        #expect(try bench.isWell("/ignored"))
      }
      #expect(try bench.stop())
    }

    @Test("no more calls wait than may, and those beyond count")
    func mostWaiting() throws {
      let bench = try WorkerBench(
        app: "streams", threads: 2, settings: { $0.limits.waitingCalls = 3 })
      let body = TestBody.bytes(1000)
      let uploads = try (0..<5).map { _ in try upload(bench, body) }
      let calls = bench.worker.apps.all[0].calls
      try Deadline.usual.wait(for: "all to wait") {
        calls.pointee.absent == 3 && calls.pointee.active == 2 ? () : nil
      }
      for socket in uploads { try socket.send(body.suffix(500)) }
      for socket in uploads {
        #expect(try socket.receiveReply().text.hasSuffix("then 0"))
        socket.close()
      }
      #expect(try bench.isWell("/ignored"))
      #expect(try bench.stop())
    }

    @Test("a stop waits for calls that wait, and drains when they have their bodies")
    func stopWithin() throws {
      let bench = try WorkerBench(app: "streams", threads: 2)
      let body = TestBody.bytes(1000)
      let uploads = try (0..<6).map { _ in try upload(bench, body) }
      try absent(bench, 6)
      bench.send(SIGTERM)
      try Deadline.usual.wait(for: "the listener to close") { (try? bench.connect()) == nil ? () : nil }
      for socket in uploads {
        try socket.send(body.suffix(500))
        #expect(try socket.receiveReply().text.hasSuffix("then 0"))
        socket.close()
      }
      #expect(try bench.waitForEnd())
    }
  }
}
