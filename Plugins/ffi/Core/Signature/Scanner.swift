// The words and marks of a signature, with their columns.

/// Reads a signature from left to right.
struct Scanner {
  private let bytes: [UInt8]
  /// Bytes read so far.
  private(set) var position: Int

  init(_ text: String, from position: Int = 0) {
    bytes = Array(text.utf8)
    self.position = position
  }

  /// The column of what comes next, from 1; characters outside ASCII count once.
  var column: Int {
    mutating get {
      skipSpace()
      return Self.column(of: position, in: bytes)
    }
  }

  static func column(of position: Int, in bytes: [UInt8]) -> Int {
    1 + bytes[..<min(position, bytes.count)].count { $0 & 0xc0 != 0x80 }
  }

  mutating func skipSpace() {
    while position < bytes.count, [0x20, 0x09, 0x0a].contains(bytes[position]) { position += 1 }
  }

  /// Whether nothing but space is left.
  var isAtEnd: Bool {
    mutating get {
      skipSpace()
      return position == bytes.count
    }
  }

  /// Whether `mark` comes next.
  mutating func sees(_ mark: String) -> Bool {
    skipSpace()
    return bytes[position...].starts(with: mark.utf8)
  }

  /// Reads `mark` if it comes next.
  mutating func take(_ mark: String) -> Bool {
    guard sees(mark) else { return false }
    position += mark.utf8.count
    return true
  }

  /// Reads `mark`, which has to come next.
  mutating func expect(_ mark: String, _ purpose: String) throws(SignatureError) {
    if !take(mark) { throw SignatureError("\"\(mark)\" \(purpose), not \(next)", column: column) }
  }

  /// What comes next, as complaints show it.
  var next: String {
    mutating get {
      skipSpace()
      guard position < bytes.count else { return "the end" }
      let word = bytes[position...].prefix(while: Self.isNamePart)
      if !word.isEmpty { return "\"\(String(decoding: word.prefix(40), as: UTF8.self))\"" }
      let character = String(decoding: bytes[position...].prefix(4), as: UTF8.self).prefix(1)
      return "\"\(character)\""
    }
  }

  /// Reads a name, `[A-Za-z_][A-Za-z0-9_]*`, if one comes next.
  mutating func name() -> String? {
    skipSpace()
    guard position < bytes.count, Self.isNamePart(bytes[position]), !Self.isDigit(bytes[position]) else {
      return nil
    }
    let word = bytes[position...].prefix(while: Self.isNamePart)
    position = word.endIndex
    return String(decoding: word, as: UTF8.self)
  }

  /// Reads `word` if it comes next as a whole word.
  mutating func takeWord(_ word: String) -> Bool {
    let before = position
    if name() == word { return true }
    position = before
    return false
  }

  /// Reads everything up to the next space.
  mutating func untilSpace() -> String {
    let word = bytes[position...].prefix { $0 != 0x20 && $0 != 0x09 && $0 != 0x0a }
    position = word.endIndex
    return String(decoding: word, as: UTF8.self)
  }

  /// Reads the text of a number, if one comes next: it ends before `..`.
  mutating func number() -> String? {
    skipSpace()
    var end = position
    if end < bytes.count, bytes[end] == UInt8(ascii: "-") { end += 1 }
    guard end < bytes.count, Self.isDigit(bytes[end]) else { return nil }
    while end < bytes.count {
      let byte = bytes[end]
      let isPoint = byte == UInt8(ascii: ".") && end + 1 < bytes.count && Self.isDigit(bytes[end + 1])
      let isSign = (byte == UInt8(ascii: "-") || byte == UInt8(ascii: "+")) && bytes[end - 1] | 0x20 == 0x65
      guard Self.isDigit(byte) || isPoint || isSign || byte | 0x20 == 0x65 else { break }
      end += 1
    }
    defer { position = end }
    return String(decoding: bytes[position..<end], as: UTF8.self)
  }

  static func isDigit(_ byte: UInt8) -> Bool { (0x30...0x39).contains(byte) }
  static func isNamePart(_ byte: UInt8) -> Bool {
    isDigit(byte) || byte == UInt8(ascii: "_") || (0x61...0x7a).contains(byte | 0x20)
  }
}
