import Synchronization

/// How much each worker of a server holds in spools: a page of memory that the workers share, so that they
/// keep one bound together. A worker writes its own number and sums up all; the master, which reads none of
/// them, zeroes the number of a worker that has ended.
///
/// The memory belongs to its maker; the value is only a view of it and must not outlive the mapping.
public struct SpoolShares: @unchecked Sendable {
  /// How many numbers the page has. Two workers share one if this many have been started between them.
  public static let count = 512
  /// Bytes of the page.
  public static let bytes = count * 8
  private let base: UnsafeMutableRawPointer

  /// A view of `bytes` bytes, zero at first.
  public init(_ base: UnsafeMutableRawPointer) { self.base = base }

  /// The offset of a share's number, in bytes from the beginning.
  public static func offset(of share: Int) -> Int { share % count * 8 }

  private func cell(_ share: Int) -> UnsafeMutablePointer<Atomic<Int64>> {
    (base + SpoolShares.offset(of: share)).assumingMemoryBound(to: Atomic<Int64>.self)
  }

  /// Adds to a share, or subtracts.
  public func add(_ count: Int64, to share: Int) {
    cell(share).pointee.wrappingAdd(count, ordering: .relaxed)
  }

  /// All shares together; the number of a broken worker counts as no less than 0 and no more than possible.
  public var total: Int64 {
    var sum: Int64 = 0
    for share in 0..<SpoolShares.count {
      sum += min(max(cell(share).pointee.load(ordering: .relaxed), 0), 1 << 52)
    }
    return sum
  }
}
