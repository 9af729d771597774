/// Text for a log or a terminal, from any source: nothing in it moves a cursor, ends a line, or reverses the
/// reading order. The project's only escaper; everything that is shown passes through it.
///
/// Escaped are: control characters (C0, DEL, and C1, which terminals obey in UTF-8 too), bytes that are not
/// UTF-8, separators of lines and paragraphs, and invisible characters, such as those that change the
/// direction of text (Unicode TR36 §2.5, "Trojan Source"). Each byte of such a character is written as \xNN;
/// \n and \r stand for themselves in prose. All other letters stay unchanged.
public enum Printable {
  /// A field of the request log: printable ASCII only, and neither a quote nor a backslash, so that the log
  /// can be read by a program. Hands it over in pieces; allocates nothing.
  @inlinable
  public static func field(_ bytes: UnsafeRawBufferPointer, _ take: (UnsafeRawBufferPointer) -> Void) {
    var start = 0
    for index in bytes.indices where !isPlain(bytes[index]) {
      if start < index { take(UnsafeRawBufferPointer(rebasing: bytes[start..<index])) }
      withUnsafeBytes(of: escape(bytes[index]), take)
      start = index + 1
    }
    if start < bytes.count { take(UnsafeRawBufferPointer(rebasing: bytes[start...])) }
  }

  /// One line of prose. Backslashes stay, so that escaped text is not escaped twice.
  public static func text(_ text: String) -> String {
    if text.utf8.allSatisfy({ $0 >= 0x20 && $0 < 0x7f }) { return text }
    var text = text
    return text.withUTF8 { Printable.text(UnsafeRawBufferPointer($0)) }
  }

  /// One line of prose from bytes that claim to be UTF-8.
  public static func text(_ bytes: UnsafeRawBufferPointer) -> String {
    var result = ""
    result.reserveCapacity(bytes.count)
    var parser = Unicode.UTF8.ForwardParser()
    var iterator = bytes.makeIterator()
    var place = 0
    while true {
      switch parser.parseScalar(from: &iterator) {
      case .valid(let encoded):
        let scalar = Unicode.UTF8.decode(encoded)
        let end = place + encoded.count
        if isShown(scalar) {
          result.unicodeScalars.append(scalar)
        } else {
          append(bytes[place..<end], to: &result)
        }
        place = end
      case .error(let length):
        append(bytes[place..<(place + length)], to: &result)
        place += length
      case .emptyInput: return result
      }
    }
  }

  /// Prose of several lines: the line ends stay, and each later line is indented, so that none can be
  /// mistaken for a line of the log's own.
  public static func paragraph(_ text: String) -> String {
    let lines = text.split(omittingEmptySubsequences: false, whereSeparator: \.isNewline)
    if lines.count < 2 { return Printable.text(text) }
    return lines.map { Printable.text(String($0)) }.joined(separator: "\n  ")
  }

  /// A sentence for the operator, which may quote text of any length: if it is longer than `sentenceBytes`
  /// its middle is left out, so that the place and the fix remain.
  public static func sentence(_ text: String) -> String {
    let bytes = text.utf8
    guard bytes.count > sentenceBytes else { return paragraph(text) }
    let half = sentenceBytes / 2
    let parts = [bytes.prefix(half), bytes.suffix(half)].map {
      paragraph(String(decoding: $0, as: UTF8.self))
    }
    return parts.joined(separator: " … (\(bytes.count - 2 * half) bytes are left out) … ")
  }

  /// More than the length of sentences without their quotations.
  static let sentenceBytes = 2000

  /// A JSON string with its quotation marks (RFC 8259 §7); characters that must not be shown are escaped as
  /// \uXXXX.
  public static func json(_ text: String) -> String {
    var result = "\""
    for scalar in text.unicodeScalars {
      if scalar != "\"", scalar != "\\", scalar != "\t", isShown(scalar) {
        result.unicodeScalars.append(scalar)
      } else {
        result += escaped(scalar)
      }
    }
    return result + "\""
  }

  /// The inside of a JSON string from bytes that claim to be UTF-8: characters that must not be shown are
  /// escaped as \uXXXX, and each run of bytes that is not UTF-8 becomes U+FFFD, since JSON has no other bytes
  /// (RFC 8259 §8.1). Hands it over in pieces; allocates nothing if everything is plain.
  public static func json(_ bytes: UnsafeRawBufferPointer, _ take: (UnsafeRawBufferPointer) -> Void) {
    if bytes.allSatisfy(isPlain) { return take(bytes) }
    var parser = Unicode.UTF8.ForwardParser()
    var iterator = bytes.makeIterator()
    var (start, place) = (0, 0)
    func shown(to end: Int) {
      if start < end { take(UnsafeRawBufferPointer(rebasing: bytes[start..<end])) }
    }
    while true {
      var instead = "\u{fffd}"
      var length: Int
      switch parser.parseScalar(from: &iterator) {
      case .valid(let encoded):
        let scalar = Unicode.UTF8.decode(encoded)
        length = encoded.count
        if scalar != "\"", scalar != "\\", scalar != "\t", isShown(scalar) {
          place += length
          continue
        }
        instead = escaped(scalar)
      case .error(let count): length = count
      case .emptyInput: return shown(to: place)
      }
      shown(to: place)
      instead.withUTF8 { take(UnsafeRawBufferPointer($0)) }
      place += length
      start = place
    }
  }

  /// A character as JSON escapes it.
  private static func escaped(_ scalar: Unicode.Scalar) -> String {
    switch scalar {
    case "\"": return "\\\""
    case "\\": return "\\\\"
    case "\n": return "\\n"
    case "\r": return "\\r"
    case "\t": return "\\t"
    default:
      return Character(scalar).utf16.reduce(into: "") { result, unit in
        let digits = String(unit, radix: 16)
        result += "\\u" + String(repeating: "0", count: 4 - digits.count) + digits
      }
    }
  }

  private static func isShown(_ scalar: Unicode.Scalar) -> Bool {
    if scalar.value < 0x7f { return scalar.value >= 0x20 || scalar == "\t" }
    return switch scalar.properties.generalCategory {
    case .control, .format, .lineSeparator, .paragraphSeparator: false
    default: !scalar.properties.isDefaultIgnorableCodePoint
    }
  }

  private static func append(_ bytes: Slice<UnsafeRawBufferPointer>, to result: inout String) {
    for byte in bytes {
      switch byte {
      case 10: result += "\\n"
      case 13: result += "\\r"
      default: result += "\\x" + (byte < 16 ? "0" : "") + String(byte, radix: 16)
      }
    }
  }

  /// Runs for each byte of a request's line: must not be a call into another module.
  @inlinable
  static func isPlain(_ byte: UInt8) -> Bool {
    byte >= 0x20 && byte < 0x7f && byte != UInt8(ascii: "\"") && byte != UInt8(ascii: "\\")
  }

  @usableFromInline
  static func escape(_ byte: UInt8) -> (UInt8, UInt8, UInt8, UInt8) {
    (UInt8(ascii: "\\"), UInt8(ascii: "x"), digit(byte >> 4), digit(byte & 15))
  }

  private static func digit(_ value: UInt8) -> UInt8 {
    value < 10 ? UInt8(ascii: "0") + value : UInt8(ascii: "a") + value - 10
  }
}
