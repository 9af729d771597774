import Foundation
import Testing

@testable import Config

/// What a pattern matches, and where its groups stand.
@Suite struct PatternTests {
  /// The match and the groups of a text, nil for a group without a part in it; nil for no match.
  static func groups(_ pattern: String, _ text: String) throws -> [String?]? {
    var text = text
    return try text.withUTF8 { bytes in
      let (pattern, text) = (try Pattern(pattern), UnsafeRawBufferPointer(bytes))
      let found = pattern.match(text)
      #expect(pattern.matches(text) == (found != nil), "\(pattern.text)")
      return found?.map { range in range.map { String(decoding: bytes[$0], as: UTF8.self) } }
    }
  }

  static let rows: [(String, String, [String?]?)] = [
    ("^/old/(.*)$", "/old/a/b", ["/old/a/b", "a/b"]), ("^/old/(.*)$", "/new", nil),
    ("^/(\\d+)/(\\w+)?$", "/7/", ["/7/", "7", nil]), ("(a|ab)(c|bcd)(d*)", "abcd", ["abcd", "a", "bcd", ""]),
    ("a+?", "aaa", ["a"]), ("(a+?)(a*)", "aaa", ["aaa", "a", "aa"]), ("(a*)+", "b", ["", ""]),
    ("(?:a(b))+", "abab", ["abab", "b"]),
    ("(?<year>\\d{4})-(?P<month>\\d\\d)", "x2024-05", ["2024-05", "2024", "05"]),
    ("x*", "aax", [""]), ("(?i)(ABC)", "xabcx", ["abc", "abc"]), ("(^a)|b", "ba", ["b", nil]),
    ("\\t(.)", "a\tb", ["\tb", "b"]), ("b$", "ab", ["b"]), ("", "", [""]),
    ("ab", "aab", ["ab"]), ("ab", "a", nil), ("(a)(b)", "xab", ["ab", "a", "b"]), ("", "x", [""]),
    ("\\.", "a", nil), ("\\.", "a.", ["."]), ("abc", "ababc", ["abc"]),
  ]

  @Test("groups stand where Perl has them", arguments: rows.indices) func eachRow(_ row: Int) throws {
    let (pattern, text, wanted) = Self.rows[row]
    #expect(try Self.groups(pattern, text) == wanted, "\(pattern): \(text)")
  }

  /// Made-up patterns over few letters, so that they often match, against an engine that tries one way after
  /// the other. What both mean the same with: no repetition of what may be empty.
  @Test("made-up patterns match where a backtracking engine matches") func madeUp() throws {
    var random = Made(state: 2024)
    for _ in 0..<3000 {
      let pattern = random.pattern(depth: 3)
      let other = try NSRegularExpression(pattern: pattern)
      for _ in 0..<4 {
        let text = String((0..<random.next(9)).map { _ in "abc".randomElement(using: &random)! })
        let found = other.firstMatch(in: text, range: NSRange(text.startIndex..., in: text))
        let wanted = found.map { match in
          (0..<match.numberOfRanges).map { Range(match.range(at: $0), in: text).map { String(text[$0]) } }
        }
        #expect(try Self.groups(pattern, text) == wanted, "\(pattern): \(text)")
      }
    }
  }

  /// A generator whose patterns are the same in each run.
  struct Made: RandomNumberGenerator {
    var state: UInt64
    mutating func next() -> UInt64 {
      state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
      return (state ^ (state >> 29)) &* 0x9e37_79b9_7f4a_7c15
    }
    mutating func next(_ bound: Int) -> Int { Int.random(in: 0..<bound, using: &self) }

    mutating func pattern(depth: Int) -> String {
      (0...next(2)).map { _ in atom(depth) }.joined()
    }

    private mutating func atom(_ depth: Int) -> String {
      let end = ["", "", "", "+", "*", "?", "+?", "*?", "{1,2}", "{2}"]
      switch next(depth > 0 ? 6 : 4) {
      case 0: return "[ab]" + end[next(end.count)]
      case 1: return "." + end[next(end.count)]
      case 2, 3: return ["a", "b", "c"][next(3)] + end[next(end.count)]
      case 4: return "(\(pattern(depth: depth - 1))|\(pattern(depth: depth - 1)))"
      default: return "(?:\(letter())|\(letter())\(letter()))" + end[next(end.count)]
      }
    }

    private mutating func letter() -> String { ["a", "b", "c"][next(3)] }
  }

  @Test(
    "what would take a backtracking engine for ever is answered",
    arguments: ["^(a+)+$", "^(a|aa)+$", "(a*)*b"])
  func bounded(pattern: String) throws {
    #expect(try Self.groups(pattern, String(repeating: "a", count: 20_000) + "!") == nil)
  }

  @Test(
    "what is not here is refused",
    arguments: [
      "(?<=a)b", "(?<!a)b", "(?!a)", "a\\b", "[[:alpha:]]", "(a)\\1", "(?<>a)", "(?<a", "x{2,1}", "\\pL",
    ])
  func refused(pattern: String) { #expect(throws: ValueError.self) { try Pattern(pattern) } }
}
