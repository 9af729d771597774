// Python's view of the server's threads: a thread state for each, made on its first call.
import CNSGI
import CPython
import Glibc

typealias Object = UnsafeMutablePointer<PyObject>

/// What belongs to one thread.
final class ThreadSlot {
  /// Python's state of a thread of the server; nil for threads that Python started itself.
  let state: UnsafeMutablePointer<PyThreadState>?
  /// The request that the thread is serving; 0: none. Others read it while it may change: see Stack.swift.
  var id: nsgi_id = 0
  /// The thread serves a request for a WebSocket that it may accept (uwsgi/SocketCall.swift), and with the
  /// socket once it has.
  var mayAccept = false
  var socket: WSGISocket?
  /// The response that such a request gets instead of a socket.
  var start: StartResponse.Record?
  /// The server has answered the thread's request in the application's place, because its handshake is bad.
  var isRefused = false
  /// Python's identifier of the thread.
  let thread = System.thread
  /// Beginnings of lines whose ends are still to come, by level.
  var lines: [Int32: [UInt8]] = [:]

  init(_ state: UnsafeMutablePointer<PyThreadState>?) { self.state = state }
}

/// The slots of all threads.
enum Threads {
  private nonisolated(unsafe) static var key = pthread_key_t()
  /// Slots of the server's threads, under `lock`.
  private nonisolated(unsafe) static var all: [ThreadSlot] = []
  private nonisolated(unsafe) static let lock: UnsafeMutablePointer<pthread_mutex_t> = {
    let lock = UnsafeMutablePointer<pthread_mutex_t>.allocate(capacity: 1)
    pthread_mutex_init(lock, nil)
    return lock
  }()

  /// Called once, by the thread that starts the interpreter and holds its lock.
  static func start() {
    pthread_key_create(&key) { Threads.end($0) }
    install(ThreadSlot(PyThreadState_Get()))
  }

  /// This thread's slot, if it has one.
  @inline(__always)
  static var current: Unmanaged<ThreadSlot>? {
    pthread_getspecific(key).map { Unmanaged<ThreadSlot>.fromOpaque($0) }
  }

  /// The slot of a thread that holds the interpreter's lock.
  static func slot() -> ThreadSlot {
    if let current { return current.takeUnretainedValue() }
    let slot = ThreadSlot(nil)
    install(slot)
    return slot
  }

  /// Takes the interpreter's lock on a thread of the server.
  @inline(__always)
  static func enter() -> Unmanaged<ThreadSlot> {
    if let current {
      PyEval_RestoreThread(current._withUnsafeGuaranteedRef { $0.state })
      return current
    }
    return enterFirst()
  }

  private static func enterFirst() -> Unmanaged<ThreadSlot> {
    let state = PyThreadState_New(PyInterpreterState_Main())
    install(ThreadSlot(state))
    PyEval_RestoreThread(state)
    return current!
  }

  private static func install(_ slot: ThreadSlot) {
    if slot.state != nil { withAll { $0.append(slot) } }
    pthread_setspecific(key, Unmanaged.passRetained(slot).toOpaque())
  }

  /// Does something with the slots; needs no interpreter lock.
  static func withAll<Result>(_ body: (inout [ThreadSlot]) -> Result) -> Result {
    pthread_mutex_lock(lock)
    defer { pthread_mutex_unlock(lock) }
    return body(&all)
  }

  /// The thread ends: Python forgets it.
  private static func end(_ pointer: UnsafeMutableRawPointer?) {
    guard let pointer else { return }
    let slot = Unmanaged<ThreadSlot>.fromOpaque(pointer).takeRetainedValue()
    guard let state = slot.state else { return }
    withAll { $0.removeAll { $0 === slot } }
    PyEval_RestoreThread(state)
    PyThreadState_Clear(state)
    PyThreadState_DeleteCurrent()
  }
}
