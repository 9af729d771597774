import Glibc

/// Exchanges that threads beside the loop hand back to the leader, and the bell that wakes it.
///
/// Unchecked: `exchanges` is guarded by `mutex`.
final class Inbox: @unchecked Sendable {
  /// An eventfd, watched by the reactor.
  let bell: Int32
  private let mutex = Mutex()
  private var exchanges: [ExchangePointer] = []

  init() throws(SystemError) { bell = try System.eventDescriptor(blocking: false) }

  deinit { System.close(bell) }

  /// Any thread: gives an exchange to the leader.
  func post(_ exchange: ExchangePointer) {
    mutex.lock()
    let isFirst = exchanges.isEmpty
    exchanges.append(exchange)
    mutex.unlock()
    if isFirst { System.signalEvent(bell) }
  }

  /// Leader: takes everything.
  func take() -> [ExchangePointer] {
    System.clearEvent(bell)
    mutex.lock()
    defer { mutex.unlock() }
    let all = exchanges
    exchanges.removeAll(keepingCapacity: true)
    return all
  }
}

/// A plain lock at a fixed address, for classes whose waiting needs a condition too.
final class Mutex: @unchecked Sendable {
  private let mutex = UnsafeMutablePointer<pthread_mutex_t>.allocate(capacity: 1)
  private let changed = UnsafeMutablePointer<pthread_cond_t>.allocate(capacity: 1)

  init() {
    pthread_mutex_init(mutex, nil)
    pthread_cond_init(changed, nil)
  }

  deinit {
    pthread_cond_destroy(changed)
    pthread_mutex_destroy(mutex)
    changed.deallocate()
    mutex.deallocate()
  }

  func lock() { pthread_mutex_lock(mutex) }
  func unlock() { pthread_mutex_unlock(mutex) }

  /// Waits, unlocked meanwhile, to be told of a change.
  func wait() { pthread_cond_wait(changed, mutex) }

  /// Waits no longer than until `deadline` (CLOCK_REALTIME); false when it is over.
  func wait(until deadline: timespec) -> Bool {
    var deadline = deadline
    return pthread_cond_timedwait(changed, mutex, &deadline) == 0
  }

  /// Wakes one who waits.
  func signal() { pthread_cond_signal(changed) }

  /// Wakes all who wait.
  func broadcast() { pthread_cond_broadcast(changed) }

  /// The time `seconds` from now, as `wait` takes it.
  static func deadline(seconds: Double) -> timespec {
    var time = timespec()
    clock_gettime(CLOCK_REALTIME, &time)
    let nanoseconds = time.tv_nsec + Int(seconds.truncatingRemainder(dividingBy: 1) * 1e9)
    time.tv_sec += Int(seconds) + nanoseconds / 1_000_000_000
    time.tv_nsec = nanoseconds % 1_000_000_000
    return time
  }
}
