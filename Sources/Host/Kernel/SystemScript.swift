import Synchronization

/// Plays the kernel in tests of debug builds: the next calls of a kind fail or are cut short as written.
/// In release builds every function here is empty and disappears.
enum SystemScript {
  enum Call: Hashable { case receive, send, accept, wait, write, startThread }
  enum Step: Equatable {
    /// The call returns -1 with this errno.
    case fail(Int32)
    /// The real call is made with at most this many bytes: a short read or write.
    case at(Int)
    /// The real call is made.
    case pass
  }

  #if DEBUG
    /// Several threads of a worker make calls.
    private static let mutex = Monitor()
    nonisolated(unsafe) private static var steps: [Call: [Step]] = [:]
    private static let active = Atomic<Bool>(false)
    private static let bound = Atomic<Int>(.max)

    /// Sets the results of the next calls of a kind.
    static func play(_ call: Call, _ script: [Step]) {
      mutex.lock()
      defer { mutex.unlock() }
      steps[call] = script
      active.store(true, ordering: .relaxed)
    }

    /// What is left of all scripts: empty when everything was played.
    static func finish() -> Int {
      mutex.lock()
      defer { mutex.unlock() }
      defer {
        steps = [:]
        active.store(false, ordering: .relaxed)
      }
      return steps.values.reduce(0) { $0 + $1.count }
    }

    static func next(_ call: Call) -> Step? {
      guard active.load(ordering: .relaxed) else { return nil }
      mutex.lock()
      defer { mutex.unlock() }
      guard var script = steps[call], !script.isEmpty else { return nil }
      defer { steps[call] = script }
      return script.removeFirst()
    }

    static func limited(to most: Int, _ count: Int, _ body: () -> Int) -> Int {
      bound.store(most, ordering: .relaxed)
      defer { bound.store(.max, ordering: .relaxed) }
      return body()
    }

    static func bounded(_ count: Int) -> Int { min(count, bound.load(ordering: .relaxed)) }
  #else
    @inline(__always) static func bounded(_ count: Int) -> Int { count }
  #endif
}
