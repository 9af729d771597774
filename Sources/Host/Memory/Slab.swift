import Synchronization

/// Records at stable addresses, found by slot number; grows, never shrinks.
///
/// Addresses are reserved by chunks, records are made a few at a time: one is kilobytes, and a process that
/// answers a single request needs one.
///
/// Its owner takes and gives records; any thread may look one up meanwhile: what changes is kept apart, and
/// neither the table of chunks nor a record ever moves. Its size follows the most records that were alive at
/// once, not RLIMIT_NOFILE.
struct Slab<Record: ~Copyable>: ~Copyable {
  private static var chunkSize: Int { 256 }
  /// Records made at once; divides `chunkSize`.
  private static var step: Int { 8 }
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
    for first in stride(from: 0, to: capacity, by: Self.chunkSize) {
      let chunk = chunks[first / Self.chunkSize]
      chunk.deinitialize(count: min(Self.chunkSize, capacity - first))
      chunk.deallocate()
    }
    chunks.deallocate()
    free.deallocate()
    counts.deinitialize(count: 1)
    counts.deallocate()
    make.deinitialize(count: 1)
    make.deallocate()
  }

  /// Sets the function that builds the record of a slot, once; before the first `take`.
  func setMake(_ body: @escaping (UInt32) -> Record) { make.pointee = body }

  /// Slots that exist, alive or not: 0 ..< capacity.
  var capacity: Int { counts.pointee.made.load(ordering: .acquiring) }

  /// Records handed out now.
  var alive: Int { counts.pointee.alive.load(ordering: .relaxed) }

  @inline(__always)
  func record(_ slot: UInt32) -> UnsafeMutablePointer<Record> {
    chunks[Int(slot) / Self.chunkSize] + Int(slot) % Self.chunkSize
  }

  /// Takes a free record, the most recently used one.
  @inline(__always)
  func take() -> UnsafeMutablePointer<Record> {
    if counts.pointee.free == 0 { makeRecords() }
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

  private func makeRecords() {
    let first = capacity
    let chunk = first / Self.chunkSize
    precondition(chunk < chunkCapacity, "more records than the slab was made for")
    if first % Self.chunkSize == 0 { chunks[chunk] = .allocate(capacity: Self.chunkSize) }
    for slot in UInt32(first)..<UInt32(first + Self.step) { record(slot).initialize(to: make.pointee(slot)) }
    counts.pointee.made.store(first + Self.step, ordering: .releasing)
    for slot in (UInt32(first)..<UInt32(first + Self.step)).reversed() {
      free[counts.pointee.free] = slot
      counts.pointee.free += 1
    }
  }
}

/// The counters of a slab, at a fixed address.
private struct SlabCounts: ~Copyable {
  /// Entries of the list of free slots; the owner's.
  var free = 0
  /// Records that exist; read by any thread.
  let made = Atomic<Int>(0)
  /// Records handed out now; written by the owner, read by any thread.
  let alive = Atomic<Int>(0)
}
