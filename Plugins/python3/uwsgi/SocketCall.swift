// The call of a WSGI application for a request that asks for a WebSocket, which `uwsgi.websocket_handshake()`
// may accept: the application waits for messages in the call, so it has a thread of its own, and the request
// goes on asynchronously until it is accepted or answered.
import CNSGI
import CPython
import Glibc
import Synchronization

/// The host's extension `draft.handshake/1` (docs/NSGI.md).
struct HandshakeTable {
  let isGood: @convention(c) (nsgi_id) -> Int32
  let refuse: @convention(c) (nsgi_id) -> Int32
}

/// Such a call.
enum SocketCall {
  /// nil if the host does not have it.
  nonisolated(unsafe) static let handshake: UnsafePointer<HandshakeTable>? =
    Interpreter.host.pointee.extension("draft.handshake/1")?.assumingMemoryBound(to: HandshakeTable.self)

  /// How many threads have such calls.
  private static let underWay = Atomic<Int>(0)

  /// Whether a request gets such a call: it asks for a WebSocket in a way that could be accepted. Any other
  /// is called as usual, on the existing threads.
  static func isDue(_ id: nsgi_id) -> Bool {
    ASGISockets.isAskedFor(id) && handshake.map { $0.pointee.isGood(id) == 1 } ?? false
  }

  /// The argument of its thread.
  private struct Work {
    let app: UnsafeMutablePointer<WSGIApp>
    /// Lent by the server until the exchange is finished.
    let request: UnsafePointer<nsgi_request>
  }

  /// Starts the thread, or refuses the request if there are as many as allowed; returns an nsgi_result for
  /// call().
  static func begin(_ app: UnsafeMutablePointer<WSGIApp>, _ request: UnsafePointer<nsgi_request>) -> Int32 {
    guard underWay.add(1, ordering: .relaxed).newValue <= app.pointee.socketCalls else {
      underWay.subtract(1, ordering: .relaxed)
      // It has its answer.
      _ = handshake?.pointee.refuse(request.pointee.id)
      return NSGI_OK.rawValue
    }
    let work = UnsafeMutablePointer<Work>.allocate(capacity: 1)
    work.initialize(to: Work(app: app, request: request))
    let isStarted = System.startThread(
      {
        SocketCall.live($0!)
        return nil
      }, work)
    guard isStarted else {
      underWay.subtract(1, ordering: .relaxed)
      work.deallocate()
      return NSGI_NOMEM.rawValue
    }
    return NSGI_ASYNC.rawValue
  }

  /// Runs the thread.
  private static func live(_ pointer: UnsafeMutableRawPointer) {
    let place = pointer.assumingMemoryBound(to: Work.self)
    let work = place.move()
    place.deallocate()
    let (id, host) = (work.request.pointee.id, work.app.pointee.host)
    let slot = Threads.enter().takeUnretainedValue()
    (slot.id, slot.mayAccept) = (id, true)
    let result = run(work, slot)
    Log.flush(slot)
    let isOver = !slot.mayAccept
    (slot.id, slot.mayAccept, slot.socket) = (0, false, nil)
    PyEval_SaveThread()
    // Done before the answer: its client may come again at once.
    underWay.subtract(1, ordering: .relaxed)
    if !isOver { _ = host.pointee.finish(id, result) }
  }

  private static func run(_ work: Work, _ slot: ThreadSlot) -> Int32 {
    // After the handshake no part of the request is sure to exist, and the application may have been
    // unloaded: the heading lives as long as the call, because an error may have to name it.
    let heading = Call.heading(work.request)
    let callable = work.app.pointee.callable
    py_retain(callable)
    defer { py_release(callable) }
    guard let object = StartResponse.take(work.app, work.request) else {
      PyErr_Clear()
      return NSGI_NOMEM.rawValue
    }
    let start = StartResponse.at(object)
    slot.start = start
    var input: Object?
    var loan = EnvironLoan()
    defer {
      // Objects released now may run Python, which may try a handshake.
      slot.start = nil
      StartResponse.give(object)
    }
    guard let environ = Call.environ(work.app, work.request, &input, &loan) else {
      return Call.failed(work.app, work.request, start)
    }
    var isDone = false
    let body = py_call2(callable, environ, object)
    if Copy.isThis { Copy.end(heading) }
    if let body {
      // With a generator, the first block runs the handshake.
      isDone = !slot.mayAccept || Body.send(body, work.app, start)
      if !Body.close(body) { isDone = false }
      py_release(body)
    }
    // The blocks of the body may have been made by code that forks.
    if Copy.isThis { Copy.end(heading) }
    py_release(environ)
    if let input { Input.end(input) }
    guard slot.mayAccept else {
      end(slot.socket, heading)
      return NSGI_OK.rawValue
    }
    Output.settle(start)
    return isDone ? NSGI_OK.rawValue : Call.failed(work.app, work.request, start)
  }

  /// The application has returned after a handshake, or raised: an exception is how it learns that the client
  /// has left.
  private static func end(_ socket: WSGISocket?, _ heading: String) {
    guard let socket else { return tellOfRefusal(heading) }
    let hasFailed = PyErr_Occurred() != nil
    if hasFailed { tell(heading, isExpected: socket.hasToldEnd) }
    Interpreter.unlocked { socket.close(hasFailed ? 1011 : 1000) }
  }

  /// The application has returned after the server refused the handshake, or raised: that is how it learns of
  /// it.
  static func tellOfRefusal(_ heading: String) {
    if PyErr_Occurred() != nil { tell(heading, isExpected: true) }
  }

  /// Logs the exception that is set, unless it is the expected one.
  private static func tell(_ heading: String, isExpected: Bool) {
    if isExpected, PyErr_ExceptionMatches(py_os_error()) != 0 {
      PyErr_Clear()
    } else {
      Log.exception("WebSocket \(heading)")
    }
  }

  /// The thread's call, which is an ordinary one, tries a handshake: returns an nsgi_result, or `unoffered`.
  /// A bad handshake gets its answer here.
  static func refuse(_ slot: ThreadSlot) -> Int32 {
    guard slot.id != 0, slot.socket == nil, ASGISockets.isAskedFor(slot.id), let handshake else {
      return NSGI_MISUSE.rawValue
    }
    if handshake.pointee.isGood(slot.id) == 1 { return unoffered }
    let result = handshake.pointee.refuse(slot.id)
    slot.isRefused = result == NSGI_GONE.rawValue
    return result
  }

  /// The module `uwsgi` takes this for a request that a single thread cannot wait for.
  private static let unoffered: Int32 = 1
}
