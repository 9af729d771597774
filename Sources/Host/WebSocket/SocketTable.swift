import CNSGI
import Config
import Wire

/// The extension `nsgi.websocket/1`: what an app may ask about WebSockets, from any thread.
enum SocketTable {
  nonisolated(unsafe) static let shared: UnsafePointer<nsgi_websocket> = {
    let table = UnsafeMutablePointer<nsgi_websocket>.allocate(capacity: 1)
    table.initialize(to: make())
    return UnsafePointer(table)
  }()

  private static func make() -> nsgi_websocket {
    var table = nsgi_websocket()
    table.size = UInt32(MemoryLayout<nsgi_websocket>.size)
    table.asked = { id in
      Access.with(id) { $0.worker.asksForSocket($0) ? 1 : 0 } ?? ForkedCopy.absent
    }
    table.accept = { id, subprotocol, fields, count, handlers, argument, socket in
      SocketTable.accept(id, subprotocol, fields, count, handlers, argument, socket)
    }
    table.send = { id, kind, bytes, count in
      guard let bytes = SocketTable.checked(bytes, count), let opcode = SocketTable.opcode(kind) else {
        return NSGI_MISUSE.rawValue
      }
      return SocketTable.with(id) { $0.worker.send($0, opcode, bytes) }
    }
    table.ping = { id, bytes, count in
      guard let bytes = SocketTable.checked(bytes, count), count <= WebSocketGrammar.controlBytes else {
        return NSGI_MISUSE.rawValue
      }
      return SocketTable.with(id) { $0.worker.send($0, .ping, bytes) }
    }
    table.close = { id, code, reason in SocketTable.close(id, code, reason) }
    table.buffered = { id in
      var waiting: Int64 = 0
      let found = SocketTable.with(id) {
        waiting = $0.worker.waiting($0)
        return NSGI_OK.rawValue
      }
      return found == NSGI_OK.rawValue ? waiting : Int64(found)
    }
    table.pause = { id in SocketTable.with(id) { SocketTable.pause($0, true) } }
    table.resume = { id in SocketTable.with(id) { SocketTable.pause($0, false) } }
    table.encode = { kind, bytes, count in
      guard let bytes = SocketTable.checked(bytes, count), let opcode = SocketTable.opcode(kind) else {
        return nil
      }
      return OpaquePointer(Unmanaged.passRetained(SocketFrame(opcode, bytes)).toOpaque())
    }
    table.send_frame = { id, frame in
      guard let frame else { return NSGI_MISUSE.rawValue }
      let held = Unmanaged<SocketFrame>.fromOpaque(UnsafeRawPointer(frame)).takeUnretainedValue()
      return SocketTable.with(id) { $0.worker.send($0, held) }
    }
    table.release = { frame in
      if let frame { Unmanaged<SocketFrame>.fromOpaque(UnsafeRawPointer(frame)).release() }
    }
    table.subscribe = { id, topic in SocketTable.with(id) { SocketTable.subscribe($0, topic) } }
    table.unsubscribe = { id, topic in SocketTable.with(id) { SocketTable.unsubscribe($0, topic) } }
    table.publish = { topic, kind, bytes, count, except in
      SocketTable.publish(topic, kind, bytes, count, except)
    }
    table.publish_all = { topic, kind, bytes, count, except in
      SocketTable.publishToAll(topic, kind, bytes, count, except)
    }
    table.lend = { id, kind, bytes, count, release, argument in
      // Behind the socket's lock: it may call anything.
      defer { release?(argument) }
      guard let bytes = SocketTable.checked(bytes, count), let opcode = SocketTable.opcode(kind) else {
        return NSGI_MISUSE.rawValue
      }
      return SocketTable.with(id) { $0.worker.send($0, opcode, bytes, isLent: true) }
    }
    return table
  }

  /// Works on the socket that `id` names, under its lock; NSGI_GONE for one that is over.
  static func with(_ id: nsgi_ws_id, _ body: (WebSocketPointer) -> Int32) -> Int32 {
    if ForkedCopy.isThis { return ForkedCopy.absent }
    guard let socket = WorkerRegistry.socket(id) else { return NSGI_GONE.rawValue }
    return socket.locked {
      guard socket.id == id, socket.state != .free else { return NSGI_GONE.rawValue }
      return body(socket)
    }
  }

  private static func checked(_ start: UnsafeRawPointer?, _ count: Int) -> UnsafeRawBufferPointer? {
    guard count >= 0, start != nil || count == 0 else { return nil }
    return UnsafeRawBufferPointer(start: start, count: count)
  }

  private static func opcode(_ kind: Int32) -> WebSocketOpcode? {
    switch UInt32(bitPattern: kind) {
    case NSGI_WS_TEXT.rawValue: .text
    case NSGI_WS_BINARY.rawValue: .binary
    default: nil
    }
  }

  private static func accept(
    _ id: nsgi_id, _ subprotocol: nsgi_str, _ fields: UnsafePointer<nsgi_pair>?, _ count: Int,
    _ handlers: UnsafePointer<nsgi_ws_handlers>?, _ argument: UnsafeMutableRawPointer?,
    _ socket: UnsafeMutablePointer<nsgi_ws_id>?
  ) -> Int32 {
    let least = UInt32(MemoryLayout<nsgi_ws_handlers>.size)
    guard let handlers, handlers.pointee.size >= least, let socket, count == 0 || fields != nil,
      let name = checked(subprotocol.p, subprotocol.n)
    else { return NSGI_MISUSE.rawValue }
    let wish = SocketWish(
      subprotocol: name, fields: UnsafeBufferPointer(start: fields, count: count),
      handlers: handlers.pointee, argument: argument)
    return Access.with(id) { $0.worker.acceptSocket($0, wish, socket) } ?? ForkedCopy.absent
  }

  private static func close(_ id: nsgi_ws_id, _ code: Int32, _ reason: nsgi_str) -> Int32 {
    guard let text = checked(reason.p, reason.n), code == 0 || 1000...4999 ~= code else {
      return NSGI_MISUSE.rawValue
    }
    let wanted = code == 0 ? WebSocketGrammar.absent : UInt16(code)
    guard code == 0 || WebSocketGrammar.isSendable(wanted) else { return NSGI_MISUSE.rawValue }
    return SocketTable.with(id) { socket in
      switch socket.state {
      case .free, .closing, .closed: return NSGI_GONE.rawValue
      case .opening, .open: socket.worker.closeUnderLock(socket, wanted, text)
      }
      return NSGI_OK.rawValue
    }
  }

  private static func pause(_ socket: WebSocketPointer, _ isPaused: Bool) -> Int32 {
    guard socket.isPaused != isPaused else { return NSGI_OK.rawValue }
    socket.isPaused = isPaused
    socket.worker.announce(socket)
    return NSGI_OK.rawValue
  }

  // MARK: Topics

  private static func subscribe(_ socket: WebSocketPointer, _ topic: nsgi_str) -> Int32 {
    let name = String(decoding: topic.bytes, as: UTF8.self)
    guard !name.isEmpty, name.utf8.count <= Limits.topicNameBytes else { return NSGI_MISUSE.rawValue }
    guard !socket.pointee.topics.contains(name) else { return NSGI_OK.rawValue }
    guard socket.pointee.topics.count < Limits.topicsPerSocket else { return NSGI_TOOBIG.rawValue }
    socket.pointee.topics.append(name)
    socket.worker.webSockets.subscribe(socket.id, name)
    return NSGI_OK.rawValue
  }

  private static func unsubscribe(_ socket: WebSocketPointer, _ topic: nsgi_str) -> Int32 {
    let name = String(decoding: topic.bytes, as: UTF8.self)
    socket.pointee.topics.removeAll { $0 == name }
    socket.worker.webSockets.unsubscribe(socket.id, name)
    return NSGI_OK.rawValue
  }

  private static func publish(
    _ topic: nsgi_str, _ kind: Int32, _ bytes: UnsafeRawPointer?, _ count: Int, _ except: nsgi_ws_id
  ) -> Int64 {
    guard let bytes = checked(bytes, count), let opcode = opcode(kind) else {
      return Int64(NSGI_MISUSE.rawValue)
    }
    if ForkedCopy.isThis { return Int64(ForkedCopy.absent) }
    let name = String(decoding: topic.bytes, as: UTF8.self)
    // As a rule there is one worker in a process.
    var (reached, made): (Int64, SocketFrame?) = (0, nil)
    WorkerRegistry.each { worker in
      reached += worker.publish(name, except: except) {
        let frame = made ?? SocketFrame(opcode, bytes)
        made = frame
        return frame
      }
    }
    return reached
  }

  private static func publishToAll(
    _ topic: nsgi_str, _ kind: Int32, _ bytes: UnsafeRawPointer?, _ count: Int, _ except: nsgi_ws_id
  ) -> Int64 {
    guard (1...Limits.topicNameBytes).contains(topic.bytes.count) else { return Int64(NSGI_MISUSE.rawValue) }
    guard count <= Limits.topicMessageBytes else { return Int64(NSGI_TOOBIG.rawValue) }
    // The others believe nothing, and would end their links.
    guard let payload = checked(bytes, count), let opcode = opcode(kind),
      TopicMessage.isSound(opcode, payload)
    else { return Int64(NSGI_MISUSE.rawValue) }
    let reached = publish(topic, kind, bytes, count, except)
    guard reached >= 0 else { return reached }
    let message = TopicMessage(topic: topic.bytes, opcode: opcode, payload: payload)
    WorkerRegistry.each { $0.publishToOthers(message) }
    return reached
  }
}
