/// Byte classes and comparisons of RFC 9110 §5.6 and RFC 5234. No tables, no allocation.
public enum Ascii {
  // tchar = "!" / "#" / "$" / "%" / "&" / "'" / "*" / "+" / "-" / "." / "^" / "_" / "`" / "|" / "~"
  //         / DIGIT / ALPHA                                              (RFC 9110 §5.6.2)
  // Bit b of the pair is set when byte b is a tchar; bytes above 127 never are.
  private static let tokenLow: UInt64 = 0x03ff_6cfa_0000_0000
  private static let tokenHigh: UInt64 = 0x57ff_ffff_c7ff_fffe

  /// A byte of a token.
  @inline(__always)
  public static func isToken(_ byte: UInt8) -> Bool {
    let word = byte < 64 ? tokenLow : tokenHigh
    return byte < 128 && (word >> UInt64(byte & 63)) & 1 == 1
  }

  /// A non-empty token, as methods and field names are.
  public static func isToken(_ bytes: UnsafeRawBufferPointer) -> Bool {
    for byte in bytes where !isToken(byte) { return false }
    return !bytes.isEmpty
  }

  /// "0" to "9".
  @inline(__always)
  public static func isDigit(_ byte: UInt8) -> Bool { byte &- 0x30 < 10 }

  /// The value of a hexadecimal digit, or nil.
  @inline(__always)
  public static func hex(_ byte: UInt8) -> UInt8? {
    if isDigit(byte) { return byte &- 0x30 }
    let letter = (byte | 0x20) &- 0x61
    return letter < 6 ? letter + 10 : nil
  }

  /// Bytes that may stand in a field value: HTAB, SP, VCHAR, obs-text (RFC 9110 §5.5).
  @inline(__always)
  public static func isFieldValue(_ byte: UInt8) -> Bool { byte >= 0x20 && byte != 0x7f || byte == 0x09 }

  /// The lower-case letter for an upper-case one; any other byte itself.
  @inline(__always)
  public static func lower(_ byte: UInt8) -> UInt8 { byte &- 0x41 < 26 ? byte | 0x20 : byte }

  /// Equal to the letter.
  @inline(__always)
  public static func equals(_ bytes: UnsafeRawBufferPointer, _ text: StaticString) -> Bool {
    guard bytes.count == text.utf8CodeUnitCount else { return false }
    let other = text.utf8Start
    for index in 0..<bytes.count where bytes[index] != other[index] { return false }
    return true
  }

  /// Equal whatever the case of ASCII letters; `text` is lower case.
  @inline(__always)
  public static func matches(_ bytes: UnsafeRawBufferPointer, _ text: StaticString) -> Bool {
    guard bytes.count == text.utf8CodeUnitCount else { return false }
    let other = text.utf8Start
    for index in 0..<bytes.count where lower(bytes[index]) != other[index] { return false }
    return true
  }

  /// 1*DIGIT as a number; nil for anything else and for what does not fit Int64 (RFC 9110 §8.6).
  public static func decimal(_ bytes: UnsafeRawBufferPointer) -> Int64? {
    guard !bytes.isEmpty else { return nil }
    var value: Int64 = 0
    for byte in bytes {
      guard isDigit(byte) else { return nil }
      let (times, overflow) = value.multipliedReportingOverflow(by: 10)
      let (sum, carry) = times.addingReportingOverflow(Int64(byte &- 0x30))
      if overflow || carry { return nil }
      value = sum
    }
    return value
  }
}
