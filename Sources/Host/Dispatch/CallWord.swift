import Synchronization

/// Where a call of an application stands, as the threads that may care agree on it. One word in the
/// exchange.
///
/// While the leader runs the app the word is `inApp`; a host function makes it `inHost` for the time of
/// its work, so that the watchdog, which moves it from `inApp` to `detached`, never interrupts one. A
/// detached or asynchronous exchange is guarded by its lock instead.
struct CallWord: ~Copyable {
  enum State: UInt32, AtomicRepresentable {
    /// No call, no asynchronous exchange.
    case none
    /// The leader runs the app; the loop waits for it.
    case inApp
    /// The app has called the host, which works on the connection in its place.
    case inHost
    /// The call goes on beside the loop, or the exchange is asynchronous.
    case detached
  }

  /// What a host function finds.
  enum Entry {
    /// It may work on the connection as the leader would.
    case attached
    /// It works beside the loop: take the lock.
    case beside
    /// Another thread is inside: try again.
    case busy
    /// There is no call.
    case over
  }

  private let word = Atomic<State>(.none)

  /// A call begins on the leader.
  @inline(__always)
  func begin() { word.store(.inApp, ordering: .releasing) }

  /// The call has returned; true when it was handed off meanwhile, and then it stays detached.
  @inline(__always)
  func end() -> Bool {
    let (isEnded, state) = word.compareExchange(
      expected: .inApp, desired: .none, ordering: .acquiringAndReleasing)
    return isEnded ? false : settled(state)
  }

  /// Another thread of the app is inside the host: wait for it to come out.
  private func settled(_ state: State) -> Bool {
    var state = state
    while true {
      switch state {
      case .detached: return true
      case .none: return false
      case .inApp, .inHost:
        System.yieldThread()
        let (isEnded, now) = word.compareExchange(
          expected: .inApp, desired: .none, ordering: .acquiringAndReleasing)
        if isEnded { return false }
        state = now
      }
    }
  }

  /// A host function begins its work.
  @inline(__always)
  func enter() -> Entry {
    let (isIn, state) = word.compareExchange(expected: .inApp, desired: .inHost, ordering: .acquiring)
    if isIn { return .attached }
    return switch state {
    case .detached: .beside
    case .none: .over
    case .inApp, .inHost: .busy
    }
  }

  /// The call's own thread enters after the return; true when it is still the leader.
  func enterOwn() -> Bool {
    while true {
      switch enter() {
      case .attached: return true
      case .beside, .over: return false
      case .busy: System.yieldThread()
      }
    }
  }

  /// A host function that was attached is done.
  @inline(__always)
  func leave() { word.store(.inApp, ordering: .releasing) }

  /// The watchdog takes the call off the loop; false when it is over or inside the host.
  func detach() -> Bool {
    word.compareExchange(expected: .inApp, desired: .detached, ordering: .acquiringAndReleasing).exchanged
  }

  /// The thread inside the host, or the leader after an asynchronous return, takes the exchange off the
  /// loop.
  func becomeDetached() { word.store(.detached, ordering: .releasing) }

  /// The exchange is over.
  func clear() { word.store(.none, ordering: .releasing) }
}
