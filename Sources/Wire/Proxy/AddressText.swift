/// An address as text, kept inline: numbers and dots (IPv4), RFC 5952 (IPv6), or the path of a unix socket.
@frozen public struct AddressText: Sendable {
  /// Size of `sun_path`, the longest of them.
  public static let capacity = 108

  private var storage = InlineArray<108, UInt8>(repeating: 0)
  /// Length in bytes.
  public private(set) var count = 0

  /// The empty text.
  public init() {}

  public var isEmpty: Bool { count == 0 }

  /// The byte at `position`, which is below `count`.
  public subscript(position: Int) -> UInt8 { storage[position] }

  /// Appends the text to a buffer.
  public func append(to out: inout ByteBuffer) { for position in 0..<count { out.append(storage[position]) } }

  /// The text as a string, for logs.
  public var string: String {
    var text = ""
    for position in 0..<count { text.unicodeScalars.append(Unicode.Scalar(storage[position])) }
    return text
  }

  mutating func append(_ byte: UInt8) {
    storage[count] = byte
    count += 1
  }

  private mutating func append(decimal byte: UInt8) {
    if byte >= 100 { append(0x30 + byte / 100) }
    if byte >= 10 { append(0x30 + byte / 10 % 10) }
    append(0x30 + byte % 10)
  }

  private mutating func append(hex group: UInt16) {
    var shift = 12
    while shift > 0, group >> UInt16(shift) == 0 { shift -= 4 }
    while shift >= 0 {
      let digit = UInt8(group >> UInt16(shift) & 15)
      append(digit < 10 ? 0x30 + digit : 0x57 + digit)
      shift -= 4
    }
  }

  /// Four bytes in network order.
  static func ipv4(_ bytes: UnsafeRawBufferPointer) -> AddressText {
    var text = AddressText()
    for position in 0..<4 {
      if position > 0 { text.append(0x2e) }
      text.append(decimal: bytes[position])
    }
    return text
  }

  /// Eight groups, in the one spelling of RFC 5952: the longest run of two or more zero groups, the first of
  /// equal ones, as `::`; letters in lower case; an IPv4-mapped address with dots (§5).
  static func ipv6(_ groups: InlineArray<8, UInt16>) -> AddressText {
    var text = AddressText()
    var (runStart, runCount) = (0, 1)
    var position = 0
    while position < 8 {
      var end = position
      while end < 8, groups[end] == 0 { end += 1 }
      if end - position > runCount { (runStart, runCount) = (position, end - position) }
      position = end + 1
    }
    let isMapped = runStart == 0 && runCount == 5 && groups[5] == 0xffff
    position = 0
    while position < (isMapped ? 6 : 8) {
      if runCount > 1, position == runStart {
        text.append(0x3a)
        text.append(0x3a)
        position += runCount
        continue
      }
      if position > 0, !(runCount > 1 && position == runStart + runCount) { text.append(0x3a) }
      text.append(hex: groups[position])
      position += 1
    }
    guard isMapped else { return text }
    for index in 0..<4 {
      text.append(index == 0 ? 0x3a : 0x2e)
      text.append(decimal: UInt8(groups[6 + index / 2] >> (index % 2 == 0 ? 8 : 0) & 0xff))
    }
    return text
  }
}

/// Reads addresses that were written as text.
enum AddressParser {
  /// dotted-decimal = 4 numbers of 0 ... 255 without leading zeros; nil for anything else.
  static func ipv4(_ text: UnsafeRawBufferPointer) -> InlineArray<4, UInt8>? {
    var result = InlineArray<4, UInt8>(repeating: 0)
    var (part, value, digits) = (0, 0, 0)
    for byte in text {
      if byte == 0x2e {
        guard digits > 0, part < 3 else { return nil }
        result[part] = UInt8(value)
        (part, value, digits) = (part + 1, 0, 0)
        continue
      }
      guard Ascii.isDigit(byte), digits == 0 || value > 0 else { return nil }
      value = value * 10 + Int(byte &- 0x30)
      digits += 1
      guard value <= 255 else { return nil }
    }
    guard part == 3, digits > 0 else { return nil }
    result[3] = UInt8(value)
    return result
  }

  /// The forms of RFC 4291 §2.2: groups, `::` once, the last two groups perhaps as IPv4; no zone.
  static func ipv6(_ text: UnsafeRawBufferPointer) -> InlineArray<8, UInt16>? {
    var groups = InlineArray<8, UInt16>(repeating: 0)
    var (count, gap, position) = (0, -1, 0)
    if text.count >= 2, text[0] == 0x3a, text[1] == 0x3a { (gap, position) = (0, 2) }
    while position < text.count {
      guard count < 8 else { return nil }
      var end = position
      while end < text.count, text[end] != 0x3a { end += 1 }
      let piece = UnsafeRawBufferPointer(rebasing: text[position..<end])
      if end == text.count, let dotted = ipv4(piece) {
        guard count <= 6 else { return nil }
        groups[count] = UInt16(dotted[0]) << 8 | UInt16(dotted[1])
        groups[count + 1] = UInt16(dotted[2]) << 8 | UInt16(dotted[3])
        count += 2
        break
      }
      guard let group = group(piece) else { return nil }
      groups[count] = group
      count += 1
      if end == text.count { break }
      position = end + 1
      if position == text.count { return nil }
      guard text[position] == 0x3a else { continue }
      guard gap < 0 else { return nil }
      (gap, position) = (count, position + 1)
    }
    return spread(groups, count: count, gap: gap)
  }

  /// Fills in zeros for `::`.
  private static func spread(
    _ groups: InlineArray<8, UInt16>, count: Int, gap: Int
  ) -> InlineArray<8, UInt16>? {
    if gap < 0 { return count == 8 ? groups : nil }
    guard count < 8 else { return nil }
    var result = InlineArray<8, UInt16>(repeating: 0)
    for index in 0..<gap { result[index] = groups[index] }
    for index in gap..<count { result[8 - count + index] = groups[index] }
    return result
  }

  /// h16 = 1*4HEXDIG
  private static func group(_ text: UnsafeRawBufferPointer) -> UInt16? {
    guard (1...4).contains(text.count) else { return nil }
    var value: UInt16 = 0
    for byte in text {
      guard let digit = Ascii.hex(byte) else { return nil }
      value = value << 4 | UInt16(digit)
    }
    return value
  }
}
