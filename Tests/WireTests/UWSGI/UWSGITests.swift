// uwsgi requests and answers: fixtures, byte vectors, random requests of the other side.
import Support
import Testing
import Wire

@Suite struct UWSGITests {
  @Test(arguments: try Fixture.all("uwsgi"))
  func everyFixtureInEveryDelivery(_ fixture: Fixture) {
    let problems = verify(UWSGIRequestReader.self, fixture)
    #expect(problems.isEmpty, "\(problems.joined(separator: "\n"))")
  }

  @Test func headerFieldByField() throws {
    let held = HeldReader(UWSGIRequestReader.self)
    // modifier1 30, size 0x0107 with the low byte first, modifier2 9; a value of 0x0102 bytes.
    held.give([30, 0x07, 0x01, 9, 1, 0, 0x41, 0x02, 0x01] + Array(repeating: 0x76, count: 0x102))
    #expect(try held.next() == .head)
    #expect(held.offset == held.bytes.count)
    #expect(held.reader.modifier1 == 30)
    #expect(held.reader.modifier2 == 9)
    #expect(held.head.count == 1)
    #expect(held.text(held.head[0].name) == "A")
    #expect(held.text(held.head[0].value.range).utf8.count == 0x102)
    #expect(held.head.assembled.block == nil)
  }

  @Test func nothingIsUsedUpWhileTheHeadIsIncomplete() throws {
    let held = HeldReader(UWSGIRequestReader.self)
    let bytes = UWSGIClientRequest(variables: [("REQUEST_METHOD", "PUT"), ("REQUEST_URI", "/x")]).bytes
    #expect(try held.next(Array(bytes.dropLast())) == .needMore)
    #expect(held.offset == 0)
    #expect(try held.next([bytes.last!]) == .head)
    #expect(held.value(.requestMethod) == "PUT")
    #expect(held.value(.requestURI) == "/x")
    #expect(try held.next() == .end)
  }

  @Test("digits without a colon behind them are a packet, and are waited for")
  func digitsThatAreAPacket() throws {
    let value = String(repeating: "v", count: 0x3130 - 5)
    var request = UWSGIClientRequest(variables: [("N", value)])
    (request.modifier1, request.modifier2) = (UInt8(ascii: "1"), UInt8(ascii: "0"))
    var limits = HeadLimits.fixtures
    limits.headBytes = 65_535
    let bytes = request.bytes
    let held = HeldReader(UWSGIRequestReader.self, limits: limits)
    #expect(Array(bytes[..<4]) == Array("1010".utf8))
    #expect(try held.next(Array(bytes[..<4])) == .needMore)
    #expect(try held.next(Array(bytes[4...])) == .head)
    #expect(held.reader.modifier1 == UInt8(ascii: "1") && held.head.count == 1)
  }

  @Test("FastCGI is not waited for: its first record makes no block", arguments: [1, 255, 256, 300, 2000])
  func fastCGIRecord(id: Int) {
    let held = HeldReader(UWSGIRequestReader.self)
    held.give([1, 1, UInt8(id >> 8), UInt8(id & 255), 0, 8, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0])
    #expect(throws: UWSGIError.variableTruncated) { try held.next() }
  }

  @Test func bodyMayGoPastTheReader() throws {
    let held = HeldReader(UWSGIRequestReader.self)
    #expect(try held.next(UWSGIClientRequest(variables: [("CONTENT_LENGTH", "10")]).bytes) == .head)
    held.reader.bypassed(9)
    #expect(held.reader.state == .body(left: 1))
    #expect(try held.next() == .needMore)
    #expect(try held.next([1]) == .body(ByteRange(held.bytes.count - 1, 1)))
    #expect(try held.next() == .end)
  }

  @Test func refusedVariableIsNamedHarmlessly() {
    let held = HeldReader(UWSGIRequestReader.self)
    held.give(UWSGIClientRequest(variables: [("UWSGI_\n\u{1b}FILE", "x")]).bytes)
    let error = #expect(throws: UWSGIError.self) { try held.next() }
    #expect(error == .variableRefused("UWSGI_??FILE"))
    #expect(error?.description.contains("UWSGI_??FILE") == true)
  }

  /// Each length and place around the words in which names and values are searched; neighbours of the
  /// forbidden bytes are allowed.
  @Test func forbiddenBytesAreFoundAtEveryPlace() {
    for length in 1...26 {
      for place in 0..<length {
        for (byte, isName, isRefused) in [
          (UInt8(0), false, true), (0, true, true), (0x3d, true, true), (0x3d, false, false),
          (0x01, true, false), (0x80, true, false), (0x3c, true, false), (0xbd, false, false),
        ] {
          var text = Array(repeating: UInt8(ascii: "n"), count: length)
          text[place] = byte
          let other = [UInt8(ascii: "X")]
          let (name, value) = isName ? (text, other) : (other, text)
          let block = [UInt8(name.count), 0] + name + [UInt8(value.count), 0] + value
          let held = HeldReader(UWSGIRequestReader.self)
          held.give([0, UInt8(block.count), 0, 0] + block)
          let event = try? held.next()
          #expect(event == (isRefused ? nil : .head), "\(byte) at \(place) of \(length), name: \(isName)")
        }
      }
    }
  }

  @Test func statusLineIsHTTP11WithFields() throws {
    var response = try response(200, [("Content-Type", "text/plain")])
    let text = writtenText { UWSGIResponseWriter.head(&response, plan(.uwsgi, length: 5), into: &$0) }
    #expect(text == "HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: 5\r\n\r\n")
  }

  @Test func withoutLengthTheEndOfTheConnectionEndsTheBody() throws {
    var response = try response(299, reason: "Odd")
    let plan = plan(.uwsgi, status: 299)
    #expect(plan.framing == .untilClose)
    let text = writtenText { UWSGIResponseWriter.head(&response, plan, into: &$0) }
    #expect(text == "HTTP/1.1 299 Odd\r\n\r\n")
  }

  @Test func pongFieldByField() {
    #expect(written { UWSGIResponseWriter.pong(into: &$0) } == [100, 0, 0, 1])
  }

  @Test func whatTheClientEncodesIsRead() {
    let seed = UInt64.random(in: 1...UInt64.max)
    var random = SeededRandom(seed)
    for _ in 0..<200 {
      let body = random.bytes(0...600)
      var variables = (0..<Int.random(in: 0...12, using: &random)).map { index in
        (
          name: "N\(index)" + String(repeating: "X", count: Int.random(in: 0...300, using: &random)),
          value: String(repeating: "v", count: Int.random(in: 0...20, using: &random))
        )
      }
      variables.append(("CONTENT_LENGTH", "\(body.count)"))
      let request = UWSGIClientRequest(variables: variables, body: body)
      var expected = ["head variables \(body.isEmpty ? "none" : "length=\(body.count)")"]
      expected += variables.map { "variable \(Escapes.text($0.name.utf8))=\($0.value)" }
      if !body.isEmpty { expected.append("body \"\(Escapes.text(body))\"") }
      let delivery = Transcript.Delivery(pieces: random.pieces(of: request.bytes.count), slides: true)
      let found = Transcript(UWSGIRequestReader.self, request.bytes, delivery).lines
      #expect(found == expected + ["end"], "SeededRandom(\(seed))")
    }
  }
}
