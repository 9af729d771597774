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
  /// Any thread: puts an app in another one's place; it gets requests whose head comes from now on.
  ///
  /// - Parameters:
  ///   - index: of the mount table.
  ///   - app: loaded, started and probed.
  ///   - whenOver: is given the app before after its unload() has returned; called on a thread of its own.
  ///     Not called if the worker ends first: then the app is among `apps.all`.
  func replace(_ index: Int, with app: App, whenOver: @escaping @Sendable (App) -> Void) {
    inbox.post(.replaces(Replacement(index, app, whenOver: whenOver)))
  }

  /// Leader: does what `replace` has asked for.
  func install(_ replacement: Replacement) {
    let generation = replacement.app.generation.number
    board?[.generation, app: replacement.app.place].value = UInt64(generation)
    apps.install(replacement, socketsUntil: now &+ UInt64(limits.webSocketDrainSeconds * 1e9))
    // Whatever its generation, a worker that stops starts no more calls.
    departure.isDrained = false
    supervisor?.installed(replacement.app)
  }

  /// Leader, at the end of a turn: how far the replaced apps are.
  func tendRetiring() {
    leading.thread.leave()
    for index in apps.retiring.indices {
      let retiring = apps.retiring[index]
      let app = retiring.app
      if app.calls.uncalled == 0 { app.drain() }
      if now >= retiring.socketsUntil, now >= retiring.nextTurns { closeSockets(index) }
      guard app.calls.exchanges == 0, !retiring.isUnloading else { continue }
      if !app.isRetired.load(ordering: .relaxed) {
        app.isRetired.store(true, ordering: .releasing)
        leading.thread.leave()
        leadership.stir()
      }
      guard app.threads.load(ordering: .acquiring) == 0 else { continue }
      apps.retiring[index].isUnloading = true
      let whenOver = retiring.whenOver
      let isStarted = doAtHome {
        app.generation.unload()
        whenOver(app)
      }
      if !isStarted { apps.retiring[index].isUnloading = false }
    }
    apps.forgetUnloading()
  }

  /// Closes the WebSockets of a replaced app whose turn has come.
  private func closeSockets(_ index: Int) {
    let spread = UInt64(Departure.spread(limits.webSocketDrainSeconds) * 1e9)
    let passed = now &- apps.retiring[index].socketsUntil
    closeSockets(
      of: apps.retiring[index].app.calls, WebSocketGrammar.restart, after: passed, spread: spread)
    apps.retiring[index].nextTurns = now &+ 1 << TimerWheel.tickShift
    if passed >= spread { apps.retiring[index].socketsUntil = .max }
  }
}
