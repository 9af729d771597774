import Support
import Testing
import Wire

/// Every fixture of frames, fed in every way, and what fixtures cannot show.
@Suite struct WebSocketReaderTests {
  @Test(arguments: try Fixture.all("websocket"))
  func fixture(_ fixture: Fixture) {
    let whole = WebSocketTranscript(fixture.input)
    #expect(whole.breaches.isEmpty)
    #expect(whole.lines == fixture.expected, "\(whole.lines)")
    #expect(whole.lines.contains { $0.hasPrefix("error") } != fixture.isValid)
    let count = fixture.input.count
    for split in (1..<max(count, 2)).filter({ count < 1500 || $0 < 300 || $0 % 997 == 0 }) {
      #expect(WebSocketTranscript(fixture.input, pieces: [split]) == whole, "split at \(split)")
    }
    let steps = count < 1500 ? [1, 2, 3, 7, 13] : [997]
    for step in steps {
      let pieces = Array(repeating: step, count: count / step)
      #expect(WebSocketTranscript(fixture.input, pieces: pieces) == whole, "in pieces of \(step)")
    }
    guard fixture.isValid, !whole.lines.contains(where: { $0.hasPrefix("close") }) else { return }
    let glued = WebSocketTranscript(fixture.input + fixture.input)
    #expect(glued.lines == whole.lines + whole.lines)
  }

  @Test func everyErrorHasAFixture() throws {
    let lines = try Fixture.all("websocket").compactMap { $0.expected?.last }
    let named = Set(lines.filter { $0.hasPrefix("error ") }.map { $0.prefix { $0 != "(" } })
    // 13 cases but for the one of zlib: adding one to WebSocketError asks for a fixture and for this number.
    #expect(named.count == 13, "\(named.sorted())")
  }

  @Test func isTriviallyCopyable() {
    #expect(_isPOD(WebSocketReader.self))
    #expect(_isPOD(WebSocketEvent.self))
  }

  /// RFC 6455 §5.2: which first bytes a client's message or control frame may begin with.
  @Test func takesTheFirstBytesThatMayBe() {
    for first in UInt8.min...UInt8.max {
      let (bits, isFinal) = (first & 0x70, first & 0x80 != 0)
      for inflates in [false, true] {
        let isGood =
          switch first & 0x0f {
          case 1, 2: bits == 0 || bits == 0x40 && inflates
          case 8, 9, 10: bits == 0 && isFinal
          default: false
          }
        let lines = WebSocketTranscript([first, 0x80, 1, 2, 3, 4], inflates: inflates).lines
        #expect(lines.contains { $0.hasPrefix("error 1002 ") } != isGood, "\(first), \(inflates): \(lines)")
      }
    }
  }

  /// RFC 6455 §7.4 and IANA's registry.
  @Test func takesTheCloseCodesThatMayBeSent() {
    let good: [UInt16] = [1000, 1001, 1002, 1003, 1007, 1008, 1009, 1010, 1011, 1012, 1013, 1014, 3000, 3999]
    let bad: [UInt16] = [0, 1, 500, 999, 1004, 1005, 1006, 1015, 1016, 1100, 1999, 2000, 2999, 5000, 0xffff]
    for code in good + [4000, 4999] + bad {
      let lines = WebSocketTranscript(
        [0x88, 0x82, 0, 0, 0, 0, UInt8(code >> 8), UInt8(code & 0xff)]
      ).lines
      let expected = bad.contains(code) ? "error 1002 closeCode(\(code))" : "close \(code) \"\""
      #expect(lines == [expected])
    }
  }

  /// RFC 6455 §8.1: a character may be cut by fragments anywhere, and what is none is found in the fragment
  /// that shows it.
  @Test func checksTextAcrossFragments() {
    let text = Array("aü€😀".utf8)
    for cut in 0...text.count {
      for bad in [nil, 0xff, 0xc0] as [UInt8?] {
        let rest = Array(text[cut...]) + (bad.map { [$0] } ?? [])
        let frames =
          WebSocketClient.frame(1, Array(text[..<cut]), isFinal: false)
          + WebSocketClient.frame(9, [0xff]) + WebSocketClient.frame(0, rest)
        let lines = WebSocketTranscript(frames).lines
        #expect(lines.first?.hasPrefix("ping") == true)
        #expect((lines.last == "error 1007 textMalformed") == (bad != nil), "\(cut): \(lines)")
      }
      // Its end, in the middle of a character.
      let lines = WebSocketTranscript(WebSocketClient.frame(1, Array(text[..<cut]))).lines
      #expect(lines.last?.hasPrefix("text") == [0, 1, 3, 6, 10].contains(cut), "\(cut): \(lines)")
    }
  }

  /// Whatever comes, how it comes does not matter.
  @Test(arguments: 1...400 as ClosedRange<UInt64>)
  func noise(_ seed: UInt64) {
    var random = SeededRandom(seed)
    var input: [UInt8] = []
    for _ in 0..<Int.random(in: 1...12, using: &random) {
      let opcode = ([0, 1, 2, 8, 9, 10, 2, 2, 0] as [UInt8]).randomElement(using: &random)!
      let final: UInt8 = Bool.random(using: &random) ? 0x80 : 0
      let length = Int.random(in: 0...40, using: &random)
      input += [final | opcode, 0x80 | UInt8(length)]
      for _ in 0..<(4 + length) { input.append(random.byte() & 0x7f) }
    }
    if seed % 2 == 0 { input[Int.random(in: 0..<input.count, using: &random)] = random.byte() }
    let whole = WebSocketTranscript(input)
    #expect(whole.breaches.isEmpty)
    #expect(WebSocketTranscript(input, pieces: random.pieces(of: input.count)) == whole)
    #expect(WebSocketTranscript(input, pieces: Array(repeating: 1, count: input.count)) == whole)
  }

  /// Every prefix of UTF-8 that Swift's own decoder takes is taken, and nothing else.
  @Test func checksTextAsSwiftDoes() {
    let edges: [UInt8] = [
      0x00, 0x41, 0x7f, 0x80, 0x8f, 0x90, 0x9f, 0xa0, 0xbf, 0xc0, 0xc1, 0xc2, 0xdf, 0xe0, 0xe1, 0xec, 0xed,
      0xee, 0xef, 0xf0, 0xf1, 0xf3, 0xf4, 0xf5, 0xff,
    ]
    for a in edges {
      for b in edges {
        for c in edges {
          for d in edges {
            let bytes = [a, b, c, d]
            var check = UTF8Check()
            let isGood = bytes.withUnsafeBytes { check.accepts($0) } && check.isComplete
            #expect(isGood == (String(validating: bytes, as: UTF8.self) != nil), "\(bytes)")
          }
        }
      }
    }
  }
}
