import Support
import Testing
import Wire

/// SCGI from both ends.
@Suite struct SCGIRoundTripTests {
  @Test(arguments: 1...100 as ClosedRange<UInt64>)
  func requests(seed: UInt64) {
    var random = SeededRandom(seed)
    var request = SCGIRequest()
    for index in 0..<Int.random(in: 0...25, using: &random) {
      let value = String(repeating: "é\n=", count: Int.random(in: 0...20, using: &random))
      request.variables.append(("V\(index)", value))
    }
    request.body = (0..<[0, 1, 9, 400].randomElement(using: &random)!).map { _ in random.byte() }
    let bytes = request.bytes
    let pieces = random.pieces(of: bytes.count)
    let found = Transcript(SCGIRequestReader.self, bytes, .init(pieces: pieces, slides: true))
    var expected = ["head variables \(request.body.isEmpty ? "none" : "length=\(request.body.count)")"]
    expected += request.sentVariables.map { "variable \($0.name)=\(Escapes.text($0.value.utf8))" }
    if !request.body.isEmpty { expected.append("body \"\(Escapes.text(request.body))\"") }
    #expect(found.lines == expected + ["end"], "SeededRandom(\(seed))")
  }

  @Test func bodyMayGoPastTheReader() throws {
    var reader = SCGIRequestReader(limits: .fixtures)
    var head = RequestHead(capacity: 8)
    var offset = 0
    var request = SCGIRequest()
    request.body = Array("0123456789".utf8)
    let bytes = Array(request.bytes.dropLast(8))
    try bytes.withUnsafeBytes { bytes in
      #expect(try reader.next(bytes.bytes, &offset, &head) == .head)
      #expect(head.framing == .length(10))
      #expect(try reader.next(bytes.bytes, &offset, &head) == .body(ByteRange(bytes.count - 2, 2)))
      #expect(try reader.next(bytes.bytes, &offset, &head) == .needMore)
      #expect(reader.state == .body(left: 8))
      reader.bypassed(8)
      #expect(try reader.next(bytes.bytes, &offset, &head) == .end)
    }
    #expect(_isPOD(SCGIRequestReader.self))
  }

  @Test func methodAndTargetAreKnown() throws {
    var reader = SCGIRequestReader(limits: .fixtures)
    var head = RequestHead(capacity: 8)
    var offset = 0
    var request = SCGIRequest()
    request.variables = [("REQUEST_METHOD", "PUT"), ("REQUEST_URI", "/a?b")]
    try request.bytes.withUnsafeBytes { bytes in
      #expect(try reader.next(bytes.bytes, &offset, &head) == .head)
      let base = try #require(bytes.baseAddress)
      #expect(Ascii.equals(head.method.bytes(in: base), "PUT"))
      #expect(Ascii.equals(head.target.bytes(in: base), "/a?b"))
      #expect(head.form == .variables && !head.persists)
    }
  }

  @Test func responseHead() throws {
    var response = ResponseHead(limit: 1024)
    try response.begin(status: 302)
    response.add("Location", "/x")
    let plan = ResponsePlan(
      .init(
        gateway: .scgi, isHead: false, minorVersion: 1, persists: true, status: 302, declaredLength: -1,
        knownLength: 3))
    var out = ByteBuffer()
    SCGIResponseWriter.head(response, plan, into: &out)
    let text = String(decoding: out.bytes, as: UTF8.self)
    #expect(text == "Status: 302 Found\r\nLocation: /x\r\nContent-Length: 3\r\n\r\n")
    let reply = try Reply(gateway: Array(out.bytes) + Array("abc".utf8))
    #expect(reply.status == 302 && reply.reason == "Found" && reply["location"] == "/x")
    #expect(reply.text == "abc" && reply.isComplete)
  }
}
