// What a log and a terminal may show of text that comes from anywhere.
import Control
import Testing

@Suite struct PrintableTests {
  private func field(_ bytes: [UInt8]) -> String {
    var result: [UInt8] = []
    bytes.withUnsafeBytes { Printable.field($0) { result += $0 } }
    return String(decoding: result, as: UTF8.self)
  }

  private func text(_ bytes: [UInt8]) -> String { bytes.withUnsafeBytes { Printable.text($0) } }

  /// Nothing that ends a line, moves a cursor or turns text round.
  private func isHarmless(_ text: String) -> Bool {
    text.unicodeScalars.allSatisfy { scalar in
      switch scalar.value {
      case 0x09: true
      case 0...0x1f, 0x7f...0x9f, 0x61c, 0x200b...0x200f, 0x2028...0x202e, 0x2060...0x2069, 0xfeff,
        0xe0001...0xe007f:
        false
      default: true
      }
    }
  }

  @Test("a sentence that quotes what is long keeps its beginning and its end, and is never long")
  func sentences() {
    #expect(Printable.sentence("short") == "short")
    for quoted in [String(repeating: "x", count: 100_000), String(repeating: "\u{1b}\u{e4}", count: 50_000)] {
      let sentence = Printable.sentence("`--cron \(quoted)`: \"\(quoted)\" lacks something; write it as in M")
      #expect(sentence.hasPrefix("`--cron ") && sentence.hasSuffix("lacks something; write it as in M"))
      #expect(sentence.contains(" bytes are left out) ") && isHarmless(sentence))
      #expect(sentence.utf8.count < 10_000)
    }
  }

  @Test(
    "what would forge a line or command a terminal is escaped byte by byte",
    arguments: [
      ("a\u{1b}[31mb", #"a\x1b[31mb"#), ("a\nb\rc", #"a\nb\rc"#), ("\u{7f}", #"\x7f"#), ("\0", #"\x00"#),
      // CSI and NEL as UTF-8.
      ("\u{9b}2J\u{85}", #"\xc2\x9b2J\xc2\x85"#),
      // Right-to-left override and isolate, zero width, byte order mark, line separator, tags.
      ("a\u{202e}b\u{2066}", #"a\xe2\x80\xaeb\xe2\x81\xa6"#),
      ("\u{200b}\u{feff}", #"\xe2\x80\x8b\xef\xbb\xbf"#),
      ("\u{2028}", #"\xe2\x80\xa8"#), ("\u{e0041}", #"\xf3\xa0\x81\x81"#),
      // What is only foreign stays, and so does what is escaped already.
      ("Grüße, 世界 🙂", "Grüße, 世界 🙂"), ("tab\tand \\x1b \"quotes\"", "tab\tand \\x1b \"quotes\""),
    ])
  func prose(given: String, shown: String) {
    #expect(Printable.text(given) == shown)
    #expect(text(Array(given.utf8)) == shown)
    #expect(Printable.text(shown) == shown)
  }

  @Test("lone bytes that are C1 in older terminals, and halves of characters, are escaped")
  func brokenBytes() {
    #expect(text([0x61, 0x9b, 0x31, 0x6d]) == #"a\x9b1m"#)
    #expect(text([0xe2, 0x80]) == #"\xe2\x80"#)
    #expect(text([0xc3, 0x28, 0xff]) == #"\xc3(\xff"#)
    // A surrogate, an overlong newline.
    #expect(text([0xed, 0xa0, 0x80, 0xc0, 0x8a]) == #"\xed\xa0\x80\xc0\x8a"#)
  }

  @Test("any bytes become harmless, in prose, paragraphs, JSON and fields of the request log")
  func anyBytes() {
    var random = SystemRandomNumberGenerator()
    for _ in 0..<500 {
      let bytes = (0..<40).map { _ in UInt8.random(in: 0...255, using: &random) }
      let given = String(decoding: bytes, as: UTF8.self)
      #expect(isHarmless(text(bytes)), "\(bytes)")
      #expect(isHarmless(Printable.json(given)), "\(bytes)")
      #expect(isHarmless(Printable.paragraph(given).replacing("\n", with: "")), "\(bytes)")
      let field = field(bytes)
      #expect(field.utf8.allSatisfy { $0 >= 0x20 && $0 < 0x7f && $0 != UInt8(ascii: "\"") }, "\(bytes)")
    }
    for value in Array(0..<UInt32(0x1_0000)) + Array(0xe_0000..<0xe_1000) {
      guard let scalar = Unicode.Scalar(value) else { continue }
      let shown = Printable.text(String(scalar))
      if !isHarmless(shown) { Issue.record("\(value)") }
    }
  }

  @Test("a field of the request log escapes quotes and backslashes too")
  func fields() {
    #expect(field(Array("plain".utf8)) == "plain")
    #expect(field(Array("\"a\\b\" 200\n".utf8)) == #"\x22a\x5cb\x22 200\x0a"#)
    #expect(field([]) == "" && field([0xff]) == #"\xff"#)
  }

  @Test("no later line of a paragraph looks like a line of the log or like a verdict")
  func paragraphs() {
    #expect(Printable.paragraph("one\n  File x\r\nexit 0\n\u{1b}c") == "one\n    File x\n  exit 0\n  \\x1bc")
    #expect(Printable.paragraph("one") == "one")
  }

  @Test("JSON strings escape by RFC 8259, and what is not shown besides")
  func json() {
    #expect(Printable.json("a\"b\\c\n\t\u{1}") == #""a\"b\\c\n\t\u0001""#)
    #expect(Printable.json("\u{9b}\u{202e}\u{e0041}é") == #""\u009b\u202e\udb40\udc41é""#)
  }
}
