import CNSGI
import Synchronization

/// The extension `draft.leave/1` of an app that does things of its own beside calls.
private struct LeaveTable {
  /// The worker leaves, and others take its place. On the leader; returns at once.
  let leave: @convention(c) (_ state: UnsafeMutableRawPointer?) -> Void
}

/// An application where it is mounted, and the generation that serves it.
///
/// Unchecked: constant but for `calls`, `returning` and `isDrained`, which are the leader's, and the atomics.
final class App: @unchecked Sendable {
  /// "" or "/segment…", without a slash at the end.
  let mount: [UInt8]
  /// Its name in log lines.
  let name: String
  let generation: Generation
  /// Its place in the configuration: master and scoreboard call it by this number.
  let place: Int
  /// The part of it that a call needs; lives as long as the app.
  private(set) var calls: AppCallsPointer
  /// Calls whose clients have come back, but for which there is no permit yet.
  var returning: [ExchangePointer] = []
  /// drain() was called.
  private(set) var isDrained = false
  /// No more calls of it come: host threads that it was told of take their leave.
  let isRetired = Atomic<Bool>(false)
  /// Host threads that thread() was called for and that have not left.
  let threads = Atomic<Int>(0)

  /// - Parameter threads: calls under way at once at most, if the app is thread-safe.
  init(mount: String, name: String, generation: Generation, threads: Int, place: Int = 0) {
    self.place = place
    self.mount = Array(mount.utf8)
    self.name = name
    self.generation = generation
    calls = .allocate(capacity: 1)
    calls.initialize(to: AppCalls(self, threads: threads))
  }

  deinit { calls.deallocate() }

  /// Tells the app that the client of a call is gone or its time is over.
  func cancel(_ exchange: ExchangePointer) {
    guard case .full(let table) = generation.form, let cancel = table.cancel else { return }
    cancel(generation.state, exchange.request)
    ForkedCopy.end()
  }

  /// Tells the app, once, that its worker leaves: calls may still come. With `draft.leave/1` (docs/NSGI.md).
  func leave() {
    guard case .full(let table) = generation.form, let found = table.extension?("draft.leave/1") else {
      return
    }
    found.assumingMemoryBound(to: LeaveTable.self).pointee.leave(generation.state)
    ForkedCopy.end()
  }

  /// Tells the app, once, that no new call will come.
  func drain() {
    guard !isDrained else { return }
    isDrained = true
    if case .full(let table) = generation.form { table.drain?(generation.state) }
    ForkedCopy.end()
  }

  /// Tells the app about this host thread: it is about to make its first call, or has made its last.
  func thread(entering: Bool) {
    guard case .full(let table) = generation.form, let hook = table.thread else { return }
    if entering { threads.add(1, ordering: .relaxed) }
    hook(generation.state, entering ? 1 : 0)
    ForkedCopy.end()
    if !entering { threads.subtract(1, ordering: .releasing) }
  }
}
