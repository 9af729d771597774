import Synchronization

/// Records at stable addresses, found by slot number; grows by chunks, never shrinks.
///
/// Any thread may look a record up while the owner adds chunks: the table of chunks never moves.
/// Its size follows the most records that were alive at once, not RLIMIT_NOFILE.
struct Slab<Record: ~Copyable>: ~Copyable {
  private static var chunkSize: Int { 256 }
  private var chunks: UnsafeMutablePointer<UnsafeMutablePointer<Record>>
  private let chunkCount = Atomic<Int>(0)
  private let chunkCapacity: Int
  private var free: UnsafeMutablePointer<UInt32>
  private var freeCount = 0
  /// Records handed out now.
  private(set) var alive = 0
  /// Builds the record of a slot, once; set before the first `take`.
  var make: ((UInt32) -> Record)!

  /// - Parameter maximum: records at most; further ones trap.
  init(maximum: Int) {
    chunkCapacity = (maximum + Self.chunkSize - 1) / Self.chunkSize + 1
    chunks = .allocate(capacity: chunkCapacity)
    free = .allocate(capacity: chunkCapacity * Self.chunkSize)
  }

  deinit {
    for chunk in 0..<chunkCount.load(ordering: .relaxed) {
      chunks[chunk].deinitialize(count: Self.chunkSize)
      chunks[chunk].deallocate()
    }
    chunks.deallocate()
    free.deallocate()
  }

  /// Slots that exist, alive or not: 0 ..< capacity.
  var capacity: Int { chunkCount.load(ordering: .acquiring) * Self.chunkSize }

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
    let count = chunkCount.load(ordering: .relaxed)
    precondition(count < chunkCapacity, "more records than the slab was made for")
    let first = UInt32(count * Self.chunkSize)
    let chunk = UnsafeMutablePointer<Record>.allocate(capacity: Self.chunkSize)
    for index in 0..<Self.chunkSize { (chunk + index).initialize(to: make(first + UInt32(index))) }
    chunks[count] = chunk
    chunkCount.store(count + 1, ordering: .releasing)
    for index in stride(from: Self.chunkSize - 1, through: 0, by: -1) {
      free[freeCount] = first + UInt32(index)
      freeCount += 1
    }
  }
}
