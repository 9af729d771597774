/// The header of a FastCGI record (§3.3): eight bytes, numbers with the high byte first.
struct FastCGIRecord: Equatable, Sendable {
  var type: UInt8
  var id: UInt16
  var contentLength: Int
  var paddingLength = 0

  /// Header, content and padding in bytes.
  var size: Int { FastCGIGrammar.headerBytes + contentLength + paddingLength }

  /// A record that we write; padded to a multiple of eight bytes.
  init(type: UInt8, id: UInt16, contentLength: Int) {
    self.type = type
    self.id = id
    self.contentLength = contentLength
    paddingLength = -contentLength & 7
  }

  /// Reads the header at `offset`; `bytes` hold all eight bytes of it.
  @inline(__always)
  init(_ bytes: UnsafeRawBufferPointer, at offset: Int) {
    type = bytes[offset + 1]
    id = UInt16(bytes[offset + 2]) << 8 | UInt16(bytes[offset + 3])
    contentLength = Int(bytes[offset + 4]) << 8 | Int(bytes[offset + 5])
    paddingLength = Int(bytes[offset + 6])
  }

  /// Writes the header.
  @inline(__always)
  func write(into out: inout ByteBuffer) {
    out.reserve(FastCGIGrammar.headerBytes)
    write(at: out.tail)
    out.commit(FastCGIGrammar.headerBytes)
  }

  /// Writes the header over the eight bytes at `place`.
  @inline(__always)
  func write(at place: UnsafeMutableRawPointer) {
    place.storeBytes(of: word.bigEndian, as: UInt64.self)
  }

  /// The header as a number, its first byte highest.
  @inline(__always)
  var word: UInt64 {
    let start = UInt64(FastCGIGrammar.version) << 56 | UInt64(type) << 48 | UInt64(id) << 32
    return start | UInt64(contentLength & 0xffff) << 16 | UInt64(paddingLength) << 8
  }

  /// Writes the padding of a record whose content is in `out`.
  @inline(__always)
  func writePadding(into out: inout ByteBuffer) {
    guard paddingLength > 0 else { return }
    out.reserve(8)
    out.tail.storeBytes(of: 0, as: UInt64.self)
    out.commit(paddingLength)
  }
}

/// Name-value pairs (§3.4): each length is one byte below 128, else four bytes with the top bit set.
struct FastCGIPairs {
  let bytes: UnsafeRawBufferPointer
  var position: Int
  let end: Int

  /// The pairs in `bytes` from `start`, `count` bytes of them.
  init(_ bytes: UnsafeRawBufferPointer, from start: Int, count: Int) {
    self.bytes = bytes
    position = start
    end = start + count
  }

  /// The next pair as ranges over `bytes`, nil at the end. A value is followed by the length of the next
  /// name, which has been read completely once the pairs are.
  @inline(__always)
  mutating func next() throws(FastCGIError) -> (name: ByteRange, value: DelimitedRange)? {
    if position == end { return nil }
    // The lengths of most pairs fit in a byte each.
    let start = position &+ 2
    if start <= end {
      let base = bytes.baseAddress.unsafelyUnwrapped
      let lengths = UInt16(littleEndian: base.loadUnaligned(fromByteOffset: position, as: UInt16.self))
      if lengths & 0x8080 == 0 {
        let (name, value) = (Int(lengths & 0xff), Int(lengths >> 8))
        let middle = start &+ name
        position = middle &+ value
        guard position <= end else { throw .pairTruncated }
        return (ByteRange(start, name), DelimitedRange(middle, endedAt: position))
      }
    }
    return try longPair()
  }

  @inline(never)
  private mutating func longPair() throws(FastCGIError) -> (name: ByteRange, value: DelimitedRange) {
    let nameLength = try length()
    let valueLength = try length()
    guard nameLength <= end - position, valueLength <= end - position - nameLength else {
      throw .pairTruncated
    }
    let name = ByteRange(position, nameLength)
    position += nameLength + valueLength
    return (name, DelimitedRange(name.end, endedAt: position))
  }

  /// A length of one byte or of four.
  private mutating func length() throws(FastCGIError) -> Int {
    guard position < end else { throw .pairTruncated }
    let first = bytes[position]
    if first < 0x80 {
      position += 1
      return Int(first)
    }
    guard end - position >= 4 else { throw .pairTruncated }
    defer { position += 4 }
    return Int(first & 0x7f) << 24 | Int(bytes[position + 1]) << 16
      | Int(bytes[position + 2]) << 8 | Int(bytes[position + 3])
  }
}
