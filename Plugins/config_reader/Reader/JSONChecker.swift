/// Whether bytes are JSON (RFC 8259), and where they stop to be: YAML, as which such a file is read then,
/// takes more than that.
struct JSONChecker {
  private let bytes: [UInt8]
  private var at = 0

  /// Values in values at most.
  private static let depthMaximum = 64

  private init(_ bytes: [UInt8]) { self.bytes = bytes }

  /// Throws one sentence, with the line, unless the bytes are one object or one array.
  static func check(_ bytes: [UInt8]) throws(Malformed) {
    var checker = JSONChecker(bytes)
    if checker.isWhole() { return }
    let line = 1 + bytes.prefix(checker.at).count { $0 == UInt8(ascii: "\n") }
    throw Malformed(line: line, "it is no JSON; values stand in quotes, with commas between")
  }

  private mutating func isWhole() -> Bool {
    skipBlanks()
    guard at < bytes.count, bytes[at] == UInt8(ascii: "{") || bytes[at] == UInt8(ascii: "["), value(0) else {
      return false
    }
    skipBlanks()
    return at == bytes.count
  }

  private mutating func skipBlanks() {
    while at < bytes.count, [0x20, 0x09, 0x0a, 0x0d].contains(bytes[at]) { at += 1 }
  }

  /// Takes a byte if it is the next one.
  private mutating func take(_ character: Unicode.Scalar) -> Bool {
    guard at < bytes.count, bytes[at] == UInt8(ascii: character) else { return false }
    at += 1
    return true
  }

  private mutating func value(_ depth: Int) -> Bool {
    skipBlanks()
    guard at < bytes.count, depth <= Self.depthMaximum else { return false }
    switch bytes[at] {
    case UInt8(ascii: "{"): return members(until: "}", depth) { $0.member(depth + 1) }
    case UInt8(ascii: "["): return members(until: "]", depth) { $0.value(depth + 1) }
    case UInt8(ascii: "\""): return string()
    case UInt8(ascii: "t"): return word("true")
    case UInt8(ascii: "f"): return word("false")
    case UInt8(ascii: "n"): return word("null")
    default: return number()
    }
  }

  /// What stands between brackets, with commas between.
  private mutating func members(
    until end: Unicode.Scalar, _ depth: Int, _ one: (inout JSONChecker) -> Bool
  ) -> Bool {
    at += 1
    skipBlanks()
    if take(end) { return true }
    while one(&self) {
      skipBlanks()
      if take(end) { return true }
      guard take(",") else { return false }
    }
    return false
  }

  private mutating func member(_ depth: Int) -> Bool {
    skipBlanks()
    guard string() else { return false }
    skipBlanks()
    return take(":") && value(depth)
  }

  private mutating func string() -> Bool {
    guard take("\"") else { return false }
    while at < bytes.count {
      switch bytes[at] {
      case UInt8(ascii: "\""):
        at += 1
        return true
      case UInt8(ascii: "\\"):
        at += 1
        guard at < bytes.count else { return false }
        if take("u") {
          for _ in 0..<4 { guard digit(hexadecimal: true) else { return false } }
        } else {
          guard "\"\\/bfnrt".utf8.contains(bytes[at]) else { return false }
          at += 1
        }
      case 0..<0x20: return false
      default: at += 1
      }
    }
    return false
  }

  private mutating func digit(hexadecimal: Bool = false) -> Bool {
    guard at < bytes.count else { return false }
    let isDigit = (0x30...0x39).contains(bytes[at])
    guard isDigit || hexadecimal && (0x61...0x66).contains(bytes[at] | 0x20) else { return false }
    at += 1
    return true
  }

  private mutating func digits() -> Bool {
    guard digit() else { return false }
    while digit() {}
    return true
  }

  private mutating func number() -> Bool {
    _ = take("-")
    // No zero stands before other digits.
    guard take("0") || digits() else { return false }
    if take("."), !digits() { return false }
    guard take("e") || take("E") else { return true }
    _ = take("+") || take("-")
    return digits()
  }

  private mutating func word(_ word: StaticString) -> Bool {
    let isThere = word.withUTF8Buffer { bytes[at...].starts(with: $0) }
    if isThere { at += word.utf8CodeUnitCount }
    return isThere
  }
}
