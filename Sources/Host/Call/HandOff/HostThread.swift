import Synchronization

/// A thread of the host that makes calls: remembers which apps it has told that it is there
/// (nsgi_app.thread). Belongs to its thread.
final class HostThread {
  /// Never 0, never used twice in a process.
  let id: UInt64
  /// What the leadership has asked of it so far; see `Leadership.stir`.
  var stirs: UInt64 = 0
  /// It is the thread on which the apps were loaded, and the only one that calls them; see `HomeThread`.
  let isHome: Bool
  private var entered: [App] = []
  /// What it has to do before it follows again.
  var errands: [Worker.Errand] = []
  private static let last = Atomic<UInt64>(0)

  init(isHome: Bool = false) {
    self.isHome = isHome
    id = Self.last.add(1, ordering: .relaxed).newValue
  }

  /// It is about to call the app, maybe for the first time.
  func enter(_ app: App) {
    guard !entered.contains(where: { $0 === app }) else { return }
    entered.append(app)
    app.thread(entering: true)
  }

  /// Does what it was given to do.
  func runErrands() {
    for errand in errands { errand() }
    errands = []
  }

  /// It has made its last call of every app that is retired, or of all.
  ///
  /// - Returns: whether there was one.
  @discardableResult
  func leave(all: Bool = false) -> Bool {
    let leaving = entered.filter { all || $0.isRetired.load(ordering: .acquiring) }
    guard !leaving.isEmpty else { return false }
    entered.removeAll { app in leaving.contains { $0 === app } }
    for app in leaving { app.thread(entering: false) }
    return true
  }
}
