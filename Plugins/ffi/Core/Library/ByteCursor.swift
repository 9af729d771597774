// Little-endian numbers out of a file that may be damaged: reading beyond the end gives zeros and is
// remembered.

/// A place in bytes that belong to somebody else.
struct ByteCursor {
  let bytes: UnsafeRawBufferPointer
  var position: Int
  let end: Int
  /// Something beyond the end was wanted.
  private(set) var hasFailed = false

  init(_ bytes: UnsafeRawBufferPointer, from position: Int = 0, to end: Int? = nil) {
    self.bytes = bytes
    self.end = min(max(end ?? bytes.count, 0), bytes.count)
    self.position = position
    if position < 0 || position > self.end { hasFailed = true }
  }

  var isAtEnd: Bool { hasFailed || position >= end }

  mutating func integer<Value: FixedWidthInteger>(_ type: Value.Type) -> Value {
    let size = MemoryLayout<Value>.size
    guard !hasFailed, end - position >= size else {
      hasFailed = true
      return 0
    }
    defer { position += size }
    return Value(littleEndian: bytes.loadUnaligned(fromByteOffset: position, as: Value.self))
  }

  mutating func u8() -> Int { Int(integer(UInt8.self)) }
  mutating func u16() -> Int { Int(integer(UInt16.self)) }
  mutating func u32() -> Int { Int(integer(UInt32.self)) }
  /// Offsets above 2^62 are none.
  mutating func u64() -> Int {
    let value = integer(UInt64.self)
    if value > 1 << 62 { hasFailed = true }
    return hasFailed ? 0 : Int(value)
  }
  /// A number of 1 to 8 bytes.
  mutating func unsigned(_ size: Int) -> Int {
    switch size {
    case 1: return u8()
    case 2: return u16()
    case 3:
      let low = u16()
      return low | u8() << 16
    case 4: return u32()
    default: return u64()
    }
  }

  /// LEB128 (DWARF 5 §7.6).
  mutating func uleb() -> Int {
    var value = 0
    var shift = 0
    while !hasFailed {
      let byte = u8()
      if shift < 56 { value |= (byte & 0x7f) << shift }
      shift += 7
      if byte & 0x80 == 0 { break }
    }
    return value
  }

  mutating func skip(_ count: Int) {
    guard !hasFailed, count >= 0, end - position >= count else {
      hasFailed = true
      return
    }
    position += count
  }

  /// Text up to its NUL, which is read as well.
  mutating func text() -> UnsafeRawBufferPointer {
    let start = position
    while !hasFailed, u8() != 0 {}
    guard !hasFailed else { return UnsafeRawBufferPointer(start: nil, count: 0) }
    return UnsafeRawBufferPointer(rebasing: bytes[start..<(position - 1)])
  }
}

extension UnsafeRawBufferPointer {
  /// Text that stands at an offset, up to its NUL; empty beyond the end.
  func text(at offset: Int) -> UnsafeRawBufferPointer {
    var cursor = ByteCursor(self, from: offset)
    return cursor.text()
  }

  func equals(_ text: String) -> Bool { count == text.utf8.count && elementsEqual(text.utf8) }
}
