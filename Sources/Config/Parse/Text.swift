// Byte-wise helpers on text. The library's own searches would load the regular-expression engine at start-up.

enum Ascii {
  static let percent = UInt8(ascii: "%")
  static let slash = UInt8(ascii: "/")
  static let colon = UInt8(ascii: ":")
  static let equals = UInt8(ascii: "=")
  static let plus = UInt8(ascii: "+")
  static let space = UInt8(ascii: " ")
  static let dash = UInt8(ascii: "-")
  static let dot = UInt8(ascii: ".")
  static let zero = UInt8(ascii: "0")
  static let rightBracket = UInt8(ascii: "]")
  static let underscore = UInt8(ascii: "_")

  static func isDigit(_ byte: UInt8) -> Bool { byte >= 0x30 && byte <= 0x39 }
  static func isHexDigit(_ byte: UInt8) -> Bool { isDigit(byte) || (0x61...0x66).contains(byte | 0x20) }
  static func isLetter(_ byte: UInt8) -> Bool { (0x61...0x7a).contains(byte | 0x20) }
  static func lower(_ byte: UInt8) -> UInt8 { (0x41...0x5a).contains(byte) ? byte | 0x20 : byte }
  static func isBlank(_ byte: UInt8) -> Bool { byte == 0x20 || byte == 0x09 || byte == 0x0d }
}

/// Percent-decoding (RFC 3986 §2.1).
enum PercentText {
  /// The bytes that a text stands for; a broken escape stands for itself.
  static func decoded(_ text: some Sequence<UInt8>) -> [UInt8] {
    var bytes: [UInt8] = []
    var rest = Array(text)[...]
    while let byte = rest.popFirst() {
      let digits = rest.prefix(2)
      if byte == Ascii.percent, digits.count == 2, digits.allSatisfy(Ascii.isHexDigit),
        let value = UInt8(String(decoding: digits, as: UTF8.self), radix: 16)
      {
        rest.removeFirst(2)
        bytes.append(value)
      } else {
        bytes.append(byte)
      }
    }
    return bytes
  }
}

extension StringProtocol where SubSequence == Substring {
  /// The first place of `needle`, compared byte by byte.
  func range(ofBytes needle: String) -> Range<Index>? {
    let bytes = self.utf8
    var start = bytes.startIndex
    while let first = needle.utf8.first, let found = bytes[start...].firstIndex(of: first) {
      if bytes[found...].starts(with: needle.utf8) {
        return found..<bytes.index(found, offsetBy: needle.utf8.count)
      }
      start = bytes.index(after: found)
    }
    return nil
  }

  /// As much of it as a sentence about it needs.
  var shortened: String {
    let most = 200
    guard utf8.count > most else { return String(self) }
    return String(decoding: utf8.prefix(most), as: UTF8.self) + "…"
  }

  /// Whether it contains `needle`.
  func holds(_ needle: String) -> Bool { range(ofBytes: needle) != nil }

  /// Without spaces, tabs and carriage returns at both ends.
  var trimmed: Substring {
    let bytes = self.utf8
    guard let first = bytes.firstIndex(where: { !Ascii.isBlank($0) }) else { return "" }
    let last = Substring(self).utf8.lastIndex { !Ascii.isBlank($0) } ?? first
    return self[first...last]
  }

  /// The parts before and after the first `separator`; nil when there is none.
  func cut(at separator: UInt8) -> (Substring, Substring)? {
    guard let found = self.utf8.firstIndex(of: separator) else { return nil }
    return (self[..<found], self[self.utf8.index(after: found)...])
  }

  /// With each `old` byte replaced by `new`.
  func exchanging(_ old: UInt8, for new: UInt8) -> String {
    String(decoding: self.utf8.map { $0 == old ? new : $0 }, as: UTF8.self)
  }
}
