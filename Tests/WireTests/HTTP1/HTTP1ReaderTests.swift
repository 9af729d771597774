import Support
import Testing
import Wire

/// What fixtures cannot show: the reader's state between events, and bodies that go past it.
@Suite struct HTTP1ReaderTests {
  private func next(
    _ reader: inout HTTP1RequestReader, _ text: String, _ offset: inout Int, _ head: inout RequestHead
  ) throws -> ReadEvent {
    try Array(text.utf8).withUnsafeBytes { bytes in try reader.next(bytes.bytes, &offset, &head) }
  }

  @Test func isTriviallyCopyable() {
    #expect(_isPOD(HTTP1RequestReader.self))
    #expect(_isPOD(ReadEvent.self))
  }

  @Test func idleUntilTheFirstByteOfARequest() throws {
    var reader = HTTP1RequestReader(limits: .fixtures)
    var head = RequestHead(capacity: 8)
    var offset = 0
    #expect(reader.isIdle)
    #expect(try next(&reader, "", &offset, &head) == .needMore)
    #expect(reader.isIdle)
    #expect(try next(&reader, "\r\n\r\n", &offset, &head) == .needMore)
    #expect(reader.isIdle && offset == 4)
    #expect(try next(&reader, "\r\n\r\nG", &offset, &head) == .needMore)
    #expect(!reader.isIdle && offset == 4)
    #expect(try next(&reader, "\r\n\r\nGET / HTTP/1.0\r\n\r\n", &offset, &head) == .head)
    #expect(!reader.isIdle && offset == 22)
    #expect(try next(&reader, "\r\n\r\nGET / HTTP/1.0\r\n\r\n", &offset, &head) == .end)
    reader.reset()
    #expect(reader.isIdle)
  }

  @Test func identityBodyMayGoPastTheReader() throws {
    var reader = HTTP1RequestReader(limits: .fixtures)
    var head = RequestHead(capacity: 8)
    var offset = 0
    let text = "PUT / HTTP/1.1\r\nHost: a\r\nContent-Length: 10\r\n\r\nabc"
    #expect(reader.bodyLeft == 0)
    #expect(try next(&reader, text, &offset, &head) == .head)
    #expect(reader.bodyLeft == 10)
    #expect(try next(&reader, text, &offset, &head) == .body(ByteRange(text.utf8.count - 3, 3)))
    #expect(reader.bodyLeft == 7)
    reader.bypassed(5)
    #expect(reader.bodyLeft == 2)
    #expect(try next(&reader, text, &offset, &head) == .needMore)
    reader.bypassed(2)
    #expect(reader.bodyLeft == 0)
    #expect(try next(&reader, text, &offset, &head) == .end)
    #expect(offset == text.utf8.count)
  }

  @Test func chunkedBodyDoesNotGoPastTheReader() throws {
    var reader = HTTP1RequestReader(limits: .fixtures)
    var head = RequestHead(capacity: 8)
    var offset = 0
    let text = "PUT / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nab"
    #expect(try next(&reader, text, &offset, &head) == .head)
    reader.bypassed(3)
    #expect(reader.bodyLeft == 0)
    #expect(try next(&reader, text, &offset, &head) == .body(ByteRange(text.utf8.count - 2, 2)))
    #expect(try next(&reader, text, &offset, &head) == .needMore)
  }

  @Test func theSmallerOfTableAndLimitBoundsTheFields() throws {
    var reader = HTTP1RequestReader(limits: .fixtures)
    var head = RequestHead(capacity: 1)
    var offset = 0
    #expect(throws: HTTP1Error.tooManyFields) {
      try self.next(&reader, "GET / HTTP/1.1\r\nHost: a\r\nX: y\r\n\r\n", &offset, &head)
    }
    #expect(offset == 0)
  }

  @Test func errorsNameTheirStatus() {
    #expect(HTTP1Error.bareLF.status == 400)
    #expect(HTTP1Error.bodyTooLarge.status == 413)
    #expect(HTTP1Error.targetTooLong.status == 414)
    #expect(HTTP1Error.expectationUnknown.status == 417)
    #expect(HTTP1Error.trailerTooLarge.status == 431)
    #expect(HTTP1Error.codingUnknown.status == 501)
    #expect(HTTP1Error.versionUnsupported.status == 505)
  }

  /// A value that crosses the eight-byte steps of the scan, with a bad byte at every place in it.
  @Test(arguments: [0, 1, 8, 10, 13, 27, 31, 127] as [UInt8])
  func badByteAnywhereInAValue(_ bad: UInt8) {
    for length in 0..<40 {
      for place in 0...length {
        var value = [UInt8](repeating: 0x7e, count: length)
        value.insert(bad, at: place)
        let text = Array("GET / HTTP/1.1\r\nHost: a\r\nX:".utf8) + value + Array("z\r\n\r\n".utf8)
        let found = Transcript(HTTP1RequestReader.self, text).lines
        let error = bad == 13 ? "bareCR" : bad == 10 ? "bareLF" : "valueByte"
        #expect(found == ["error 400 \(error)"], "byte \(bad) at \(place) of \(length)")
      }
    }
  }

  /// The same for a target, with every byte that there is.
  @Test func everyByteInATarget() {
    for byte in UInt8.min...UInt8.max {
      for place in 0..<17 {
        var target = [UInt8](repeating: UInt8(ascii: "a"), count: 17)
        target[place] = byte
        let text = Array("GET /".utf8) + target + Array(" HTTP/1.0\r\n\r\n".utf8)
        let found = Transcript(HTTP1RequestReader.self, text).lines
        let isGood = byte > 0x20 && byte < 0x7f && byte != UInt8(ascii: "#")
        #expect((found.last == "end") == isGood, "byte \(byte) at \(place): \(found)")
      }
    }
  }
}
