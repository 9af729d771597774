// Answers that a front end causes beside its requests, and does not take: it is not listened to any more.
import Config
import Foundation
import Support
import Testing

@testable import Host

extension WorkerSuites {
  @Suite struct RepliesTests {
    /// Messages that want an answer: GET_VALUES (§4.1), an unknown type (§4.2), a second request (§5.5).
    private static let messages: [(name: String, bytes: [UInt8])] = [
      (
        "values",
        fastCGIRecord(type: 9, id: 0, fastCGIPair("FCGI_MAX_CONNS", "") + fastCGIPair("FCGI_MAX_REQS", ""))
      ),
      ("unknown", fastCGIRecord(type: 77, id: 0)),
      ("refusal", fastCGIRecord(type: 1, id: 2, [0, 1, 1, 0, 0, 0, 0, 0])),
    ]

    private func head(_ path: String, _ length: Int) -> [UInt8] {
      var request = FastCGIClientRequest(params: [
        ("REQUEST_METHOD", "POST"), ("REQUEST_URI", path), ("CONTENT_LENGTH", "\(length)"),
      ])
      (request.keepsConnection, request.sendsStdin) = (true, false)
      return request.bytes
    }

    /// Sends a message again and again until the server takes no more; how many bytes it took, and the rest
    /// of the last message.
    private func flood(_ socket: RawSocket, _ message: [UInt8], most: Int) -> (sent: Int, rest: [UInt8]) {
      let many = Array(repeating: message, count: 65536 / message.count).flatMap { $0 }
      var (sent, offset) = (0, 0)
      while sent < most {
        let count = many[offset...].withUnsafeBytes {
          send(socket.descriptor, $0.baseAddress!, $0.count, Int32(MSG_NOSIGNAL) | Int32(MSG_DONTWAIT))
        }
        if count > 0 {
          sent += count
          offset = (offset + count) % many.count
          continue
        }
        var entry = pollfd(fd: socket.descriptor, events: Int16(POLLOUT), revents: 0)
        if poll(&entry, 1, 500) == 0 { break }
      }
      let rest = (message.count - offset % message.count) % message.count
      return (sent, Array(message.suffix(rest)))
    }

    @Test(
      "during a body that streams, before a call and beside one; the body then comes whole",
      arguments: ["values", "unknown", "refusal"], ["/", "/late", "/whole"])
    func streamedBody(name: String, path: String) throws {
      let message = try #require(Self.messages.first { $0.name == name }).bytes
      let bench = try WorkerBench(app: "streams", [.fastcgi], onUnixSockets: true)
      let socket = try bench.connect()
      try socket.send(head(path, 3))
      if path == "/" { usleep(20_000) }
      let most = 40_000_000
      let (sent, rest) = flood(socket, message, most: most)
      #expect(sent < most, "the server has taken \(sent) bytes of \(name)")
      let waiting = bench.worker.connections.record(0).pointee.outlet.pointee.output.count
      #expect(waiting < 200_000, "\(waiting) bytes wait")
      let end = fastCGIRecord(type: 5, Array("abc".utf8)) + fastCGIRecord(type: 5)
      #expect(try answers(socket, then: rest + end))
      socket.close()
      #expect(try bench.stop())
    }

    /// Reads answers until there are no more, sends the rest of the request, and looks for its end.
    private func answers(_ socket: RawSocket, then rest: [UInt8]) throws -> Bool {
      var bytes: [UInt8] = []
      var isSent = false
      let deadline = Deadline.usual
      while !deadline.isOver {
        var entry = pollfd(fd: socket.descriptor, events: Int16(POLLIN), revents: 0)
        if poll(&entry, 1, 300) > 0 {
          let some = try socket.receive(1 << 18)
          if some.isEmpty { return false }
          bytes = bytes.suffix(4096) + some
        } else if !isSent {
          try socket.send(rest)
          isSent = true
        }
        if isSent, bytes.suffix(4096).firstRange(of: Array(", then 0".utf8)) != nil { return true }
      }
      return false
    }

    @Test("during a body that is taken in first, and between requests", arguments: ["values", "unknown"])
    func plainBody(name: String) throws {
      let message = try #require(Self.messages.first { $0.name == name }).bytes
      for isWithin in [true, false] {
        let bench = try WorkerBench([.fastcgi], onUnixSockets: true)
        let socket = try bench.connect()
        if isWithin { try socket.send(head("/echo", 3)) }
        let (sent, _) = flood(socket, message, most: 20_000_000)
        #expect(sent < 20_000_000)
        let output = bench.worker.connections.record(0).pointee.outlet.pointee.output.count
        #expect(output < 200_000, "\(output) bytes wait")
        socket.close()
        #expect(try bench.stop())
      }
    }
  }
}
