import Synchronization
import Wire

/// An app that takes another one's place while the worker serves.
final class Replacement: Sendable {
  /// Where in the mount table.
  let index: Int
  /// Loaded, started and probed; at the same mount.
  let app: App
  /// Told about the previous app, once nothing of it runs any more and it is unloaded; on a thread of its
  /// own.
  let whenOver: @Sendable (App) -> Void

  init(_ index: Int, _ app: App, whenOver: @escaping @Sendable (App) -> Void) {
    (self.index, self.app, self.whenOver) = (index, app, whenOver)
  }
}

/// Replacing an app.
///
/// Exchanges keep the app that they began with. The old one is drained when all of them have been called,
/// retired when all are over, and unloaded when every host thread that it was told of has left.
extension Worker {
  /// An app that was replaced and is not over yet.
  struct Retiring {
    let app: App
    let whenOver: @Sendable (App) -> Void
    var isUnloading = false
    /// The moment from which its WebSockets are closed, and the next one to look whose turn it is, in
    /// monotonic nanoseconds.
    var socketsUntil: UInt64 = .max
    var nextTurns: UInt64 = 0
  }

  /// Any thread: puts an app in another one's place; it gets requests whose head comes from now on.
  ///
  /// - Parameters:
  ///   - index: of the mount table.
  ///   - app: loaded, started and probed.
  ///   - whenOver: is given the app before after its unload() has returned; called on a thread of its own.
  ///     Not called if the worker ends first: then the app is among `apps`.
  func replace(_ index: Int, with app: App, whenOver: @escaping @Sendable (App) -> Void) {
    inbox.post(.replaces(Replacement(index, app, whenOver: whenOver)))
  }

  /// Every app that has not been unloaded; when nobody leads.
  var apps: [App] { mounts.apps + retiring.filter { !$0.isUnloading }.map(\.app) }

  /// Leader: does what `replace` has asked for.
  func install(_ replacement: Replacement) {
    let old = mounts.replace(replacement.index, with: replacement.app)
    let generation = replacement.app.generation.number
    board?[.generation, app: replacement.app.place].value = UInt64(generation)
    let drain = UInt64(limits.webSocketDrainSeconds * 1e9)
    retiring.append(Retiring(app: old, whenOver: replacement.whenOver, socketsUntil: now &+ drain))
    // Whatever its generation, a worker that stops starts no more calls.
    departure.isDrained = false
    supervisor?.installed(replacement.app)
  }

  /// Leader, at the end of a turn: how far the replaced apps are.
  func tendRetiring() {
    leading.thread.leave()
    for index in retiring.indices {
      let app = retiring[index].app
      if app.calls.uncalled == 0 { app.drain() }
      if now >= retiring[index].socketsUntil, now >= retiring[index].nextTurns { closeSockets(index) }
      guard app.calls.exchanges == 0, !retiring[index].isUnloading else { continue }
      if !app.isRetired.load(ordering: .relaxed) {
        app.isRetired.store(true, ordering: .releasing)
        leading.thread.leave()
        leadership.stir()
      }
      guard app.threads.load(ordering: .acquiring) == 0 else { continue }
      retiring[index].isUnloading = true
      let whenOver = retiring[index].whenOver
      let isStarted = doAtHome {
        app.generation.unload()
        whenOver(app)
      }
      if !isStarted { retiring[index].isUnloading = false }
    }
    retiring.removeAll { $0.isUnloading }
  }

  /// Closes the WebSockets of a replaced app whose turn has come.
  private func closeSockets(_ index: Int) {
    let spread = UInt64(Departure.spread(limits.webSocketDrainSeconds) * 1e9)
    let passed = now &- retiring[index].socketsUntil
    closeSockets(
      of: retiring[index].app.calls, WebSocketGrammar.restart, after: passed, spread: spread)
    retiring[index].nextTurns = now &+ 1 << TimerWheel.tickShift
    if passed >= spread { retiring[index].socketsUntil = .max }
  }
}
