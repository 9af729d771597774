// The requests that a worker remembers for a replay: which, how many, and how they are handed over.
import CLinux
import Config
import Control
import Foundation
import Support
import Testing

@testable import Host

@Suite struct RecallRingTests {
  private func head(_ text: String, app: Int = 0) -> RememberedHead {
    RememberedHead(app: app, at: 1, block: Array("A\u{0}\(text)\u{0}".utf8))
  }

  private func texts(_ recall: Recall) -> [String] {
    recall.heads.map { $0.text("A") }.sorted()
  }

  @Test("the last ones of each application are kept; what asks for the same takes the place of what did")
  func last() {
    var recall = Recall(most: 3, keepsCredentials: false, apps: 2)
    for number in 0..<5 { recall.take(head("\(number)"), key: UInt64(number)) }
    #expect(texts(recall) == ["2", "3", "4"] && recall.count == 3)
    for _ in 0..<10 { recall.take(head("3 again"), key: 3) }
    #expect(texts(recall) == ["2", "3 again", "4"])
    recall.take(head("other", app: 1), key: 3)
    #expect(texts(recall) == ["2", "3 again", "4", "other"])
    for number in 5..<8 { recall.take(head("\(number)"), key: UInt64(number)) }
    #expect(texts(recall) == ["5", "6", "7", "other"])
    // There is no such application.
    recall.take(head("x", app: 2), key: 1)
    recall.take(head("x", app: -1), key: 1)
    recall.take(RememberedHead(app: 0, at: 1, block: []), key: 1)
    #expect(recall.count == 4)
  }

  @Test("their bytes are bounded, whatever their number")
  func bounded() {
    var recall = Recall(most: 10_000, keepsCredentials: false, apps: 1)
    let long = [UInt8](repeating: 0x61, count: Limits.rememberedHeadBytes)
    for number in 0..<1000 {
      recall.take(RememberedHead(app: 0, at: UInt64(number), block: long), key: UInt64(number))
      #expect(recall.bytes <= Limits.rememberedBytes)
    }
    #expect(recall.count == Limits.rememberedBytes / Limits.rememberedHeadBytes)
    #expect(recall.heads.map(\.at).max() == 999)
    recall.take(RememberedHead(app: 0, at: 5000, block: [1]), key: 999)
    #expect(recall.bytes == Limits.rememberedBytes - Limits.rememberedHeadBytes + 1)
  }
}

extension WorkerSuites {
  @Suite struct RecallTests {
    private func bench(
      _ gateways: [ListenerProtocol] = [.http1], requests: Int = 100, credentials: Bool = false
    ) throws -> WorkerBench {
      try WorkerBench(
        gateways, isSupervised: true,
        settings: {
          $0.apps = [AppSettings(path: "/conformance.so")]
          $0.supervision.replay.requests = requests
          $0.supervision.replay.keepsCredentials = credentials
        })
    }

    private func recalled(_ bench: WorkerBench) throws -> [RememberedHead] {
      let file = clinux_memory_file("heads")
      defer { close(file) }
      try bench.tell(Message(.recall), with: file)
      try bench.hear(.recalled)
      var bytes = [UInt8](repeating: 0, count: 1 << 20)
      let count = pread(file, &bytes, bytes.count, 0)
      return RememberedHead.all(in: Array(bytes[..<max(0, count)]), most: 1 << 20)
    }

    /// Sends each request on a connection of its own, and waits for the answers.
    private func serve(_ bench: WorkerBench, _ requests: [[UInt8]], _ listener: Int = 0) throws {
      for request in requests {
        let socket = try bench.connect(listener)
        try socket.send(request)
        socket.endSending()
        _ = try socket.receiveAll()
      }
    }

    @Test("safe requests without credentials are remembered, and no others")
    func chosen() throws {
      let bench = try bench()
      let close = "Connection: close\r\n"
      let texts: [String] = [
        get("/ok?1", close), get("/ok?2", close + "Cookie: a=1\r\n"),
        get("/ok?3", close + "Authorization: Basic eDp5\r\n"),
        get("/ok?4", close + "Content-Length: 3\r\n") + "abc", get("/ok?5", close + "X-API-Key: k\r\n"),
        get("/ok?6", close + "Upgrade: websocket\r\n"),
        get("/ok?7", close + "Accept: a\r\nX-Two: 1\r\nX-Two: 2\r\n"),
        "HEAD /ok?8 HTTP/1.1\r\nHost: h\r\n\(close)\r\n",
        "DELETE /ok?9 HTTP/1.1\r\nHost: h\r\n\(close)\r\n",
      ]
      try serve(bench, texts.map { Array($0.utf8) } + [post("/ok?10", [1, 2])])
      let heads = try recalled(bench)
      #expect(heads.map { $0.text("REQUEST_URI") }.sorted() == ["/ok?1", "/ok?7", "/ok?8"])
      let seventh = try #require(heads.first { $0.text("REQUEST_URI") == "/ok?7" })
      #expect(seventh.text("REQUEST_METHOD") == "GET" && seventh.text("HTTP_ACCEPT") == "a")
      #expect(seventh.text("REMOTE_ADDR") == "127.0.0.1" && seventh.text("HTTP_HOST") == "h")
      #expect(seventh.text("SERVER_SOFTWARE").isEmpty && seventh.text("CONTENT_LENGTH").isEmpty)
      #expect(try bench.stop())
    }

    @Test("a client's certificate is a credential by each of its names; that there is none is not")
    func certificates() throws {
      let bench = try bench([.scgi])
      let variables = [
        ("SSL_CLIENT_VERIFY", "NONE"), ("SSL_CLIENT_VERIFY", "SUCCESS"), ("SSL_CLIENT_S_DN", "CN=a"),
        ("HTTPS_DN", "CN=a"), ("HTTPS_CC", "a"), ("HTTPS_CLIENT_CERTIFICATE", "a"), ("HTTPS_DN", ""),
      ]
      for (number, (name, value)) in variables.enumerated() {
        try serve(bench, [GatewayRequest.bytes("scgi", "/ok?\(number)", extra: [name: value])])
      }
      #expect(try recalled(bench).map { $0.text("REQUEST_URI") }.sorted() == ["/ok?0", "/ok?6"])
      #expect(try bench.stop())
    }

    @Test("with the option those with credentials are, and without a number none is")
    func options() throws {
      let close = "Connection: close\r\n"
      let request = Array(get("/ok", close + "Cookie: a=1\r\n").utf8)
      let bold = try bench(credentials: true)
      try serve(bold, [request])
      #expect(try recalled(bold).map { $0.text("HTTP_COOKIE") } == ["a=1"])
      #expect(try bold.stop())
      let none = try bench(requests: 0)
      try serve(none, [request, Array(get("/ok", close).utf8)])
      #expect(try recalled(none).isEmpty && none.worker.recall == nil)
      // Until the master says so.
      try none.tell(Message(.remember, [.init("count", "2"), .init("credentials", "0")]))
      try serve(none, [request, Array(get("/ok", close).utf8)])
      #expect(try recalled(none).count == 1)
      try none.tell(Message(.remember, [.init("count", "0")]))
      #expect(try recalled(none).isEmpty)
      #expect(try none.stop())
    }

    @Test("the same request is remembered alike by each protocol, and is answered alike when it is replayed")
    func protocols() throws {
      let bench = try bench([.http1, .scgi, .uwsgi, .fastcgi])
      for (index, gateway) in ["http", "scgi", "uwsgi", "fastcgi"].enumerated() {
        try serve(bench, [GatewayRequest.bytes(gateway, "/ok?\(gateway)")], index)
      }
      let heads = try recalled(bench)
      #expect(
        heads.map { $0.text("REQUEST_URI") }.sorted() == ["/ok?fastcgi", "/ok?http", "/ok?scgi", "/ok?uwsgi"])
      for head in heads {
        #expect(head.text("REQUEST_METHOD") == "GET", "\(head.text("REQUEST_URI"))")
        #expect(head.text("QUERY_STRING") == String(head.text("REQUEST_URI").dropFirst(4)))
      }
      #expect(try bench.stop())
    }

    @Test("a connection that comes by the link is served like one of the first socket")
    func attended() throws {
      let bench = try bench([.scgi])
      for _ in 0..<3 {
        var ends: [Int32] = [0, 0]
        #expect(clinux_stream_pair(&ends) == 0)
        try bench.tell(Message(.attend), with: ends[1])
        close(ends[1])
        var request = SCGIRequest()
        request.variables = [("REQUEST_METHOD", "GET"), ("REQUEST_URI", "/ok")]
        let bytes = request.bytes
        #expect(send(ends[0], bytes, bytes.count, 0) == bytes.count)
        var text: [UInt8] = []
        try Deadline.usual.wait(for: "the answer") {
          var piece = [UInt8](repeating: 0, count: 4096)
          let count = recv(ends[0], &piece, piece.count, 0)
          if count > 0 { text += piece[..<count] }
          return count == 0 ? () : nil
        }
        close(ends[0])
        let answer = String(decoding: text, as: UTF8.self)
        #expect(answer.hasPrefix("Status: 200 ") && answer.hasSuffix("\r\n\r\nok"), "\(answer)")
      }
      // Without a descriptor nothing comes.
      try bench.tell(Message(.attend))
      #expect(try bench.isWellOverSCGI())
      #expect(try bench.stop())
    }
  }
}

extension WorkerBench {
  /// One request over SCGI: proof that the worker is well.
  fileprivate func isWellOverSCGI() throws -> Bool {
    let socket = try connect()
    try socket.send(GatewayRequest.bytes("scgi", "/ok"))
    return try GatewayRequest.reply("scgi", try socket.receiveAll()).status == 200
  }
}
