import Config
import Glibc
import Synchronization

/// What the leader and the watchdog share: plain words at a fixed address, so that a call retains nothing.
struct WatchedCall: ~Copyable {
  /// Counts calls: a number that stands still with a call under way means that this call is slow.
  fileprivate let calls = Atomic<UInt64>(0)
  /// Address of the exchange that the leader is calling for; 0 for none. The lowest bit says that its app
  /// has promised never to wait; the second one alone stands for a turn of the guest loop.
  fileprivate let current = Atomic<UInt>(0)
  fileprivate static let turnMark: UInt = 2
  /// What a turn of the guest loop is about: of the home thread, but for one step of the watchdog's.
  fileprivate enum GuestTurn: UInt8, AtomicRepresentable { case none, underWay, offLoop }
  fileprivate let turn = Atomic<GuestTurn>(.none)
  fileprivate let isAsleep = Atomic<Bool>(false)
  /// Counts the watchdog's periods while calls are made.
  fileprivate let periods = Atomic<UInt32>(0)

  /// A number that changes about every millisecond while calls are made.
  @inline(__always)
  var period: UInt32 { periods.load(ordering: .relaxed) }

  /// The leader begins a call; true when the watchdog has to be woken.
  @inline(__always)
  func began(_ exchange: ExchangePointer, neverWaits: Bool) -> Bool {
    current.store(UInt(bitPattern: exchange) | (neverWaits ? 1 : 0), ordering: .relaxed)
    calls.store(calls.load(ordering: .relaxed) &+ 1, ordering: .releasing)
    return isAsleep.load(ordering: .relaxed)
  }

  /// The call is over.
  @inline(__always)
  func ended() { current.store(0, ordering: .relaxed) }

  /// The leader begins a turn of the guest loop; true when the watchdog has to be woken.
  func beganTurn() -> Bool {
    turn.store(.underWay, ordering: .relaxed)
    current.store(Self.turnMark, ordering: .relaxed)
    calls.store(calls.load(ordering: .relaxed) &+ 1, ordering: .releasing)
    return isAsleep.load(ordering: .relaxed)
  }

  /// The turn is over; false if it was taken off the loop: another thread leads.
  func endedTurn() -> Bool {
    guard turn.exchange(.none, ordering: .acquiringAndReleasing) == .underWay else { return false }
    ended()
    return true
  }

  /// Watchdog: takes a turn off the loop; false if it is over.
  fileprivate func takeTurn() -> Bool {
    turn.compareExchange(expected: .underWay, desired: .offLoop, ordering: .acquiringAndReleasing).exchanged
  }
}

/// The leader's side of the watchdog: where it says which call is under way, and whom to wake.
struct CallWatch {
  /// What both share; lives as long as the worker.
  let call: UnsafeMutablePointer<WatchedCall>
  let dog: Watchdog
  /// Requests have a deadline: every call is watched.
  let coversAll: Bool

  init(_ limits: Limits) throws(SystemError) {
    call = .allocate(capacity: 1)
    call.initialize(to: WatchedCall())
    coversAll = limits.requestTimeoutSeconds > 0
    dog = try Watchdog(
      call, microseconds: limits.handOffMicroseconds, patience: limits.requestTimeoutSeconds)
  }

  /// Gives its memory back, once nobody calls and nobody watches.
  func free() {
    call.deinitialize(count: 1)
    call.deallocate()
  }
}

/// Sees calls that run for longer than about a millisecond and takes them off the loop.
///
/// It costs a call two relaxed stores and a load. It looks once per period while calls are made, and sleeps
/// otherwise: the first call after that wakes it.
final class Watchdog: @unchecked Sendable {
  private let microseconds: UInt32
  /// An eventfd, on which it sleeps.
  private let alarm: Int32
  private let watched: UnsafeMutablePointer<WatchedCall>
  /// For how many nanoseconds it trusts an app that has promised never to wait.
  private let patience: UInt64
  private let isOver = Atomic<Bool>(false)

  /// - Parameters:
  ///   - watched: what the leader tells; lives as long as the watchdog.
  ///   - microseconds: how long a call may hold the loop; it is taken off within twice this time.
  ///   - patience: seconds for the calls of apps that have promised never to wait.
  init(
    _ watched: UnsafeMutablePointer<WatchedCall>, microseconds: UInt32, patience: Double
  ) throws(SystemError) {
    self.watched = watched
    self.patience = UInt64(patience * 1e9)
    self.microseconds = microseconds
    alarm = try System.eventDescriptor(blocking: true)
  }

  deinit { System.close(alarm) }

  /// A call has begun while it slept, or it has to end.
  func wake() {
    watched.pointee.isAsleep.store(false, ordering: .releasing)
    System.signalEvent(alarm)
  }

  /// Ends the thread.
  func end() {
    isOver.store(true, ordering: .releasing)
    wake()
  }

  /// The thread's life. Tells `detached` about each call that was taken off the loop, nil for a turn of the
  /// guest loop; calls `tend` once per period, which says whether to come again before anything else.
  func run(_ detached: (ExchangePointer?) -> Void, tending tend: () -> Bool) {
    var (seen, since): (UInt64, UInt64) = (0, 0)
    while !isOver.load(ordering: .acquiring) {
      System.pause(microseconds: microseconds)
      if tend() { continue }
      watched.pointee.periods.store(watched.pointee.period &+ 1, ordering: .relaxed)
      let count = watched.pointee.calls.load(ordering: .acquiring)
      let current = watched.pointee.current.load(ordering: .relaxed)
      if count != seen {
        (seen, since) = (count, System.now())
      } else if current == WatchedCall.turnMark {
        if watched.pointee.takeTurn() { detached(nil) }
      } else if let exchange = ExchangePointer(bitPattern: current & ~1) {
        if current & 1 != 0, System.now() &- since < patience { continue }
        if exchange.race(.overdue, likely: .app) == .vacate { detached(exchange) }
      } else {
        sleep(unless: seen)
      }
    }
  }

  /// Sleeps until a call wakes it. The pause lets a call that began before the mark was visible show
  /// itself.
  private func sleep(unless seen: UInt64) {
    watched.pointee.isAsleep.store(true, ordering: .sequentiallyConsistent)
    System.pause(microseconds: microseconds)
    guard watched.pointee.calls.load(ordering: .sequentiallyConsistent) == seen,
      !isOver.load(ordering: .acquiring)
    else {
      return watched.pointee.isAsleep.store(false, ordering: .releasing)
    }
    System.awaitEvent(alarm)
  }
}
