import Config
import Control

/// The last things that the master waits for.
extension Master {
  /// The last worker has left. Nobody waits for one that the releases have given up.
  var isDone: Bool {
    guard releases.isDone, !hasHandedOver || programs.isEmpty else { return false }
    return hasWaited || zygotes.isEmpty && jobs.isEmpty && (heirs.isEmpty || hasHandedOver)
  }

  /// Children of the change that was in progress were killed: waits for them, but not for ever.
  func waitForLast() {
    guard releases.isDone, !isDone, !isWaiting else { return }
    isWaiting = true
    alarms.set(.last, seconds: Limits.lastSeconds)
  }

  func lastAreLate() {
    guard releases.isDone, !isDone else { return }
    hasWaited = true
    let pids =
      jobs.values.map(\.pid) + zygotes.values.compactMap { $0.child?.pid }
      + (hasHandedOver ? [] : heirs.values.map(\.pid))
    guard !pids.isEmpty else { return }
    let list = pids.sorted().map { "\($0)" }.joined(separator: ", ")
    MasterLog.error("pid \(list) does not end although it is killed; the server ends without it")
  }
}
