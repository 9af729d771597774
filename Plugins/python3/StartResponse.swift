// start_response (PEP 3333, "The start_response() Callable"): checks the head when it is given, and keeps it
// until the body begins.
import CNSGI
import CPython
import Glibc

/// The object that an application gets for one request.
enum StartResponse {
  typealias Record = UnsafeMutablePointer<nsgi_py_start>

  @inline(__always)
  static func at(_ object: Object) -> Record {
    UnsafeMutableRawPointer(object).assumingMemoryBound(to: nsgi_py_start.self)
  }

  /// One that nobody uses, for the next request.
  private nonisolated(unsafe) static var spare: Object?

  /// A start_response for a request, of one reference.
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
    return object
  }

  /// The request is over: whoever still has the object can do nothing with it.
  @inline(__always)
  static func give(_ object: Object) {
    let start = at(object)
    start.pointee.id = 0
    start.pointee.count = 0
    if let write = start.pointee.write {
      Write.end(write)
      start.pointee.write = nil
    }
    guard spare == nil, py_refcount(object) == 1 else { return py_release(object) }
    (start.pointee.status, start.pointee.declared, start.pointee.sent) = (0, -1, 0)
    (start.pointee.wasCalled, start.pointee.isSent, start.pointee.isGone) = (0, 0, 0)
    spare = object
  }

  /// Lets checked fields go, from one on.
  private static func forget(_ start: Record, from first: Int) {
    for index in stride(from: first * 2, to: start.pointee.kept * 2, by: 1) {
      py_release(start.pointee.texts[index]!)
    }
    start.pointee.kept = min(start.pointee.kept, first)
  }

  static let free: destructor = { object in
    guard let object else { return }
    let start = at(object)
    forget(start, from: 0)
    py_release_if(start.pointee.statusText)
    System.release(start.pointee.texts)
    System.release(start.pointee.pairs)
    py_free(object)
  }

  // MARK: start_response(status, headers, exc_info=None)

  private static let call: vectorcallfunc = { callable, arguments, flags, names in
    guard let callable, let arguments else { return nil }
    let start = at(callable)
    var count = Int(py_argument_count(flags))
    if let names { count += py_tuple_size(names) }
    guard count == 2 || count == 3, names == nil || isExcInfo(names!, count) else {
      return raise(py_type_error(), "start_response takes a status, a list of headers and, at most, exc_info")
    }
    let excInfo = count == 3 && arguments[2] != py_none() ? arguments[2] : nil
    guard start.pointee.id != 0 else {
      return raise(py_assertion_error(), "start_response was called after the request was over")
    }
    guard allows(start, excInfo) else { return nil }
    start.pointee.wasCalled = 1
    start.pointee.status = 0
    guard takeStatus(start, arguments[0]!), takeHeaders(start, arguments[1]!) else { return nil }
    start.pointee.status = start.pointee.keptStatus
    return Write.of(start)
  }

  /// Most responses have the very status, and the very fields, of the one before: those are known to be good.
  @inline(__always)
  private static func takeStatus(_ start: Record, _ text: Object) -> Bool {
    if start.pointee.statusText == text { return true }
    var reason = nsgi_str()
    guard let status = Head.status(text, &reason) else { return false }
    py_release_if(start.pointee.statusText)
    py_retain(text)
    (start.pointee.statusText, start.pointee.keptStatus) = (text, status)
    (start.pointee.reason, start.pointee.reasonCount) = (reason.p, reason.n)
    return true
  }

  /// Only exc_info may be given by name.
  private static func isExcInfo(_ names: Object, _ count: Int) -> Bool {
    count == 3 && py_tuple_size(names) == 1
      && PyUnicode_CompareWithASCIIString(py_tuple_item(names, 0), "exc_info") == 0
  }

  /// A second call needs exc_info, and comes too late once bytes have left: then that exception goes on.
  private static func allows(_ start: Record, _ excInfo: Object?) -> Bool {
    guard let excInfo else {
      if start.pointee.wasCalled == 0 { return true }
      _ = raise(py_assertion_error(), "start_response was called a second time without exc_info")
      return false
    }
    guard py_is_tuple(excInfo), py_tuple_size(excInfo) == 3 else {
      _ = raise(py_type_error(), "exc_info is a tuple of three, as sys.exc_info() returns it")
      return false
    }
    guard start.pointee.isSent != 0 else { return true }
    let parts = (0..<3).map { py_tuple_item(excInfo, $0)! }
    for part in parts { py_retain(part) }
    if parts[2] == py_none() {
      py_release(parts[2])
      PyErr_Restore(parts[0], parts[1], nil)
    } else {
      PyErr_Restore(parts[0], parts[1], parts[2])
    }
    return false
  }

  private static func takeHeaders(_ start: Record, _ list: Object) -> Bool {
    guard py_is_list(list) else {
      _ = raise(py_type_error(), "the headers of start_response are a list of (name, value) tuples")
      return false
    }
    let count = py_list_size(list)
    if count + 1 > start.pointee.capacity, !grow(start, to: count + 1) { return false }
    start.pointee.declared = -1
    start.pointee.count = 0
    let pairs = start.pointee.pairs.assumingMemoryBound(to: nsgi_pair.self)
    for index in 0..<count {
      let item = py_list_item(list, index)!
      guard py_is_tuple(item), py_tuple_size(item) == 2 else {
        _ = raise(py_type_error(), "a header is a tuple of a name and a value, both str")
        return false
      }
      let (name, value) = (py_tuple_item(item, 0)!, py_tuple_item(item, 1)!)
      if index < start.pointee.kept, start.pointee.texts[index * 2] == name,
        start.pointee.texts[index * 2 + 1] == value
      {
        if pairs[index].name.n == Head.lengthName { Head.note(pairs[index], &start.pointee.declared) }
        continue
      }
      forget(start, from: index)
      guard let field = Head.field(name, value, &start.pointee.declared) else { return false }
      pairs[index] = field
      py_retain(name)
      py_retain(value)
      start.pointee.texts[index * 2] = name
      start.pointee.texts[index * 2 + 1] = value
      start.pointee.kept = index + 1
    }
    start.pointee.count = count
    return true
  }

  private static func grow(_ start: Record, to capacity: Int) -> Bool {
    let room = max(16, capacity * 2)
    let texts = realloc(start.pointee.texts, room * 2 * MemoryLayout<Object?>.stride)
    if let texts { start.pointee.texts = texts.assumingMemoryBound(to: Object?.self) }
    let pairs = realloc(start.pointee.pairs, room * MemoryLayout<nsgi_pair>.stride)
    if let pairs { start.pointee.pairs = pairs }
    guard texts != nil, pairs != nil else {
      PyErr_NoMemory()
      return false
    }
    start.pointee.capacity = room
    return true
  }
}
