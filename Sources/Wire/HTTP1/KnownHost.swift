/// The value of Host in the last request of a connection, once it is known to be valid: that of the next one
/// is usually the same, and is compared instead of checked.
struct KnownHost: BitwiseCopyable, Sendable {
  /// The bytes of a value of 8 to 32 bytes; shorter ones are held in overlapping words.
  private typealias Words = (UInt64, UInt64, UInt64, UInt64)

  private static let lengths = 8...32
  private var words: Words = (0, 0, 0, 0)
  /// Bytes of the value; while none is known, more than can be kept.
  private var count = UInt8.max
  /// Bytes of its name, without a port.
  private var nameCount: UInt8 = 0

  /// Bytes of the name in a value of Host; nil when it is not valid.
  @inline(always)
  mutating func nameCount(of text: UnsafeRawBufferPointer) -> Int? {
    guard let base = text.baseAddress, text.count == Int(count), KnownHost.words(base, Int(count)) == words
    else { return check(text) }
    return Int(nameCount)
  }

  @inline(never)
  private mutating func check(_ text: UnsafeRawBufferPointer) -> Int? {
    guard let found = Authority.nameCount(of: text) else { return nil }
    if let base = text.baseAddress, KnownHost.lengths ~= text.count {
      words = KnownHost.words(base, text.count)
      (count, nameCount) = (UInt8(text.count), UInt8(found))
    }
    return found
  }

  /// - Parameter count: one of `lengths`.
  @inline(always)
  private static func words(_ base: UnsafeRawPointer, _ count: Int) -> Words {
    let last = count &- 8
    return (
      Word.load(base, 0), Word.load(base, min(8, last)), Word.load(base, min(16, last)), Word.load(base, last)
    )
  }
}
