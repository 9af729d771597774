/// Errors of a peer in a field block; they end the connection, since both tables must stay the same.
@frozen public enum HPACKError: Error, Equatable, Sendable {
  /// An integer that goes on for too long (RFC 7541 §5.1).
  case integerTooLarge
  /// The block ends inside a field.
  case truncated
  /// An index of 0, or one beyond the end of both tables (§2.3.3).
  case indexUnknown
  /// A coded string with the end-of-string code inside, or with wrong padding (§5.2).
  case huffmanMalformed
  /// A table size above the announced one, or one after the first field (§4.2, §6.3).
  case tableSize
}

/// HPACK decoder (RFC 7541): field blocks of one direction of a connection go in, fields come out. Owns the
/// dynamic table.
struct HPACKDecoder: ~Copyable {
  private var table = HPACKTable()
  private let huffman = HPACKHuffman.tables
  private let fixed = HPACKStaticTable.entries
  /// A table size may still come.
  private var isAtStart = true

  init() {}

  /// A new field block begins.
  mutating func begin() { isAtStart = true }

  /// Reads the next field of a block, from `position`, and appends its name and its value to `text`, each
  /// followed by a zero. Nil at the end of the block.
  ///
  /// - Returns: where in `text` they are.
  mutating func next(
    _ block: UnsafeRawBufferPointer, _ position: inout Int, into text: inout ByteBuffer
  ) throws(HPACKError) -> (name: ByteRange, value: ByteRange)? {
    while position < block.count {
      let first = block[position]
      if first & 0x80 != 0 {
        isAtStart = false
        let index = try HPACKDecoder.integer(block, &position, bits: 7)
        let entry = try entry(index)
        return (HPACKDecoder.put(entry.name, into: &text), HPACKDecoder.put(entry.value, into: &text))
      }
      if first & 0xe0 == 0x20 {
        let size = try HPACKDecoder.integer(block, &position, bits: 5)
        guard isAtStart, size <= HPACKTable.announced else { throw .tableSize }
        table.resize(size)
        continue
      }
      isAtStart = false
      let isKept = first & 0x40 != 0
      let index = try HPACKDecoder.integer(block, &position, bits: isKept ? 6 : 4)
      let name =
        index > 0
        ? HPACKDecoder.put(try entry(index).name, into: &text) : try string(block, &position, into: &text)
      let value = try string(block, &position, into: &text)
      if isKept, let base = text.base { table.add(name.bytes(in: base), value.bytes(in: base)) }
      return (name, value)
    }
    return nil
  }

  /// The entry that an index names; the static table comes first (§2.3.3).
  @inline(__always)
  private func entry(_ index: Int) throws(HPACKError) -> HPACKStaticTable.Entry {
    if index > 0, index <= HPACKStaticTable.count { return fixed[index &- 1] }
    guard index > 0, let entry = table[index &- HPACKStaticTable.count &- 1] else { throw .indexUnknown }
    return entry
  }

  @inline(__always)
  private static func put(_ bytes: UnsafeRawBufferPointer, into text: inout ByteBuffer) -> ByteRange {
    let start = text.count
    text.append(bytes)
    text.append(0)
    return ByteRange(start, bytes.count)
  }

  /// A string (§5.2): H, its length, its bytes.
  private func string(
    _ block: UnsafeRawBufferPointer, _ position: inout Int, into text: inout ByteBuffer
  ) throws(HPACKError) -> ByteRange {
    guard position < block.count else { throw .truncated }
    let isCoded = block[position] & 0x80 != 0
    let count = try HPACKDecoder.integer(block, &position, bits: 7)
    guard count <= block.count &- position else { throw .truncated }
    let bytes = UnsafeRawBufferPointer(rebasing: block[position..<(position &+ count)])
    position &+= count
    guard isCoded else { return HPACKDecoder.put(bytes, into: &text) }
    let start = text.count
    try HPACKHuffman.decode(bytes, huffman, into: &text)
    let range = ByteRange(start, text.count &- start)
    text.append(0)
    return range
  }

  /// An integer with a prefix of this many bits (§5.1). Refuses more than any length here needs.
  @inline(__always)
  static func integer(
    _ block: UnsafeRawBufferPointer, _ position: inout Int, bits: Int
  ) throws(HPACKError) -> Int {
    let mask = UInt8(truncatingIfNeeded: 1 << bits &- 1)
    let prefix = block[position] & mask
    position &+= 1
    if prefix < mask { return Int(prefix) }
    var (value, shift) = (Int(mask), 0)
    while true {
      guard position < block.count else { throw .truncated }
      let byte = block[position]
      position &+= 1
      value &+= Int(byte & 0x7f) << shift
      if byte & 0x80 == 0 { return value }
      shift &+= 7
      guard shift <= 28 else { throw .integerTooLarge }
    }
  }
}

/// The dynamic table (RFC 7541 §2.3.2, §4): the fields added on this connection, newest first.
struct HPACKTable: ~Copyable {
  /// The size that the peer was told of, in the bytes of §4.1; the protocol's own default.
  static let announced = 4096
  /// What an entry counts in addition to its bytes (§4.1).
  private static let overhead = 32
  private static let places = announced / overhead

  /// Where an entry's bytes are: its name and, right after it, its value.
  private struct Place {
    var start: UInt16
    var name: UInt16
    var value: UInt16
    var size: Int { Int(name) &+ Int(value) &+ HPACKTable.overhead }
  }

  /// The entries in a ring, and their bytes in twice the room, so that each is in one piece.
  private let ring = UnsafeMutablePointer<Place>.allocate(capacity: places)
  private let bytes = UnsafeMutableRawPointer.allocate(byteCount: 2 * announced, alignment: 16)
  private var newest = 0
  private(set) var count = 0
  /// Its size, counted as in §4.1.
  private(set) var size = 0
  private var limit = announced
  /// After the last used byte.
  private var end = 0

  init() {}

  deinit {
    ring.deallocate()
    bytes.deallocate()
  }

  /// The entry of an index, counted from 0 for the newest; nil if there is none.
  subscript(index: Int) -> HPACKStaticTable.Entry? {
    guard index >= 0, index < count else { return nil }
    let place = ring[(newest &+ HPACKTable.places &- index) % HPACKTable.places]
    let name = UnsafeRawPointer(bytes) + Int(place.start)
    return HPACKStaticTable.Entry(
      name: UnsafeRawBufferPointer(start: name, count: Int(place.name)),
      value: UnsafeRawBufferPointer(start: name + Int(place.name), count: Int(place.value)))
  }

  /// Adds an entry, evicting old ones for it (§4.4); one that does not fit empties the table. The bytes must
  /// not be the table's own.
  mutating func add(_ name: UnsafeRawBufferPointer, _ value: UnsafeRawBufferPointer) {
    let size = name.count &+ value.count &+ HPACKTable.overhead
    evict(to: limit &- size)
    guard size <= limit else { return }
    let count = name.count &+ value.count
    if end &+ count > 2 * HPACKTable.announced { compact() }
    newest = (newest &+ 1) % HPACKTable.places
    ring[newest] = Place(start: UInt16(end), name: UInt16(name.count), value: UInt16(value.count))
    if let from = name.baseAddress { (bytes + end).copyMemory(from: from, byteCount: name.count) }
    if let from = value.baseAddress {
      (bytes + end + name.count).copyMemory(from: from, byteCount: value.count)
    }
    end &+= count
    self.size &+= size
    self.count &+= 1
  }

  /// The peer has set another size (§6.3).
  mutating func resize(_ size: Int) {
    limit = size
    evict(to: size)
  }

  private mutating func evict(to size: Int) {
    while count > 0, self.size > size {
      let oldest = (newest &+ HPACKTable.places &- count &+ 1) % HPACKTable.places
      self.size &-= ring[oldest].size
      count &-= 1
    }
    if count == 0 { end = 0 }
  }

  /// Moves the used bytes to the beginning; they never take more than half of the room.
  private mutating func compact() {
    guard count > 0 else {
      end = 0
      return
    }
    let oldest = (newest &+ HPACKTable.places &- count &+ 1) % HPACKTable.places
    let start = ring[oldest].start
    bytes.copyMemory(from: bytes + Int(start), byteCount: end &- Int(start))
    end &-= Int(start)
    for index in 0..<count { ring[(oldest &+ index) % HPACKTable.places].start -= start }
  }
}
