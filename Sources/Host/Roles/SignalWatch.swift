import Glibc
import Synchronization

/// Reads signals while the first thread is in code of an app that may not return: load(), unload(),
/// destructors. No loop runs then that could do it.
///
/// Signals that it does not handle itself, and those that come when it is over, are left for the loop in its
/// descriptor. The app may have set handlers of its own: they are taken from it again and again.
final class SignalWatch: Sendable {
  /// The events that it reports.
  enum Event {
    /// SIGTERM, SIGINT or SIGQUIT.
    case stop(Int32)
    /// A fifth of a second has passed.
    case tick
  }

  /// What happens to an event.
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
    System.retakeSignals()
    _ = System.startThread { [self] in run(heed) }
  }

  /// The first thread is back.
  func end() { isOver.store(true, ordering: .releasing) }

  private func run(_ heed: (Event) -> Verdict) {
    var passed: [Int32] = []
    while !isOver.load(ordering: .acquiring) {
      switch System.takenSignal(milliseconds: SignalWatch.tick) {
      case nil: _ = heed(.tick)
      case let signal? where [SIGTERM, SIGINT, SIGQUIT].contains(signal):
        if isOver.load(ordering: .acquiring) || heed(.stop(signal)) == .passed { passed.append(signal) }
      case let other?: passed.append(other)
      }
      System.retakeSignals()
    }
    for signal in passed { System.passSignal(signal) }
  }
}
