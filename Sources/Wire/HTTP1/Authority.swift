/// `uri-host [ ":" port ]` (RFC 9110 §7.2, RFC 3986 §3.2.2): the value of Host, the authority of a target.
/// Userinfo is not part of it (RFC 9110 §4.2.4), nor are IPvFuture and zone identifiers, which nobody
/// sends.
enum Authority {
  static func isValid(_ text: UnsafeRawBufferPointer, needsPort: Bool = false) -> Bool {
    nameCount(of: text, needsPort: needsPort) != nil
  }

  /// Bytes of the name at the start, including the brackets of an IPv6 address; nil if the text is not valid.
  ///
  /// - Parameter needsPort: a port must be given, as CONNECT wants it (RFC 9112 §3.2.3).
  static func nameCount(of text: UnsafeRawBufferPointer, needsPort: Bool = false) -> Int? {
    guard let base = text.baseAddress else { return needsPort ? nil : 0 }
    var end = 0
    if text.first == UInt8(ascii: "[") {
      while end < text.count, text[end] != UInt8(ascii: "]") { end += 1 }
      guard end < text.count, isIPv6(UnsafeRawBufferPointer(start: base + 1, count: end - 1)) else {
        return nil
      }
      end += 1
    } else {
      end = endOfUsual(base, text.count)
      while end < text.count, text[end] != HTTP1Grammar.colon {
        guard isRegName(text, at: end) else { return nil }
        end += 1
      }
    }
    if end == text.count { return needsPort ? nil : end }
    guard text[end] == HTTP1Grammar.colon, end > 0 else { return nil }
    let port = UnsafeRawBufferPointer(start: base + end + 1, count: text.count - end - 1)
    if port.isEmpty { return needsPort ? nil : end }
    guard let number = Ascii.decimal(port), number <= 65535 else { return nil }
    return end
  }

  /// Where the letters, digits, hyphens and dots end that most names consist of, as far as whole words show
  /// it.
  @inline(__always)
  private static func endOfUsual(_ base: UnsafeRawPointer, _ count: Int) -> Int {
    var end = 0
    while end &+ 8 <= count {
      let found = Word.othersInHost(Word.load(base, end))
      if found != 0 { return end &+ Word.index(found) }
      end &+= 8
    }
    // The last word overlaps the one before; checking two bytes one by one is faster.
    let isUsual = end > 0 && count &- end > 2 && Word.othersInHost(Word.load(base, count &- 8)) == 0
    return isUsual ? count : end
  }

  // unreserved = ALPHA / DIGIT / "-" / "." / "_" / "~"
  // sub-delims = "!" / "$" / "&" / "'" / "(" / ")" / "*" / "+" / "," / ";" / "="         (RFC 3986 §2)
  private static let low: UInt64 = 0x2bff_7fd2_0000_0000
  private static let high: UInt64 = 0x47ff_fffe_87ff_fffe

  /// reg-name = *( unreserved / pct-encoded / sub-delims )
  @inline(__always)
  private static func isRegName(_ text: UnsafeRawBufferPointer, at position: Int) -> Bool {
    let byte = text[position]
    let word = byte < 64 ? low : high
    if byte < 128, (word >> UInt64(byte & 63)) & 1 == 1 { return true }
    guard byte == UInt8(ascii: "%"), position + 2 < text.count else { return false }
    return Ascii.hex(text[position + 1]) != nil && Ascii.hex(text[position + 2]) != nil
  }

  /// IPv6address: eight groups of 1 to 4 digits, "::" once for one or more of them, the last two perhaps
  /// as an IPv4 address (RFC 3986 §3.2.2).
  static func isIPv6(_ text: UnsafeRawBufferPointer) -> Bool {
    var position = 0
    var groups = 0
    var gap = false
    if text.count >= 2, text[0] == HTTP1Grammar.colon {
      guard text[1] == HTTP1Grammar.colon else { return false }
      (gap, position) = (true, 2)
    }
    while position < text.count {
      let start = position
      while position < text.count, Ascii.hex(text[position]) != nil { position += 1 }
      if position < text.count, text[position] == UInt8(ascii: ".") {
        guard isIPv4(UnsafeRawBufferPointer(rebasing: text[start...])) else { return false }
        groups += 2
        break
      }
      guard (1...4).contains(position - start) else { return false }
      groups += 1
      if position == text.count { break }
      guard text[position] == HTTP1Grammar.colon, position + 1 < text.count else { return false }
      position += 1
      if text[position] == HTTP1Grammar.colon {
        if gap { return false }
        (gap, position) = (true, position + 1)
      }
    }
    return gap ? groups < 8 : groups == 8
  }

  private static func isIPv4(_ text: UnsafeRawBufferPointer) -> Bool {
    var (parts, digits, value) = (1, 0, 0)
    for byte in text {
      if byte == UInt8(ascii: ".") {
        guard digits > 0 else { return false }
        (parts, digits, value) = (parts + 1, 0, 0)
      } else {
        guard Ascii.isDigit(byte), digits == 0 || value > 0 else { return false }
        (digits, value) = (digits + 1, value * 10 + Int(byte &- 0x30))
        guard value <= 255 else { return false }
      }
    }
    return parts == 4 && digits > 0
  }
}
