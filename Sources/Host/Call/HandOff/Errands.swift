/// With `--threads 1`: the home thread's work beside calls, when a build is loaded or unloaded in a worker
/// that serves. The thread leaves the loop for it as for a slow call, and requests queue.
extension Worker {
  typealias Errand = @Sendable () -> Void

  /// Leader: has something done on the home thread, or on a thread of its own if there is none.
  ///
  /// - Returns: false if the system gives no thread.
  func doAtHome(_ errand: @escaping Errand) -> Bool {
    guard leading.home != nil else { return System.startThread(errand) }
    leading.errands.append(errand)
    return true
  }

  /// Leader at the beginning of a turn: goes on errands if it is the home thread. Another one leads
  /// meanwhile.
  func goOnErrands() -> Turn {
    guard !leading.isAway else { return .goesOn }
    leading.thread.errands = leading.errands
    leading.errands = []
    vacate(nil)
    return .handedOff
  }
}
