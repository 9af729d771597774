/// Whether bytes that come in pieces are UTF-8 (RFC 3629 §4): text is refused at the first byte that makes it
/// invalid.
public struct UTF8Check: Sendable, BitwiseCopyable {
  /// Bytes that the current character still needs, and the range of the next of them.
  private var left: UInt8 = 0
  private var lowest: UInt8 = 0x80
  private var highest: UInt8 = 0xbf

  public init() {}

  /// No character is incomplete: the text may end here.
  public var isComplete: Bool { left == 0 }

  /// Reads on; false when the text is invalid, whatever follows.
  public mutating func accepts(_ bytes: UnsafeRawBufferPointer) -> Bool {
    guard let base = bytes.baseAddress else { return true }
    var position = 0
    while position < bytes.count {
      if left == 0 {
        while position &+ 8 <= bytes.count, Word.load(base, position) & Word.highs == 0 { position &+= 8 }
        if position == bytes.count { return true }
      }
      guard accepts(base.load(fromByteOffset: position, as: UInt8.self)) else { return false }
      position &+= 1
    }
    return true
  }

  @inline(__always)
  private mutating func accepts(_ byte: UInt8) -> Bool {
    if left > 0 {
      guard byte >= lowest, byte <= highest else { return false }
      (left, lowest, highest) = (left &- 1, 0x80, 0xbf)
      return true
    }
    switch byte {
    case ..<0x80: return true
    case 0xc2...0xdf: left = 1
    // Rules out overlong forms, surrogates, and anything above U+10FFFF.
    case 0xe0: (left, lowest) = (2, 0xa0)
    case 0xed: (left, highest) = (2, 0x9f)
    case 0xe1...0xef: left = 2
    case 0xf0: (left, lowest) = (3, 0x90)
    case 0xf1...0xf3: left = 3
    case 0xf4: (left, highest) = (3, 0x8f)
    default: return false
    }
    return true
  }
}
