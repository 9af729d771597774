import Synchronization

/// Records at stable addresses, found by slot number; grows by chunks, never shrinks.
///
/// Its owner takes and gives records; any thread may look one up meanwhile: what changes lies apart, and
/// neither the table of chunks nor a record ever moves. Its size follows the most records that were alive
/// at once, not RLIMIT_NOFILE.
struct Slab<Record: ~Copyable>: ~Copyable {
  private static var chunkSize: Int { 256 }
  private let chunks: UnsafeMutablePointer<UnsafeMutablePointer<Record>>
  private let chunkCapacity: Int
  private let free: UnsafeMutablePointer<UInt32>
  private let counts: UnsafeMutablePointer<SlabCounts>
  private let make: UnsafeMutablePointer<(UInt32) -> Record>

  /// - Parameter maximum: records at most; further ones trap.
  init(maximum: Int) {
    chunkCapacity = (maximum + Self.chunkSize - 1) / Self.chunkSize + 1
    chunks = .allocate(capacity: chunkCapacity)
    free = .allocate(capacity: chunkCapacity * Self.chunkSize)
    counts = .allocate(capacity: 1)
    counts.initialize(to: SlabCounts())
    make = .allocate(capacity: 1)
    make.initialize(to: { _ in preconditionFailure("nothing builds the records") })
  }

  deinit {
    for chunk in 0..<counts.pointee.chunks.load(ordering: .relaxed) {
      chunks[chunk].deinitialize(count: Self.chunkSize)
      chunks[chunk].deallocate()
    }
    chunks.deallocate()
    free.deallocate()
    counts.deinitialize(count: 1)
    counts.deallocate()
    make.deinitialize(count: 1)
    make.deallocate()
  }

  /// Says what builds the record of a slot, once; before the first `take`.
  func setMake(_ body: @escaping (UInt32) -> Record) { make.pointee = body }

  /// Slots that exist, alive or not: 0 ..< capacity.
  var capacity: Int { counts.pointee.chunks.load(ordering: .acquiring) * Self.chunkSize }

  /// Records handed out now.
  var alive: Int { counts.pointee.alive.load(ordering: .relaxed) }

  @inline(__always)
  func record(_ slot: UInt32) -> UnsafeMutablePointer<Record> {
    chunks[Int(slot) / Self.chunkSize] + Int(slot) % Self.chunkSize
  }

  /// Takes a free record, the one that was used last.
  @inline(__always)
  func take() -> UnsafeMutablePointer<Record> {
    if counts.pointee.free == 0 { addChunk() }
    counts.pointee.free -= 1
    counts.pointee.alive.store(alive + 1, ordering: .relaxed)
    return record(free[counts.pointee.free])
  }

  @inline(__always)
  func give(_ slot: UInt32) {
    free[counts.pointee.free] = slot
    counts.pointee.free += 1
    counts.pointee.alive.store(alive - 1, ordering: .relaxed)
  }

  private func addChunk() {
    let count = counts.pointee.chunks.load(ordering: .relaxed)
    precondition(count < chunkCapacity, "more records than the slab was made for")
    let first = UInt32(count * Self.chunkSize)
    let chunk = UnsafeMutablePointer<Record>.allocate(capacity: Self.chunkSize)
    for index in 0..<Self.chunkSize { (chunk + index).initialize(to: make.pointee(first + UInt32(index))) }
    chunks[count] = chunk
    counts.pointee.chunks.store(count + 1, ordering: .releasing)
    for index in stride(from: Self.chunkSize - 1, through: 0, by: -1) {
      free[counts.pointee.free] = first + UInt32(index)
      counts.pointee.free += 1
    }
  }
}

/// The counters of a slab, at a fixed address.
private struct SlabCounts: ~Copyable {
  /// Entries of the list of free slots; the owner's.
  var free = 0
  /// Chunks that exist; read by any thread.
  let chunks = Atomic<Int>(0)
  /// Records handed out now; written by the owner, read by any thread.
  let alive = Atomic<Int>(0)
}
