/// Memory that lives as long as one exchange: bump allocation, freed all at once.
public struct Arena: ~Copyable {
  private var first: UnsafeMutableRawPointer
  private let firstSize: Int
  private var current: UnsafeMutableRawPointer
  private var left: Int
  /// Blocks beyond the first, each with the pointer to the next in its first word.
  private var extra: UnsafeMutableRawPointer?

  /// - Parameter size: bytes of the block that is kept from exchange to exchange.
  public init(size: Int) {
    first = .allocate(byteCount: size, alignment: 16)
    firstSize = size
    current = first
    left = size
  }

  deinit {
    Arena.free(extra)
    first.deallocate()
  }

  /// `size` bytes, aligned to 8, uninitialised; valid until `reset`.
  @inline(__always)
  public mutating func allocate(_ size: Int) -> UnsafeMutableRawPointer {
    let rounded = (size &+ 7) & ~7
    if rounded > left { more(rounded) }
    let result = current
    current += rounded
    left &-= rounded
    return result
  }

  /// A copy of `bytes` with a NUL after it.
  public mutating func copy(_ bytes: UnsafeRawBufferPointer) -> UnsafeMutablePointer<UInt8> {
    let copy = allocate(bytes.count + 1).assumingMemoryBound(to: UInt8.self)
    if let from = bytes.baseAddress {
      UnsafeMutableRawPointer(copy).copyMemory(from: from, byteCount: bytes.count)
    }
    copy[bytes.count] = 0
    return copy
  }

  /// Forgets all allocations.
  @inline(__always)
  public mutating func reset() {
    if extra != nil {
      Arena.free(extra)
      extra = nil
    }
    current = first
    left = firstSize
  }

  private mutating func more(_ size: Int) {
    let bytes = Swift.max(size + 16, firstSize)
    let block = UnsafeMutableRawPointer.allocate(byteCount: bytes, alignment: 16)
    block.storeBytes(of: extra, as: UnsafeMutableRawPointer?.self)
    extra = block
    current = block + 16
    left = bytes - 16
  }

  /// Frees a chain of blocks.
  private static func free(_ chain: UnsafeMutableRawPointer?) {
    var next = chain
    while let block = next {
      next = block.load(as: UnsafeMutableRawPointer?.self)
      block.deallocate()
    }
  }
}
