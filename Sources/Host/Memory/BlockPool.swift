import Wire

/// Blocks for input and output: one size, last in first out, so that the block in use is the one in cache.
///
/// A connection holds a block only while it has bytes; an idle one holds none.
struct BlockPool: ~Copyable {
  /// Bytes in a block.
  static let blockBytes = 16 * 1024
  /// The free blocks; plain memory, because an array checks its uniqueness four times per request.
  private let free: UnsafeMutablePointer<UnsafeMutableRawPointer>
  private var count = 0
  private let kept: Int
  /// Bytes that went back to the allocator since the last question.
  private var released = 0
  /// When a load is over.
  private var relief = Relief()
  /// Blocks that stay here when a load is over.
  private static let leastBlocks = 64

  /// - Parameter kept: free blocks that are kept at most; more go back to the allocator.
  init(kept: Int) {
    self.kept = kept
    free = .allocate(capacity: kept)
  }

  deinit {
    for index in 0..<count { free[index].deallocate() }
    free.deallocate()
  }

  /// Gives a buffer a block if it has none.
  @inline(__always)
  mutating func fill(_ buffer: inout ByteBuffer) {
    if buffer.block != nil { return }
    buffer.adopt(take(), capacity: BlockPool.blockBytes)
  }

  /// Gives a block to an owner that is not a buffer.
  @inline(__always)
  mutating func take() -> UnsafeMutableRawPointer {
    guard count > 0 else { return .allocate(byteCount: BlockPool.blockBytes, alignment: 16) }
    count &-= 1
    return free[count]
  }

  /// Takes the block back from a buffer.
  @inline(__always)
  mutating func empty(_ buffer: inout ByteBuffer) {
    guard let (block, capacity) = buffer.release() else { return }
    if capacity == BlockPool.blockBytes { return give(block) }
    block.deallocate()
    released &+= capacity
  }

  /// Takes a block of the pool's size back.
  @inline(__always)
  mutating func give(_ block: UnsafeMutableRawPointer) {
    guard count < kept else {
      released &+= BlockPool.blockBytes
      return block.deallocate()
    }
    free[count] = block
    count &+= 1
  }

  /// Memory will go back to the system soon, since a load is over.
  ///
  /// - Parameters:
  ///   - elsewhere: bytes that were freed outside the pool since it was last relieved.
  ///   - underway: requests that are under way.
  func awaitsRelief(freed elsewhere: Int, underway: Int) -> Bool {
    relief.isPending(freed: released &+ elsewhere, underway: underway)
  }

  /// Gives blocks back to the allocator if a load is over; true if it was: the allocator should give its
  /// memory back to the system.
  mutating func relieve(at now: UInt64, freed elsewhere: Int, underway: Int) -> Bool {
    let freed = released &+ elsewhere
    released = 0
    guard relief.isDue(at: now, freed: freed, underway: underway) else { return false }
    shrink(to: BlockPool.leastBlocks)
    return true
  }

  /// Gives free blocks back to the allocator, except the `most` that were used last.
  private mutating func shrink(to most: Int) {
    guard count > most else { return }
    for index in 0..<(count - most) { free[index].deallocate() }
    for index in 0..<most { free[index] = free[count - most + index] }
    count = most
  }
}
