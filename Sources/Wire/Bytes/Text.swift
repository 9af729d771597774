/// Bytes followed by a NUL, in memory of the exchange: what nsgi.h lends to an app.
@frozen public struct Text: @unchecked Sendable {
  /// First byte; nil means "absent", which differs from empty.
  public var start: UnsafePointer<UInt8>?
  /// Bytes without the NUL.
  public var count: Int

  @inlinable @inline(__always)
  public init(_ start: UnsafePointer<UInt8>?, _ count: Int) {
    self.start = start
    self.count = count
  }

  /// A literal, which Swift ends with NUL.
  @inlinable @inline(__always)
  public init(_ literal: StaticString) {
    self.init(literal.utf8Start, literal.utf8CodeUnitCount)
  }

  public static var absent: Text { Text(nil, 0) }
  public static var empty: Text { Text("") }

  @inlinable public var isEmpty: Bool { count == 0 }
  @inlinable public var bytes: UnsafeRawBufferPointer { UnsafeRawBufferPointer(start: start, count: count) }
}
