// Bytes in JSON: base64 with padding (RFC 4648 §4).

enum Base64 {
  private static let alphabet = Array("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/".utf8)

  /// The value of each character; 64 for those outside the alphabet.
  private static let values: [UInt8] = {
    var values = [UInt8](repeating: 64, count: 256)
    for (value, character) in alphabet.enumerated() { values[Int(character)] = UInt8(value) }
    return values
  }()

  static func text(of bytes: UnsafeRawBufferPointer) -> String {
    let size = (bytes.count + 2) / 3 * 4
    return String(unsafeUninitializedCapacity: size) { place in
      var written = 0
      var index = 0
      while index < bytes.count {
        let rest = bytes.count - index
        let second = rest > 1 ? bytes[index + 1] : 0
        let third = rest > 2 ? bytes[index + 2] : 0
        let group = UInt32(bytes[index]) << 16 | UInt32(second) << 8 | UInt32(third)
        for part in 0..<4 {
          let isPadding = part > rest
          place[written] = isPadding ? UInt8(ascii: "=") : alphabet[Int(group >> (18 - 6 * part) & 63)]
          written += 1
        }
        index += 3
      }
      return written
    }
  }

  /// The bytes that `text` stands for; nil if it is not canonical base64.
  static func bytes(of text: String) -> [UInt8]? {
    let characters = Array(text.utf8)
    guard characters.count % 4 == 0 else { return nil }
    let padding = characters.suffix(2).reversed().prefix { $0 == UInt8(ascii: "=") }.count
    var result: [UInt8] = []
    result.reserveCapacity(characters.count / 4 * 3)
    var group: UInt32 = 0
    for (index, character) in characters.dropLast(padding).enumerated() {
      let value = values[Int(character)]
      if value > 63 { return nil }
      group = group << 6 | UInt32(value)
      if index & 3 == 3 {
        result.append(UInt8(truncatingIfNeeded: group >> 16))
        result.append(UInt8(truncatingIfNeeded: group >> 8))
        result.append(UInt8(truncatingIfNeeded: group))
        group = 0
      }
    }
    switch padding {
    case 0: return result
    case 1:
      if group & 3 != 0 { return nil }
      return result + [UInt8(truncatingIfNeeded: group >> 10), UInt8(truncatingIfNeeded: group >> 2)]
    default:
      if group & 15 != 0 { return nil }
      return result + [UInt8(truncatingIfNeeded: group >> 4)]
    }
  }
}
