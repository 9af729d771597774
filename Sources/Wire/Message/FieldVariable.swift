/// The meta-variable of an HTTP field (RFC 3875 §4.1.18): "User-Agent" is HTTP_USER_AGENT.
public enum FieldVariable {
  /// Bytes to allocate for the variable of a name: five before it, a NUL after it.
  @inline(__always)
  public static func room(_ count: Int) -> Int { count &+ 6 }

  /// Writes the variable's name for `name`, a token of more than 0 bytes, and a NUL.
  ///
  /// - Returns: false for a name with an underscore, which could be mistaken for another one: it has no
  ///   variable.
  @inline(__always)
  public static func write(_ name: UnsafeRawBufferPointer, to out: UnsafeMutableRawPointer) -> Bool {
    let base = name.baseAddress!
    out.storeBytes(of: UInt32(littleEndian: 0x5054_5448), as: UInt32.self)
    out.storeBytes(of: 0x5f, toByteOffset: 4, as: UInt8.self)
    out.storeBytes(of: 0, toByteOffset: 5 &+ name.count, as: UInt8.self)
    if name.hasWord(where: { Word.equal($0, to: 0x5f) }) { return false }
    let text = out + 5
    guard name.count >= 8 else {
      for index in 0..<name.count {
        let byte = UInt8(truncatingIfNeeded: upper(UInt64(name[index])))
        text.storeBytes(of: byte, toByteOffset: index, as: UInt8.self)
      }
      return true
    }
    // The last word overlaps the one before it.
    var position = 0
    while position &+ 8 < name.count {
      writeWord(base, text, position)
      position &+= 8
    }
    writeWord(base, text, name.count &- 8)
    return true
  }

  @inline(__always)
  private static func writeWord(
    _ name: UnsafeRawPointer, _ out: UnsafeMutableRawPointer, _ offset: Int
  ) {
    out.storeBytes(of: upper(Word.load(name, offset)).littleEndian, toByteOffset: offset, as: UInt64.self)
  }

  /// Eight bytes of ASCII with upper-case letters and underscores for hyphens.
  @inline(__always)
  private static func upper(_ word: UInt64) -> UInt64 {
    let hyphens = Word.highs & ~((word ^ Word.ones &* 0x2d) &+ (Word.highs &- Word.ones))
    return (word & ~Word.cases(word)) ^ (hyphens >> 7) &* 0x72
  }
}
