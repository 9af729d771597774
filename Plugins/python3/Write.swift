// The write callable (PEP 3333, "The write() Callable"), and how blocks of a body reach the server.
import CNSGI
import CPython

/// What start_response returns.
enum Write {
  @inline(__always)
  private static func at(_ object: Object) -> UnsafeMutablePointer<nsgi_py_write> {
    UnsafeMutableRawPointer(object).assumingMemoryBound(to: nsgi_py_write.self)
  }

  /// An unused one, for the next request.
  private nonisolated(unsafe) static var spare: Object?

  /// The write callable of a request, with one more reference.
  @inline(__always)
  static func of(_ start: StartResponse.Record) -> Object? {
    if let write = start.pointee.write {
      py_retain(write)
      return write
    }
    guard let object = spare ?? py_alloc(Types.write) else { return nil }
    spare = nil
    at(object).pointee.vectorcall = call
    at(object).pointee.start = start
    start.pointee.write = object
    py_retain(object)
    return object
  }

  /// The request is over.
  @inline(__always)
  static func end(_ object: Object) {
    at(object).pointee.start = nil
    guard spare == nil, py_refcount(object) == 1 else { return py_release(object) }
    spare = object
  }

  static let free: destructor = { object in if let object { py_free(object) } }

  private static let call: vectorcallfunc = { callable, arguments, flags, names in
    guard let callable else { return nil }
    guard let arguments, py_argument_count(flags) == 1, names == nil, py_is_bytes(arguments[0]!) else {
      return raise(py_type_error(), "write takes one argument, bytes")
    }
    guard let start = at(callable).pointee.start, start.pointee.id != 0 else {
      return raise(py_assertion_error(), "write was called after the request was over")
    }
    if Copy.isThis {
      return raise(py_assertion_error(), "this process is a copy made by fork(): it answers no request")
    }
    // Another thread may end the request meanwhile, and the record must not belong to the next one by then.
    let owner = UnsafeMutableRawPointer(start).assumingMemoryBound(to: PyObject.self)
    py_retain(owner)
    defer { py_release(owner) }
    switch Output.block(start, arguments[0]!) {
    case .taken:
      py_retain(py_none())
      return py_none()
    case .gone: return raise(py_gone_error(), "the client is gone")
    case .excess: return raise(py_assertion_error(), "write was given more than Content-Length says")
    case .refused: return nil
    }
  }
}

/// Blocks of a body on their way to the server.
enum Output {
  /// What happened to a block.
  enum Outcome {
    case taken
    /// The client has left, or takes nothing.
    case gone
    /// There is more than Content-Length says; the part that fits has been sent.
    case excess
    /// There is no acceptable head; an exception is set.
    case refused
  }

  private static func host(_ start: StartResponse.Record) -> UnsafePointer<nsgi_host> {
    start.pointee.app.assumingMemoryBound(to: WSGIApp.self).pointee.host
  }

  /// Sends one block, and the head before the first non-empty one. Each is with the operating system before
  /// the application goes on ("Buffering and Streaming"), except one that is the whole body: that leaves with
  /// the end of the response, or before it if the application takes longer than a moment, which the same
  /// clause allows. `length` is of the whole body, if that is known.
  static func block(_ start: StartResponse.Record, _ block: Object, length: Int64 = -1) -> Outcome {
    let count = py_bytes_size(block)
    guard settle(start) else {
      _ = raise(py_assertion_error(), "write was called after the request was over")
      return .refused
    }
    if start.pointee.isReplaced != 0 { return .taken }
    if start.pointee.isGone != 0 { return .gone }
    guard start.pointee.status != 0 else { return refuseHead(start) }
    guard count > 0 else { return .taken }
    if start.pointee.isSent == 0 {
      let total = start.pointee.declared >= 0 ? start.pointee.declared : length
      if total == Int64(count), count < Body.largeBody { return whole(start, block, count) }
      guard begin(start, length: length) else { return start.pointee.isGone != 0 ? .gone : .refused }
    }
    start.pointee.sent += Int64(count)
    let (host, id, bytes) = (host(start), start.pointee.id, py_bytes_start(block))
    let result = away(start) {
      let result = host.pointee.write(id, bytes, count)
      return result == NSGI_OK.rawValue ? host.pointee.flush(id) : result
    }
    return outcome(start, result)
  }

  /// A call of the server that may take long: others run Python meanwhile. The server takes one call for a
  /// request at a time (nsgi.h), and everybody else waits for the end of this one by `settle`.
  static func away(_ start: StartResponse.Record, _ body: () -> Int32) -> Int32 {
    start.pointee.isBusy = 1
    defer { start.pointee.isBusy = 0 }
    return Interpreter.unlocked(body)
  }

  /// Waits until no thread of the application is in the server for this request; false if it is over.
  @inline(__always)
  @discardableResult
  static func settle(_ start: StartResponse.Record) -> Bool {
    if start.pointee.isBusy | start.pointee.isWanted != 0 { wait(start) }
    return start.pointee.id != 0
  }

  /// The thread of the call goes first: others that keep writing must not keep it from ending.
  private static func wait(_ start: StartResponse.Record) {
    let pause = { Interpreter.unlocked { System.pause(microseconds: 200) } }
    guard Threads.slot().id == start.pointee.id || start.pointee.id == 0 else {
      while start.pointee.isBusy | start.pointee.isWanted != 0 { pause() }
      return
    }
    start.pointee.isWanted = 1
    while start.pointee.isBusy != 0 { pause() }
    start.pointee.isWanted = 0
  }

  /// The block is the whole body: the server takes it at once, whatever the client does, so that the
  /// interpreter need not be given to others.
  private static func whole(_ start: StartResponse.Record, _ block: Object, _ count: Int) -> Outcome {
    let app = start.pointee.app.assumingMemoryBound(to: WSGIApp.self)
    guard Body.respond(app, start, py_bytes_start(block), count) == true else {
      return start.pointee.isGone != 0 ? .gone : .refused
    }
    start.pointee.sent += Int64(count)
    return .taken
  }

  static func outcome(_ start: StartResponse.Record, _ result: Int32) -> Outcome {
    switch result {
    case NSGI_OK.rawValue: return .taken
    case NSGI_MISUSE.rawValue: return .excess
    default:
      start.pointee.isGone = 1
      return .gone
    }
  }

  /// Gives the head to the server; `length` becomes Content-Length if the application gave none. False if the
  /// server refuses it, with an exception set, or if the client is gone.
  static func begin(_ start: StartResponse.Record, length: Int64 = -1) -> Bool {
    let (host, id, status) = (host(start), start.pointee.id, start.pointee.status)
    let fields = StartResponse.fields(start)
    if start.pointee.reasonCount > 0 { announceReason(start) }
    let result =
      length >= 0 && start.pointee.declared < 0
      ? with(fields, length: length) { host.pointee.start(id, status, $0.baseAddress, $0.count) }
      : host.pointee.start(id, status, fields.baseAddress, fields.count)
    guard result == NSGI_OK.rawValue else {
      notTaken(start, result)
      return false
    }
    start.pointee.isSent = 1
    return true
  }

  /// The application's fields followed by the server's own, in memory that lasts as long as `body` runs.
  private static func with(
    _ fields: UnsafeBufferPointer<nsgi_pair>, length: Int64,
    _ body: (UnsafeBufferPointer<nsgi_pair>) -> Int32
  ) -> Int32 {
    var digits = "\(length)"
    return digits.withUTF8 { digits in
      withUnsafeTemporaryAllocation(of: nsgi_pair.self, capacity: fields.count + 1) { all in
        let end = all.initialize(fromContentsOf: fields)
        let value = UnsafeRawPointer(digits.baseAddress!).assumingMemoryBound(to: CChar.self)
        all.initializeElement(
          at: end, to: nsgi_pair(name: contentLength, value: nsgi_str(p: value, n: digits.count)))
        return body(UnsafeBufferPointer(all))
      }
    }
  }

  /// The server refused a head: there is none now, and the application may try another one.
  static func notTaken(_ start: StartResponse.Record, _ result: Int32) {
    guard result == NSGI_MISUSE.rawValue || result == NSGI_TOOBIG.rawValue else {
      start.pointee.isGone = 1
      return
    }
    start.pointee.status = 0
    Place.raise(
      py_value_error(), "the server refuses this response head; its reason is in the log", start)
  }

  /// Tells the server the phrase of the head that comes next.
  static func announceReason(_ start: StartResponse.Record) {
    let phrase = nsgi_str(p: start.pointee.reason, n: start.pointee.reasonCount)
    _ = host(start).pointee.reason(start.pointee.id, phrase)
  }

  private static var contentLength: nsgi_str {
    let name: StaticString = "Content-Length"
    return nsgi_str(
      p: UnsafeRawPointer(name.utf8Start).assumingMemoryBound(to: CChar.self), n: name.utf8CodeUnitCount)
  }

  private static func refuseHead(_ start: StartResponse.Record) -> Outcome {
    Place.raise(
      py_assertion_error(),
      start.pointee.wasCalled == 0
        ? "the body began before start_response was called"
        : "the body began although start_response had refused the head", start)
    return .refused
  }
}
