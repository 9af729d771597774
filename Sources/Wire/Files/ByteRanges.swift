/// What a Range field asks of a file (RFC 9110 §14).
public enum ByteRanges: Equatable, Sendable {
  /// No range, one in another unit or malformed, or more than is reasonable: the whole file.
  case whole
  /// 416: none of the requested ranges exists.
  case unsatisfiable
  /// One stretch.
  case one(Range<Int64>)
  /// Several, in the order asked for: multipart/byteranges.
  case several([Range<Int64>])

  /// Reads `bytes=0-99, -5, 100-` for a file of this many bytes.
  ///
  /// - Parameter limit: the most ranges that are answered. Ranges that overlap so much that they are more
  ///   than the file are not answered either (§14.2 leaves both to the server).
  public init(_ text: UnsafeRawBufferPointer, size: Int64, limit: Int) {
    self = .whole
    let unit: [UInt8] = Array("bytes=".utf8)
    guard text.count > unit.count, zip(text, unit).allSatisfy({ Ascii.lower($0) == $1 }) else { return }
    var found: [Range<Int64>] = []
    var total: Int64 = 0
    var specs = 0
    for spec in text[unit.count...].split(separator: 0x2c, omittingEmptySubsequences: false) {
      let piece = FieldLine.trimmed(spec)
      // Empty list elements are ignored (§5.6.1).
      if piece.isEmpty { continue }
      specs += 1
      guard specs <= limit, let range = Self.range(piece, size) else { return }
      if range.isEmpty { continue }
      let (sum, isTooMuch) = total.addingReportingOverflow(Int64(range.count))
      if isTooMuch { return }
      total = sum
      found.append(range)
    }
    if specs == 0 { return }
    switch found.count {
    case 0: self = .unsatisfiable
    case 1: self = .one(found[0])
    default: self = total > size ? .whole : .several(found)
    }
  }

  /// One `first-last`, `first-` or `-count`; nil if malformed, empty if nothing of it exists.
  private static func range(_ text: UnsafeRawBufferPointer, _ size: Int64) -> Range<Int64>? {
    guard let dash = text.firstIndex(of: 0x2d) else { return nil }
    let (front, back) = (text[..<dash], text[(dash + 1)...])
    if front.isEmpty {
      guard let count = number(back) else { return nil }
      return max(0, size - count)..<size
    }
    guard let first = number(front) else { return nil }
    var last = Int64.max - 1
    if !back.isEmpty {
      guard let number = number(back), number >= first else { return nil }
      last = min(number, Int64.max - 1)
    }
    return first >= size ? 0..<0 : first..<min(size, last + 1)
  }

  /// Decimal digits; a number that does not fit becomes the largest one.
  private static func number(_ digits: Slice<UnsafeRawBufferPointer>) -> Int64? {
    guard !digits.isEmpty, digits.allSatisfy(Ascii.isDigit) else { return nil }
    return Ascii.decimal(UnsafeRawBufferPointer(rebasing: digits)) ?? .max
  }
}
