import Support
import Testing

@testable import Wire

/// Fields behind a body, and responses before the final one: what is taken, and what it is on the wire.
@Suite struct TrailersTests {
  /// Trailers in the hands of a test.
  private final class Held {
    var section: TrailerSection
    init(limit: Int = 1000) { section = TrailerSection(limit: limit) }
    var lines: String { String(decoding: section.lines.bytes, as: UTF8.self) }
    var names: String { String(decoding: section.names.bytes, as: UTF8.self) }

    func add(_ name: String, _ value: String) throws {
      try Array(name.utf8).withUnsafeBytes { name in
        try Array(value.utf8).withUnsafeBytes { value in try section.add(name: name, value: value) }
      }
    }
  }

  private func refusal(_ name: String, _ value: String = "x") -> ResponseError? {
    let held = Held()
    do { try held.add(name, value) } catch {
      #expect(held.lines.isEmpty && held.names.isEmpty, "\(name)")
      return error as? ResponseError
    }
    return nil
  }

  // MARK: What is taken

  @Test func keepsFieldsAsTheyCome() throws {
    let held = Held()
    try held.add("grpc-status", "0")
    try held.add("X-Sum", "")
    #expect(held.lines == "grpc-status: 0\r\nX-Sum: \r\n" && held.names == "grpc-status, X-Sum")
  }

  @Test(arguments: [
    "TE", "Host", "Range", "Proxy", "cookie", "Expect", "Pragma", "Status", "Trailer", "UPGRADE", "If-Match",
    "If-Range", "Connection", "Keep-Alive", "Set-Cookie", "X-Sendfile", "Content-Type", "Max-Forwards",
    "Authorization", "Cache-Control", "Content-Range", "If-None-Match", "Content-Length", "Content-Encoding",
    "WWW-Authenticate", "Proxy-Connection", "Transfer-Encoding", "If-Modified-Since", "Proxy-Authenticate",
    "Proxy-Authorization", "If-Unmodified-Since",
  ])
  func fieldsOfAHead(_ name: String) { #expect(refusal(name) == .headOnly) }

  @Test(arguments: ["ETag", "Server-Timing", "grpc-message", "X-Host", "Digest", "hos", "Content-Types"])
  func fieldsThatMayStandBehind(_ name: String) { #expect(refusal(name) == nil) }

  @Test func malformed() {
    for name in ["", "a b", ":status", "a\r\nb"] { #expect(refusal(name) == .invalidName, "\(name)") }
    for value in ["\r\nX: y", "a\n", "\0"] { #expect(refusal("X", value) == .invalidValue) }
  }

  @Test func limit() throws {
    let held = Held(limit: 14)
    try held.add("ab", "c")
    try held.add("d", "ef")
    #expect(throws: ResponseError.tooLarge) { try held.add("a", "") }
    #expect(held.lines.utf8.count == 14)
  }

  // MARK: Who takes them

  @Test(arguments: [
    ("TE: trailers\r\n", true), ("te: TRAILERS\r\n", true), ("TE: deflate;q=0.5, trailers\r\n", true),
    ("TE: gzip\r\nTE: trailers\r\n", true), ("", false), ("TE:\r\n", false), ("TE: deflate\r\n", false),
    ("TE: trailersx\r\n", false), ("Trailer: x\r\n", false),
  ])
  func clientOfHTTP1(fields: String, takes: Bool) throws {
    let held = HeldReader(HTTP1RequestReader.self)
    #expect(try held.next(Array("GET / HTTP/1.1\r\nHost: a\r\n\(fields)\r\n".utf8)) == .head)
    let found = held.bytes.withUnsafeBytes { held.head.takesTrailers(in: $0.baseAddress!) }
    let takesInterim = held.head.takesInterim
    #expect(found == takes && takesInterim)
  }

  @Test func clientOfHTTP10ReadsNoInterimResponse() throws {
    let held = HeldReader(HTTP1RequestReader.self)
    #expect(try held.next(Array("GET / HTTP/1.0\r\nTE: trailers\r\n\r\n".utf8)) == .head)
    let takesInterim = held.head.takesInterim
    #expect(!takesInterim)
  }

  @Test func frontEndsReadNone() throws {
    let held = HeldReader(SCGIRequestReader.self)
    let fields = "CONTENT_LENGTH\u{0}0\u{0}SCGI\u{0}1\u{0}HTTP_TE\u{0}trailers\u{0}"
    #expect(try held.next(Array("\(fields.utf8.count):\(fields),".utf8)) == .head)
    let takesInterim = held.head.takesInterim
    #expect(!takesInterim)
  }

  // MARK: Announced in a head

  private func head(_ fields: [(String, String)]) throws -> ResponseHead {
    var head = ResponseHead(limit: 1000)
    try head.begin(status: 200)
    for (name, value) in fields {
      try Array(name.utf8).withUnsafeBytes { name in
        try Array(value.utf8).withUnsafeBytes { value in
          try head.add(name: name, value: value, mayAnnounce: true)
        }
      }
    }
    return head
  }

  private func text(_ head: borrowing ResponseHead) -> String {
    String(decoding: head.fields.bytes, as: UTF8.self)
  }

  @Test func announcementStaysOrGoes() throws {
    var own = try head([("A", "b"), ("trailer", "X-Sum"), ("Trailer", "X-Other"), ("Upgrades", "x")])
    let (isAnnounced, all) = (own.announcesTrailers, text(own))
    #expect(isAnnounced && all == "A: b\r\ntrailer: X-Sum\r\nTrailer: X-Other\r\nUpgrades: x\r\n")
    own.withdrawTrailers()
    let (isStillAnnounced, rest) = (own.announcesTrailers, text(own))
    #expect(!isStillAnnounced && rest == "A: b\r\nUpgrades: x\r\n")
    #expect(throws: ResponseError.reservedName) { _ = try head([("Upgrade", "x")]) }
    own = try head([("Trailer", "X-Sum")])
    try own.begin(status: 200)
    let isReset = !own.announcesTrailers
    #expect(isReset)
  }

  @Test func serverAnnouncesOnlyWhatNobodyHas() throws {
    let held = Held()
    try held.add("X-Sum", "1")
    try held.add("b", "2")
    let encoder = ResponseEncoder(.http1, isNonParsed: false, minorVersion: 1, requestID: 0)
    var none = try head([])
    encoder.announce(held.section, in: &none)
    var own = try head([("Trailer", "x")])
    encoder.announce(held.section, in: &own)
    var other = try head([])
    let frames = ResponseEncoder(.http2, isNonParsed: false, minorVersion: 1, requestID: 1)
    frames.announce(held.section, in: &other)
    let found = [text(none), text(own), text(other)]
    #expect(found == ["Trailer: X-Sum, b\r\n", "Trailer: x\r\n", ""])
  }

  @Test(arguments: [Gateway.http1, .http2, .scgi, .uwsgi, .fastcgi, .cgi])
  func chunksOfAnAnnouncedResponse(_ gateway: Gateway) {
    for length in [-1, 5] as [Int64] {
      var question = ResponsePlan.Question(
        gateway: gateway, isHead: false, minorVersion: 1, persists: true, status: 200, declaredLength: length,
        knownLength: -1)
      let without = ResponsePlan(question)
      question.sendsTrailers = true
      let with = ResponsePlan(question)
      #expect(with.contentLength == length && with.persists == without.persists)
      #expect(with.framing == (gateway == .http1 ? .chunked : without.framing))
    }
  }

  // MARK: On the wire

  @Test func behindChunks() throws {
    let held = Held()
    try held.add("X-Sum", "1")
    let encoder = ResponseEncoder(.http1, isNonParsed: false, minorVersion: 1, requestID: 0)
    #expect(writtenText { encoder.end(.chunked, held.section, into: &$0) } == "0\r\nX-Sum: 1\r\n\r\n")
    #expect(writtenText { encoder.end(.length(1), held.section, into: &$0) }.isEmpty)
  }

  @Test(arguments: [Gateway.scgi, .uwsgi, .cgi, .fastcgi])
  func nowhereElse(_ gateway: Gateway) throws {
    let held = Held()
    try held.add("X-Sum", "1")
    let encoder = ResponseEncoder(gateway, isNonParsed: false, minorVersion: 1, requestID: 1)
    for framing in [ResponseFraming.untilClose, .records, .length(3), .none] {
      let usual = written { encoder.end(framing, into: &$0) }
      #expect(written { encoder.end(framing, held.section, into: &$0) } == usual)
    }
    #expect(written { encoder.interim(103, fields: held.section.lines.bytes, into: &$0) }.isEmpty)
  }

  @Test func interimOverHTTP1() throws {
    let held = Held()
    try held.add("Link", "</a>; rel=preload")
    let encoder = ResponseEncoder(.http1, isNonParsed: false, minorVersion: 1, requestID: 0)
    #expect(
      writtenText { encoder.interim(103, fields: held.section.lines.bytes, into: &$0) }
        == "HTTP/1.1 103 Early Hints\r\nLink: </a>; rel=preload\r\n\r\n")
  }

  /// The frames in an output, and the fields of those that have some.
  private func frames(_ bytes: [UInt8]) throws -> [String] {
    var decoder = HPACKDecoder()
    var rest = bytes[...]
    var (lines, block): ([String], [UInt8]) = ([], [])
    while let frame = HTTP2Bytes.take(&rest) {
      var line = "\(HTTP2Script.types[Int(frame.type)]) \(frame.id) \(frame.flags)"
      if frame.type == HTTP2Bytes.headers || frame.type == HTTP2Bytes.continuation {
        block += frame.payload
        if frame.flags & HTTP2Bytes.endHeaders != 0 {
          line += try HPACKTests.decode(block, &decoder).map { " [\($0.prefix(40))]" }.joined()
          block = []
        }
      }
      lines.append(line)
    }
    #expect(rest.isEmpty)
    return lines
  }

  @Test func overHTTP2() throws {
    let held = Held()
    try held.add("Grpc-Status", "0")
    try held.add("grpc-message", "fine")
    let encoder = ResponseEncoder(.http2, isNonParsed: false, minorVersion: 1, requestID: 7)
    let end = written { encoder.end(.frames, held.section, into: &$0) }
    #expect(try frames(end) == ["HEADERS 7 5 [grpc-status: 0] [grpc-message: fine]"])
    let hint = written { encoder.interim(103, fields: held.section.lines.bytes, into: &$0) }
    #expect(try frames(hint) == ["HEADERS 7 4 [:status: 103] [grpc-status: 0] [grpc-message: fine]"])
    let empty = Held()
    #expect(try frames(written { encoder.end(.frames, empty.section, into: &$0) }) == ["DATA 7 1"])
  }

  @Test func longTrailersTakeSeveralFrames() throws {
    let held = Held(limit: 100_000)
    // Characters that the Huffman code makes no shorter.
    try held.add("x-long", String(repeating: "~^", count: 10_000))
    let encoder = ResponseEncoder(.http2, isNonParsed: false, minorVersion: 1, requestID: 1)
    let found = try frames(written { encoder.end(.frames, held.section, into: &$0) })
    #expect(found.map { $0.prefix(16) } == ["HEADERS 1 1", "CONTINUATION 1 4"])
  }

  @Test("a session moves interim responses and trailers, and the stream ends with the latter")
  func moved() throws {
    let held = Held()
    try held.add("x-sum", "1")
    var session = HTTP2Session(limits: HTTP2Transcript.limits)
    let client =
      HTTP2Bytes.preface + HTTP2Bytes.frame(HTTP2Bytes.settings, 0, 0, [0, 4] + HTTP2Bytes.number(2))
      + HTTP2Bytes.frame(HTTP2Bytes.headers, 5, 1, [0x82, 0x86, 0x84, 0x41, 0x01, 0x78])
    var offset = 0
    var out = ByteBuffer()
    try client.withUnsafeBytes { bytes in
      while case .request = try session.next(bytes, &offset, into: &out) {
        var head = RequestHead(capacity: 8)
        let fault = try session.takeHead(&head)
        #expect(fault == nil)
      }
    }
    out.removeAll()
    let encoder = ResponseEncoder(.http2, isNonParsed: false, minorVersion: 1, requestID: 1)
    var answer = ByteBuffer()
    encoder.interim(103, into: &answer)
    HTTP2Frame(HTTP2Type.headers, flags: HTTP2Flags.endHeaders, id: 1, length: 1).write(into: &answer)
    answer.append(0x88)
    _ = encoder.open(3, .frames, into: &answer)
    answer.append("abc")
    encoder.end(.frames, held.section, into: &answer)
    var moved = session.move(1, &answer, most: .max, into: &out)
    // The window has two bytes; trailers wait behind the third.
    #expect(moved == .blocked)
    let update = HTTP2Bytes.frame(HTTP2Bytes.windowUpdate, 0, 1, HTTP2Bytes.number(1))
    offset = 0
    let event = try update.withUnsafeBytes { try session.next($0, &offset, into: &out) }
    #expect(event == .window(id: 1))
    moved = session.move(1, &answer, most: .max, into: &out)
    let (open, bytes) = (session.count, Array(out.bytes))
    #expect(moved == .all && open == 0)
    #expect(
      try frames(bytes) == [
        "HEADERS 1 4 [:status: 103]", "HEADERS 1 4 [:status: 200]", "DATA 1 0", "DATA 1 0",
        "HEADERS 1 5 [x-sum: 1]",
      ])
  }
}
