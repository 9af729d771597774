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
    let held = HeldReader(SCGIRequestReader.self)
    var request = SCGIRequest()
    request.body = Array("0123456789".utf8)
    #expect(try held.next(request.bytes.dropLast(8)) == .head)
    #expect(try held.next() == .body(ByteRange(held.bytes.count - 2, 2)))
    #expect(try held.next() == .needMore)
    #expect(held.reader.state == .body(left: 8))
    held.reader.bypassed(8)
    #expect(try held.next() == .end)
    #expect(_isPOD(SCGIRequestReader.self))
  }

  @Test func methodAndTargetAreKnown() throws {
    let held = HeldReader(SCGIRequestReader.self)
    var request = SCGIRequest()
    request.variables = [("REQUEST_METHOD", "PUT"), ("REQUEST_URI", "/a?b")]
    #expect(try held.next(request.bytes) == .head)
    #expect(held.value(.requestMethod) == "PUT" && held.value(.requestURI) == "/a?b")
  }

  @Test(
    "of a name twice the first is told, harmlessly", arguments: [0, 40, 400],
    ["DOCUMENT_ROOT", "REQUEST_URI", "x\n\u{1b}]0;y", "wsgi", "HTTPS", "HTTP"])
  func duplicateIsNamed(others: Int, name: String) {
    var limits = HeadLimits.fixtures
    (limits.fields, limits.headBytes) = (1000, 65_536)
    let held = HeldReader(SCGIRequestReader.self, limits: limits)
    var request = SCGIRequest()
    let many = (0..<others).map { (name: "OTHER_\($0)", value: "") }
    let fields = (0..<others).map { (name: "HTTP_X\($0 % 2)", value: "\($0)") }
    request.variables = [(name: name, value: "a")] + many + fields + [(name: name, value: "b")]
    held.give(request.bytes)
    let error = #expect(throws: SCGIError.self) { try held.next() }
    let shown = name.hasPrefix("x") ? "x???0?y" : name
    #expect(error == .duplicateHeader(shown))
    #expect(error?.description == "SCGI header \(shown) is given twice" && error?.status == 400)
    request.variables.removeLast()
    let without = HeldReader(SCGIRequestReader.self, limits: limits)
    #expect(throws: Never.self) { try without.next(request.bytes) }
  }

  @Test func responseHead() throws {
    var head = try response(302, [("Location", "/x")])
    let bytes = written { SCGIResponseWriter.head(&head, plan(.scgi, status: 302, length: 3), into: &$0) }
    let text = String(decoding: bytes, as: UTF8.self)
    #expect(text == "Status: 302 Found\r\nLocation: /x\r\nContent-Length: 3\r\n\r\n")
    let reply = try Reply(gateway: bytes + Array("abc".utf8))
    #expect(reply.status == 302 && reply.reason == "Found" && reply["location"] == "/x")
    #expect(reply.text == "abc" && reply.isComplete)
  }
}
