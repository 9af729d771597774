import Synchronization

/// Facts that do not belong to the leader: any thread may read them, and change them, at any time.
struct CommonFacts: ~Copyable {
  /// How many generations may be left over before a new process has to replace this one.
  static let mostLeftOver = 8

  private let stops = Atomic<Bool>(false)
  private let churn = Atomic<Int>(0)
  private let leftOver = Atomic<Int>(0)

  /// Responses say `Connection: close`.
  @inline(__always)
  var isStopping: Bool { stops.load(ordering: .relaxed) }

  /// The same; everything that the leader did before it said so can be seen.
  var hasBegunToStop: Bool { stops.load(ordering: .acquiring) }

  func stop() { stops.store(true, ordering: .releasing) }

  /// Bytes that were freed outside the pool since `takeFreed`; they decide when memory is given back.
  @inline(__always)
  var freed: Int { churn.load(ordering: .relaxed) }

  @inline(__always)
  func free(_ bytes: Int) { churn.add(bytes, ordering: .relaxed) }

  func takeFreed() -> Int { churn.exchange(0, ordering: .relaxed) }

  /// No more generations that were replaced in place may stay in memory.
  var isFull: Bool { leftOver.load(ordering: .relaxed) >= CommonFacts.mostLeftOver }

  /// A generation is about to be replaced in place: it stays in memory, or cannot leave it.
  func leaveOver() { leftOver.add(1, ordering: .relaxed) }

  /// It has left memory.
  func removeLeftOver() { leftOver.subtract(1, ordering: .relaxed) }
}
