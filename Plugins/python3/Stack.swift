// What Python is doing for a request: for the log when its time is up, and for `server ctl status`.
import CNSGI
import CPython
import Glibc

/// The extension `draft.stack/1`, through which the server asks (docs/NSGI.md).
private struct StackTable {
  let stack: @convention(c) (UnsafeMutableRawPointer?, nsgi_id, UnsafeMutablePointer<CChar>?, Int) -> Int
}

/// The Python stack of a running request.
enum Stack {
  /// Milliseconds to wait for the interpreter's lock.
  private static let patience = 50

  /// The answer of `nsgi_app.extension`.
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

  /// The stack of the thread that serves a request, or of its task; nil if none does.
  private static func of(_ id: nsgi_id) -> String? {
    Threads.withAll { slots in
      guard let slot = slots.first(where: { $0.id == id }) else {
        guard ASGIInbox.isInUse else { return nil }
        return Standstill.during(milliseconds: patience, thread: 0, task: id) { lines, _ in lines }
      }
      return Standstill.during(milliseconds: patience, thread: slot.thread) { lines, isStill in
        // The request may have ended while waiting for the interpreter.
        guard slot.id == id else { return nil }
        var isDumped = false
        let text = System.text {
          let dump = isStill ? py_dump_traceback : py_dump_traceback_in_copy
          isDumped = dump($0, slot.state)
        }
        return isDumped ? text : lines
      }
    }
  }

  /// The stack of a thread, as told by Python itself: for libraries that do not export faulthandler's
  /// function. The interpreter is locked.
  fileprivate static func read(_ thread: UInt) -> String? { read("stack", thread) }

  /// Where the task of a request is, or what it awaits; nil for a request without one. The interpreter is
  /// locked.
  fileprivate static func read(task id: nsgi_id) -> String? {
    let text = read("task_stack", UInt(id))
    return text?.isEmpty == true ? nil : text
  }

  private static func read(_ function: String, _ number: UInt) -> String? {
    guard let name = PyUnicode_FromString(function), let number = PyLong_FromUnsignedLong(number) else {
      PyErr_Clear()
      return nil
    }
    defer {
      py_release(name)
      py_release(number)
    }
    guard let text = PyObject_CallMethodOneArg(Interpreter.module, name, number) else {
      PyErr_Clear()
      return nil
    }
    defer { py_release(text) }
    return Log.string(text)
  }
}

/// Moments in which no thread runs Python, so that another's frames can be looked at. A separate thread takes
/// the interpreter's lock, so the caller waits for it only for a bounded time. If the lock is not available,
/// its holder is stuck in something that is not Python, or many threads want it, and frames may change.
enum Standstill {
  private enum State { case idle, wanted, held, given }
  private nonisolated(unsafe) static var state = State.idle
  private nonisolated(unsafe) static var isStarted = false
  /// The caller that wanted the lock has given up waiting.
  private nonisolated(unsafe) static var isAbandoned = false
  /// The thread whose stack is requested, and the answer if it takes Python to give it.
  private nonisolated(unsafe) static var thread: UInt = 0
  private nonisolated(unsafe) static var task: nsgi_id = 0
  private nonisolated(unsafe) static var lines: String?
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

  /// Runs `body` while Python stands still, if possible; for one thread at a time, which must not have the
  /// interpreter's lock. `body` gets the stack of a thread, if Python has to be asked for it, or of the task
  /// of a request, and whether Python stands still.
  static func during<Result>(
    milliseconds: Int, thread: UInt, task: nsgi_id = 0, _ body: (_ lines: String?, _ isStill: Bool) -> Result
  ) -> Result {
    let isHeld = hold(milliseconds, thread, task)
    defer { if isHeld { set(.given) } }
    return body(isHeld ? lines : nil, isHeld)
  }

  private static func hold(_ milliseconds: Int, _ thread: UInt, _ task: nsgi_id) -> Bool {
    pthread_mutex_lock(mutex)
    defer { pthread_mutex_unlock(mutex) }
    // An earlier attempt still waits for the lock: nothing has moved.
    guard start(), state == .idle else { return false }
    (state, self.thread, self.task, lines) = (.wanted, thread, task, nil)
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

  /// Runs the thread that takes the lock.
  private static func serve() -> Never {
    let own = PyThreadState_New(PyInterpreterState_Main())
    pthread_mutex_lock(mutex)
    while true {
      while state != .wanted { pthread_cond_wait(changed, mutex) }
      let (subject, request) = (thread, task)
      pthread_mutex_unlock(mutex)
      PyEval_RestoreThread(own)
      let isNeeded = request != 0 || !py_dumps_traceback()
      let found = !isNeeded ? nil : request != 0 ? Stack.read(task: request) : Stack.read(subject)
      pthread_mutex_lock(mutex)
      lines = found
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
