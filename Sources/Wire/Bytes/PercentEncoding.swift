/// Percent-encoding of references (RFC 3986 §2).
extension ByteBuffer {
  /// Appends a byte of a reference that is percent-encoded already: escapes a byte that no reference may
  /// hold.
  public mutating func append(encoded byte: UInt8) {
    let isPlain = byte > 0x20 && byte < 0x7f && !"\"<>\\^`{|}".utf8.contains(byte)
    if isPlain { append(byte) } else { append(escape: byte) }
  }

  /// Appends a byte of a decoded path, so that decoding gives it back.
  public mutating func append(decoded byte: UInt8) {
    let isLetter = Ascii.lower(byte) &- 0x61 < 26 || Ascii.isDigit(byte)
    let isPlain = isLetter || "-._~/!$&'()*+,;=:@".utf8.contains(byte)
    if isPlain { append(byte) } else { append(escape: byte) }
  }

  /// Appends a byte of a parameter's decoded value.
  public mutating func append(parameter byte: UInt8) {
    if "&=+;?".utf8.contains(byte) { append(escape: byte) } else { append(decoded: byte) }
  }

  mutating func append(escape byte: UInt8) {
    let digits: StaticString = "0123456789ABCDEF"
    append(0x25)
    append(digits.utf8Start[Int(byte >> 4)])
    append(digits.utf8Start[Int(byte & 15)])
  }
}
