// WebSockets of WSGI applications, as uWSGI has them (`uwsgi.websocket_*`): the messages that the server's
// threads have brought for one, and the thread that waits for them.
import CNSGI
import CPython
import Glibc

/// One WebSocket of a WSGI application. The host's threads put messages into it, one thread of the
/// application takes them out; what both touch is guarded by `lock`.
final class WSGISocket: @unchecked Sendable {
  /// The result of a look.
  enum Found {
    case message([UInt8])
    case nothing
    /// The client has closed, or the connection is gone, and there are no more messages.
    case over
  }

  /// Messages and bytes that may wait for the application before its client has to.
  private static let most = (messages: 64, bytes: 1 << 20)
  /// Bytes that a message counts in addition to its own: small ones take memory too.
  private static let messageCost = 128

  /// Its id at the host; written once, before another thread knows it.
  private(set) var id: nsgi_ws_id = 0
  /// The application has been told that its client is gone. Belongs to the application's thread.
  private(set) var hasToldEnd = false
  private var messages = MessageQueue()
  private var bytes = 0
  private var isPaused = false
  /// There is room for messages, according to the host.
  private var hasRoom = true
  private var isOver = false
  private let lock = UnsafeMutablePointer<pthread_mutex_t>.allocate(capacity: 1)
  private let news = UnsafeMutablePointer<pthread_cond_t>.allocate(capacity: 1)

  init() {
    pthread_mutex_init(lock, nil)
    pthread_cond_init(news, nil)
  }

  deinit {
    pthread_cond_destroy(news)
    pthread_mutex_destroy(lock)
    news.deallocate()
    lock.deallocate()
  }

  private func locked<Result>(_ body: () -> Result) -> Result {
    pthread_mutex_lock(lock)
    defer { pthread_mutex_unlock(lock) }
    return body()
  }

  // MARK: The host's side

  /// Its handlers; the host holds a reference to the object until it has reported the end.
  nonisolated(unsafe) private static let handlers: UnsafePointer<nsgi_ws_handlers> = {
    let handlers = UnsafeMutablePointer<nsgi_ws_handlers>.allocate(capacity: 1)
    handlers.initialize(
      to: nsgi_ws_handlers(
        size: UInt32(MemoryLayout<nsgi_ws_handlers>.size), flags: 0,
        message: { socket, _, _, bytes, count in
          WSGISocket.at(socket).add(Array(UnsafeRawBufferPointer(start: bytes, count: count)))
        },
        drain: { socket, _ in WSGISocket.at(socket).makeRoom() },
        closed: { socket, _, _, _ in
          WSGISocket.at(socket).end()
          Unmanaged<WSGISocket>.fromOpaque(socket!).release()
        }))
    return UnsafePointer(handlers)
  }()

  private static func at(_ socket: UnsafeMutableRawPointer?) -> WSGISocket {
    Unmanaged<WSGISocket>.fromOpaque(socket!).takeUnretainedValue()
  }

  private func add(_ message: [UInt8]) {
    locked {
      messages.append(message)
      bytes += message.count + Self.messageCost
      if !isPaused, messages.count >= Self.most.messages || bytes >= Self.most.bytes {
        isPaused = true
        _ = ASGISockets.table?.pointee.pause(id)
      }
      pthread_cond_signal(news)
    }
  }

  private func makeRoom() {
    locked {
      hasRoom = true
      pthread_cond_signal(news)
    }
  }

  private func end() {
    locked {
      isOver = true
      pthread_cond_signal(news)
    }
  }

  // MARK: The application's side; none of it holds the interpreter's lock

  /// Accepts the WebSocket that a request asks for; returns an nsgi_result.
  func accept(_ request: nsgi_id, subprotocol: nsgi_str) -> Int32 {
    guard let table = ASGISockets.table else { return NSGI_MISUSE.rawValue }
    // Nothing comes before the request is finished: the id is set when the first handler runs.
    let own = Unmanaged.passRetained(self)
    let result = table.pointee.accept(request, subprotocol, nil, 0, Self.handlers, own.toOpaque(), &id)
    if result != NSGI_OK.rawValue { own.release() }
    return result
  }

  /// The next message; `waits`: waits until there is one.
  func receive(waits: Bool) -> Found {
    locked {
      var next = messages.take()
      while next == nil {
        if isOver {
          hasToldEnd = true
          return .over
        }
        guard waits else { return .nothing }
        pthread_cond_wait(news, lock)
        next = messages.take()
      }
      let message = next!
      bytes -= message.count + Self.messageCost
      if isPaused, messages.count < Self.most.messages / 2, bytes < Self.most.bytes / 2 {
        isPaused = false
        _ = ASGISockets.table?.pointee.resume(id)
      }
      return .message(message)
    }
  }

  /// Sends a message, and waits while the client takes too little; false: it is gone.
  func send(_ kind: nsgi_ws_kind, _ bytes: UnsafeRawBufferPointer) -> Bool {
    guard let table = ASGISockets.table else { return false }
    while true {
      // Set before the attempt: anything that the host reports after it is news.
      locked { hasRoom = false }
      let result = table.pointee.send(id, Int32(kind.rawValue), bytes.baseAddress, bytes.count)
      if result == NSGI_OK.rawValue { return true }
      let isLost = locked {
        while result == NSGI_AGAIN.rawValue, !hasRoom, !isOver { pthread_cond_wait(news, lock) }
        return result != NSGI_AGAIN.rawValue || isOver
      }
      if isLost {
        hasToldEnd = true
        return false
      }
    }
  }

  /// The application is done with it.
  func close(_ code: Int32) {
    _ = ASGISockets.table?.pointee.close(id, code, nsgi_str())
  }
}

/// Messages in the order in which they came. It costs no more than the waiting ones, even if there are always
/// some.
struct MessageQueue {
  private var all: [[UInt8]] = []
  /// How many messages at the start of `all` have been taken out, and are empty.
  private var taken = 0

  /// How many wait.
  var count: Int { all.count - taken }

  mutating func append(_ message: [UInt8]) { all.append(message) }

  /// The first one; nil when none waits.
  mutating func take() -> [UInt8]? {
    guard taken < all.count else { return nil }
    let message = all[taken]
    all[taken] = []
    taken += 1
    // At least half of them are empty: a message is moved once on average.
    if taken * 2 >= all.count {
      all.removeFirst(taken)
      taken = 0
    }
    return message
  }
}

/// The functions of the module `uwsgi`.
enum WSGISockets {
  static let list: [(StaticString, PyCFunctionFast)] = [
    ("socket_accept", accept), ("socket_receive", receive), ("socket_send", send),
  ]
}

/// socket_accept(subprotocol) -> a result: 0 when this thread has a WebSocket from now on.
private let accept: PyCFunctionFast = { _, arguments, count in
  guard count == 1, let arguments, py_is_bytes(arguments[0]!) else {
    return raise(py_type_error(), "socket_accept takes bytes")
  }
  if Copy.isThis { return inCopy() }
  let slot = Threads.slot()
  guard slot.mayAccept, slot.socket == nil else { return PyLong_FromLong(Int(SocketCall.refuse(slot))) }
  let name = nsgi_str(p: py_bytes_start(arguments[0]!), n: py_bytes_size(arguments[0]!))
  let (socket, id) = (WSGISocket(), slot.id)
  let result = Interpreter.unlocked {
    let result = socket.accept(id, subprotocol: name)
    // Accepted, or refused with an answer: the request is over in either case.
    if result == NSGI_OK.rawValue || result == NSGI_GONE.rawValue {
      _ = Interpreter.host.pointee.finish(id, NSGI_OK.rawValue)
    }
    return result
  }
  if result == NSGI_OK.rawValue { slot.socket = socket }
  if result == NSGI_OK.rawValue || result == NSGI_GONE.rawValue {
    (slot.id, slot.mayAccept) = (0, false)
    slot.start?.pointee.isReplaced = 1
  }
  return PyLong_FromLong(Int(result))
}

/// socket_receive(waits) -> bytes, None if there is nothing, False if the client is gone.
private let receive: PyCFunctionFast = { _, arguments, count in
  guard count == 1, let arguments else { return raise(py_type_error(), "socket_receive takes one") }
  if Copy.isThis { return inCopy() }
  guard let waits = Argument.int(arguments[0]) else { return nil }
  guard let socket = Threads.slot().socket else { return noSocket() }
  switch Interpreter.unlocked({ socket.receive(waits: waits != 0) }) {
  case .message(let bytes):
    return bytes.withUnsafeBytes {
      PyBytes_FromStringAndSize($0.baseAddress?.assumingMemoryBound(to: CChar.self), $0.count)
    }
  case .nothing: return none()
  case .over:
    py_retain(py_false())
    return py_false()
  }
}

/// socket_send(kind, bytes) -> whether the client is still there.
private let send: PyCFunctionFast = { _, arguments, count in
  guard count == 2, let arguments, py_is_bytes(arguments[1]!) else {
    return raise(py_type_error(), "socket_send takes a kind and bytes")
  }
  if Copy.isThis { return inCopy() }
  guard let number = Argument.int32(arguments[0]) else { return nil }
  let kind = nsgi_ws_kind(rawValue: UInt32(bitPattern: number))
  guard kind == NSGI_WS_TEXT || kind == NSGI_WS_BINARY else {
    return raise(py_value_error(), "socket_send takes 1 for text, or 2")
  }
  guard let socket = Threads.slot().socket else { return noSocket() }
  let bytes = UnsafeRawBufferPointer(
    start: py_bytes_start(arguments[1]!), count: py_bytes_size(arguments[1]!))
  let isThere = Interpreter.unlocked { socket.send(kind, bytes) }
  let result: Object = isThere ? py_true() : py_false()
  py_retain(result)
  return result
}

private func noSocket() -> Object? {
  raise(py_os_error(), "this thread has accepted no WebSocket: call uwsgi.websocket_handshake() first")
}

/// Its socket belongs to its parent, as does the thread that a message would come from.
private func inCopy() -> Object? {
  raise(py_os_error(), "this process is a copy made by fork(): it has no WebSocket")
}
