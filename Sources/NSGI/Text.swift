// Text as C lends it and as Swift keeps it; parameters of a query.
import CNSGI

extension nsgi_str {
  /// The bytes; valid as long as whoever lent them says.
  var bytes: UnsafeRawBufferPointer { UnsafeRawBufferPointer(start: p, count: n) }

  /// ASCII letters of either case are equal, as in header names (RFC 9110 §5.1).
  func equalsIgnoringCase(_ text: String) -> Bool {
    let bytes = bytes
    guard text.utf8.count == bytes.count else { return false }
    return text.utf8.elementsEqual(bytes) {
      $0 == $1 || (($0 | 0x20) == ($1 | 0x20) && ($0 | 0x20) &- 0x61 < 26)
    }
  }
}

extension String {
  /// A copy of the text; what is not UTF-8 becomes U+FFFD.
  init(_ text: nsgi_str) { self = String(decoding: text.bytes, as: UTF8.self) }
}

/// Parameters of a query: `name=value` pairs between ampersands (URL Standard, urlencoded parsing).
enum Query {
  static func first(_ name: String, in query: UnsafeRawBufferPointer) -> String? {
    for pair in query.split(separator: UInt8(ascii: "&")) {
      let parts = pair.split(separator: UInt8(ascii: "="), maxSplits: 1, omittingEmptySubsequences: false)
      guard decoded(parts[0]) == name else { continue }
      return parts.count > 1 ? decoded(parts[1]) : ""
    }
    return nil
  }

  /// Plus signs are spaces, %XX bytes; a percent sign without two digits stands for itself.
  static func decoded(_ bytes: some Collection<UInt8>) -> String {
    let source = Array(bytes)
    var result: [UInt8] = []
    result.reserveCapacity(source.count)
    var index = 0
    while index < source.count {
      let byte = source[index]
      if byte == UInt8(ascii: "%"), index + 2 < source.count,
        let high = digit(source[index + 1]), let low = digit(source[index + 2])
      {
        result.append(high << 4 | low)
        index += 3
        continue
      }
      result.append(byte == UInt8(ascii: "+") ? 0x20 : byte)
      index += 1
    }
    return String(decoding: result, as: UTF8.self)
  }

  private static func digit(_ byte: UInt8) -> UInt8? {
    switch byte {
    case 0x30...0x39: byte - 0x30
    case 0x41...0x46, 0x61...0x66: (byte | 0x20) - 0x61 + 10
    default: nil
    }
  }
}
