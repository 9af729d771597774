// The server's extension `draft.loop/1`: it leads asyncio's loop on the thread that loads the application, so
// that a request's first step runs at once, where it was received, and costs no other thread.
import CNSGI
import CPython
import Glibc

/// The loop that the server leads, and what of serving.py it calls. Written by load(), then by the thread
/// that leads.
enum LedLoop {
  /// As in the server's GuestLoop.swift.
  private struct Record {
    let descriptor: Int32
    var due: UInt64
    let turn: @convention(c) () -> Void
  }

  private struct Table {
    let lead: @convention(c) (UnsafeMutableRawPointer?) -> Int32
  }

  private nonisolated(unsafe) static var record: UnsafeMutablePointer<Record>?
  /// Methods of serving.py's Serving.
  private nonisolated(unsafe) static var step: Object!
  private nonisolated(unsafe) static var turn: Object!
  private nonisolated(unsafe) static var thread = pthread_t()
  /// The inbox has something that no bell was rung for.
  private nonisolated(unsafe) static var hasNews = false

  private static var table: UnsafePointer<Table>? {
    Interpreter.host.pointee.extension("draft.loop/1")?.assumingMemoryBound(to: Table.self)
  }

  /// The server leads the loop.
  @inline(__always) static var isLed: Bool { record != nil }

  /// The functions of serving.py.
  static let list: [(StaticString, PyCFunctionFast)] = [
    ("asgi_may_lead", mayLead), ("asgi_lead", lead), ("asgi_give_up", giveUp),
  ]

  /// asgi_may_lead() -> 1 if this server leads loops; 0 otherwise.
  private static let mayLead: PyCFunctionFast = { _, _, _ in PyLong_FromLong(table == nil ? 0 : 1) }

  /// asgi_lead(descriptor, step, turn) -> 1 if the server leads the loop with this descriptor on this thread
  /// from now on; 0: it does not.
  private static let lead: PyCFunctionFast = { _, arguments, count in
    guard count == 3, let arguments else { return raise(py_type_error(), "asgi_lead takes three") }
    guard let descriptor = Argument.int32(arguments[0]) else { return nil }
    guard let table, record == nil else { return PyLong_FromLong(0) }
    let made = UnsafeMutablePointer<Record>.allocate(capacity: 1)
    made.initialize(to: Record(descriptor: descriptor, due: 0, turn: { LedLoop.takeTurn() }))
    guard table.pointee.lead(made) == NSGI_OK.rawValue else {
      made.deallocate()
      return PyLong_FromLong(0)
    }
    (step, turn) = (arguments[1]!, arguments[2]!)
    py_retain(step)
    py_retain(turn)
    (record, thread) = (made, pthread_self())
    return PyLong_FromLong(1)
  }

  /// asgi_give_up(status): ends the process, whose application does not come back.
  private static let giveUp: PyCFunctionFast = { _, arguments, count in
    guard count == 1, let arguments else { return raise(py_type_error(), "asgi_give_up takes a status") }
    guard let status = Argument.int32(arguments[0]) else { return nil }
    Log.flush()
    System.end(status)
  }

  /// The thread of the loop rings: no bell is needed, the server gives the loop a turn. False on any other
  /// thread.
  static func ring() -> Bool {
    guard let record, pthread_equal(thread, pthread_self()) != 0 else { return false }
    hasNews = true
    record.pointee.due = 1
    return true
  }

  /// A turn of the loop: what is there is done, and nothing is waited for.
  private static func takeTurn() {
    let slot = Threads.enter()
    let isRung: Object = hasNews ? py_true() : py_false()
    hasNews = false
    if let due = PyObject_CallOneArg(turn, isRung) {
      keep(due)
    } else {
      Log.exception()
    }
    end(slot)
  }

  /// Takes the first step of a request; false if the inbox has to take the request.
  static func begin(_ app: UnsafeMutablePointer<ASGIApp>, _ request: UnsafePointer<nsgi_request>) -> Bool {
    let slot = Threads.enter()
    defer { end(slot) }
    guard let scope = ASGIScope.make(app.pointee.host, request) else {
      Log.exception()
      _ = app.pointee.host.pointee.finish(request.pointee.id, NSGI_NOMEM.rawValue)
      return true
    }
    defer { py_release(scope) }
    guard let id = PyLong_FromUnsignedLong(UInt(request.pointee.id)) else {
      PyErr_Clear()
      return false
    }
    defer { py_release(id) }
    let hasBody: Object = request.pointee.flags & NSGI_HAS_BODY.rawValue != 0 ? py_true() : py_false()
    guard let due = py_call4(step, app.pointee.application, id, scope, hasBody) else {
      Log.exception()
      _ = app.pointee.host.pointee.finish(request.pointee.id, NSGI_FAIL.rawValue)
      return true
    }
    return keep(due)
  }

  /// Notes when the loop wants its next turn: in nanoseconds, 1 for at once, 0 for none. False for a negative
  /// number, which says that there is no room for another request.
  @discardableResult
  private static func keep(_ due: Object) -> Bool {
    let value = PyLong_AsLong(due)
    py_release(due)
    if value == -1 { PyErr_Clear() }
    guard value >= 0 else { return false }
    record?.pointee.due = hasNews ? 1 : UInt64(value)
    return true
  }

  /// Unlocks the interpreter after code of the application.
  private static func end(_ slot: Unmanaged<ThreadSlot>) {
    if Copy.isThis { Copy.end() }
    slot._withUnsafeGuaranteedRef { if !$0.lines.isEmpty { Log.flush($0) } }
    PyEval_SaveThread()
  }
}
