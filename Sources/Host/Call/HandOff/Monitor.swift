import Glibc

/// A lock at a fixed address with the condition that goes with it, for classes that wait.
package final class Monitor: @unchecked Sendable {
  private let mutex = UnsafeMutablePointer<pthread_mutex_t>.allocate(capacity: 1)
  private let changed = UnsafeMutablePointer<pthread_cond_t>.allocate(capacity: 1)

  package init() {
    pthread_mutex_init(mutex, nil)
    pthread_cond_init(changed, nil)
  }

  deinit {
    pthread_cond_destroy(changed)
    pthread_mutex_destroy(mutex)
    changed.deallocate()
    mutex.deallocate()
  }

  package func lock() { pthread_mutex_lock(mutex) }
  package func unlock() { pthread_mutex_unlock(mutex) }

  /// Waits, unlocked meanwhile, to be told of a change.
  package func wait() { pthread_cond_wait(changed, mutex) }

  /// Waits until `deadline` (CLOCK_REALTIME) at most; false when it has passed.
  package func wait(until deadline: timespec) -> Bool {
    var deadline = deadline
    return pthread_cond_timedwait(changed, mutex, &deadline) == 0
  }

  /// Wakes one waiting thread.
  package func signal() { pthread_cond_signal(changed) }

  /// Wakes all waiting threads.
  package func broadcast() { pthread_cond_broadcast(changed) }

  /// The time `seconds` from now, as `wait` takes it.
  package static func deadline(seconds: Double) -> timespec {
    var time = timespec()
    clock_gettime(CLOCK_REALTIME, &time)
    let nanoseconds = time.tv_nsec + Int(seconds.truncatingRemainder(dividingBy: 1) * 1e9)
    time.tv_sec += Int(seconds) + nanoseconds / 1_000_000_000
    time.tv_nsec = nanoseconds % 1_000_000_000
    return time
  }
}

/// Something that another thread reports once.
package final class Completion: @unchecked Sendable {
  private let mutex = Monitor()
  private var isDone = false

  package init() {}

  package func done() {
    mutex.lock()
    isDone = true
    mutex.broadcast()
    mutex.unlock()
  }

  package func wait() {
    mutex.lock()
    while !isDone { mutex.wait() }
    mutex.unlock()
  }
}
