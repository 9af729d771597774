// What an application returns, as the body of its response (PEP 3333, "Specification Details").
import CNSGI
import CPython
import Glibc

/// An iterable of bytes on its way to the client.
enum Body {
  /// Sends it; false with an exception set, or if the client is gone.
  @inline(__always)
  static func send(
    _ body: Object, _ app: UnsafeMutablePointer<WSGIApp>, _ start: StartResponse.Record
  ) -> Bool {
    Output.settle(start)
    if py_is_list(body) {
      if py_list_size(body) == 1 { return single(py_list_item(body, 0)!, app, start) }
      return sequence(body, app, start)
    }
    if py_is_tuple(body) {
      if py_tuple_size(body) == 1 { return single(py_tuple_item(body, 0)!, app, start) }
      return sequence(body, app, start)
    }
    return iterable(body, app, start)
  }

  // MARK: Blocks that all exist already

  @inline(__always)
  private static func single(
    _ block: Object, _ app: UnsafeMutablePointer<WSGIApp>, _ start: StartResponse.Record
  ) -> Bool {
    guard py_is_bytes(block) else { return notBytes(block, start) }
    let count = py_bytes_size(block)
    if count < largeBody, start.pointee.isSent == 0, start.pointee.status != 0,
      let isDone = respond(app, start, py_bytes_start(block), count)
    {
      return isDone
    }
    return held(block, app, start)
  }

  /// While other threads run Python, they may put another block into the list that this one comes from.
  private static func held(
    _ block: Object, _ app: UnsafeMutablePointer<WSGIApp>, _ start: StartResponse.Record
  ) -> Bool {
    py_retain(block)
    defer { py_release(block) }
    guard start.pointee.isSent == 0, start.pointee.status != 0 else {
      return pass(start, block) && finish(start)
    }
    return respond(app, start, py_bytes_start(block), py_bytes_size(block))
      ?? (pass(start, block) && finish(start))
  }

  /// The whole response in one piece; nil if Content-Length says something else.
  @inline(__always)
  static func respond(
    _ app: UnsafeMutablePointer<WSGIApp>, _ start: StartResponse.Record, _ bytes: UnsafePointer<CChar>?,
    _ count: Int
  ) -> Bool? {
    let declared = start.pointee.declared
    if declared >= 0, declared != Int64(count), start.pointee.isHead == 0, start.pointee.status != 304 {
      return nil
    }
    start.pointee.isSent = 1
    let (host, id, status) = (app.pointee.host, start.pointee.id, start.pointee.status)
    if start.pointee.reasonCount > 0 { Output.announceReason(start) }
    let fields = StartResponse.fields(start)
    let result =
      count < largeBody
      ? host.pointee.respond(id, status, fields.baseAddress, fields.count, bytes, count)
      : Output.away(start) {
        host.pointee.respond(id, status, fields.baseAddress, fields.count, bytes, count)
      }
    if result == NSGI_OK.rawValue { return true }
    start.pointee.isSent = 0
    Output.notTaken(start, result)
    return false
  }

  /// From this size on, others may run Python while the bytes are copied and sent.
  static let largeBody = 64 * 1024

  /// A list or tuple of several blocks: nothing is computed between them, so that they are sent as one.
  private static func sequence(
    _ body: Object, _ app: UnsafeMutablePointer<WSGIApp>, _ start: StartResponse.Record
  ) -> Bool {
    let isList = py_is_list(body)
    let count = isList ? py_list_size(body) : py_tuple_size(body)
    var total = 0
    for index in 0..<count {
      let block = isList ? py_list_item(body, index)! : py_tuple_item(body, index)!
      guard py_is_bytes(block) else { return notBytes(block, start) }
      // The same block may occur many times.
      let (sum, isTooMuch) = total.addingReportingOverflow(py_bytes_size(block))
      if isTooMuch { return each(body, start, length: -1) }
      total = sum
    }
    guard start.pointee.isSent == 0, start.pointee.status != 0, total <= joinedAtMost else {
      return each(body, start, length: Int64(total))
    }
    let joined = UnsafeMutableRawPointer.allocate(byteCount: max(1, total), alignment: 16)
    defer { joined.deallocate() }
    var position = 0
    for index in 0..<count {
      let block = isList ? py_list_item(body, index)! : py_tuple_item(body, index)!
      let size = py_bytes_size(block)
      memcpy(joined + position, py_bytes_start(block), size)
      position += size
    }
    return respond(app, start, joined.assumingMemoryBound(to: CChar.self), total)
      ?? each(body, start, length: -1)
  }

  /// The most bytes that are copied together.
  private static let joinedAtMost = 256 * 1024

  // MARK: Blocks that come one by one

  private static func iterable(
    _ body: Object, _ app: UnsafeMutablePointer<WSGIApp>, _ start: StartResponse.Record
  ) -> Bool {
    if py_is_bytes(body) { return bare(body, app, start) }
    if py_is_str(body) { return notBytes(body, start) }
    if py_is_exactly(body, Names.fileWrapperType) {
      if let isDone = FileBody.send(body, start) { return isDone }
      if PyErr_Occurred() != nil { return false }
    }
    // A body of one block has that block's length (PEP 3333, "Handling the Content-Length Header").
    var isOneBlock = false
    if py_has_length(body) {
      let length = PyObject_Size(body)
      if length < 0 { PyErr_Clear() }
      isOneBlock = length == 1
    }
    return each(body, start, length: -1, isOneBlock: isOneBlock)
  }

  private static func each(
    _ body: Object, _ start: StartResponse.Record, length: Int64, isOneBlock: Bool = false
  ) -> Bool {
    guard let iterator = PyObject_GetIter(body) else { return notIterable(body, start) }
    defer { py_release(iterator) }
    while let block = PyIter_Next(iterator) {
      defer { py_release(block) }
      // Nobody waits for the blocks of a copy.
      if Copy.isThis { Copy.end() }
      guard py_is_bytes(block) else { return notBytes(block, start, in: body) }
      if py_bytes_size(block) == 0 { continue }
      let known = isOneBlock && start.pointee.isSent == 0 ? Int64(py_bytes_size(block)) : length
      switch Output.block(start, block, length: known) {
      case .taken: continue
      case .excess: return excess()
      case .gone, .refused: return false
      }
    }
    return PyErr_Occurred() == nil && finish(start)
  }

  /// The end of the iteration: a head without a body is sent now.
  private static func finish(_ start: StartResponse.Record) -> Bool {
    // A copy that ends before its first block has done all that it had to.
    if Copy.isThis { return true }
    Output.settle(start)
    if start.pointee.isSent | start.pointee.isReplaced != 0 { return true }
    guard start.pointee.status != 0 else {
      let what = start.pointee.wasCalled == 0 ? "was never called" : "had refused the head"
      Place.raise(
        py_assertion_error(), "the application ended its response, and start_response \(what)", start)
      return false
    }
    return Output.begin(start)
  }

  private static func pass(_ start: StartResponse.Record, _ block: Object) -> Bool {
    switch Output.block(start, block) {
    case .taken: true
    case .excess: excess()
    case .gone, .refused: false
    }
  }

  /// The part that fits has been sent, and is a complete response to the client; the server has logged the
  /// excess.
  private static func excess() -> Bool { true }

  private static func bare(
    _ body: Object, _ app: UnsafeMutablePointer<WSGIApp>, _ start: StartResponse.Record
  ) -> Bool {
    if !app.pointee.hasWarnedOfBytes {
      app.pointee.hasWarnedOfBytes = true
      Log.line(
        "the application returned bytes, which would go byte by byte: they are sent whole; return [body]",
        NSGI_WARNING)
    }
    return single(body, app, start)
  }

  private static func notBytes(
    _ block: Object, _ start: StartResponse.Record, in body: Object? = nil
  ) -> Bool {
    let name = typeName(block)
    let fix = name == "str" ? "; write b'…', or encode it" : ""
    Place.raise(
      py_type_error(), "the blocks of a response body must be bytes, and this one is \(name)\(fix)", start,
      body)
    return false
  }

  /// Handles an exception from iter(): raised in the application's own `__iter__`, or because there is none.
  private static func notIterable(_ body: Object, _ start: StartResponse.Record) -> Bool {
    var (type, value, trace): (Object?, Object?, Object?)
    PyErr_Fetch(&type, &value, &trace)
    PyErr_Restore(type, value, trace)
    guard trace == nil else { return false }
    Place.raise(
      py_type_error(),
      "the application returned \(typeName(body)), which is no iterable of bytes; return [body]", start)
    return false
  }

  private static func typeName(_ object: Object) -> String {
    py_type(object)!.pointee.tp_name.map { String(cString: $0) } ?? "?"
  }

  // MARK: close()

  /// Calls close() if there is one, whatever happened before; an exception that was set stays set. False
  /// if close() failed.
  @inline(__always)
  static func close(_ body: Object) -> Bool {
    if py_is_list(body) || py_is_tuple(body) { return true }
    return closeOther(body)
  }

  private static func closeOther(_ body: Object) -> Bool {
    var (type, value, trace): (Object?, Object?, Object?)
    PyErr_Fetch(&type, &value, &trace)
    defer { if type != nil { PyErr_Restore(type, value, trace) } }
    var method: Object?
    guard py_lookup(body, Names.close, &method) >= 0 else {
      Log.exception("close of a response body cannot be looked up:")
      return false
    }
    guard let method else { return true }
    defer { py_release(method) }
    guard let result = PyObject_CallNoArgs(method) else {
      Log.exception("close() of a response body failed:")
      return false
    }
    py_release(result)
    return true
  }
}
