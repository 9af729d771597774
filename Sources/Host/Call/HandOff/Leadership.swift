import Glibc
import Synchronization

/// Who runs the loop. One thread leads; the others are busy with an app or wait as followers, and end if
/// nobody has needed them for a while.
///
/// Unchecked: everything mutable is guarded by `mutex`.
final class Leadership: @unchecked Sendable {
  /// Why a waiting thread wakes.
  enum Wake {
    /// It leads from now on; these calls were taken off the loop.
    case lead([ExchangePointer])
    /// An app is retired: the thread has to take its leave, and follow again.
    case stir
    /// Nobody needed it, or the worker has ended.
    case end
  }

  private let mutex = Monitor()
  private var isVacant = false
  /// Only the home thread may take the place.
  private var isReserved = false
  /// The home thread waits, or is about to.
  private var isHomeFree = false
  private var isOver = false
  private var waiting = 0
  private var threads = 0
  private var stirs: UInt64 = 0
  private var detached: [ExchangePointer] = []
  /// The system gave no thread for the leader's place.
  let lacksThread = Atomic<Bool>(false)
  /// Waits for signals until the loop has ended.
  private var reader: pthread_t?
  /// Seconds after which a follower that nobody needed ends.
  private static let idleSeconds = 10.0

  /// Frees the leader's place, after `exchange` was taken off the loop, or for an errand. A follower takes
  /// it; without one, `startThread` makes one. If the system gives no thread, the place waits for one that is
  /// busy with an app, or until `fill` gets one; false then.
  func vacate(_ exchange: ExchangePointer?, startThread: () -> Bool) -> Bool {
    mutex.lock()
    if let exchange { detached.append(exchange) }
    isVacant = true
    isReserved = false
    let needsThread = waiting == 0
    if needsThread { threads += 1 }
    mutex.broadcast()
    mutex.unlock()
    guard needsThread, !startThread() else { return true }
    threadEnded()
    lacksThread.store(true, ordering: .releasing)
    return false
  }

  /// Tries again to get a thread for the leader's place, if the system gave none and no other has come; false
  /// if it still gives none.
  func fill(startThread: () -> Bool) -> Bool {
    mutex.lock()
    let isNeeded = isVacant && waiting == 0
    if isNeeded { threads += 1 }
    mutex.unlock()
    if isNeeded, !startThread() {
      threadEnded()
      return false
    }
    lacksThread.store(false, ordering: .relaxed)
    return true
  }

  /// The home thread is done with a call, and about to wait.
  func homeIsFree() {
    mutex.lock()
    isHomeFree = true
    mutex.unlock()
  }

  /// Frees the leader's place for the home thread; false while that is busy with a call.
  func reserve() -> Bool {
    mutex.lock()
    defer { mutex.unlock() }
    guard isHomeFree else { return false }
    (isVacant, isReserved) = (true, true)
    mutex.broadcast()
    return true
  }

  /// A thread that `threadEnded` will report is about to start.
  func threadStarts() {
    mutex.lock()
    threads += 1
    mutex.unlock()
  }

  /// Wakes every host thread that waits, now or when it comes to wait, with `.stir`.
  func stir() {
    mutex.lock()
    stirs += 1
    mutex.broadcast()
    mutex.unlock()
  }

  /// Waits to be needed.
  func follow(_ thread: HostThread) -> Wake {
    mutex.lock()
    defer { mutex.unlock() }
    waiting += 1
    defer { waiting -= 1 }
    let deadline = Monitor.deadline(seconds: Leadership.idleSeconds)
    while !isVacant || isReserved && !thread.isHome {
      if isOver { return .end }
      if thread.stirs != stirs {
        thread.stirs = stirs
        return .stir
      }
      if thread.isHome {
        mutex.wait()
      } else if !mutex.wait(until: deadline), !isVacant || isReserved {
        return .end
      }
    }
    (isVacant, isReserved) = (false, false)
    if thread.isHome { isHomeFree = false }
    defer { detached.removeAll() }
    return .lead(detached)
  }

  /// A thread that `vacate` started is gone.
  func threadEnded() {
    mutex.lock()
    threads -= 1
    mutex.broadcast()
    mutex.unlock()
  }

  /// Waits until the loop has ended, and passes signals on to it meanwhile.
  ///
  /// Call it on the first thread of the process, which runs nothing of an app: so an app that has taken a
  /// signal's handler does not get the signal (`clinux_wait_signal`).
  func readSignals() {
    mutex.lock()
    reader = pthread_self()
    // Under the lock: a handler must not get what `end` sends, before this thread waits for it.
    System.holdSignals()
    while !isOver {
      mutex.unlock()
      if let signal = System.awaitSignal() {
        // Before the loop is woken: until this thread waits again, the next signal is for a handler.
        System.retakeSignals()
        System.passSignal(signal)
      }
      mutex.lock()
      System.holdSignals()
    }
    reader = nil
    mutex.unlock()
    System.retakeSignals()
  }

  /// Waits until the loop has ended.
  func waitForEnd() {
    mutex.lock()
    while !isOver { mutex.wait() }
    mutex.unlock()
  }

  /// The loop has ended: lets followers go.
  func end() {
    mutex.lock()
    isOver = true
    mutex.broadcast()
    if let reader { System.wake(reader) }
    mutex.unlock()
  }

  /// Waits for the threads to end; false if some are still busy with an app after `seconds`.
  func waitForThreads(seconds: Double) -> Bool {
    mutex.lock()
    defer { mutex.unlock() }
    let deadline = Monitor.deadline(seconds: seconds)
    while threads > 0 {
      if !mutex.wait(until: deadline), threads > 0 { return false }
    }
    return true
  }
}
