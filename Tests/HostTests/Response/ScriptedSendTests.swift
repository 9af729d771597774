// A socket that takes an answer in pieces of every length, or not at all: nothing is lost, doubled or
// mixed up.
import Config
import Foundation
import Support
import Testing

@testable import Host

extension WorkerSuites {
  @Suite struct ScriptedSendTests {
    /// A request for `path` on one of the four protocols.
    private func request(_ gateway: ListenerProtocol, _ path: String) -> [UInt8] {
      let variables = [(name: "REQUEST_METHOD", value: "GET"), (name: "REQUEST_URI", value: path)]
      switch gateway {
      case .http1, .auto: return Array(get(path).utf8)
      case .scgi:
        var request = SCGIRequest()
        request.variables = variables
        return request.bytes
      case .uwsgi: return UWSGIClientRequest(variables: variables).bytes
      case .fastcgi:
        var request = FastCGIClientRequest(params: variables)
        request.keepsConnection = true
        return request.bytes
      }
    }

    /// The reply on a connection that is open already, or that ends with it.
    private func receive(_ gateway: ListenerProtocol, on socket: RawSocket) throws -> Reply {
      switch gateway {
      case .http1, .auto: return try socket.receiveReply()
      case .scgi, .uwsgi: return try Reply(gateway: try socket.receiveAll())
      case .fastcgi: return try socket.receiveFastCGI().reply
      }
    }

    @Test(
      "a short answer in two pieces, cut at every length",
      arguments: [ListenerProtocol.http1, .scgi, .uwsgi, .fastcgi], [false, true])
    func cutEverywhere(gateway: ListenerProtocol, isBlocked: Bool) throws {
      let bench = try WorkerBench(loop: .epoll, [gateway])
      let persists = gateway == .http1 || gateway == .fastcgi
      var socket = try bench.connect()
      for length in 1..<250 {
        // Without EAGAIN the loop sends on at once; with it, when epoll says so.
        let steps: [SystemScript.Step] =
          isBlocked ? [.at(length), .fail(EAGAIN), .at(1), .fail(EAGAIN)] : [.at(length), .fail(EINTR)]
        let (reply, _) = try playing(.send, steps) {
          try socket.send(request(gateway, "/ok"))
          return try receive(gateway, on: socket)
        }
        #expect(reply.status == 200 && reply.text == "ok", "cut at \(length)")
        if !persists { socket = try bench.connect() }
      }
      #expect(try bench.stop())
    }

    @Test(
      "one byte at a time, the socket full after each",
      arguments: [ListenerProtocol.http1, .scgi, .uwsgi, .fastcgi])
    func byteByByte(gateway: ListenerProtocol) throws {
      let bench = try WorkerBench(loop: .epoll, [gateway])
      let socket = try bench.connect()
      let steps = (0..<400).map { $0 % 2 == 0 ? SystemScript.Step.at(1) : .fail(EAGAIN) }
      let (reply, _) = try playing(.send, steps) {
        try socket.send(request(gateway, "/ok"))
        return try receive(gateway, on: socket)
      }
      #expect(reply.status == 200 && reply.text == "ok")
      #expect(try bench.stop())
    }

    @Test(
      "a large answer in pieces of random lengths, streamed and whole",
      arguments: [ListenerProtocol.http1, .scgi, .uwsgi, .fastcgi], ["/big", "/pieces", "/flushed"])
    func largeInPieces(gateway: ListenerProtocol, path: String) throws {
      let bench = try WorkerBench(loop: .epoll, [gateway])
      for seed in 1...3 {
        var random = SeededRandom(UInt64(seed))
        let steps: [SystemScript.Step] = (0..<300).map { _ in
          switch Int.random(in: 0..<8, using: &random) {
          case 0: .fail(EAGAIN)
          case 1: .fail(EINTR)
          case 2: .at(1)
          default: .at(Int.random(in: 1...100_000, using: &random))
          }
        }
        let socket = try bench.connect()
        let (reply, _) = try playing(.send, steps) {
          try socket.send(request(gateway, path))
          return try receive(gateway, on: socket)
        }
        #expect(reply.isComplete && reply.status == 200)
        let piece = path == "/big" ? 65536 : 5
        let expected = (0..<(path == "/big" ? 48 : 3)).flatMap {
          [UInt8](repeating: 97 + UInt8($0 % 26), count: piece)
        }
        #expect(reply.body == expected)
      }
      #expect(try bench.stop())
    }

    @Test("pipelined answers whose socket is full again and again come in order and whole")
    func pipelined() throws {
      let bench = try WorkerBench(loop: .epoll, app: "host_calls")
      let socket = try bench.connect()
      let paths = (0..<60).map { $0 % 7 == 3 ? "/whole?20000" : "/\($0)" }
      var random = SeededRandom(3)
      let steps: [SystemScript.Step] = (0..<150).map { _ in
        Bool.random(using: &random) ? .fail(EAGAIN) : .at(Int.random(in: 1...3000, using: &random))
      }
      let (_, _) = try playing(.send, steps) {
        try socket.send(paths.map { get($0) }.joined())
        for path in paths {
          let reply = try socket.receiveReply()
          #expect(path.hasPrefix("/whole") ? reply.body.count == 20_000 : reply.text == path)
        }
      }
      #expect(try bench.stop())
    }

    @Test(
      "a client that is gone when its answer is sent", arguments: [ECONNRESET, EPIPE, ETIMEDOUT],
      ["/ok", "/big", "/flushed", "/fail", "/fail-late"])
    func clientIsGone(code: Int32, path: String) throws {
      let bench = try WorkerBench(loop: .epoll)
      for steps in [
        [SystemScript.Step.fail(code)], [.at(20), .fail(code)], [.at(20), .fail(EAGAIN), .fail(code)],
      ] {
        let socket = try bench.connect()
        try playing(.send, steps) {
          try socket.send(get(path))
          // The connection ends, and what has come is the beginning of the answer.
          let bytes = (try? socket.receiveAll()) ?? []
          #expect(bytes.isEmpty || bytes.starts(with: Array("HTTP/1.1 ".utf8)))
        }
      }
      #expect(try bench.isWell())
      #expect(try bench.stop())
    }

    @Test("the interim answer to Expect meets a full socket")
    func interimIsBlocked() throws {
      let bench = try WorkerBench(loop: .epoll)
      let socket = try bench.connect()
      let (_, left) = try playing(.send, [.at(3), .fail(EAGAIN), .at(1), .fail(EAGAIN)]) {
        try socket.send("POST /echo HTTP/1.1\r\nHost: h\r\nContent-Length: 3\r\nExpect: 100-continue\r\n\r\n")
        #expect(try socket.receiveReply().status == 100)
        try socket.send("abc")
        #expect(try socket.receiveReply().text == "POST 3 abc")
      }
      #expect(left == 0)
      #expect(try bench.stop())
    }

    @Test("a file in pieces, with others before and behind it in the pipeline")
    func fileInPieces() throws {
      let folder = try TemporaryFolder()
      let bytes = TestBody.bytes(300_000)
      try Data(bytes).write(to: URL(fileURLWithPath: folder.file("f")))
      let bench = try WorkerBench(
        loop: .epoll, app: "host_calls", settings: { $0.sendfileRoot = folder.path })
      let socket = try bench.connect()
      var random = SeededRandom(5)
      let steps: [SystemScript.Step] = (0..<100).map { _ in
        Bool.random(using: &random) ? .fail(EAGAIN) : .at(Int.random(in: 1...10_000, using: &random))
      }
      try playing(.send, steps) {
        try socket.send(
          get("/a") + get("/file/f") + get("/b") + get("/file/f") + get("/c", "Connection: close\r\n"))
        #expect(try socket.receiveReply().text == "/a")
        #expect(try socket.receiveReply().body == bytes)
        #expect(try socket.receiveReply().text == "/b")
        #expect(try socket.receiveReply().body == bytes)
        #expect(try socket.receiveLastReply().text == "/c")
      }
      #expect(try bench.stop())
    }
  }
}
