import Wire

/// A request body as it is kept until the app has read it: borrowed from the input block when it came in
/// one piece, in memory up to a bound (`Limits.bodyMemoryBytes`), in an unnamed file above it.
struct RequestBody: ~Copyable {
  /// Bytes in the connection's input block; they must be owned before that block moves on.
  private var borrowed: UnsafeRawBufferPointer?
  private(set) var memory = ByteBuffer()
  private var spool: Spool?
  private var mapping: UnsafeRawPointer?
  /// Bytes so far.
  private(set) var length: Int64 = 0
  /// Bytes that `read` has given out.
  private(set) var position: Int64 = 0

  deinit {
    if let mapping { System.unmapFile(mapping, Int(length)) }
  }

  /// Empties it for the next request; most requests have no body.
  @inline(__always)
  mutating func reset() {
    if length > 0 || memory.block != nil { empty() }
  }

  private mutating func empty() {
    if let mapping { System.unmapFile(mapping, Int(length)) }
    (borrowed, spool, mapping, length, position) = (nil, nil, nil, 0, 0)
    if memory.block != nil { memory = ByteBuffer() }
  }

  /// Adds a piece that is in the input block.
  mutating func append(
    _ piece: UnsafeRawBufferPointer, bound: Int, _ room: SpoolRoom
  ) throws(SpoolError) {
    if length == 0 {
      borrowed = piece
    } else {
      try own(bound: bound, room)
      try store(piece, bound, room)
    }
    length += Int64(piece.count)
  }

  /// Copies borrowed bytes, so that the input block is free.
  mutating func own(bound: Int, _ room: SpoolRoom) throws(SpoolError) {
    guard let piece = borrowed else { return }
    borrowed = nil
    try store(piece, bound, room)
  }

  /// Makes room for the rest of a body of known length; true when it can be received there.
  mutating func prepare(for more: Int64, bound: Int) -> Bool {
    guard borrowed == nil, spool == nil, Int64(memory.count) + more <= Int64(bound) else {
      return false
    }
    // And for the NUL after the whole.
    memory.reserve(Int(more) + 1)
    return true
  }

  /// Says that `count` bytes were received at the place that `prepare` made.
  mutating func received(_ count: Int) {
    memory.commit(count)
    length += Int64(count)
  }

  private mutating func store(
    _ piece: UnsafeRawBufferPointer, _ bound: Int, _ room: SpoolRoom
  ) throws(SpoolError) {
    if spool == nil, memory.count + piece.count > bound { try spill(room) }
    if let spool {
      try spool.append(piece)
    } else {
      memory.append(piece)
    }
  }

  private mutating func spill(_ room: SpoolRoom) throws(SpoolError) {
    let spool = try Spool(in: room)
    try spool.append(memory.bytes)
    memory = ByteBuffer()
    self.spool = spool
  }

  /// Reads on; 0 at the end.
  mutating func read(_ to: UnsafeMutableRawPointer, _ capacity: Int) throws(SystemError) -> Int {
    let count = Int(min(Int64(capacity), length - position))
    guard count > 0 else { return 0 }
    if let spool, mapping == nil {
      let done = try System.read(spool.fd, to, count, at: position)
      position += Int64(done)
      return done
    }
    let start = mapping ?? borrowed?.baseAddress ?? UnsafeRawPointer(memory.base!)
    to.copyMemory(from: start + Int(position), byteCount: count)
    position += Int64(count)
    return count
  }

  /// The body in one piece followed by a NUL, valid until `reset`; a spooled one is mapped.
  mutating func whole() throws(SystemError) -> UnsafeRawBufferPointer {
    if let piece = borrowed {
      // A borrowed piece may be followed by the next request.
      borrowed = nil
      memory.append(piece)
    }
    guard let spool else {
      memory.append(0)
      memory.truncate(to: memory.count - 1)
      return memory.bytes
    }
    if mapping == nil { mapping = try System.mapFile(spool.fd, Int(length)) }
    return UnsafeRawBufferPointer(start: mapping, count: Int(length))
  }
}
