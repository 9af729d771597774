// start_response (PEP 3333, "The start_response() Callable"): checks the head when it is given, and keeps it
// until the body begins.
import CNSGI
import CPython

/// The object that an application gets for one request.
enum StartResponse {
  typealias Record = UnsafeMutablePointer<nsgi_py_start>

  @inline(__always)
  static func at(_ object: Object) -> Record {
    UnsafeMutableRawPointer(object).assumingMemoryBound(to: nsgi_py_start.self)
  }

  /// An unused one, for the next request.
  private nonisolated(unsafe) static var spare: Object?

  /// A start_response for a request, with one reference.
  @inline(__always)
  static func take(_ app: UnsafeMutablePointer<WSGIApp>, _ request: UnsafePointer<nsgi_request>) -> Object? {
    guard let object = spare ?? make() else { return nil }
    spare = nil
    let start = at(object)
    start.pointee.id = request.pointee.id
    start.pointee.app = UnsafeMutableRawPointer(app)
    start.pointee.isHead = request.pointee.flags & NSGI_HEAD_ONLY.rawValue != 0 ? 1 : 0
    return object
  }

  private static func make() -> Object? {
    guard let object = py_alloc(Types.start) else { return nil }
    at(object).pointee.vectorcall = call
    at(object).pointee.declared = -1
    at(object).pointee.head = UnsafeMutableRawPointer(KeptHead.make())
    return object
  }

  @inline(__always)
  private static func head(_ start: Record) -> UnsafeMutablePointer<KeptHead> {
    start.pointee.head.assumingMemoryBound(to: KeptHead.self)
  }

  /// The application's fields, to be passed on unchanged.
  @inline(__always)
  static func fields(_ start: Record) -> UnsafeBufferPointer<nsgi_pair> { head(start).pointee.fields }

  /// The request is over: the object becomes useless to anybody who still has it.
  @inline(__always)
  static func give(_ object: Object) {
    let start = at(object)
    start.pointee.id = 0
    Output.settle(start)
    head(start).pointee.end()
    if let write = start.pointee.write {
      Write.end(write)
      start.pointee.write = nil
    }
    guard spare == nil, py_refcount(object) == 1 else { return py_release(object) }
    (start.pointee.status, start.pointee.declared, start.pointee.sent) = (0, -1, 0)
    (start.pointee.wasCalled, start.pointee.isSent, start.pointee.isGone) = (0, 0, 0)
    start.pointee.isReplaced = 0
    spare = object
  }

  static let free: destructor = { object in
    guard let object else { return }
    let start = at(object)
    if start.pointee.head != nil {
      head(start).pointee.removeAll()
      head(start).deallocate()
    }
    py_release_if(start.pointee.statusText)
    py_free(object)
  }

  // MARK: start_response(status, headers, exc_info=None)

  private static let call: vectorcallfunc = { callable, arguments, flags, names in
    guard let callable else { return nil }
    let start = at(callable)
    var count = Int(py_argument_count(flags))
    if let names { count += py_tuple_size(names) }
    // A call without arguments may come without an array for them, such as that of iter(start_response, 1).
    guard let arguments, count == 2 || count == 3, names == nil || isExcInfo(names!, count) else {
      return raise(py_type_error(), "start_response takes a status, a list of headers and, at most, exc_info")
    }
    let excInfo = count == 3 && arguments[2] != py_none() ? arguments[2] : nil
    guard start.pointee.id != 0 else {
      return raise(py_assertion_error(), "start_response was called after the request was over")
    }
    guard allows(start, excInfo) else { return nil }
    start.pointee.wasCalled = 1
    start.pointee.status = 0
    start.pointee.isTaking = 1
    let isGood = takeStatus(start, arguments[0]!) && takeHeaders(start, arguments[1]!)
    start.pointee.isTaking = 0
    // Releasing an object of the previous head may have let others run, and the request end.
    guard isGood else { return nil }
    guard start.pointee.id != 0 else {
      return raise(py_assertion_error(), "start_response was called after the request was over")
    }
    start.pointee.status = start.pointee.keptStatus
    return Write.of(start)
  }

  /// Most responses have the same status and fields as the previous one: those are known to be good.
  @inline(__always)
  private static func takeStatus(_ start: Record, _ text: Object) -> Bool {
    if start.pointee.statusText == text { return true }
    var reason = nsgi_str()
    guard let status = Head.status(text, &reason) else { return false }
    let old = start.pointee.statusText
    py_retain(text)
    (start.pointee.statusText, start.pointee.keptStatus) = (text, status)
    (start.pointee.reason, start.pointee.reasonCount) = (reason.p, reason.n)
    py_release_if(old)
    return true
  }

  /// Only exc_info may be given by name.
  private static func isExcInfo(_ names: Object, _ count: Int) -> Bool {
    count == 3 && py_tuple_size(names) == 1
      && PyUnicode_CompareWithASCIIString(py_tuple_item(names, 0), "exc_info") == 0
  }

  /// A call after one that was accepted needs exc_info, and comes too late once bytes have been sent: then
  /// that exception is raised again. A refused call leaves no head, and requires nothing.
  private static func allows(_ start: Record, _ excInfo: Object?) -> Bool {
    guard start.pointee.isTaking == 0 else {
      _ = raise(py_assertion_error(), "start_response was called while it was looking at another head")
      return false
    }
    guard let excInfo else {
      if start.pointee.status == 0, start.pointee.isSent == 0 { return true }
      _ = raise(py_assertion_error(), "start_response was called a second time without exc_info")
      return false
    }
    guard py_is_tuple(excInfo), py_tuple_size(excInfo) == 3 else {
      _ = raise(py_type_error(), "exc_info is a tuple of three, as sys.exc_info() returns it")
      return false
    }
    guard start.pointee.isSent != 0 else { return true }
    let (value, trace) = (py_tuple_item(excInfo, 1)!, py_tuple_item(excInfo, 2)!)
    // sys.exc_info() gives None three times if nothing is being handled: the interpreter treats anything that
    // it is given as an exception, and writes into it.
    guard py_is_exception(value), let type = PyObject_Type(value) else {
      _ = raise(py_assertion_error(), "start_response was called with exc_info that has no exception in it")
      return false
    }
    py_retain(value)
    if trace != py_none() { py_retain(trace) }
    PyErr_Restore(type, value, trace == py_none() ? nil : trace)
    return false
  }

  private static func takeHeaders(_ start: Record, _ list: Object) -> Bool {
    guard py_is_list(list) else {
      _ = raise(py_type_error(), "the headers of start_response are a list of (name, value) tuples")
      return false
    }
    let app = start.pointee.app.assumingMemoryBound(to: WSGIApp.self)
    return head(start).pointee.take(list, &start.pointee.declared) { name in
      guard !app.pointee.hasWarnedOfConnection else { return }
      app.pointee.hasWarnedOfConnection = true
      Log.line(
        "the application sends the header \(Log.string(name)), which belongs to the connection and is the "
          + "server's to say (hop-by-hop): it is left out, now and from here on", NSGI_WARNING)
    }
  }
}
