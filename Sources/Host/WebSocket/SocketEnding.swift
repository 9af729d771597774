import CNSGI
import Wire

/// How WebSockets end: by a closing handshake (RFC 6455 §7), whoever begins it, or with their connection.
extension Worker {
  /// For close(), and for the leader when the worker leaves: under the lock; the frame follows what was sent.
  func closeUnderLock(_ socket: WebSocketPointer, _ code: UInt16, _ reason: UnsafeRawBufferPointer) {
    switch socket.state {
    case .free, .closing, .closed: return
    case .opening: WebSocketWriter.close(code, reason, into: &socket.pointee.early)
    case .open:
      guard let connection = socket.connection else { return }
      WebSocketWriter.close(code, reason, into: &connection.outlet.output)
    }
    socket.state = .closing
    announce(socket)
  }

  /// The client closes: it is answered with its own code, unless it has answered.
  func clientCloses(
    _ connection: ConnectionPointer, _ socket: WebSocketPointer, _ code: UInt16,
    _ reason: UnsafeRawBufferPointer
  ) {
    socket.locked {
      if socket.state == .open { WebSocketWriter.close(code, .none, into: &connection.outlet.output) }
      socket.state = .closed
    }
    socketEnds(connection, socket, code, reason: Array(reason))
  }

  /// Leader: it is over; closed() is called as soon as no other handler runs.
  func socketEnds(
    _ connection: ConnectionPointer, _ socket: WebSocketPointer, _ code: UInt16, _ sentence: String = "",
    reason: [UInt8] = []
  ) {
    guard socket.endCode == 0 else { return }
    socket.endCode = code
    socket.pointee.endReason = sentence.isEmpty ? reason : Array(sentence.utf8)
    socket.locked {
      if code == WebSocketGrammar.broken, !connection.outlet.isLost { connection.outlet.lose() }
      socket.state = .closed
    }
    if connection.state == .upgraded { lookSoon(connection) }
  }

  /// closed() has returned: the connection ends when everything is sent.
  func endSocket(_ connection: ConnectionPointer, _ socket: WebSocketPointer) {
    let isClosed = socket.endCode != WebSocketGrammar.broken
    letGo(connection, socket)
    // What it was to be looked at for is over: in its turn it would be taken for one between two requests.
    connection.isPostponed = false
    if connection.outlet.isLost || connection.incoming == .ended { return close(connection) }
    connection.expectsNoMore = isClosed
    if connection.isStream { endTunnel(connection) }
    endWithOutput(connection)
  }

  /// Gives the record back; its connection is an ordinary one again, and ends.
  func letGo(_ connection: ConnectionPointer, _ socket: WebSocketPointer) {
    socket.locked { socket.connection = nil }
    connection.socket = nil
    if let calls = socket.pointee.calls {
      calls.exchanges -= 1
      calls.asynchronous -= 1
    }
    webSockets.give(socket)
    showSockets()
  }

  // MARK: Time

  /// Our close frame is out, or about to leave.
  func awaitClose(_ socket: WebSocketPointer) {
    guard socket.closesBy == 0 else { return }
    socket.closesBy = now &+ UInt64(limits.lingerSeconds * 1e9)
  }

  /// An incomplete message takes memory: its client has to continue it, as with a body (`--body-min-rate`).
  func keepPace(_ connection: ConnectionPointer, _ socket: WebSocketPointer) {
    guard socket.pointee.reader.isInMessage, socket.endCode == 0 else {
      return connection.pace = Pace()
    }
    if socket.locked({ socket.isPaused }) { return connection.pace.rests() }
    if messageKeepsPace(connection, socket.pointee.received) { return }
    log.info("WebSocket closed: a message comes too slowly (--body-min-rate): \(socket.line)")
    socket.locked { closeUnderLock(socket, WebSocketGrammar.policy, .none) }
    socketEnds(connection, socket, WebSocketGrammar.policy, "a message comes too slowly")
  }

  /// Seconds until a WebSocket is looked after: until the next ping or, without pings, until its client has
  /// to have gone on with what it owes, the rest of a message or room for what it was sent; nil: it owes
  /// nothing.
  func socketSeconds(_ connection: ConnectionPointer) -> Double? {
    if limits.webSocketPingSeconds > 0 { return limits.webSocketPingSeconds }
    guard let socket = connection.socket else { return nil }
    let (isPaused, takesNothing) = socket.locked { (socket.isPaused, waiting(socket) > 0) }
    let owesMessage = socket.pointee.reader.isInMessage && !isPaused
    switch (owesMessage, takesNothing) {
    case (false, false): return nil
    case (true, false): return bodySeconds(connection)
    case (false, true): return shortestWriteSeconds
    case (true, true): return min(bodySeconds(connection), shortestWriteSeconds)
    }
  }

  /// Without pings, only a client that owes something is looked after.
  func watchDebts(_ connection: ConnectionPointer, _ socket: WebSocketPointer) {
    guard limits.webSocketPingSeconds == 0, connection.state == .upgraded else { return }
    if socket.closesBy == 0, socket.endCode == 0 { setTimeout(connection, .socket) }
  }

  /// Nothing has come for a while: asks the client once whether it is still there.
  func socketIsQuiet(_ connection: ConnectionPointer) {
    guard let socket = connection.socket else { return close(connection) }
    guard socket.endCode == 0 else { return disarm(connection) }
    let (takesNothing, isPaused) = socket.locked {
      (waiting(socket) > 0 && !keepsPace(connection), socket.isPaused)
    }
    if takesNothing {
      log.info("the client of a WebSocket takes nothing (--write-timeout): \(socket.line)")
      return socketEnds(connection, socket, WebSocketGrammar.broken)
    }
    if limits.webSocketPingSeconds == 0 {
      keepPace(connection, socket)
      return watchDebts(connection, socket)
    }
    if socket.wasHeard || connection.state == .calling {
      (socket.wasHeard, socket.isPinged) = (false, false)
      return setTimeout(connection, .socket)
    }
    if socket.isPinged, !isPaused {
      log.info("the client of a WebSocket has answered no ping (--websocket-ping): \(socket.line)")
      return socketEnds(connection, socket, WebSocketGrammar.broken)
    }
    // While the application takes nothing, no answer is read: a client that is gone is found by sending.
    socket.isPinged = !isPaused
    // For a client that takes nothing, the waiting output is the question.
    socket.locked { if waiting(socket) == 0 { _ = send(socket, .ping, .none) } }
    setTimeout(connection, .socket)
  }

  /// The client has not answered the close frame in time.
  func socketCloseIsLate(_ connection: ConnectionPointer) {
    guard let socket = connection.socket else { return close(connection) }
    if connection.state == .calling { return setTimeout(connection, .socketClose) }
    socketEnds(connection, socket, WebSocketGrammar.broken)
  }

  /// The time of a handler is up: its socket ends at once, and closed() follows when it has returned.
  func handlerIsLate(_ connection: ConnectionPointer, _ exchange: ExchangePointer, _ socket: WebSocketPointer)
  {
    log.warning("\(app(exchange).name) takes too long for a message of \(socket.line)")
    logStack(exchange)
    exchange.lock.lock()
    exchange.next(.timeOver)
    exchange.lock.broadcast()
    exchange.lock.unlock()
    returnPermitNow(exchange)
    unwatch(connection)
    connection.isStream ? resetStream(connection) : System.shutdown(connection.fd)
    socketEnds(connection, socket, WebSocketGrammar.broken)
    if exchange.state.owner == .detached { setTimeout(connection, .stuck) }
  }

  /// A handler has had no turn in time.
  func handlerWaitedTooLong(
    _ connection: ConnectionPointer, _ exchange: ExchangePointer, _ socket: WebSocketPointer
  ) {
    log.warning("\(app(exchange).name) has no turn in time for a message of \(socket.line)")
    let isEnd = exchange.socketCall == .closed
    give(exchange)
    connection.next(.upgraded)
    // An end has to be reported, however late.
    if !isEnd {
      socket.locked { closeUnderLock(socket, WebSocketGrammar.internalError, .none) }
      socketEnds(connection, socket, WebSocketGrammar.internalError)
    }
    lookSoon(connection)
  }

  // MARK: The worker leaves

  /// With each tick of a worker that leaves: sockets whose time is up are ended.
  func endSockets() {
    guard webSockets.slab.alive > 0, now >= departure.socketsUntil else { return }
    closeSockets(
      of: nil, departure.isRetired ? WebSocketGrammar.restart : WebSocketGrammar.goingAway,
      after: now &- departure.socketsUntil, spread: departure.socketsSpread)
  }

  /// Closes all sockets, or those of an app that was replaced, whose turn has come.
  ///
  /// - Parameters:
  ///   - passed: nanoseconds since the turn of the first.
  ///   - spread: nanoseconds until that of the last.
  func closeSockets(
    of calls: AppCallsPointer?, _ code: UInt16, after passed: UInt64, spread: UInt64
  ) {
    for slot in 0..<UInt32(connections.capacity) {
      let connection = connections.record(slot)
      guard let socket = connection.socket, calls == nil || socket.pointee.calls == calls,
        Departure.turn(slot, of: spread) <= passed
      else { continue }
      socket.locked { closeUnderLock(socket, code, .none) }
    }
  }
}
