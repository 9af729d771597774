import Glibc
import Synchronization

/// Sees calls that run for longer than about a millisecond and takes them off the loop.
///
/// It costs a call two relaxed stores and a load. It looks once a period while calls are made, and sleeps
/// while none are: the first call after that wakes it.
final class Watchdog: Sendable {
  private let microseconds: UInt32
  /// An eventfd, on which it sleeps.
  private let alarm: Int32
  /// Counts calls: a number that stands still with a call under way means that this call is slow.
  private let calls = Atomic<UInt64>(0)
  /// Address of the exchange that the leader is calling for; 0 for none.
  private let current = Atomic<UInt>(0)
  private let isAsleep = Atomic<Bool>(false)
  private let isOver = Atomic<Bool>(false)
  /// Quiet periods before it falls asleep.
  private static let patience = 16

  /// - Parameter microseconds: how long a call may hold the loop; it is taken off within twice this time.
  init(microseconds: UInt32) throws(SystemError) {
    self.microseconds = microseconds
    alarm = try System.eventDescriptor(blocking: true)
  }

  deinit { System.close(alarm) }

  /// The leader begins a call.
  @inline(__always)
  func began(_ exchange: ExchangePointer) {
    current.store(UInt(bitPattern: exchange), ordering: .relaxed)
    calls.store(calls.load(ordering: .relaxed) &+ 1, ordering: .releasing)
    if isAsleep.load(ordering: .relaxed) { wake() }
  }

  /// The call is over.
  @inline(__always)
  func ended() { current.store(0, ordering: .relaxed) }

  private func wake() {
    isAsleep.store(false, ordering: .releasing)
    System.signalEvent(alarm)
  }

  /// Ends the thread.
  func end() {
    isOver.store(true, ordering: .releasing)
    wake()
  }

  /// The thread's life. `detached` is told of each call that was taken off the loop.
  func run(_ detached: (ExchangePointer) -> Void) {
    var seen: UInt64 = 0
    var quiet = 0
    while !isOver.load(ordering: .acquiring) {
      System.pause(microseconds: microseconds)
      let count = calls.load(ordering: .acquiring)
      let exchange = ExchangePointer(bitPattern: current.load(ordering: .relaxed))
      if count != seen {
        (seen, quiet) = (count, 0)
      } else if let exchange {
        quiet = 0
        if exchange.pointee.word.detach() { detached(exchange) }
      } else {
        quiet += 1
        if quiet >= Watchdog.patience { sleep(unless: seen) }
      }
    }
  }

  /// Sleeps until a call wakes it. The pause lets a call that began before the mark was visible show
  /// itself.
  private func sleep(unless seen: UInt64) {
    isAsleep.store(true, ordering: .sequentiallyConsistent)
    System.pause(microseconds: microseconds)
    guard calls.load(ordering: .sequentiallyConsistent) == seen, !isOver.load(ordering: .acquiring) else {
      return isAsleep.store(false, ordering: .releasing)
    }
    System.awaitEvent(alarm)
  }
}
