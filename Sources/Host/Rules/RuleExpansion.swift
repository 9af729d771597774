import Config
import Wire

/// Fills the texts of rules with values of the request.
extension RuleRun {
  /// The filled text unchanged, in memory of the exchange.
  func expand(_ text: RuleText) -> Text {
    var out = ByteBuffer()
    for part in text.parts { value(of: part) { bytes, _ in out.append(bytes) } }
    return Text(exchange.arena.copy(out.bytes), out.count)
  }

  /// A text as a reference to a resource (RFC 3986): percent-encodes characters that are not allowed there,
  /// and those from decoded values that would have a meaning of their own. Unless the rule itself names a
  /// host or a scheme, the result names none: leading slashes become one, and one is put before anything that
  /// would be a scheme.
  func location(_ text: RuleText) -> Text {
    var out = ByteBuffer()
    var namesScheme: Bool?
    for part in text.parts {
      let start = out.count
      defer { namesScheme = namesScheme ?? Self.endsScheme(out.bytes[start...], by: part) }
      value(of: part) { bytes, isDecoded in
        guard isDecoded else { return bytes.forEach { out.append(encoded: $0) } }
        let isQuery = out.bytes.contains(UInt8(ascii: "?"))
        for byte in bytes { isQuery ? out.append(parameter: byte) : out.append(decoded: byte) }
      }
    }
    var namesHost = false
    if case .literal(let first)? = text.parts.first { namesHost = first.starts(with: "//".utf8) }
    var bytes = out.bytes[...]
    if !namesHost {
      while bytes.count > 1, bytes.first == 0x2f, bytes[bytes.startIndex + 1] == 0x2f { bytes.removeFirst() }
    }
    let result = UnsafeRawBufferPointer(rebasing: bytes)
    guard namesScheme == false else { return Text(exchange.arena.copy(result), result.count) }
    var local = ByteBuffer()
    local.append(0x2f)
    local.append(result)
    return Text(exchange.arena.copy(local.bytes), local.count)
  }

  /// Whether a part ends a scheme, and whether the rule wrote it (RFC 3986 §3): true for a colon of the
  /// rule's own, false for one of the request's, nil while there is none. In a path colons are allowed.
  private static func endsScheme(_ bytes: Slice<UnsafeRawBufferPointer>, by part: RuleText.Part) -> Bool? {
    for byte in bytes where ":/?#".utf8.contains(byte) {
      if byte != UInt8(ascii: ":") { return true }
      if case .literal = part { return true }
      return false
    }
    return nil
  }

  /// Hands over the value of a part, and whether it was percent-decoded.
  private func value(of part: RuleText.Part, _ take: (UnsafeRawBufferPointer, Bool) -> Void) {
    switch part {
    case .literal(let bytes): bytes.withUnsafeBytes { take($0, false) }
    case .group(let number):
      guard number < groups.count, let range = groups[number] else { return }
      take(UnsafeRawBufferPointer(rebasing: subject.bytes[range]), isDecoded)
    case .variable(let name):
      name.withUnsafeBytes { name in
        take(variable(named: name).bytes, part.isDecoded)
      }
    case .cookie(let name):
      if let value = Self.find(name, in: variable("HTTP_COOKIE").bytes, separator: UInt8(ascii: ";")) {
        take(value, false)
      }
    case .parameter(let name):
      let query = exchange.meta.query.bytes
      if let value = Self.find(name, in: query, separator: UInt8(ascii: "&")) {
        var decoded = ByteBuffer()
        PercentDecoding.decode(form: value, into: &decoded)
        take(decoded.bytes, true)
      }
    case .status:
      var digits = ByteBuffer()
      digits.append(decimal: Int64(exchange.response.status))
      take(digits.bytes, false)
    }
  }

  /// The value of the first `name=value` of a list.
  private static func find(
    _ name: [UInt8], in list: UnsafeRawBufferPointer, separator: UInt8
  ) -> UnsafeRawBufferPointer? {
    for pair in list.split(separator: separator) {
      let pair = pair.drop { $0 == 0x20 }
      guard pair.starts(with: name), pair.dropFirst(name.count).first == 0x3d else { continue }
      return UnsafeRawBufferPointer(rebasing: pair.dropFirst(name.count + 1))
    }
    return nil
  }
}

extension RuleText {
  /// A part of it was percent-decoded.
  var hasDecoded: Bool { parts.contains { $0.isDecoded } }
}

extension RuleText.Part {
  /// Its value was percent-decoded.
  var isDecoded: Bool {
    switch self {
    case .variable(let name): name.elementsEqual("PATH_INFO".utf8) || name.elementsEqual("SCRIPT_NAME".utf8)
    case .parameter: true
    case .literal, .group, .cookie, .status: false
    }
  }
}
