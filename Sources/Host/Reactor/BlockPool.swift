import Wire

/// Blocks for input and output: one size, last in first out, so that the block in use is the one in cache.
///
/// A connection holds a block only while it has bytes; an idle one holds none.
struct BlockPool: ~Copyable {
  /// Bytes in a block.
  static let blockBytes = 16 * 1024
  private var free: [UnsafeMutableRawPointer] = []
  private let kept: Int

  /// - Parameter kept: free blocks that are kept at most; more go back to the allocator.
  init(kept: Int) {
    self.kept = kept
    free.reserveCapacity(kept)
  }

  deinit { for block in free { block.deallocate() } }

  /// Gives a buffer a block if it has none.
  @inline(__always)
  mutating func fill(_ buffer: inout ByteBuffer) {
    if buffer.block != nil { return }
    let block = free.popLast() ?? .allocate(byteCount: BlockPool.blockBytes, alignment: 16)
    buffer.adopt(block, capacity: BlockPool.blockBytes)
  }

  /// Takes the block back from a buffer.
  @inline(__always)
  mutating func empty(_ buffer: inout ByteBuffer) {
    guard let (block, capacity) = buffer.release() else { return }
    if capacity == BlockPool.blockBytes, free.count < kept { free.append(block) } else { block.deallocate() }
  }
}
