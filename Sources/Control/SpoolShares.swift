import Synchronization

/// What each worker of a server holds in spools: a page of memory that the workers share, so that they keep
/// one bound together. A worker writes its own number and adds up all; the master, which reads none of them,
/// makes the number of one that has ended zero.
///
/// The memory is the maker's; the value is only a view of it and lives no longer than the mapping.
public struct SpoolShares: @unchecked Sendable {
  /// Numbers in the page. Two workers share one if so many have been started between them.
  public static let count = 512
  /// Bytes of the page.
  public static let bytes = count * 8
  private let base: UnsafeMutableRawPointer

  /// A view of `bytes` bytes, zero at first.
  public init(_ base: UnsafeMutableRawPointer) { self.base = base }

  /// Where the number of a share stands, in bytes from the beginning.
  public static func offset(of share: Int) -> Int { share % count * 8 }

  private func cell(_ share: Int) -> UnsafeMutablePointer<Atomic<Int64>> {
    (base + SpoolShares.offset(of: share)).assumingMemoryBound(to: Atomic<Int64>.self)
  }

  /// Adds to a share, or takes away.
  public func add(_ count: Int64, to share: Int) {
    cell(share).pointee.wrappingAdd(count, ordering: .relaxed)
  }

  /// All shares together; what a worker that is broken has written counts as no less than nothing and no more
  /// than there can be.
  public var total: Int64 {
    var sum: Int64 = 0
    for share in 0..<SpoolShares.count {
      sum += min(max(cell(share).pointee.load(ordering: .relaxed), 0), 1 << 52)
    }
    return sum
  }
}
