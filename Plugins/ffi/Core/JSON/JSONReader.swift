// Strict: what RFC 8259 does not allow is refused, and so are names that stand twice, which it leaves open.

/// Why a text is no JSON, and where.
struct JSONError: Error, Equatable, CustomStringConvertible {
  var reason: String
  /// Bytes before it.
  var offset: Int

  var description: String { "\(reason) at byte \(offset)" }
}

/// Reads one JSON text.
struct JSONReader {
  /// Arrays and objects inside one another, at most.
  static let greatestDepth = 64

  private let bytes: UnsafeRawBufferPointer
  private var position = 0
  private var depth = 0

  private init(_ bytes: UnsafeRawBufferPointer) { self.bytes = bytes }

  /// The value that `bytes` are the text of: UTF-8, nothing but space around it.
  static func parse(_ bytes: UnsafeRawBufferPointer) throws(JSONError) -> JSONValue {
    var reader = JSONReader(bytes)
    reader.skipSpace()
    let value = try reader.value()
    reader.skipSpace()
    if reader.position < bytes.count { throw reader.error("something follows the value") }
    return value
  }

  private func error(_ reason: String) -> JSONError { JSONError(reason: reason, offset: position) }

  private var next: UInt8? { position < bytes.count ? bytes[position] : nil }

  private mutating func skipSpace() {
    while let byte = next, byte == 0x20 || byte == 0x09 || byte == 0x0a || byte == 0x0d { position += 1 }
  }

  private mutating func take(_ character: Unicode.Scalar) -> Bool {
    guard next == UInt8(ascii: character) else { return false }
    position += 1
    return true
  }

  // value = false / null / true / object / array / number / string
  private mutating func value() throws(JSONError) -> JSONValue {
    switch next {
    case nil: throw error("the text ends where a value is wanted")
    case UInt8(ascii: "{"): return try nested { reader throws(JSONError) in try reader.object() }
    case UInt8(ascii: "["): return try nested { reader throws(JSONError) in try reader.array() }
    case UInt8(ascii: "\""): return .string(try string())
    case UInt8(ascii: "t"): return try literal("true", .bool(true))
    case UInt8(ascii: "f"): return try literal("false", .bool(false))
    case UInt8(ascii: "n"): return try literal("null", .null)
    default: return try number()
    }
  }

  private mutating func nested(
    _ read: (inout JSONReader) throws(JSONError) -> JSONValue
  ) throws(JSONError) -> JSONValue {
    depth += 1
    if depth > Self.greatestDepth { throw error("more than \(Self.greatestDepth) levels") }
    let value = try read(&self)
    depth -= 1
    return value
  }

  private mutating func literal(_ text: StaticString, _ value: JSONValue) throws(JSONError) -> JSONValue {
    let wanted = UnsafeRawBufferPointer(start: text.utf8Start, count: text.utf8CodeUnitCount)
    guard bytes[position...].starts(with: wanted) else { throw error("no value") }
    position += wanted.count
    return value
  }

  private mutating func object() throws(JSONError) -> JSONValue {
    position += 1
    var members: [JSONValue.Member] = []
    var names: Set<String> = []
    skipSpace()
    if take("}") { return .object([]) }
    repeat {
      skipSpace()
      guard next == UInt8(ascii: "\"") else { throw error("the name of a member is wanted") }
      let start = position
      let name = try string()
      guard names.insert(name).inserted else {
        throw JSONError(reason: "the name \"\(name)\" stands there twice", offset: start)
      }
      skipSpace()
      guard take(":") else { throw error("\":\" is wanted") }
      skipSpace()
      members.append(JSONValue.Member(name, try value()))
      skipSpace()
    } while take(",")
    guard take("}") else { throw error("\",\" or \"}\" is wanted") }
    return .object(members)
  }

  private mutating func array() throws(JSONError) -> JSONValue {
    position += 1
    var elements: [JSONValue] = []
    skipSpace()
    if take("]") { return .array([]) }
    repeat {
      skipSpace()
      elements.append(try value())
      skipSpace()
    } while take(",")
    guard take("]") else { throw error("\",\" or \"]\" is wanted") }
    return .array(elements)
  }

  private mutating func number() throws(JSONError) -> JSONValue {
    let start = position
    while let byte = next, Scanner.isNamePart(byte) || byte == 0x2b || byte == 0x2d || byte == 0x2e {
      position += 1
    }
    let text = String(decoding: bytes[start..<position], as: UTF8.self)
    guard NumberText.isNumber(text) else { throw JSONError(reason: "no value", offset: start) }
    return .number(text)
  }

  // MARK: Strings

  private mutating func string() throws(JSONError) -> String {
    position += 1
    var text: [UInt8] = []
    while true {
      let start = position
      while let byte = next, byte >= 0x20, byte != UInt8(ascii: "\""), byte != UInt8(ascii: "\\") {
        position += 1
      }
      text.append(contentsOf: bytes[start..<position])
      guard let byte = next else { throw error("a string has no end") }
      if byte < 0x20 { throw error("a control character stands in a string without an escape") }
      position += 1
      if byte == UInt8(ascii: "\"") { break }
      try escape(into: &text)
    }
    guard let string = String(validating: text, as: UTF8.self) else {
      throw error("a string is not UTF-8")
    }
    return string
  }

  private mutating func escape(into text: inout [UInt8]) throws(JSONError) {
    guard let letter = next else { throw error("a string has no end") }
    position += 1
    switch letter {
    case UInt8(ascii: "\""), UInt8(ascii: "\\"), UInt8(ascii: "/"): text.append(letter)
    case UInt8(ascii: "b"): text.append(0x08)
    case UInt8(ascii: "f"): text.append(0x0c)
    case UInt8(ascii: "n"): text.append(0x0a)
    case UInt8(ascii: "r"): text.append(0x0d)
    case UInt8(ascii: "t"): text.append(0x09)
    case UInt8(ascii: "u"): text.append(contentsOf: try String(unicode()).utf8)
    default:
      position -= 1
      throw error("no such escape")
    }
  }

  /// Behind `\u`: four digits, and the second half of a pair of surrogates.
  private mutating func unicode() throws(JSONError) -> Character {
    let start = position
    let first = try hexadecimal()
    var code = first
    if 0xd800...0xdbff ~= first {
      guard take("\\"), take("u") else { throw JSONError(reason: "half of a surrogate pair", offset: start) }
      let second = try hexadecimal()
      guard 0xdc00...0xdfff ~= second else {
        throw JSONError(reason: "half of a surrogate pair", offset: start)
      }
      code = 0x10000 + (first - 0xd800) << 10 + (second - 0xdc00)
    }
    guard let scalar = Unicode.Scalar(code) else {
      throw JSONError(reason: "half of a surrogate pair", offset: start)
    }
    return Character(scalar)
  }

  private mutating func hexadecimal() throws(JSONError) -> UInt32 {
    var value: UInt32 = 0
    for _ in 0..<4 {
      guard let byte = next, let digit = Hex.value(of: byte) else {
        throw error("four hexadecimal digits are wanted")
      }
      value = value << 4 | UInt32(digit)
      position += 1
    }
    return value
  }
}

enum Hex {
  /// The value of a hexadecimal digit of either case.
  static func value(of byte: UInt8) -> UInt8? {
    switch byte {
    case 0x30...0x39: byte - 0x30
    case 0x41...0x46, 0x61...0x66: (byte | 0x20) - 0x61 + 10
    default: nil
    }
  }

  static let digits = Array("0123456789abcdef".utf8)
}
