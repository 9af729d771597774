/// A stretch of bytes inside a buffer that somebody else owns.
///
/// Codecs answer with ranges instead of copies: `start` counts bytes from the beginning of the
/// buffer that the codec was given. Valid for as long as that buffer keeps its contents.
@frozen public struct ByteRange: Equatable, Sendable {
  /// Offset of the first byte.
  public var start: UInt32
  /// Length in bytes.
  public var count: UInt32

  /// The empty range at 0: "not there".
  public static var none: ByteRange { ByteRange(0, 0) }

  @inlinable @inline(__always)
  public init(_ start: Int, _ count: Int) {
    self.start = UInt32(truncatingIfNeeded: start)
    self.count = UInt32(truncatingIfNeeded: count)
  }

  /// Offset of the first byte after the range.
  @inlinable public var end: Int { Int(start) + Int(count) }
  @inlinable public var isEmpty: Bool { count == 0 }

  /// The bytes themselves, `base` being the buffer that the range was made for.
  @inlinable @inline(__always)
  public func bytes(in base: UnsafeRawPointer) -> UnsafeRawBufferPointer {
    UnsafeRawBufferPointer(start: base + Int(start), count: Int(count))
  }
}
