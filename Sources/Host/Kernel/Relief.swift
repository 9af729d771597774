import CLinux

/// Gives the memory of a load back to the system when the load is over. Freed memory otherwise stays with the
/// allocator, in whichever of its heaps, and a worker would hold for ever what it held once.
struct Relief {
  /// Bytes freed since memory was last given back.
  private(set) var freed = 0
  /// The most requests that were under way since then.
  private var peak = 0
  /// When it may be done again, in monotonic nanoseconds.
  private var next: UInt64 = 0

  /// Less than this is not worth the search.
  private static let leastBytes = 1 << 20
  private static let period: UInt64 = 5_000_000_000

  /// Whether memory will be given back soon, with this many more bytes freed.
  func isPending(freed more: Int, underway: Int) -> Bool {
    freed &+ more >= Relief.leastBytes && underway <= max(peak, underway) / 2
  }

  /// Whether it is time: much was freed, and at most half of the requests are left.
  mutating func isDue(at now: UInt64, freed more: Int, underway: Int) -> Bool {
    freed &+= more
    peak = max(peak, underway)
    guard isPending(freed: 0, underway: underway), now >= next else { return false }
    // The remaining requests free their memory when they end.
    (freed, peak) = (underway == 0 ? 0 : Relief.leastBytes, underway)
    next = now &+ Relief.period
    return true
  }
}

extension Worker {
  /// The loop has to turn, so that memory and descriptors are given back.
  var hasRelief: Bool {
    ownAnswers.files?.holdsFiles == true
      || blocks.awaitsRelief(freed: common.freed, underway: exchanges.alive)
  }

  /// Leader, once per tick: checks whether a load is over.
  func relieve() {
    if let files = ownAnswers.files, files.holdsFiles { files.closeIdleFiles(now: now) }
    let freed = common.takeFreed()
    if blocks.relieve(at: now, freed: freed, underway: exchanges.alive) { clinux_trim() }
  }
}
