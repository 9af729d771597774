/// A value of JSON (RFC 8259), for comparing: members have no order.
indirect enum JSONText: Equatable {
  case null
  case bool(Bool)
  /// As it is written.
  case number(String)
  case string(String)
  case array([JSONText])
  case object([String: JSONText])

  /// Reads a text; nil for one that is not JSON as a whole, or is nested too deeply.
  init?(_ bytes: [UInt8]) {
    var reader = JSONReader(bytes)
    guard let value = reader.value(depth: 0), reader.isAtEnd else { return nil }
    self = value
  }

  /// Whether bytes may be a text with members or elements: others are compared as they are.
  static func mayBe(_ bytes: [UInt8]) -> Bool {
    let first = bytes.first { $0 > 0x20 }
    return first == UInt8(ascii: "{") || first == UInt8(ascii: "[")
  }

  /// The value in a sentence.
  var words: String {
    switch self {
    case .null: "null"
    case .bool(let value): value ? "true" : "false"
    case .number(let text): JSONText.short(text)
    case .string(let text): "\"\(JSONText.short(text))\""
    case .array(let list): "\(list.count) elements"
    case .object(let members): "an object of \(members.count) members"
    }
  }

  private static func short(_ text: String) -> String {
    text.count <= 60 ? text : "\(text.prefix(60))…"
  }
}

/// Reads JSON byte by byte.
private struct JSONReader {
  private let bytes: [UInt8]
  private var place = 0
  private static let mostDepth = 100

  init(_ bytes: [UInt8]) { self.bytes = bytes }

  /// Nothing but white space is left.
  var isAtEnd: Bool { bytes[place...].allSatisfy(JSONReader.isSpace) }

  private static func isSpace(_ byte: UInt8) -> Bool {
    byte == 0x20 || byte == 0x09 || byte == 0x0a || byte == 0x0d
  }

  /// The next byte that is no white space, which stays.
  private mutating func peek() -> UInt8? {
    while place < bytes.count, JSONReader.isSpace(bytes[place]) { place += 1 }
    return place < bytes.count ? bytes[place] : nil
  }

  private mutating func takes(_ byte: Character) -> Bool {
    guard let wanted = byte.asciiValue, peek() == wanted else { return false }
    place += 1
    return true
  }

  private mutating func takes(word: String) -> Bool {
    guard bytes[place...].starts(with: word.utf8) else { return false }
    place += word.utf8.count
    return true
  }

  mutating func value(depth: Int) -> JSONText? {
    guard depth < JSONReader.mostDepth, let first = peek() else { return nil }
    switch first {
    case UInt8(ascii: "{"): return object(depth)
    case UInt8(ascii: "["): return array(depth)
    case UInt8(ascii: "\""): return string().map { .string($0) }
    case UInt8(ascii: "t"): return takes(word: "true") ? .bool(true) : nil
    case UInt8(ascii: "f"): return takes(word: "false") ? .bool(false) : nil
    case UInt8(ascii: "n"): return takes(word: "null") ? .null : nil
    default: return number()
    }
  }

  private mutating func object(_ depth: Int) -> JSONText? {
    var members: [String: JSONText] = [:]
    guard takes("{") else { return nil }
    if takes("}") { return .object(members) }
    while true {
      guard peek() == UInt8(ascii: "\""), let name = string(), takes(":"), let value = value(depth: depth + 1)
      else { return nil }
      members[name] = value
      if takes("}") { return .object(members) }
      guard takes(",") else { return nil }
    }
  }

  private mutating func array(_ depth: Int) -> JSONText? {
    var list: [JSONText] = []
    guard takes("[") else { return nil }
    if takes("]") { return .array(list) }
    while true {
      guard let value = value(depth: depth + 1) else { return nil }
      list.append(value)
      if takes("]") { return .array(list) }
      guard takes(",") else { return nil }
    }
  }

  private mutating func number() -> JSONText? {
    let start = place
    while place < bytes.count, JSONReader.isOfNumber(bytes[place]) { place += 1 }
    guard place > start else { return nil }
    return .number(String(decoding: bytes[start..<place], as: UTF8.self))
  }

  private static func isOfNumber(_ byte: UInt8) -> Bool {
    switch byte {
    case 0x30...0x39, UInt8(ascii: "-"), UInt8(ascii: "+"), UInt8(ascii: "."), UInt8(ascii: "e"),
      UInt8(ascii: "E"):
      true
    default: false
    }
  }

  /// The string that begins here, with its escapes decoded.
  private mutating func string() -> String? {
    place += 1
    var text: [UInt8] = []
    while place < bytes.count {
      let byte = bytes[place]
      place += 1
      switch byte {
      case UInt8(ascii: "\""): return String(decoding: text, as: UTF8.self)
      case UInt8(ascii: "\\"):
        guard let decoded = escape() else { return nil }
        text += decoded
      default: text.append(byte)
      }
    }
    return nil
  }

  private mutating func escape() -> [UInt8]? {
    guard place < bytes.count else { return nil }
    let byte = bytes[place]
    place += 1
    switch byte {
    case UInt8(ascii: "b"): return [8]
    case UInt8(ascii: "f"): return [12]
    case UInt8(ascii: "n"): return [10]
    case UInt8(ascii: "r"): return [13]
    case UInt8(ascii: "t"): return [9]
    case UInt8(ascii: "u"):
      guard let unit = unit() else { return nil }
      var units = [unit]
      // The first half of a pair; the second one follows.
      if UTF16.isLeadSurrogate(unit), bytes[place...].starts(with: "\\u".utf8) {
        place += 2
        guard let second = self.unit() else { return nil }
        units.append(second)
      }
      return Array(String(decoding: units, as: UTF16.self).utf8)
    default: return [byte]
    }
  }

  /// Four hexadecimal digits.
  private mutating func unit() -> UInt16? {
    guard place + 4 <= bytes.count else { return nil }
    let digits = String(decoding: bytes[place..<(place + 4)], as: UTF8.self)
    place += 4
    return UInt16(digits, radix: 16)
  }
}

/// Something that differs between two values.
struct JSONDifference: Equatable {
  /// "$.items[3].price".
  let path: String
  /// What it was and what it is.
  let text: String
  /// The object whose member is missing or new; nil for a value that both have.
  let object: String?

  /// What differs between two values, in the order of their paths; at most so much.
  static func all(_ before: JSONText, _ now: JSONText, most: Int = 1000) -> [JSONDifference] {
    var found: [JSONDifference] = []
    compare(before, now, "$", most, &found)
    return found
  }

  private static func compare(
    _ before: JSONText, _ now: JSONText, _ path: String, _ most: Int, _ found: inout [JSONDifference]
  ) {
    guard found.count < most, before != now else { return }
    switch (before, now) {
    case (.object(let old), .object(let new)):
      for name in Set(old.keys).union(new.keys).sorted() {
        let place = path + member(name)
        switch (old[name], new[name]) {
        case (let old?, let new?): compare(old, new, place, most, &found)
        case (let old?, nil):
          found.append(JSONDifference(path: place, text: "\(old.words) is missing", object: path))
        case (nil, let new?):
          found.append(JSONDifference(path: place, text: "\(new.words) is new", object: path))
        case (nil, nil): break
        }
      }
    case (.array(let old), .array(let new)):
      for (index, pair) in zip(old, new).enumerated() {
        compare(pair.0, pair.1, "\(path)[\(index)]", most, &found)
      }
      guard old.count != new.count else { return }
      found.append(
        JSONDifference(path: path, text: "\(old.count) elements became \(new.count)", object: nil))
    default:
      found.append(JSONDifference(path: path, text: "\(before.words) became \(now.words)", object: nil))
    }
  }

  private static func member(_ name: String) -> String {
    let isPlain =
      !name.isEmpty
      && name.utf8.allSatisfy { byte in
        byte == UInt8(ascii: "_") || 0x30...0x39 ~= byte || 0x41...0x5a ~= byte || 0x61...0x7a ~= byte
      }
    return isPlain ? ".\(name)" : "[\"\(name)\"]"
  }
}

/// Where two copies of one build differ: the same places in another build's answer say nothing.
struct JSONNoise {
  private var paths: Set<String> = []
  /// Objects whose members come and go.
  private var objects: Set<String> = []

  var isEmpty: Bool { paths.isEmpty && objects.isEmpty }

  mutating func add(_ differences: [JSONDifference]) {
    for difference in differences {
      paths.insert(difference.path)
      if let object = difference.object { objects.insert(object) }
    }
  }

  /// Whether a difference lies in it.
  func covers(_ difference: JSONDifference) -> Bool {
    if let object = difference.object, objects.contains(object) { return true }
    if paths.contains(difference.path) { return true }
    return paths.contains { difference.path.hasPrefix($0 + ".") || difference.path.hasPrefix($0 + "[") }
  }
}
