// The life of one request in Python: lock, environ, application, body, close, unlock.
import CNSGI
import CPython

/// One call of an application.
enum Call {
  /// Answers the request; returns an nsgi_result.
  static func run(_ app: UnsafeMutablePointer<WSGIApp>, _ request: UnsafePointer<nsgi_request>) -> Int32 {
    if app.pointee.mayHaveSockets, SocketCall.isDue(request.pointee.id) {
      return SocketCall.begin(app, request)
    }
    let slot = Threads.enter()
    slot._withUnsafeGuaranteedRef { $0.id = request.pointee.id }
    let began = Tally.began()
    let result = answer(app, request, slot)
    Tally.ended(began, isGood: result == NSGI_OK.rawValue)
    slot._withUnsafeGuaranteedRef {
      if !$0.lines.isEmpty { Log.flush($0) }
      ($0.id, $0.isRefused) = (0, false)
    }
    PyEval_SaveThread()
    return result
  }

  @inline(__always)
  private static func answer(
    _ app: UnsafeMutablePointer<WSGIApp>, _ request: UnsafePointer<nsgi_request>,
    _ slot: Unmanaged<ThreadSlot>
  ) -> Int32 {
    guard let object = StartResponse.take(app, request) else { return outOfMemory() }
    let start = StartResponse.at(object)
    var input: Object?
    var loan = EnvironLoan()
    guard let environ = environ(app, request, &input, &loan) else {
      let result = failed(app, request, start)
      StartResponse.give(object)
      return result
    }
    var isDone = false
    let body = py_call2(app.pointee.callable, environ, object)
    if Copy.isThis { Copy.end(heading(request)) }
    if let body {
      isDone = slot._withUnsafeGuaranteedRef { $0.isRefused } || Body.send(body, app, start)
      if !Body.close(body) { isDone = isDone && start.pointee.isSent != 0 }
      py_release(body)
    }
    loan.end(environ)
    // The blocks of the body may have been made by code that forks.
    if Copy.isThis { Copy.end(heading(request)) }
    Output.settle(start)
    let result = isDone ? NSGI_OK.rawValue : failed(app, request, start)
    if let input { Input.end(input) }
    StartResponse.give(object)
    return result
  }

  /// The request's environ, with one reference, and its input; nil with an exception set.
  @inline(__always)
  static func environ(
    _ app: UnsafeMutablePointer<WSGIApp>, _ request: UnsafePointer<nsgi_request>, _ input: inout Object?,
    _ loan: inout EnvironLoan
  ) -> Object? {
    var count = 0
    let flags = request.pointee.flags
    guard let list = app.pointee.host.pointee.environ(request.pointee.id, &count),
      let environ = app.pointee.shapes.environ(list, count, isTLS: flags & NSGI_TLS.rawValue != 0, &loan)
    else { return nil }
    if flags & NSGI_HAS_BODY.rawValue == 0 { return environ }
    guard let made = Input.make(request.pointee.id) else {
      py_release(environ)
      return nil
    }
    guard PyDict_SetItem(environ, Names.input, made) == 0,
      request.pointee.content_length >= 0 || addLength(environ, made)
    else {
      Input.end(made)
      py_release(environ)
      return nil
    }
    input = made
    return environ
  }

  /// A body that came in chunks is complete by now: its length is known.
  private static func addLength(_ environ: Object, _ input: Object) -> Bool {
    guard let length = Input.length(Input.at(input)), let text = PyUnicode_FromString("\(length)") else {
      return false
    }
    defer { py_release(text) }
    return PyDict_SetItem(environ, Names.contentLength, text) == 0
  }

  // MARK: Failure

  private static func outOfMemory() -> Int32 {
    PyErr_Clear()
    return NSGI_NOMEM.rawValue
  }

  /// An exception: logs it, and answers with a 500 if nothing has been sent yet; otherwise cuts the
  /// connection, so that the client notices.
  static func failed(
    _ app: UnsafeMutablePointer<WSGIApp>, _ request: UnsafePointer<nsgi_request>,
    _ start: StartResponse.Record
  ) -> Int32 {
    if start.pointee.isGone != 0 {
      PyErr_Clear()
      return NSGI_GONE.rawValue
    }
    if Threads.slot().isRefused {
      SocketCall.tellOfRefusal(heading(request))
      return NSGI_OK.rawValue
    }
    let words = PyErr_Occurred() == nil ? ("", "") : Log.exception(heading(request))
    if start.pointee.isSent != 0 { return NSGI_FAIL.rawValue }
    let id = start.pointee.id
    let host = app.pointee.host
    if app.pointee.isDevelopment { return ErrorPage.respond(host, id, heading(request), words) }
    var page = "The application failed. Its error is in the log of the server.\n"
    if app.pointee.showsTracebacks { page = words.0.isEmpty ? words.1 + "\n" : words.0 }
    return page.withUTF8 { bytes in
      var type = nsgi_pair(name: Self.typeName, value: Self.plainText)
      return host.pointee.respond(id, 500, &type, 1, bytes.baseAddress, bytes.count)
    }
  }

  /// "GET /shop/cart failed:".
  static func heading(_ request: UnsafePointer<nsgi_request>) -> String {
    let parts = [request.pointee.method, request.pointee.script_name, request.pointee.path_info]
    let words = parts.map { printable(String(cString: $0.p)) }
    return "\(words[0]) \(words[1])\(words[2]) failed:"
  }

  /// A client's text for a log, where it must not begin a new line.
  private static func printable(_ text: String) -> String {
    if text.utf8.allSatisfy({ $0 >= 0x20 && $0 != 0x7f }) { return text }
    return text.unicodeScalars.reduce(into: "") { result, one in
      let isPlain = one.value >= 0x20 && one.value != 0x7f
      result += isPlain ? String(one) : "\\x" + String(one.value + 0x100, radix: 16).dropFirst()
    }
  }

  private nonisolated(unsafe) static let typeName = literal("Content-Type")
  private nonisolated(unsafe) static let plainText = literal("text/plain; charset=utf-8")

  private static func literal(_ text: StaticString) -> nsgi_str {
    nsgi_str(
      p: UnsafeRawPointer(text.utf8Start).assumingMemoryBound(to: CChar.self), n: text.utf8CodeUnitCount)
  }
}
