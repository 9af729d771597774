import Support
import Testing
import Wire

/// What fixtures cannot show: the reader's state between events, and bodies that go past it.
@Suite struct HTTP1ReaderTests {
  @Test func isTriviallyCopyable() {
    #expect(_isPOD(HTTP1RequestReader.self))
    #expect(_isPOD(ReadEvent.self))
  }

  @Test func idleUntilTheFirstByteOfARequest() throws {
    let held = HeldReader(HTTP1RequestReader.self)
    #expect(held.reader.isIdle)
    #expect(try held.next() == .needMore)
    #expect(held.reader.isIdle)
    #expect(try held.next(Array("\r\n\r\n".utf8)) == .needMore)
    #expect(held.reader.isIdle && held.offset == 4)
    #expect(try held.next(Array("G".utf8)) == .needMore)
    #expect(!held.reader.isIdle && held.offset == 4)
    #expect(try held.next(Array("ET / HTTP/1.0\r\n\r\n".utf8)) == .head)
    #expect(!held.reader.isIdle && held.offset == 22)
    #expect(try held.next() == .end)
    held.reader.reset()
    #expect(held.reader.isIdle)
  }

  @Test func identityBodyMayGoPastTheReader() throws {
    let held = HeldReader(HTTP1RequestReader.self)
    #expect(held.reader.bodyLeft == 0)
    let head = "PUT / HTTP/1.1\r\nHost: a\r\nContent-Length: 10\r\n\r\n"
    #expect(try held.next(Array((head + "abc").utf8)) == .head)
    #expect(held.reader.bodyLeft == 10)
    #expect(try held.next() == .body(ByteRange(head.utf8.count, 3)))
    #expect(held.reader.bodyLeft == 7)
    held.reader.bypassed(5)
    #expect(held.reader.bodyLeft == 2)
    #expect(try held.next() == .needMore)
    held.reader.bypassed(2)
    #expect(held.reader.bodyLeft == 0)
    #expect(try held.next() == .end)
    #expect(held.offset == held.bytes.count)
  }

  @Test func chunkedBodyDoesNotGoPastTheReader() throws {
    let held = HeldReader(HTTP1RequestReader.self)
    let head = "PUT / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n"
    #expect(try held.next(Array((head + "3\r\nab").utf8)) == .head)
    held.reader.bypassed(3)
    #expect(held.reader.bodyLeft == 0)
    #expect(try held.next() == .body(ByteRange(head.utf8.count + 3, 2)))
    #expect(try held.next() == .needMore)
  }

  @Test func theSmallerOfTableAndLimitBoundsTheFields() {
    let held = HeldReader(HTTP1RequestReader.self)
    held.head = RequestHead(capacity: 1)
    held.give(Array("GET / HTTP/1.1\r\nHost: a\r\nX: y\r\n\r\n".utf8))
    #expect(throws: HTTP1Error.tooManyFields) { try held.next() }
    #expect(held.offset == 0)
  }

  @Test func absoluteFormTellsAuthorityAndPath() throws {
    let held = HeldReader(HTTP1RequestReader.self)
    #expect(try held.next(Array("GET http://a:1/b?c HTTP/1.1\r\nHost: z\r\n\r\n".utf8)) == .head)
    #expect(held.text(held.head.authority) == "a:1" && held.value(.host) == "z")
    #expect(held.text(held.head.path.range) == "/b?c")
    #expect(held.text(held.head.target.range) == "http://a:1/b?c")
  }

  @Test func errorsNameTheirStatus() {
    #expect(HTTP1Error.bareLF.status == 400)
    #expect(HTTP1Error.bodyTooLarge.status == 413)
    #expect(HTTP1Error.targetTooLong.status == 414)
    #expect(HTTP1Error.expectationUnknown.status == 417)
    #expect(HTTP1Error.trailerTooLarge.status == 431)
    #expect(HTTP1Error.codingUnknown.status == 400)
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
