// What Python does for a request: for the log when its time is over, for `server ctl status`.
import CNSGI
import CPython
import Glibc

/// The extension `draft.stack/1`, by which the server asks (docs/NSGI.md).
private struct StackTable {
  let stack:
    @convention(c) (UnsafeMutableRawPointer?, nsgi_id, UnsafeMutablePointer<CChar>?, Int) -> Int
}

/// The Python stack of a request under way.
enum Stack {
  /// Milliseconds to wait for the interpreter's lock.
  private static let patience = 50

  /// What `nsgi_app.extension` answers.
  nonisolated(unsafe) static let table: UnsafeRawPointer = {
    let table = UnsafeMutablePointer<StackTable>.allocate(capacity: 1)
    table.initialize(to: StackTable { _, id, text, capacity in Stack.write(id, text, capacity) })
    return UnsafeRawPointer(table)
  }()

  private static func write(_ id: nsgi_id, _ text: UnsafeMutablePointer<CChar>?, _ capacity: Int) -> Int {
    guard let text, capacity > 0, var lines = of(id) else { return 0 }
    return lines.withUTF8 { bytes in
      let count = min(bytes.count, capacity)
      memcpy(text, bytes.baseAddress!, count)
      return count
    }
  }

  /// The stack of the thread that is with a request; nil when none is.
  private static func of(_ id: nsgi_id) -> String? {
    Threads.withAll { slots in
      guard let slot = slots.first(where: { $0.id == id }) else { return nil }
      return Standstill.during(milliseconds: patience) {
        // The request may have ended while the interpreter was awaited.
        slot.id == id ? System.text { _Py_DumpTraceback($0, slot.state) } : nil
      }
    }
  }
}

/// Moments in which no thread runs Python, so that another's frames can be looked at. A thread of its own
/// takes the interpreter's lock: whoever asks waits for it no longer than a while. When the lock is not to be
/// had, its holder is stuck in something that is no Python, and its frames stand still as well.
enum Standstill {
  private enum State { case idle, wanted, held, given }
  private nonisolated(unsafe) static var state = State.idle
  private nonisolated(unsafe) static var isStarted = false
  /// Whoever wanted the lock has waited long enough.
  private nonisolated(unsafe) static var isAbandoned = false
  private nonisolated(unsafe) static let mutex: UnsafeMutablePointer<pthread_mutex_t> = {
    let mutex = UnsafeMutablePointer<pthread_mutex_t>.allocate(capacity: 1)
    pthread_mutex_init(mutex, nil)
    return mutex
  }()
  private nonisolated(unsafe) static let changed: UnsafeMutablePointer<pthread_cond_t> = {
    let changed = UnsafeMutablePointer<pthread_cond_t>.allocate(capacity: 1)
    pthread_cond_init(changed, nil)
    return changed
  }()

  /// Runs `body` while Python stands still; by one thread at a time, which has not the interpreter's lock.
  static func during<Result>(milliseconds: Int, _ body: () -> Result) -> Result {
    let isHeld = hold(milliseconds)
    defer { if isHeld { set(.given) } }
    return body()
  }

  private static func hold(_ milliseconds: Int) -> Bool {
    pthread_mutex_lock(mutex)
    defer { pthread_mutex_unlock(mutex) }
    // An earlier one still waits for the lock: nothing has moved.
    guard start(), state == .idle else { return false }
    state = .wanted
    pthread_cond_broadcast(changed)
    var deadline = timespec()
    clock_gettime(CLOCK_REALTIME, &deadline)
    deadline.tv_nsec += milliseconds * 1_000_000
    deadline.tv_sec += deadline.tv_nsec / 1_000_000_000
    deadline.tv_nsec %= 1_000_000_000
    while state != .held {
      guard pthread_cond_timedwait(changed, mutex, &deadline) == 0 else { break }
    }
    if state != .held { isAbandoned = true }
    return state == .held
  }

  private static func set(_ next: State) {
    pthread_mutex_lock(mutex)
    state = next
    pthread_cond_broadcast(changed)
    while state == .given { pthread_cond_wait(changed, mutex) }
    pthread_mutex_unlock(mutex)
  }

  private static func start() -> Bool {
    if isStarted { return true }
    isStarted = System.startThread { _ in Standstill.serve() }
    return isStarted
  }

  /// The life of the thread that takes the lock.
  private static func serve() -> Never {
    let thread = PyThreadState_New(PyInterpreterState_Main())
    pthread_mutex_lock(mutex)
    while true {
      while state != .wanted { pthread_cond_wait(changed, mutex) }
      pthread_mutex_unlock(mutex)
      PyEval_RestoreThread(thread)
      pthread_mutex_lock(mutex)
      if !isAbandoned {
        state = .held
        pthread_cond_broadcast(changed)
        while state == .held { pthread_cond_wait(changed, mutex) }
      }
      isAbandoned = false
      PyEval_SaveThread()
      state = .idle
      pthread_cond_broadcast(changed)
    }
  }
}
