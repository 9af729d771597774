/// Bytes waiting to be parsed or sent: one block, filled at the end, consumed at the front, one owner.
public struct ByteBuffer: ~Copyable {
  /// The block; nil while nothing was reserved.
  public private(set) var block: UnsafeMutableRawPointer?
  /// Size of the block in bytes.
  public private(set) var capacity = 0
  /// Offset of the first unconsumed byte.
  public private(set) var start = 0
  /// Offset after the last byte.
  public private(set) var end = 0

  public init() {}

  /// Takes ownership of `block`, which `UnsafeMutableRawPointer.allocate` made.
  public init(adopting block: UnsafeMutableRawPointer, capacity: Int) {
    self.block = block
    self.capacity = capacity
  }

  deinit { block?.deallocate() }

  /// Unconsumed bytes.
  @inline(__always) public var count: Int { end &- start }
  @inline(__always) public var isEmpty: Bool { end == start }
  /// Address of the first unconsumed byte; nil without a block.
  @inline(__always) public var base: UnsafeMutableRawPointer? { block.map { $0 + start } }
  /// Room after the last byte.
  @inline(__always) public var room: Int { capacity &- end }
  /// Where the next bytes go; call `reserve` at least once before.
  @inline(__always) public var tail: UnsafeMutableRawPointer { block! + end }

  /// The unconsumed bytes.
  public var bytes: UnsafeRawBufferPointer { UnsafeRawBufferPointer(start: base, count: count) }

  /// Gives the block away; the buffer is empty afterwards. The caller deallocates or pools it.
  public mutating func release() -> (block: UnsafeMutableRawPointer, capacity: Int)? {
    guard let block else { return nil }
    defer { (self.block, capacity, start, end) = (nil, 0, 0, 0) }
    return (block, capacity)
  }

  /// Takes a block when there is none yet.
  public mutating func adopt(_ block: UnsafeMutableRawPointer, capacity: Int) {
    precondition(self.block == nil, "a buffer owns one block")
    (self.block, self.capacity, start, end) = (block, capacity, 0, 0)
  }

  /// Makes room for `extra` more bytes after the last one: slides, or moves to a larger block.
  @inline(__always)
  public mutating func reserve(_ extra: Int) {
    if room >= extra { return }
    grow(extra)
  }

  private mutating func grow(_ extra: Int) {
    let used = count
    if capacity >= used + extra, start > 0 {
      block!.copyMemory(from: block! + start, byteCount: used)
      (start, end) = (0, used)
      return
    }
    // Grows to at least twice the size, so that appending costs the same however long it goes on; a size that
    // is known to be large is not doubled.
    let size = Swift.max(capacity * 2, (used + extra + 511) & ~511)
    let larger = UnsafeMutableRawPointer.allocate(byteCount: size, alignment: 16)
    if let block {
      larger.copyMemory(from: block + start, byteCount: used)
      block.deallocate()
    }
    (block, capacity, start, end) = (larger, size, 0, used)
  }

  /// Says that `size` bytes were written at `tail`.
  @inline(__always) public mutating func commit(_ size: Int) { end &+= size }

  /// Drops `size` bytes from the front.
  @inline(__always)
  public mutating func consume(_ size: Int) {
    start &+= size
    if start == end { (start, end) = (0, 0) }
  }

  /// Drops everything, keeps the block.
  @inline(__always) public mutating func removeAll() { (start, end) = (0, 0) }

  /// Drops everything after the first `size` unconsumed bytes.
  public mutating func truncate(to size: Int) { end = Swift.min(end, start + size) }

  /// Appends a byte.
  @inline(__always)
  public mutating func append(_ byte: UInt8) {
    reserve(1)
    tail.storeBytes(of: byte, as: UInt8.self)
    end &+= 1
  }

  /// Appends a copy of the bytes.
  @inline(__always)
  public mutating func append(_ bytes: UnsafeRawBufferPointer) {
    guard let from = bytes.baseAddress, bytes.count > 0 else { return }
    reserve(bytes.count)
    tail.copyMemory(from: from, byteCount: bytes.count)
    end &+= bytes.count
  }

  /// Appends a literal.
  @inline(__always)
  public mutating func append(_ text: StaticString) {
    append(UnsafeRawBufferPointer(start: text.utf8Start, count: text.utf8CodeUnitCount))
  }

  /// Appends text as UTF-8. Labelled, because a literal would prefer `String` to `StaticString`.
  public mutating func append(string text: String) {
    var text = text
    text.withUTF8 { append(UnsafeRawBufferPointer($0)) }
  }

  /// Appends a number in decimal digits.
  public mutating func append(decimal value: Int64) {
    if value < 0 { append(0x2d) }
    append(atMost: Cursor.digits) { $0.put(decimal: value.magnitude) }
  }

  /// Appends a number in lower-case hexadecimal digits.
  public mutating func append(hex value: UInt64) {
    let digits = Swift.max(1, (64 - value.leadingZeroBitCount + 3) / 4)
    reserve(digits)
    let out = tail.assumingMemoryBound(to: UInt8.self)
    for position in 0..<digits {
      let digit = UInt8(truncatingIfNeeded: value >> UInt64(4 * (digits - 1 - position))) & 15
      out[position] = digit < 10 ? 0x30 + digit : 0x57 + digit
    }
    end &+= digits
  }
}
