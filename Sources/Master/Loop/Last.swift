import Config
import Control

/// The last that the master waits for.
extension Master {
  /// The last worker has left. One that the releases have given up is nobody's to wait for.
  var isDone: Bool {
    guard releases.isDone, !hasHandedOver || programs.isEmpty else { return false }
    return hasWaited || zygotes.isEmpty && jobs.isEmpty && (heirs.isEmpty || hasHandedOver)
  }

  /// Children of the change that was under way were killed: they are waited for, but not for ever.
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
