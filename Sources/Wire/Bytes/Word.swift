/// Eight bytes at once: what this module's scanners and comparisons are made of. The first byte in memory
/// stands in the lowest bits.
enum Word {
  static let ones: UInt64 = 0x0101_0101_0101_0101
  static let highs: UInt64 = 0x8080_8080_8080_8080

  /// The eight bytes at `offset`.
  @inline(__always)
  static func load(_ base: UnsafeRawPointer, _ offset: Int) -> UInt64 {
    UInt64(littleEndian: base.loadUnaligned(fromByteOffset: offset, as: UInt64.self))
  }

  /// `count` bytes, 1 to 7, some of them repeated, so that none of the eight is anything else.
  @inline(__always)
  static func loadFew(_ base: UnsafeRawPointer, _ count: Int) -> UInt64 {
    if count >= 4 {
      let first = UInt32(littleEndian: base.loadUnaligned(as: UInt32.self))
      let last = UInt32(littleEndian: base.loadUnaligned(fromByteOffset: count &- 4, as: UInt32.self))
      return UInt64(first) | UInt64(last) << 32
    }
    if count >= 2 {
      let first = UInt16(littleEndian: base.loadUnaligned(as: UInt16.self))
      let last = UInt16(littleEndian: base.loadUnaligned(fromByteOffset: count &- 2, as: UInt16.self))
      return (UInt64(first) | UInt64(last) << 16) &* 0x0000_0001_0000_0001
    }
    return UInt64(base.load(as: UInt8.self)) &* ones
  }

  /// Not 0 when one of the bytes is 0. The lowest bit set is the high bit of the first such byte; higher bits
  /// mean nothing.
  @inline(__always)
  static func zeros(_ word: UInt64) -> UInt64 { (word &- ones) & ~word & highs }

  /// The same for bytes equal to `byte`.
  @inline(__always)
  static func equal(_ word: UInt64, to byte: UInt8) -> UInt64 { zeros(word ^ ones &* UInt64(byte)) }

  /// How many bytes come before that of the lowest bit set; 8 for 0.
  @inline(__always)
  static func index(_ found: UInt64) -> Int { found.trailingZeroBitCount / 8 }

  /// The eight decimal digits of a number below 10^8, one per byte, the first one lowest.
  @inline(__always)
  static func digits(_ value: UInt64) -> UInt64 {
    // Puts four digits in each half, then two in each quarter, then one in each byte. Multiplying and
    // shifting divides by 100 and by 10: exactly, for numbers of four and of two digits.
    let thousands = value / 10_000
    let halves = thousands | (value &- thousands &* 10_000) << 32
    let hundreds = (halves &* 10_486) >> 20 & 0x0000_007f_0000_007f
    let quarters = hundreds | (halves &- hundreds &* 100) << 16
    let tens = (quarters &* 103) >> 10 & 0x000f_000f_000f_000f
    return tens | (quarters &- tens &* 10) << 8
  }

  /// The high bit of each byte that is neither a letter nor a hyphen, which make up the names of fields.
  @inline(__always)
  static func others(_ word: UInt64) -> UInt64 {
    let low = (word | ones &* 0x20) & ~highs
    let isLetter = (low &+ ones &* 0x1f) & ~(low &+ ones &* 0x05)
    let hyphen = word ^ ones &* 0x2d
    // Exact in every byte, since no sum of two numbers below 128 carries over.
    let isOther = ((hyphen & ~highs) &+ ~highs) | hyphen
    return (~isLetter | word) & isOther & highs
  }

  /// The high bit of each byte that is not a decimal digit.
  @inline(__always)
  static func othersThanDigits(_ word: UInt64) -> UInt64 {
    let low = word & ~highs
    // Exact in every byte, since no sum of two numbers below 128 carries over.
    return (~(low &+ ones &* 0x50) | (low &+ ones &* 0x46) | word) & highs
  }

  /// The high bit of each byte that is not a letter, digit, hyphen or dot, which make up the names of hosts.
  @inline(__always)
  static func othersInHost(_ word: UInt64) -> UInt64 {
    let low = (word | ones &* 0x20) & ~highs
    let isLetter = (low &+ ones &* 0x1f) & ~(low &+ ones &* 0x05)
    // Uses that "-", ".", "/" and the digits are adjacent.
    let plain = word & ~highs
    let isNear = (plain &+ ones &* 0x53) & ~(plain &+ ones &* 0x46)
    let isNoSlash = (plain ^ ones &* 0x2f) &+ ~highs
    return (~(isLetter | isNear & isNoSlash) | word) & highs
  }

  /// Bit 5 of each byte that is a lower-case letter; all bytes are ASCII. Setting these bits in another text
  /// makes its letters lower-case where it must be equal to this one.
  @inline(__always)
  static func cases(_ text: UInt64) -> UInt64 {
    ((text &+ ones &* 0x1f) & ~(text &+ ones &* 0x05) & highs) >> 2
  }
}

extension UnsafeRawBufferPointer {
  /// No bytes.
  public static var none: UnsafeRawBufferPointer { UnsafeRawBufferPointer(start: nil, count: 0) }

  /// Whether `finds` finds anything in one of the words that cover these bytes; the last one overlaps the one
  /// before it. (A loop over single bytes took longer than everything else that is done to a variable.)
  @inline(__always)
  func hasWord(where finds: (UInt64) -> UInt64) -> Bool {
    guard let base = baseAddress, count > 0 else { return false }
    if count < 8 { return finds(Word.loadFew(base, count)) != 0 }
    var position = 0
    while position &+ 8 < count {
      if finds(Word.load(base, position)) != 0 { return true }
      position &+= 8
    }
    return finds(Word.load(base, count &- 8)) != 0
  }
}

extension UnsafeMutableRawPointer {
  /// Copies bytes to a place that does not overlap them: up to 32 in words, some of them twice, which is
  /// faster than a call of memcpy.
  @inline(__always)
  func copyShort(from source: UnsafeRawPointer, _ count: Int) {
    switch count {
    case 17...32: copyEnds(of: source, count, as: SIMD16<UInt8>.self)
    case 8...16: copyEnds(of: source, count, as: UInt64.self)
    case 4...7: copyEnds(of: source, count, as: UInt32.self)
    case 2...3: copyEnds(of: source, count, as: UInt16.self)
    case 1: storeBytes(of: source.load(as: UInt8.self), as: UInt8.self)
    case ...0: break
    default: copyMemory(from: source, byteCount: count)
    }
  }

  /// Copies the first piece and the last one, which may overlap.
  @inline(__always)
  private func copyEnds<Piece: BitwiseCopyable>(of source: UnsafeRawPointer, _ count: Int, as: Piece.Type) {
    let last = count &- MemoryLayout<Piece>.size
    let ends = (
      source.loadUnaligned(as: Piece.self), source.loadUnaligned(fromByteOffset: last, as: Piece.self)
    )
    storeBytes(of: ends.0, as: Piece.self)
    storeBytes(of: ends.1, toByteOffset: last, as: Piece.self)
  }
}
