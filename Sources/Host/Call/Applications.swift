/// The applications of a worker: those that are mounted, and those that were replaced and are not over yet.
///
/// For the leader, or when nobody leads.
struct Applications: ~Copyable {
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

  let mounts: MountTable
  /// Those that were replaced and still have exchanges, or threads that they know of.
  var retiring: [Retiring] = []

  init(_ mounts: MountTable) { self.mounts = mounts }

  /// Every app that has not been unloaded.
  var all: [App] { mounts.apps + retiring.filter { !$0.isUnloading }.map(\.app) }

  /// Some request waits for its call by an app that is mounted.
  var haveUncalled: Bool { !mounts.apps.allSatisfy { $0.calls.uncalled == 0 } }

  /// Puts an app in another one's place, whose WebSockets stay until a moment in monotonic nanoseconds.
  mutating func install(_ replacement: Replacement, socketsUntil: UInt64) {
    let old = mounts.replace(replacement.index, with: replacement.app)
    retiring.append(Retiring(app: old, whenOver: replacement.whenOver, socketsUntil: socketsUntil))
  }

  /// Forgets those that are being unloaded: nothing calls them any more.
  mutating func forgetUnloading() { retiring.removeAll { $0.isUnloading } }
}
