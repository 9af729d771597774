// The write callable (PEP 3333, "The write() Callable"), and how blocks of a body reach the server.
import CNSGI
import CPython

/// What start_response returns.
enum Write {
  @inline(__always)
  private static func at(_ object: Object) -> UnsafeMutablePointer<nsgi_py_write> {
    UnsafeMutableRawPointer(object).assumingMemoryBound(to: nsgi_py_write.self)
  }

  /// One that nobody uses, for the next request.
  private nonisolated(unsafe) static var spare: Object?

  /// The write callable of a request, of one reference more.
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
    guard let callable, let arguments else { return nil }
    guard py_argument_count(flags) == 1, names == nil, py_is_bytes(arguments[0]!) else {
      return raise(py_type_error(), "write takes one argument, bytes")
    }
    guard let start = at(callable).pointee.start, start.pointee.id != 0 else {
      return raise(py_assertion_error(), "write was called after the request was over")
    }
    if Copy.isThis {
      return raise(py_assertion_error(), "this process is a copy made by fork(): it answers no request")
    }
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
  /// What became of a block.
  enum Outcome {
    case taken
    /// The client left, or takes nothing.
    case gone
    /// There is more than Content-Length says; what fits has been sent.
    case excess
    /// There is no head that would do; an exception is set.
    case refused
  }

  private static func host(_ start: StartResponse.Record) -> UnsafePointer<nsgi_host> {
    start.pointee.app.assumingMemoryBound(to: WSGIApp.self).pointee.host
  }

  /// Sends one block, the head before the first that is not empty. Each is with the operating system before
  /// the application goes on ("Buffering and Streaming"), but for one that is the whole body: that leaves
  /// with the end of the response, or before it if the application takes longer than a moment, which the same
  /// clause allows. `length` is of the whole body, if that is known.
  static func block(_ start: StartResponse.Record, _ block: Object, length: Int64 = -1) -> Outcome {
    let count = py_bytes_size(block)
    if start.pointee.isGone != 0 { return .gone }
    guard start.pointee.status != 0 else { return refuseHead(start) }
    guard count > 0 else { return .taken }
    if start.pointee.isSent == 0 {
      let total = start.pointee.declared >= 0 ? start.pointee.declared : length
      if total == Int64(count), count < Body.largeBody { return whole(start, block, count) }
      guard begin(start, length: length) else { return .refused }
    }
    start.pointee.sent += Int64(count)
    let (host, id, bytes) = (host(start), start.pointee.id, py_bytes_start(block))
    let result = Interpreter.unlocked {
      let result = host.pointee.write(id, bytes, count)
      return result == NSGI_OK.rawValue ? host.pointee.flush(id) : result
    }
    return outcome(start, result)
  }

  /// The block is the whole body: the server takes it at once, whatever the client does, so that others need
  /// not be let at the interpreter.
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

  /// Gives the head to the server; `length` becomes Content-Length if the application gave none.
  static func begin(_ start: StartResponse.Record, length: Int64 = -1) -> Bool {
    start.pointee.isSent = 1
    let pairs = start.pointee.pairs.assumingMemoryBound(to: nsgi_pair.self)
    var count = start.pointee.count
    var digits = InlineArray<20, UInt8>(repeating: 0)
    let (host, id, status) = (host(start), start.pointee.id, start.pointee.status)
    if start.pointee.reasonCount > 0 { announceReason(start) }
    guard length >= 0, start.pointee.declared < 0 else {
      return host.pointee.start(id, status, pairs, count) == NSGI_OK.rawValue || refuseByHost()
    }
    return withUnsafeMutableBytes(of: &digits) { room in
      var first = room.count
      var left = length
      repeat {
        first -= 1
        room[first] = 0x30 + UInt8(left % 10)
        left /= 10
      } while left > 0
      let value = room.baseAddress!.assumingMemoryBound(to: CChar.self) + first
      pairs[count] = nsgi_pair(name: contentLength, value: nsgi_str(p: value, n: room.count - first))
      count += 1
      return host.pointee.start(id, status, pairs, count) == NSGI_OK.rawValue || refuseByHost()
    }
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

  private static func refuseByHost() -> Bool {
    _ = raise(py_value_error(), "the server refuses this response head; its reason is in the log")
    return false
  }

  private static func refuseHead(_ start: StartResponse.Record) -> Outcome {
    _ = raise(
      py_assertion_error(),
      start.pointee.wasCalled == 0
        ? "the body began before start_response was called"
        : "the body began although start_response had refused the head")
    return .refused
  }
}
