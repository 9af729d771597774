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
    guard let base = bytes.baseAddress, !bytes.isEmpty else { return false }
    return !bytes.hasWord(where: Word.others) || endOfToken(base, 0, bytes.count) == bytes.count
  }

  /// The first byte at or after `start` that belongs to no token; `end` if there is none. Letters and hyphens
  /// are taken eight at a time.
  @inline(__always)
  static func endOfToken(_ base: UnsafeRawPointer, _ start: Int, _ end: Int) -> Int {
    var position = start
    while position &+ 8 <= end {
      let letters = Word.index(Word.others(Word.load(base, position)))
      position &+= letters
      if letters < 8 {
        guard isToken(base.load(fromByteOffset: position, as: UInt8.self)) else { return position }
        position &+= 1
      }
    }
    while position < end, isToken(base.load(fromByteOffset: position, as: UInt8.self)) { position &+= 1 }
    return position
  }

  /// Whether all bytes may stand in a field value (RFC 9110 §5.5).
  @inline(__always)
  static func isFieldValue(_ bytes: UnsafeRawBufferPointer) -> Bool {
    guard let base = bytes.baseAddress, bytes.hasWord(where: { controls($0, below: 0x20) }) else {
      return true
    }
    var position = 0
    while true {
      position = endOfText(base, position, bytes.count)
      guard position < bytes.count else { return true }
      guard base.load(fromByteOffset: position, as: UInt8.self) == 0x09 else { return false }
      position &+= 1
    }
  }

  /// Looks at eight bytes at once: sets the high bit of the first byte (and perhaps of later ones) that is
  /// below `limit` (at most 0x80) or is DEL.
  @inline(__always)
  static func controls(_ word: UInt64, below limit: UInt64) -> UInt64 {
    ((word &- Word.ones &* limit) & ~word & Word.highs) | Word.equal(word, to: 0x7f)
  }

  /// The first byte at or after `start` that a field value must not hold, or HTAB; `end` if there is none.
  @inline(__always)
  static func endOfText(_ base: UnsafeRawPointer, _ start: Int, _ end: Int) -> Int {
    var position = start
    while position &+ 8 <= end {
      let found = controls(Word.load(base, position), below: 0x20)
      if found != 0 { return position &+ Word.index(found) }
      position &+= 8
    }
    while position < end {
      let byte = base.load(fromByteOffset: position, as: UInt8.self)
      if byte < 0x20 || byte == 0x7f { return position }
      position &+= 1
    }
    return end
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
    guard bytes.count == text.utf8CodeUnitCount, let base = bytes.baseAddress else {
      return bytes.count == text.utf8CodeUnitCount
    }
    return differs(base, UnsafeRawPointer(text.utf8Start), text.utf8CodeUnitCount) { $0 ^ $1 } == 0
  }

  /// Whether the first four bytes, which must exist, are those of the four-byte literal.
  @inline(__always)
  static func begins(_ base: UnsafeRawPointer, _ text: StaticString) -> Bool {
    base.loadUnaligned(as: UInt32.self) == UnsafeRawPointer(text.utf8Start).loadUnaligned(as: UInt32.self)
  }

  /// Compares without regard to the case of ASCII letters; `text` is lower case.
  @inline(__always)
  public static func matches(_ bytes: UnsafeRawBufferPointer, _ text: StaticString) -> Bool {
    guard bytes.count == text.utf8CodeUnitCount, let base = bytes.baseAddress else {
      return bytes.count == text.utf8CodeUnitCount
    }
    return differs(base, UnsafeRawPointer(text.utf8Start), text.utf8CodeUnitCount) {
      ($0 | Word.cases($1)) ^ $1
    } == 0
  }

  /// Compares words, the last of which overlaps the one before; 0 when all are equal. With a literal, as in
  /// every call, only loads and comparisons with constants remain.
  @inline(__always)
  private static func differs(
    _ one: UnsafeRawPointer, _ other: UnsafeRawPointer, _ count: Int, _ compare: (UInt64, UInt64) -> UInt64
  ) -> UInt64 {
    if count == 0 { return 0 }
    if count < 8 { return compare(Word.loadFew(one, count), Word.loadFew(other, count)) }
    var found: UInt64 = 0
    var position = 0
    while position &+ 8 < count {
      found |= compare(Word.load(one, position), Word.load(other, position))
      position &+= 8
    }
    return found | compare(Word.load(one, count &- 8), Word.load(other, count &- 8))
  }

  /// 1*DIGIT as a number; nil for anything else and for a number that does not fit Int64 (RFC 9110 §8.6).
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
