import Control
import Wire

/// A value in a line of the request log that somebody else has chosen: escaped, and cut if it is too long.
enum LogField {
  /// The mark at the end of a value that was cut.
  static let mark: StaticString = "..."

  /// The longest escape of a byte: `\\u00ab`.
  private static let escapeBytes = 6
  private static let backslash = UInt8(ascii: "\\")

  /// Appends it.
  ///
  /// - Parameter most: the most bytes of it, escapes included; a longer one is cut before an escape or a
  ///   character that would be incomplete, and ends in the mark. At least the length of the mark.
  static func append(
    _ bytes: UnsafeRawBufferPointer, asJSON: Bool, most: Int, to lines: inout ByteBuffer
  ) {
    if bytes.count <= most / escapeBytes {
      if asJSON { return Printable.json(bytes) { lines.append($0) } }
      return Printable.field(bytes) { lines.append($0) }
    }
    let begin = lines.count
    let end = begin + most - mark.utf8CodeUnitCount
    var kept = begin
    let part = UnsafeRawBufferPointer(rebasing: bytes[..<border(bytes, min(bytes.count, most))])
    if asJSON {
      Printable.json(part) { take($0, upTo: end, &kept, &lines) }
    } else {
      Printable.field(part) { take($0, upTo: end, &kept, &lines) }
    }
    guard part.count < bytes.count || lines.count - begin > most else { return }
    lines.truncate(to: kept)
    lines.append(mark)
  }

  /// Appends a piece, and notes how much of the value may be kept if it has to be cut.
  private static func take(
    _ piece: UnsafeRawBufferPointer, upTo end: Int, _ kept: inout Int, _ lines: inout ByteBuffer
  ) {
    let before = lines.count
    lines.append(piece)
    if lines.count <= end {
      kept = lines.count
    } else if before < end, piece.first != backslash {
      kept = before + border(piece, end - before)
    }
  }

  /// The last place up to `end` at which no UTF-8 character is torn apart.
  private static func border(_ bytes: UnsafeRawBufferPointer, _ end: Int) -> Int {
    guard end < bytes.count else { return bytes.count }
    var place = end
    while place > max(0, end - 3), bytes[place] & 0xc0 == 0x80 { place -= 1 }
    return bytes[place] & 0xc0 == 0x80 ? end : place
  }
}
