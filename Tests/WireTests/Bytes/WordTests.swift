// What goes eight bytes at a time against the same byte by byte: every byte at every place of every length
// around a word's border.
import Support
import Testing
import Wire

@Suite struct WordTests {
  /// "text/plain" and so on of every length, one byte of it replaced by each other one.
  private func everyByteInEveryPlace(
    lengths: ClosedRange<Int> = 1...26,
    _ check: (UnsafeRawBufferPointer, _ isSame: Bool, UInt8) throws -> Void
  ) rethrows {
    let letters = Array("Content-Type-Of-Something-Long".utf8)
    for length in lengths {
      for place in 0..<length {
        for byte in UInt8.min...UInt8.max {
          var bytes = Array(letters.prefix(length))
          let isSame = bytes[place] == byte
          bytes[place] = byte
          try bytes.withUnsafeBytes { try check($0, isSame, byte) }
        }
      }
    }
  }

  @Test("the variable of a field's name, and none with an underscore") func fieldVariables() {
    everyByteInEveryPlace { bytes, _, byte in
      guard Ascii.isToken(byte) else { return }
      let room = FieldVariable.room(bytes.count)
      withUnsafeTemporaryAllocation(byteCount: room + 1, alignment: 1) { out in
        out.initializeMemory(as: UInt8.self, repeating: 0xee)
        let isWritten = FieldVariable.write(bytes, to: out.baseAddress!)
        let expected =
          Array("HTTP_".utf8)
          + bytes.map { $0 == 0x2d ? 0x5f : (0x61...0x7a).contains($0) ? $0 - 0x20 : $0 } + [0, 0xee]
        if isWritten != (byte != 0x5f) || isWritten && Array(out) != expected {
          Issue.record("\(String(decoding: bytes, as: UTF8.self)): \(String(decoding: out, as: UTF8.self))")
        }
      }
    }
  }

  @Test func tokens() {
    everyByteInEveryPlace { bytes, _, byte in
      guard Ascii.isToken(bytes) != Ascii.isToken(byte) else { return }
      Issue.record("\(Array(bytes))")
    }
  }

  @Test func fieldValues() throws {
    var head = ResponseHead(limit: 1000)
    try everyByteInEveryPlace { bytes, _, byte in
      try head.begin(status: 200)
      let name = Array("X".utf8)
      let isTaken = name.withUnsafeBytes { name in
        do {
          try head.add(name: name, value: bytes)
          return true
        } catch { return false }
      }
      guard isTaken != Ascii.isFieldValue(byte) else { return }
      Issue.record("\(Array(bytes))")
    }
  }

  @Test func literals() {
    everyByteInEveryPlace(lengths: 1...1) { #expect(Ascii.equals($0, "C") == $1, "\($2)") }
    everyByteInEveryPlace(lengths: 3...3) { #expect(Ascii.equals($0, "Con") == $1, "\($2)") }
    everyByteInEveryPlace(lengths: 7...7) { #expect(Ascii.equals($0, "Content") == $1, "\($2)") }
    everyByteInEveryPlace(lengths: 8...8) { #expect(Ascii.equals($0, "Content-") == $1, "\($2)") }
    everyByteInEveryPlace(lengths: 12...12) { #expect(Ascii.equals($0, "Content-Type") == $1, "\($2)") }
    everyByteInEveryPlace(lengths: 18...18) { #expect(Ascii.equals($0, "Content-Type-Of-So") == $1, "\($2)") }
    everyByteInEveryPlace { bytes, _, _ in #expect(!Ascii.equals(bytes, "")) }
  }

  @Test func literalsWhateverTheCase() {
    func same(_ bytes: UnsafeRawBufferPointer, _ text: String) -> Bool {
      bytes.map(Ascii.lower) == Array(text.utf8)
    }
    everyByteInEveryPlace(lengths: 3...3) { bytes, _, _ in
      #expect(Ascii.matches(bytes, "con") == same(bytes, "con"), "\(Array(bytes))")
    }
    everyByteInEveryPlace(lengths: 7...7) { bytes, _, _ in
      #expect(Ascii.matches(bytes, "content") == same(bytes, "content"), "\(Array(bytes))")
    }
    everyByteInEveryPlace(lengths: 12...12) { bytes, _, _ in
      #expect(Ascii.matches(bytes, "content-type") == same(bytes, "content-type"), "\(Array(bytes))")
    }
    everyByteInEveryPlace(lengths: 18...18) { bytes, _, _ in
      #expect(Ascii.matches(bytes, "content-type-of-so") == same(bytes, "content-type-of-so"))
    }
  }

  /// A variable's name must be free of "=" and NUL, its value of NUL, wherever in a word they stand.
  @Test(arguments: [Gateway.uwsgi, .fastcgi])
  func variables(_ gateway: Gateway) throws {
    for length in 1...26 {
      for place in 0..<length {
        for byte: UInt8 in [0, 1, 0x3c, 0x3d, 0x3e, 0x80, 0xbd, 0xff] {
          var text = Array(repeating: UInt8(ascii: "V"), count: length)
          text[place] = byte
          #expect(isTaken(gateway, name: text, value: [0x76]) == (byte != 0 && byte != 0x3d), "\(text)")
          #expect(isTaken(gateway, name: [0x56], value: text) == (byte != 0), "\(text)")
        }
      }
    }
  }

  /// The bytes that say lengths may be 0, those of names and values may not, in blocks of any size.
  @Test(arguments: [Gateway.uwsgi, .fastcgi])
  func variablesOfAnyLength(_ gateway: Gateway) throws {
    for length in Array(0...40) + [127, 128, 255, 256, 257, 512, 4075, 4080, 4096, 8192, 60_000] {
      let value = Array(repeating: UInt8(ascii: "v"), count: length)
      #expect(isTaken(gateway, name: [0x56], value: value), "\(length)")
      for place in Set([0, 15, 16, length / 2, length - 16, length - 1]) where value.indices.contains(place) {
        var text = value
        text[place] = 0
        #expect(!isTaken(gateway, name: [0x56], value: text), "NUL at \(place) of \(length)")
      }
    }
    #expect(!isTaken(gateway, name: [], value: [0x76]), "a name of no bytes")
  }

  /// A host is made of the bytes that RFC 3986 gives it, wherever in a word they stand.
  @Test func hosts() {
    let usual = Set("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~!$&'()*+,;=".utf8)
    everyByteInEveryPlace(lengths: 7...18) { bytes, _, byte in
      let place = bytes.firstIndex(of: byte) ?? 0
      let isAtEnd = place == 0 || place == bytes.count - 1
      // Blanks around the value are no part of it; a colon at the end has no port behind it.
      let isLast = byte == UInt8(ascii: ":") && place == bytes.count - 1
      let isBlank = (byte == 0x20 || byte == 0x09) && isAtEnd
      let expected = usual.contains(byte) || isLast || isBlank
      guard isHost(Array(bytes)) != expected else { return }
      Issue.record("\(Array(bytes))")
    }
  }

  private func isHost(_ host: [UInt8]) -> Bool {
    let bytes = Array("GET / HTTP/1.1\r\nHost:".utf8) + host + Array("\r\n\r\n".utf8)
    var codec = Codec(.http1, limits: .fixtures)
    var head = RequestHead(capacity: 32)
    var offset = 0
    return (try? codec.next(bytes.span.bytes, &offset, &head)) == .head
  }

  /// Whether a variable is taken, as the last one and in front of another.
  private func isTaken(_ gateway: Gateway, name: [UInt8], value: [UInt8]) -> Bool {
    let block = pair(gateway, name, value)
    let isTaken = isHead(gateway, block)
    #expect(isTaken == isHead(gateway, block + pair(gateway, [0x57], [0x77])), "\(name) \(value)")
    return isTaken
  }

  private func length(_ count: Int) -> [UInt8] { [UInt8(count & 0xff), UInt8(count >> 8)] }

  private func pair(_ gateway: Gateway, _ name: [UInt8], _ value: [UInt8]) -> [UInt8] {
    if gateway == .fastcgi { return fastCGILengths(name.count, value.count) + name + value }
    return length(name.count) + name + length(value.count) + value
  }

  private func isHead(_ gateway: Gateway, _ block: [UInt8]) -> Bool {
    let bytes =
      gateway == .uwsgi
      ? [0] + length(block.count) + [0] + block
      : fastCGIRecord(type: 1, [0, 1, 0, 0, 0, 0, 0, 0]) + fastCGIRecord(type: 4, block)
        + fastCGIRecord(type: 4)
    let limits = HeadLimits(headBytes: 65_000, fields: 32, chunkLineBytes: 64, bodyBytes: 0)
    var codec = Codec(gateway, limits: limits)
    var head = RequestHead(capacity: 32)
    var offset = 0
    return (try? codec.next(bytes.span.bytes, &offset, &head)) == .head
  }
}
