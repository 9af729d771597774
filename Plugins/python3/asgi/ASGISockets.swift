// WebSockets of ASGI applications: what websocket.py asks of the server, through `nsgi.websocket/1`, and the
// messages of the server's threads for it.
import CNSGI
import CPython
import Glibc

/// An event of a WebSocket that the event loop has.
struct SocketNews {
  /// The kind of event; the numbers are those of websocket.py, and of `nsgi_ws_kind`.
  enum What: Int {
    case text = 1
    case binary = 2
    /// There is room again.
    case room = 3
    case closed = 4
  }

  let id: nsgi_ws_id
  let what: What
  /// A message, or the reason of a close.
  let payload: [UInt8]
  let code: Int32
}

/// The functions of websocket.py, and the handlers of all its sockets.
enum ASGISockets {
  static let list: [(StaticString, PyCFunctionFast)] = [
    ("asgi_socket_accept", accept), ("asgi_socket_send", send), ("asgi_socket_close", close),
    ("asgi_socket_pause", pause),
  ]

  /// Messages and bytes that may wait for an application before its client has to: as in websocket.py.
  static let most = (messages: 64, bytes: 1 << 20)

  /// The server's table; nil if it has none.
  nonisolated(unsafe) static let table: UnsafePointer<nsgi_websocket>? = {
    let found = Interpreter.host.pointee.extension("nsgi.websocket/1")
    return found?.assumingMemoryBound(to: nsgi_websocket.self)
  }()

  /// Whether a request asks for one.
  static func isAskedFor(_ id: nsgi_id) -> Bool { table.map { $0.pointee.asked(id) == 1 } ?? false }

  nonisolated(unsafe) fileprivate static let handlers: UnsafePointer<nsgi_ws_handlers> = {
    let handlers = UnsafeMutablePointer<nsgi_ws_handlers>.allocate(capacity: 1)
    handlers.initialize(
      to: nsgi_ws_handlers(
        size: UInt32(MemoryLayout<nsgi_ws_handlers>.size), flags: 0,
        message: { _, id, kind, bytes, count in
          let payload = Array(UnsafeRawBufferPointer(start: bytes, count: count))
          // Before the event loop can hear of it: the loop lets the client go on.
          let isPaused = ASGIInbox.fills(id, count)
          if isPaused { _ = table?.pointee.pause(id) }
          let what = SocketNews.What(rawValue: Int(kind))!
          ASGIInbox.add(SocketNews(id: id, what: what, payload: payload, code: isPaused ? 1 : 0))
        },
        drain: { _, id in ASGIInbox.add(SocketNews(id: id, what: .room, payload: [], code: 0)) },
        closed: { _, id, code, reason in
          let payload = Array(UnsafeRawBufferPointer(start: reason.p, count: reason.n))
          ASGIInbox.add(SocketNews(id: id, what: .closed, payload: payload, code: code))
        }))
    return UnsafePointer(handlers)
  }()

  /// (id, what, payload, code) for websocket.py; nil with an exception set.
  static func entry(_ news: SocketNews) -> Object? {
    guard let entry = PyTuple_New(4) else { return nil }
    let payload: Object? = news.payload.withUnsafeBytes { bytes in
      let start = bytes.baseAddress?.assumingMemoryBound(to: CChar.self)
      // Text is UTF-8: the server has checked.
      return news.what == .binary
        ? PyBytes_FromStringAndSize(start, bytes.count)
        : PyUnicode_DecodeUTF8(start ?? Types.name(""), bytes.count, "replace")
    }
    if payload == nil { PyErr_Clear() }
    PyTuple_SetItem(entry, 0, PyLong_FromUnsignedLong(UInt(news.id)))
    PyTuple_SetItem(entry, 1, PyLong_FromLong(news.what.rawValue))
    PyTuple_SetItem(entry, 2, payload ?? none())
    PyTuple_SetItem(entry, 3, PyLong_FromLong(Int(news.code)))
    return entry
  }
}

/// asgi_socket_accept(application, id, subprotocol, headers) -> the socket's id, or a negative result.
private let accept: PyCFunctionFast = { _, arguments, count in
  guard count == 4, let arguments, let table = ASGISockets.table else {
    return raise(py_type_error(), "asgi_socket_accept takes four")
  }
  guard let id = Argument.id(arguments[1]), let name = Argument.bytes(arguments[2]) else { return nil }
  var socket: nsgi_ws_id = 0
  return ASGIFunctions.withHead(arguments[0]!, arguments[3]!) { fields in
    let code = table.pointee.accept(
      id, name, fields.baseAddress, fields.count, ASGISockets.handlers, nil, &socket)
    return code == NSGI_OK.rawValue
      ? PyLong_FromUnsignedLong(UInt(socket)) : PyLong_FromLong(Int(code))
  }
}

/// asgi_socket_send(socket, kind, bytes) -> a result.
private let send: PyCFunctionFast = { _, arguments, count in
  guard count == 3, let arguments, let table = ASGISockets.table else {
    return raise(py_type_error(), "asgi_socket_send takes three")
  }
  guard let id = Argument.id(arguments[0]), let kind = Argument.int32(arguments[1]),
    let bytes = Argument.bytes(arguments[2])
  else { return nil }
  return PyLong_FromLong(Int(table.pointee.send(id, kind, bytes.p, bytes.n)))
}

/// asgi_socket_close(socket, code, reason) -> a result.
private let close: PyCFunctionFast = { _, arguments, count in
  guard count == 3, let arguments, let table = ASGISockets.table else {
    return raise(py_type_error(), "asgi_socket_close takes three")
  }
  guard let id = Argument.id(arguments[0]), let code = Argument.int32(arguments[1]),
    let reason = Argument.bytes(arguments[2])
  else { return nil }
  return PyLong_FromLong(Int(table.pointee.close(id, code, reason)))
}

/// asgi_socket_pause(socket, 1 or 0) -> a result.
private let pause: PyCFunctionFast = { _, arguments, count in
  guard count == 2, let arguments, let table = ASGISockets.table else {
    return raise(py_type_error(), "asgi_socket_pause takes two")
  }
  guard let id = Argument.id(arguments[0]), let isPaused = Argument.int(arguments[1]) else { return nil }
  return PyLong_FromLong(Int(isPaused != 0 ? table.pointee.pause(id) : table.pointee.resume(id)))
}
