import Glibc
import Synchronization

/// Reads signals while the first thread is in code of an app that may not come back: load(), unload(),
/// destructors. No loop turns then that could.
///
/// What it does not heed itself, and what comes when it is over, the loop finds in its descriptor.
final class SignalWatch: Sendable {
  /// What it tells of.
  enum Event {
    /// SIGTERM, SIGINT or SIGQUIT.
    case stop(Int32)
    /// A fifth of a second has passed.
    case tick
  }

  /// What becomes of an event.
  enum Verdict {
    case heeded
    /// It is left to the loop.
    case passed
  }

  private let isOver = Atomic<Bool>(false)
  private static let tick: Int32 = 200

  /// Begins; `heed` runs on a thread of its own.
  init(_ heed: @escaping @Sendable (Event) -> Verdict) {
    guard System.readsSignals else { return }
    _ = System.startThread { [self] in run(heed) }
  }

  /// The first thread is back.
  func end() { isOver.store(true, ordering: .releasing) }

  private func run(_ heed: (Event) -> Verdict) {
    while true {
      let signal = System.awaitSignal(milliseconds: SignalWatch.tick)
      let isOver = isOver.load(ordering: .acquiring)
      switch signal {
      case nil where isOver: return
      case nil: _ = heed(.tick)
      case SIGTERM?, SIGINT?, SIGQUIT?:
        if isOver || heed(.stop(signal!)) == .passed { System.passSignal(signal!) }
      case let other?: System.passSignal(other)
      }
      if isOver { return }
    }
  }
}
