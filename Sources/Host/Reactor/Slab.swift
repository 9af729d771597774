/// Records at stable addresses, found by slot number; grows by chunks, never shrinks.
///
/// Its size follows the most records that were alive at once, not RLIMIT_NOFILE.
struct Slab<Record: ~Copyable>: ~Copyable {
  private static var chunkSize: Int { 256 }
  private var chunks: UnsafeMutablePointer<UnsafeMutablePointer<Record>>
  private var chunkCount = 0
  private var chunkCapacity = 16
  private var free: UnsafeMutablePointer<UInt32>
  private var freeCount = 0
  /// Records handed out now.
  private(set) var alive = 0
  private let make: (UInt32) -> Record

  /// - Parameter make: builds the record of a slot, once.
  init(_ make: @escaping (UInt32) -> Record) {
    self.make = make
    chunks = .allocate(capacity: chunkCapacity)
    free = .allocate(capacity: chunkCapacity * Self.chunkSize)
  }

  deinit {
    for chunk in 0..<chunkCount {
      chunks[chunk].deinitialize(count: Self.chunkSize)
      chunks[chunk].deallocate()
    }
    chunks.deallocate()
    free.deallocate()
  }

  /// Slots that exist, alive or not: 0 ..< capacity.
  var capacity: Int { chunkCount * Self.chunkSize }

  @inline(__always)
  func record(_ slot: UInt32) -> UnsafeMutablePointer<Record> {
    chunks[Int(slot) / Self.chunkSize] + Int(slot) % Self.chunkSize
  }

  /// Takes a free record, the one that was used last.
  @inline(__always)
  mutating func take() -> UnsafeMutablePointer<Record> {
    if freeCount == 0 { addChunk() }
    freeCount -= 1
    alive += 1
    return record(free[freeCount])
  }

  @inline(__always)
  mutating func give(_ slot: UInt32) {
    free[freeCount] = slot
    freeCount += 1
    alive -= 1
  }

  private mutating func addChunk() {
    if chunkCount == chunkCapacity { growTables() }
    let first = UInt32(chunkCount * Self.chunkSize)
    let chunk = UnsafeMutablePointer<Record>.allocate(capacity: Self.chunkSize)
    for index in 0..<Self.chunkSize { (chunk + index).initialize(to: make(first + UInt32(index))) }
    chunks[chunkCount] = chunk
    chunkCount += 1
    for index in stride(from: Self.chunkSize - 1, through: 0, by: -1) {
      free[freeCount] = first + UInt32(index)
      freeCount += 1
    }
  }

  private mutating func growTables() {
    let capacity = chunkCapacity * 2
    let moreChunks = UnsafeMutablePointer<UnsafeMutablePointer<Record>>.allocate(capacity: capacity)
    moreChunks.moveInitialize(from: chunks, count: chunkCount)
    chunks.deallocate()
    chunks = moreChunks
    let moreFree = UnsafeMutablePointer<UInt32>.allocate(capacity: capacity * Self.chunkSize)
    moreFree.moveInitialize(from: free, count: freeCount)
    free.deallocate()
    free = moreFree
    chunkCapacity = capacity
  }
}
