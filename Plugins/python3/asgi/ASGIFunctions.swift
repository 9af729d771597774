// The functions through which serving.py and exchange.py call the server: those of the module `_nsgi` whose
// names begin with "asgi_". None of them waits: applications of this kind are NSGI_NONBLOCKING.
import CNSGI
import CPython
import Glibc

/// Functions for bootstrap.py's module.
enum ASGIFunctions {
  static let list: [(StaticString, PyCFunctionFast)] = [
    ("asgi_bell", bell), ("asgi_take", take), ("asgi_unheard", unheard), ("asgi_read", read),
    ("asgi_respond", respond), ("asgi_start", start), ("asgi_write", write), ("asgi_sendfile", sendfile),
    ("asgi_finish", finish), ("asgi_await", awaitReadiness), ("asgi_is_late", isLate), ("asgi_log", log),
    ("asgi_leave", leave), ("asgi_interim", interim), ("asgi_trailers", trailers), ("asgi_page", page),
  ]

  /// The most that `read` gives.
  fileprivate static let piece = 64 * 1024
  /// Holds a piece of a body until it becomes a Python object.
  fileprivate nonisolated(unsafe) static let room = UnsafeMutableRawPointer.allocate(
    byteCount: piece, alignment: 16)
}

private var host: UnsafePointer<nsgi_host> { Interpreter.host }

private func result(_ code: Int32) -> Object? { PyLong_FromLong(Int(code)) }

/// asgi_bell() -> a descriptor that is readable when there is something to take.
private let bell: PyCFunctionFast = { _, _, _ in result(ASGIInbox.makeBell()) }

/// asgi_unheard() -> milliseconds since the bell began to ring unheard, 0 when it is silent.
private let unheard: PyCFunctionFast = { _, _, _ in
  PyLong_FromLong(Int((ASGIInbox.unheard + 999_999) / 1_000_000))
}

/// asgi_take(most) -> requests, as (application, id, scope, has body, asks for a WebSocket); signals, as
/// (id, what); whether more requests wait; events of WebSockets, as (id, what, payload, code).
private let take: PyCFunctionFast = { _, arguments, count in
  guard count == 1, let arguments else { return raise(py_type_error(), "asgi_take takes a number") }
  guard let most = Argument.int(arguments[0]) else { return nil }
  // Made first, because requests that have been taken cannot be put back.
  guard let all = PyTuple_New(4), let requests = PyList_New(0), let signals = PyList_New(0),
    let news = PyList_New(0)
  else { return nil }
  var isMore = false
  let found = ASGIInbox.take(requests: most, &isMore)
  PyTuple_SetItem(all, 0, requests)
  PyTuple_SetItem(all, 1, signals)
  PyTuple_SetItem(all, 2, PyLong_FromLong(isMore ? 1 : 0))
  PyTuple_SetItem(all, 3, news)
  for one in found.requests {
    guard let scope = ASGIScope.make(host, one.request), let entry = PyTuple_New(5) else {
      Log.exception()
      _ = host.pointee.finish(one.id, NSGI_NOMEM.rawValue)
      continue
    }
    let application = one.app.pointee.application
    py_retain(application)
    PyTuple_SetItem(entry, 0, application)
    PyTuple_SetItem(entry, 1, PyLong_FromUnsignedLong(UInt(one.id)))
    PyTuple_SetItem(entry, 2, scope)
    let hasBody = one.request.pointee.flags & NSGI_HAS_BODY.rawValue != 0
    PyTuple_SetItem(entry, 3, PyLong_FromLong(hasBody ? 1 : 0))
    PyTuple_SetItem(entry, 4, PyLong_FromLong(ASGISockets.isAskedFor(one.id) ? 1 : 0))
    PyList_Append(requests, entry)
    py_release(entry)
  }
  for (id, signal) in found.signals {
    guard let entry = PyTuple_New(2) else { break }
    PyTuple_SetItem(entry, 0, PyLong_FromUnsignedLong(UInt(id)))
    PyTuple_SetItem(entry, 1, PyLong_FromLong(signal.rawValue))
    PyList_Append(signals, entry)
    py_release(entry)
  }
  for event in ASGIInbox.takeNews() {
    guard let entry = ASGISockets.entry(event) else { break }
    PyList_Append(news, entry)
    py_release(entry)
  }
  return all
}

/// asgi_read(id) -> bytes, none at the end; None if there are none yet; a negative result.
private let read: PyCFunctionFast = { _, arguments, count in
  guard count == 1, let arguments else { return raise(py_type_error(), "asgi_read takes an id") }
  guard let id = Argument.id(arguments[0]) else { return nil }
  let got = host.pointee.read(id, ASGIFunctions.room, ASGIFunctions.piece)
  if got >= 0 {
    return PyBytes_FromStringAndSize(
      UnsafePointer(ASGIFunctions.room.assumingMemoryBound(to: CChar.self)), Int(got))
  }
  return got == Int64(NSGI_AGAIN.rawValue) ? none() : result(Int32(got))
}

/// asgi_respond(application, id, status, headers, body) -> a result; the exchange is over if it is good.
private let respond: PyCFunctionFast = { _, arguments, count in
  guard count == 5, let arguments else { return raise(py_type_error(), "asgi_respond takes five") }
  guard let id = Argument.id(arguments[1]), let status = Argument.int32(arguments[2]),
    let body = Argument.bytes(arguments[4])
  else { return nil }
  return ASGIFunctions.withHead(arguments[0]!, arguments[3]!) { fields in
    let code = host.pointee.respond(id, status, fields.baseAddress, fields.count, body.p, body.n)
    guard code == NSGI_OK.rawValue else { return result(code) }
    return result(host.pointee.finish(id, NSGI_OK.rawValue))
  }
}

/// asgi_page(id, heading, trace, sentence) -> a result: the page of --debug about an exception; the exchange
/// is over if it is good.
private let page: PyCFunctionFast = { _, arguments, count in
  guard count == 4, let arguments else { return raise(py_type_error(), "asgi_page takes four") }
  guard let id = Argument.id(arguments[0]), let heading = Argument.bytes(arguments[1]),
    let trace = Argument.bytes(arguments[2]), let sentence = Argument.bytes(arguments[3])
  else { return nil }
  let code = ErrorPage.respond(host, id, string(heading), (trace: string(trace), sentence: string(sentence)))
  guard code == NSGI_OK.rawValue else { return result(code) }
  return result(host.pointee.finish(id, NSGI_OK.rawValue))
}

private func string(_ text: nsgi_str) -> String {
  String(decoding: UnsafeRawBufferPointer(start: text.p, count: text.n), as: UTF8.self)
}

/// asgi_start(application, id, status, headers) -> a result.
private let start: PyCFunctionFast = { _, arguments, count in
  guard count == 4, let arguments else { return raise(py_type_error(), "asgi_start takes four") }
  guard let id = Argument.id(arguments[1]), let status = Argument.int32(arguments[2]) else { return nil }
  return ASGIFunctions.withHead(arguments[0]!, arguments[3]!) { fields in
    result(host.pointee.start(id, status, fields.baseAddress, fields.count))
  }
}

/// asgi_write(id, bytes) -> a result; accepted bytes leave at once.
private let write: PyCFunctionFast = { _, arguments, count in
  guard count == 2, let arguments else { return raise(py_type_error(), "asgi_write takes two") }
  guard let id = Argument.id(arguments[0]), let body = Argument.bytes(arguments[1]) else { return nil }
  let code = host.pointee.write(id, body.p, body.n)
  return result(code == NSGI_OK.rawValue ? host.pointee.flush(id) : code)
}

/// asgi_sendfile(id, descriptor, offset, bytes) -> a result. Others may run Python meanwhile: a disk is slow.
private let sendfile: PyCFunctionFast = { _, arguments, count in
  guard count == 4, let arguments else { return raise(py_type_error(), "asgi_sendfile takes four") }
  guard let id = Argument.id(arguments[0]), let file = Argument.int32(arguments[1]),
    let offset = Argument.int(arguments[2]), let bytes = Argument.int(arguments[3])
  else { return nil }
  return result(Interpreter.unlocked { host.pointee.sendfile(id, file, Int64(offset), Int64(bytes)) })
}

/// asgi_interim(application, id, status, headers) -> a result; it leaves at once.
private let interim: PyCFunctionFast = { _, arguments, count in
  guard count == 4, let arguments else { return raise(py_type_error(), "asgi_interim takes four") }
  guard let id = Argument.id(arguments[1]), let status = Argument.int32(arguments[2]) else { return nil }
  return ASGIFunctions.withHead(arguments[0]!, arguments[3]!) { fields in
    result(host.pointee.interim(id, status, fields.baseAddress, fields.count))
  }
}

/// asgi_trailers(application, id, headers) -> a result; the exchange is over if it is good.
private let trailers: PyCFunctionFast = { _, arguments, count in
  guard count == 3, let arguments else { return raise(py_type_error(), "asgi_trailers takes three") }
  guard let id = Argument.id(arguments[1]) else { return nil }
  return ASGIFunctions.withHead(arguments[0]!, arguments[2]!) { fields in
    let code = host.pointee.trailers(id, fields.baseAddress, fields.count)
    guard code == NSGI_OK.rawValue else { return result(code) }
    return result(host.pointee.finish(id, NSGI_OK.rawValue))
  }
}

/// asgi_finish(id, result) -> a result.
private let finish: PyCFunctionFast = { _, arguments, count in
  guard count == 2, let arguments else { return raise(py_type_error(), "asgi_finish takes two") }
  guard let id = Argument.id(arguments[0]), let code = Argument.int32(arguments[1]) else { return nil }
  return result(host.pointee.finish(id, code))
}

/// asgi_leave(status): ends this process, which is a copy.
private let leave: PyCFunctionFast = { _, arguments, count in
  guard count == 1, let arguments, Copy.isThis else {
    return raise(py_type_error(), "asgi_leave takes the status of a copy of the process")
  }
  guard let status = Argument.int32(arguments[0]) else { return nil }
  Copy.leave(status)
}

/// asgi_await(id, what) -> a result: a signal comes once one of the conditions of nsgi_ready holds.
private let awaitReadiness: PyCFunctionFast = { _, arguments, count in
  guard count == 2, let arguments else { return raise(py_type_error(), "asgi_await takes two") }
  guard let id = Argument.id(arguments[0]), let what = Argument.int32(arguments[1]) else { return nil }
  // May wait for a running function, which does not need Python.
  return result(
    host.pointee.on_ready(
      id, what, { ASGIInbox.add(nsgi_id(UInt(bitPattern: $0)), .ready) },
      UnsafeMutableRawPointer(bitPattern: UInt(id))))
}

/// asgi_is_late(id) -> 1 if the time of the request is up, rather than its client gone.
private let isLate: PyCFunctionFast = { _, arguments, count in
  guard count == 1, let arguments else { return raise(py_type_error(), "asgi_is_late takes an id") }
  guard let id = Argument.id(arguments[0]) else { return nil }
  guard let table = Functions.request else { return result(0) }
  return result(max(0, table.pointee.late(id)))
}

/// asgi_log(id, level, bytes): lines about a request.
private let log: PyCFunctionFast = { _, arguments, count in
  guard count == 3, let arguments else {
    return raise(py_type_error(), "asgi_log takes an id, a level and bytes")
  }
  guard let id = Argument.id(arguments[0]), let level = Argument.int32(arguments[1]),
    let bytes = Argument.bytes(arguments[2])
  else { return nil }
  let all = UnsafeRawBufferPointer(start: bytes.p, count: bytes.n)
  for line in all.split(separator: 0x0a) {
    let line = UnsafeRawBufferPointer(rebasing: line)
    let text = line.baseAddress?.assumingMemoryBound(to: CChar.self)
    host.pointee.log(id, level, nsgi_str(p: text, n: line.count))
  }
  return result(0)
}

// MARK: Heads

extension ASGIFunctions {
  /// Lends the fields of a list of pairs of bytes while `body` runs; None if it is anything else. Leaves out
  /// fields of the connection: the server sends those.
  ///
  /// The fields are lent by the list and by its pairs, which the application or another thread may change as
  /// soon as any Python runs: none does until `body` has returned. The warning waits for that.
  static func withHead(
    _ application: Object, _ list: Object, _ body: (UnsafeBufferPointer<nsgi_pair>) -> Object?
  ) -> Object? {
    guard py_is_list(list) else { return none() }
    let count = py_list_size(list)
    var dropped: Object?
    defer { py_release_if(dropped) }
    let result: Object? = withUnsafeTemporaryAllocation(of: nsgi_pair.self, capacity: max(1, count)) { room in
      var kept = 0
      for index in 0..<count {
        guard let field = field(py_list_item(list, index)!) else { return none() }
        guard !isOfConnection(field.name) else {
          if dropped == nil { dropped = py_text(field.name.p, field.name.n) }
          if dropped == nil { PyErr_Clear() }
          continue
        }
        room[kept] = field
        kept += 1
      }
      return body(UnsafeBufferPointer(start: room.baseAddress, count: kept))
    }
    if let dropped, result != nil { warn(application, dropped) }
    return result
  }
}

private func field(_ item: Object) -> nsgi_pair? {
  let members: (Object?, Object?)
  if py_is_tuple(item), py_tuple_size(item) == 2 {
    members = (py_tuple_item(item, 0), py_tuple_item(item, 1))
  } else if py_is_list(item), py_list_size(item) == 2 {
    members = (py_list_item(item, 0), py_list_item(item, 1))
  } else {
    return nil
  }
  guard let name = members.0, let value = members.1, py_is_bytes(name), py_is_bytes(value) else { return nil }
  return nsgi_pair(
    name: nsgi_str(p: py_bytes_start(name), n: py_bytes_size(name)),
    value: nsgi_str(p: py_bytes_start(value), n: py_bytes_size(value)))
}

/// `Connection`, `Keep-Alive` and `Transfer-Encoding`, which recipes set and the server sets better.
private func isOfConnection(_ name: nsgi_str) -> Bool {
  func isSame(_ other: StaticString) -> Bool { strncasecmp(name.p, Types.name(other), name.n) == 0 }
  return switch name.n {
  case 10: isSame("connection") || isSame("keep-alive")
  case 17: isSame("transfer-encoding")
  default: false
  }
}

/// Has the application's object warn of a field that was left out, once per application.
private func warn(_ application: Object, _ name: Object) {
  guard let method = PyUnicode_InternFromString("warn_of_connection") else { return PyErr_Clear() }
  defer { py_release(method) }
  if let done = PyObject_CallMethodOneArg(application, method, name) {
    py_release(done)
  } else {
    PyErr_Clear()
  }
}
