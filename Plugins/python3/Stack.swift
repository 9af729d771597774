// What Python does for a request: for the log when its time is over, for `server ctl status`.
import CNSGI
import CPython
import Glibc

/// The extension `draft.stack/1`, by which the server asks (docs/NSGI.md).
private struct StackTable {
  let stack: @convention(c) (UnsafeMutableRawPointer?, nsgi_id, UnsafeMutablePointer<CChar>?, Int) -> Int
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

  /// The stack of the thread that is with a request, or of its task; nil when none is.
  private static func of(_ id: nsgi_id) -> String? {
    Threads.withAll { slots in
      guard let slot = slots.first(where: { $0.id == id }) else {
        guard ASGIInbox.isInUse else { return nil }
        return Standstill.during(milliseconds: patience, thread: 0, task: id) { $0 }
      }
      return Standstill.during(milliseconds: patience, thread: slot.thread) { lines in
        // The request may have ended while the interpreter was awaited.
        guard slot.id == id else { return nil }
        var isDumped = false
        let text = System.text { isDumped = py_dump_traceback($0, slot.state) }
        return isDumped ? text : lines
      }
    }
  }

  /// What a thread is in, as Python itself can tell: for libraries that keep faulthandler's function to
  /// themselves. The interpreter is locked.
  fileprivate static func read(_ thread: UInt) -> String? { read("stack", thread) }

  /// What the task of a request is in, or awaits; nil for a request without one. The interpreter is locked.
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

/// Moments in which no thread runs Python, so that another's frames can be looked at. A thread of its own
/// takes the interpreter's lock: whoever asks waits for it no longer than a while. When the lock is not to be
/// had, its holder is stuck in something that is no Python, and its frames stand still as well.
enum Standstill {
  private enum State { case idle, wanted, held, given }
  private nonisolated(unsafe) static var state = State.idle
  private nonisolated(unsafe) static var isStarted = false
  /// Whoever wanted the lock has waited long enough.
  private nonisolated(unsafe) static var isAbandoned = false
  /// Whose stack is asked for, and the answer where it takes Python to give it.
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

  /// Runs `body` while Python stands still; by one thread at a time, which has not the interpreter's lock.
  /// `body` gets the stack of a thread, where Python has to be asked for it, or of the task of a request.
  static func during<Result>(
    milliseconds: Int, thread: UInt, task: nsgi_id = 0, _ body: (String?) -> Result
  ) -> Result {
    let isHeld = hold(milliseconds, thread, task)
    defer { if isHeld { set(.given) } }
    return body(isHeld ? lines : nil)
  }

  private static func hold(_ milliseconds: Int, _ thread: UInt, _ task: nsgi_id) -> Bool {
    pthread_mutex_lock(mutex)
    defer { pthread_mutex_unlock(mutex) }
    // An earlier one still waits for the lock: nothing has moved.
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

  /// The life of the thread that takes the lock.
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
