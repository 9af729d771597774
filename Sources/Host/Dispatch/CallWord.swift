import Synchronization

/// Where a call of an application stands, as the threads that may care agree on it. One word in the exchange.
///
/// The thread that runs the call moves it between `inApp` and `inHost`; the watchdog moves it from `inApp` to
/// `detached`, and only from there: a host function that is at work is never interrupted.
struct CallWord: ~Copyable {
  enum State: UInt32, AtomicRepresentable {
    /// No call.
    case none
    /// The leader runs the app; the loop waits for it.
    case inApp
    /// The app has called the host, which works on the connection in its place.
    case inHost
    /// Another thread leads; this call goes on beside the loop.
    case detached
    /// The leader runs an app that promised never to wait (NSGI_NONBLOCKING): never handed off.
    case pinned
  }

  private let word = Atomic<State>(.none)

  /// A call begins on the leader.
  @inline(__always)
  func begin(pinned: Bool) { word.store(pinned ? .pinned : .inApp, ordering: .releasing) }

  /// The call has returned; true when it was handed off meanwhile.
  @inline(__always)
  func end() -> Bool { word.exchange(.none, ordering: .acquiringAndReleasing) == .detached }

  /// A host function begins its work; false when the call is beside the loop.
  @inline(__always)
  func enter() -> Bool {
    let (exchanged, original) = word.compareExchange(
      expected: .inApp, desired: .inHost, ordering: .acquiring)
    return exchanged || original == .pinned
  }

  /// The host function is done.
  @inline(__always)
  func leave() {
    if word.load(ordering: .relaxed) == .inHost { word.store(.inApp, ordering: .releasing) }
  }

  /// The watchdog takes the call off the loop; false when it is over or inside the host.
  func detach() -> Bool {
    word.compareExchange(expected: .inApp, desired: .detached, ordering: .acquiringAndReleasing).exchanged
  }

  /// The host itself would have to wait: the thread that is inside it takes its call off the loop.
  func detachFromHost() { word.store(.detached, ordering: .releasing) }

  /// The app promised never to wait.
  var isPinned: Bool { word.load(ordering: .relaxed) == .pinned }
}
