import Support
import Testing
import Wire

/// Response heads and chunks, to the letter and through a client of its own.
@Suite struct HTTP1WriterTests {
  static let date = "Sun, 06 Nov 1994 08:49:37 GMT"

  /// The head of a response with these fields.
  static func head(
    _ status: Int, _ fields: [(String, String)] = [], reason: String? = nil, knownLength: Int64 = -1,
    isHead: Bool = false, minorVersion: UInt8 = 1, persists: Bool = true, server: StaticString = "nsgi"
  ) throws -> (text: String, plan: ResponsePlan) {
    var response = ResponseHead(limit: 4096)
    if let reason {
      try Array(reason.utf8).withUnsafeBytes { try response.begin(status: status, reason: $0) }
    } else {
      try response.begin(status: status)
    }
    for (name, value) in fields {
      try Array(name.utf8).withUnsafeBytes { name in
        try Array(value.utf8).withUnsafeBytes { value in try response.add(name: name, value: value) }
      }
    }
    let plan = ResponsePlan(
      .init(
        gateway: .http1, isHead: isHead, minorVersion: minorVersion, persists: persists, status: status,
        declaredLength: response.contentLength, knownLength: knownLength))
    let text = withServerFields(server) { own in
      writtenText {
        HTTP1ResponseWriter.head(&response, plan, minorVersion: minorVersion, own: own, into: &$0)
      }
    }
    return (text, plan)
  }

  @Test func usual() throws {
    let head = try Self.head(200, [("Content-Type", "text/plain")], knownLength: 12)
    #expect(
      head.text == "HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nDate: \(Self.date)\r\nServer: nsgi\r\n"
        + "Content-Length: 12\r\n\r\n")
  }

  @Test func datesAndServersOfTheAppStay() throws {
    let head = try Self.head(404, [("date", "x"), ("SERVER", "y")], knownLength: 0)
    #expect(head.text == "HTTP/1.1 404 Not Found\r\ndate: x\r\nSERVER: y\r\nContent-Length: 0\r\n\r\n")
  }

  @Test func noServerWithoutAName() throws {
    #expect(try Self.head(204, server: "").text == "HTTP/1.1 204 No Content\r\nDate: \(Self.date)\r\n\r\n")
  }

  @Test func reasonOfTheApp() throws {
    #expect(try Self.head(200, reason: "Fine").text.hasPrefix("HTTP/1.1 200 Fine\r\n"))
    #expect(try Self.head(299).text.hasPrefix("HTTP/1.1 299 Unknown\r\n"))
  }

  @Test func unknownLength() throws {
    let current = try Self.head(200)
    #expect(current.text.hasSuffix("Server: nsgi\r\nTransfer-Encoding: chunked\r\n\r\n"))
    #expect(current.plan.persists)
    let old = try Self.head(200, minorVersion: 0)
    #expect(old.text.hasSuffix("Server: nsgi\r\nConnection: close\r\n\r\n"))
    #expect(old.plan.framing == .untilClose && !old.plan.persists)
  }

  @Test func connection() throws {
    let closed = try Self.head(200, knownLength: 1, persists: false)
    #expect(closed.text.hasSuffix("\r\nConnection: close\r\n\r\n"))
    let kept = try Self.head(200, knownLength: 1, minorVersion: 0)
    #expect(kept.text.hasSuffix("\r\nConnection: keep-alive\r\n\r\n"))
  }

  @Test func noLengthWhereNoneBelongs() throws {
    for status in [204, 304] {
      let head = try Self.head(status, knownLength: 0)
      #expect(!head.text.contains("Content-Length") && !head.text.contains("Transfer-Encoding"), "\(status)")
    }
    #expect(try Self.head(204, [("Content-Length", "5")]).text.contains("Content-Length") == false)
    #expect(try Self.head(304, [("Content-Length", "5")]).text.contains("Content-Length: 5\r\n"))
    let toHead = try Self.head(200, [("Content-Length", "5")], isHead: true)
    #expect(toHead.text.contains("Content-Length: 5\r\n"))
  }

  @Test func interim() {
    var out = ByteBuffer()
    HTTP1ResponseWriter.interim(100, into: &out)
    HTTP1ResponseWriter.interim(103, into: &out)
    #expect(
      String(decoding: out.bytes, as: UTF8.self)
        == "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\n\r\n")
  }

  @Test(arguments: 1...100 as ClosedRange<UInt64>)
  func responsesReachAClient(seed: UInt64) throws {
    var random = SeededRandom(seed)
    let status = [200, 201, 404, 500, 299].randomElement(using: &random)!
    let count = Int.random(in: 0...8, using: &random)
    let fields = (0..<count).map { ("X-\($0)", String(repeating: "v", count: $0)) }
    let body = (0..<Int.random(in: 1...500, using: &random)).map { _ in random.byte() }
    let isChunked = Bool.random(using: &random)
    let (text, plan) = try Self.head(status, fields, knownLength: isChunked ? -1 : Int64(body.count))
    var out = ByteBuffer()
    out.append(string: text)
    if plan.framing == .chunked {
      var rest = body[...]
      while !rest.isEmpty {
        let piece = rest.prefix(Int.random(in: 1...300, using: &random))
        HTTP1ResponseWriter.chunkHead(piece.count, into: &out)
        piece.withUnsafeBytes { out.append($0) }
        HTTP1ResponseWriter.chunkTail(into: &out)
        rest = rest.dropFirst(piece.count)
      }
      HTTP1ResponseWriter.lastChunk(into: &out)
    } else {
      body.withUnsafeBytes { out.append($0) }
    }
    let response = try HTTP1Response(Array(out.bytes) + [0x58])
    #expect(response.version == "HTTP/1.1" && response.status == status)
    #expect(response.body == body && response.count == out.count)
    #expect(response.fields.map(\.value).starts(with: fields.map(\.1)))
    #expect(response.values("date") == [Self.date] && response.values("connection").isEmpty)
  }
}
