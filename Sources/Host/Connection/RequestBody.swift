import Wire

/// A request body as it is kept until the app has read it: borrowed from the input block when it came in
/// one piece, in memory up to a bound (`Limits.bodyMemoryBytes`), in an unnamed file above it.
struct RequestBody: ~Copyable {
  /// Bytes in the connection's input block; they must be owned before that block moves on.
  private var borrowed: UnsafeRawBufferPointer?
  private(set) var memory = ByteBuffer()
  private var file: Int32 = -1
  private var mapping: UnsafeRawPointer?
  /// Bytes so far.
  private(set) var length: Int64 = 0
  /// What `read` has given out.
  private(set) var position: Int64 = 0

  deinit {
    if let mapping { System.unmap(mapping, Int(length) + 1) }
    if file >= 0 { System.close(file) }
  }

  /// Empties it for the next request; most had no body.
  @inline(__always)
  mutating func reset() {
    if length > 0 || memory.block != nil { empty() }
  }

  private mutating func empty() {
    if let mapping { System.unmap(mapping, Int(length) + 1) }
    if file >= 0 { System.close(file) }
    (borrowed, file, mapping, length, position) = (nil, -1, nil, 0, 0)
    if memory.block != nil { memory = ByteBuffer() }
  }

  /// Adds a piece that stands in the input block.
  mutating func append(_ piece: UnsafeRawBufferPointer, bound: Int) throws(SystemError) {
    if length == 0 {
      borrowed = piece
    } else {
      try own(bound: bound)
      try store(piece, bound)
    }
    length += Int64(piece.count)
  }

  /// Copies what is borrowed, so that the input block is free.
  mutating func own(bound: Int) throws(SystemError) {
    guard let piece = borrowed else { return }
    borrowed = nil
    try store(piece, bound)
  }

  /// Makes room for the rest of a body of known length; true when it can be received there.
  mutating func prepare(for more: Int64, bound: Int) -> Bool {
    guard borrowed == nil, file < 0, Int64(memory.count) + more <= Int64(bound) else {
      return false
    }
    // And for the NUL behind the whole.
    memory.reserve(Int(more) + 1)
    return true
  }

  /// Says that `count` bytes were received at the place that `prepare` made.
  mutating func received(_ count: Int) {
    memory.commit(count)
    length += Int64(count)
  }

  private mutating func store(_ piece: UnsafeRawBufferPointer, _ bound: Int) throws(SystemError) {
    if file < 0, memory.count + piece.count > bound { try spill() }
    if file >= 0 {
      try System.writeAll(file, piece)
    } else {
      memory.append(piece)
    }
  }

  private mutating func spill() throws(SystemError) {
    file = try System.unnamedFile(in: RequestBody.spoolDirectory)
    try System.writeAll(file, memory.bytes)
    memory = ByteBuffer()
  }

  /// Where large bodies go: TMPDIR or /tmp.
  nonisolated(unsafe) static var spoolDirectory = "/tmp"

  /// Reads on; 0 at the end.
  mutating func read(_ to: UnsafeMutableRawPointer, _ capacity: Int) throws(SystemError) -> Int {
    let count = Int(min(Int64(capacity), length - position))
    guard count > 0 else { return 0 }
    if file >= 0, mapping == nil {
      let done = try System.read(file, to, count, at: position)
      position += Int64(done)
      return done
    }
    let start = mapping ?? borrowed?.baseAddress ?? UnsafeRawPointer(memory.base!)
    to.copyMemory(from: start + Int(position), byteCount: count)
    position += Int64(count)
    return count
  }

  /// The body in one piece with a NUL behind it, valid until `reset`; a spooled one is mapped.
  mutating func whole() throws(SystemError) -> UnsafeRawBufferPointer {
    if let piece = borrowed {
      // Behind a borrowed piece the next request may stand.
      borrowed = nil
      memory.append(piece)
    }
    guard file >= 0 else {
      memory.append(0)
      memory.truncate(to: memory.count - 1)
      return memory.bytes
    }
    if mapping == nil { mapping = try System.map(file, Int(length)) }
    return UnsafeRawBufferPointer(start: mapping, count: Int(length))
  }
}
