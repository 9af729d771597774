/// A stretch of bytes that owns the byte after it: a delimiter or a length that the reader has passed, and
/// that no other range holds. A NUL may be written there (`RequestHead.ended`), and nowhere else in a head.
///
/// Only the readers of this module make one, where they pass the delimiter. A piece of it that ends elsewhere
/// is a `ByteRange`, which can be copied but not ended in place: the authority inside a request target, say.
@frozen public struct DelimitedRange: Equatable, Sendable {
  /// The bytes without the one after them.
  public let range: ByteRange

  /// "Not there": lies beyond any head, so that it owns no byte.
  public static var none: DelimitedRange { DelimitedRange(range: ByteRange(Int(UInt32.max), 0)) }

  /// For readers: the bytes from `start` to the delimiter at `end`.
  @inline(__always)
  init(_ start: Int, endedAt end: Int) { range = ByteRange(start, end &- start) }

  @inlinable @inline(__always)
  init(range: ByteRange) { self.range = range }

  /// Offset of the first byte.
  @inlinable public var start: UInt32 { range.start }
  /// Length in bytes.
  @inlinable public var count: UInt32 { range.count }
  /// Offset of the byte after it.
  @inlinable public var end: Int { range.end }
  @inlinable public var isEmpty: Bool { range.isEmpty }

  /// The bytes themselves, `base` being the buffer that the range was made for.
  @inlinable @inline(__always)
  public func bytes(in base: UnsafeRawPointer) -> UnsafeRawBufferPointer { range.bytes(in: base) }

  /// The rest of it after the first `size` bytes; it ends where this one does.
  func dropping(_ size: Int) -> DelimitedRange { DelimitedRange(Int(start) + size, endedAt: end) }

  /// The same bytes after they have moved in their buffer.
  func moved(by distance: Int) -> DelimitedRange {
    self == .none ? self : DelimitedRange(Int(start) + distance, endedAt: end + distance)
  }
}
