// Bytes as visible text, as fixtures have them: \r \n \0 \t \\ \" \xNN and \{repeat COUNT TEXT}.

/// The escapes of fixtures and expectations.
public enum Escapes {
  /// What is wrong with escaped text.
  public struct Malformed: Error, CustomStringConvertible {
    public let description: String
  }

  /// The bytes that `text` stands for. Real line ends are layout and stand for nothing.
  public static func bytes(_ text: some StringProtocol) throws(Malformed) -> [UInt8] {
    let text = Array(text.utf8)
    var bytes: [UInt8] = []
    var position = 0
    while position < text.count {
      let byte = text[position]
      position += 1
      if byte == UInt8(ascii: "\n") { continue }
      guard byte == UInt8(ascii: "\\") else {
        bytes.append(byte)
        continue
      }
      try escape(text, &position, &bytes)
    }
    return bytes
  }

  /// One escape; `position` stands behind its backslash.
  private static func escape(
    _ text: [UInt8], _ position: inout Int, _ bytes: inout [UInt8]
  ) throws(Malformed) {
    guard position < text.count else { throw Malformed(description: "backslash at the end") }
    let letter = text[position]
    position += 1
    switch letter {
    case UInt8(ascii: "r"): bytes.append(13)
    case UInt8(ascii: "n"): bytes.append(10)
    case UInt8(ascii: "t"): bytes.append(9)
    case UInt8(ascii: "0"): bytes.append(0)
    case UInt8(ascii: "\\"), UInt8(ascii: "\""): bytes.append(letter)
    case UInt8(ascii: "x"):
      let digits = String(decoding: text[position..<min(position + 2, text.count)], as: UTF8.self)
      guard digits.utf8.count == 2, let value = UInt8(digits, radix: 16) else {
        throw Malformed(description: "\\x\(digits) is not \\xNN")
      }
      bytes.append(value)
      position += 2
    case UInt8(ascii: "{"):
      guard let close = text[position...].firstIndex(of: UInt8(ascii: "}")) else {
        throw Malformed(description: "\\{ without }")
      }
      bytes += try directive(String(decoding: text[position..<close], as: UTF8.self))
      position = close + 1
    default: throw Malformed(description: "unknown escape \\\(Character(UnicodeScalar(letter)))")
    }
  }

  /// `repeat COUNT TEXT`: the text so many times; it may hold the other escapes.
  private static func directive(_ text: String) throws(Malformed) -> [UInt8] {
    let words = text.split(separator: " ", maxSplits: 2)
    guard words.count == 3, words[0] == "repeat", let count = Int(words[1]), count >= 0 else {
      throw Malformed(description: "\\{\(text)} is not \\{repeat COUNT TEXT}")
    }
    let unit = try bytes(words[2])
    return Array(repeatElement(unit, count: count).joined())
  }

  /// `bytes` as text in which everything is visible; runs of more than 64 of one byte become a directive.
  public static func text(_ bytes: some Collection<UInt8>) -> String {
    var text = ""
    var rest = Array(bytes)[...]
    while let byte = rest.first {
      let run = rest.prefix { $0 == byte }.count
      if run > 64 {
        text += "\\{repeat \(run) \(escaped(byte))}"
        rest = rest.dropFirst(run)
      } else {
        text += escaped(byte)
        rest = rest.dropFirst()
      }
    }
    return text
  }

  private static func escaped(_ byte: UInt8) -> String {
    switch byte {
    case 13: return "\\r"
    case 10: return "\\n"
    case 9: return "\\t"
    case 0: return "\\0"
    case UInt8(ascii: "\\"): return "\\\\"
    case UInt8(ascii: "\""): return "\\\""
    case 0x20..<0x7f: return String(UnicodeScalar(byte))
    default:
      let digits = String(byte, radix: 16)
      return "\\x" + (digits.count < 2 ? "0" : "") + digits
    }
  }
}
