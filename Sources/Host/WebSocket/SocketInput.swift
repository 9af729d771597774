import CNSGI
import Glibc
import Wire

/// From the bytes of a WebSocket to its application. Belongs to the leader, like everything that is read.
extension Worker {
  /// The answer that accepts a socket is complete: the connection is its own from now on.
  private func upgrade(
    _ connection: ConnectionPointer, _ exchange: ExchangePointer, _ socket: WebSocketPointer
  ) {
    let isGood = exchange.phase == .finished && !exchange.outlet.isLost && !connection.isClosing
    if let calls = socket.pointee.calls {
      // It counts as an asynchronous exchange: the app stays for as long as its sockets.
      calls.exchanges += 1
      calls.asynchronous += 1
    }
    give(exchange)
    connection.socket = socket
    connection.next(.upgraded)
    connection.prefersReactor = true
    connection.expectsNoMore = false
    if connection.keepsInput { stopKeeping(connection) }
    if connection.onRing == .receiving { leaveRing(connection) }
    let isClosing = socket.locked {
      socket.connection = connection
      if socket.state == .opening { socket.state = .open }
      if connection.isStream { connection.outlet.pointee.beginTunnel() }
      blocks.fill(&connection.outlet.output)
      connection.outlet.output.append(socket.pointee.early.bytes)
      socket.pointee.early = ByteBuffer()
      let isClosing = socket.state == .closing
      if isClosing { socket.isAnnounced = false }
      return isClosing
    }
    if isClosing { awaitClose(socket) }
    setTimeout(connection, of: socket)
    if !isGood { socketEnds(connection, socket, WebSocketGrammar.broken) }
    lookSoon(connection)
  }

  /// The call of an exchange that has to do with a socket is over. True if reading should go on.
  func goOnAsSocket(_ connection: ConnectionPointer, _ exchange: ExchangePointer) -> Bool {
    guard let socket = exchange.socket else { return false }
    switch exchange.socketCall {
    case .none:
      upgrade(connection, exchange, socket)
      return false
    case .message, .drain:
      give(exchange)
      connection.next(.upgraded)
      socket.pointee.lent = .none
      socket.pointee.message = ByteBuffer()
      let isClosing = socket.closesBy > 0
      if connection.timeout != (isClosing ? .socketClose : .socket) { setTimeout(connection, of: socket) }
      return true
    case .closed:
      give(exchange)
      endSocket(connection, socket)
      return false
    }
  }

  /// Has it looked at in the next turn.
  func lookSoon(_ connection: ConnectionPointer) {
    guard !connection.isPostponed else { return }
    connection.isPostponed = true
    rounds.postponed.append(connection.token)
  }

  // MARK: Events

  /// The kernel reports an event on its connection.
  func socketEvent(_ connection: ConnectionPointer, _ event: Readiness) -> Turn {
    guard let socket = connection.socket else { return .goesOn }
    if event.canWrite { flushSocket(connection, socket) }
    if connection.state == .calling {
      // Its handler goes on beside the loop, or waits for its turn.
      if event.hasHungUp {
        unwatch(connection)
        socketEnds(connection, socket, WebSocketGrammar.broken)
      }
      return .goesOn
    }
    guard connection.state == .upgraded, event.canRead || event.hasHungUp, !connection.isPostponed else {
      return .goesOn
    }
    do throws(SystemError) {
      guard try takeInput(connection) > 0 else {
        connection.next(.peerEnded)
        socketEnds(connection, socket, WebSocketGrammar.broken)
        return .goesOn
      }
      // Only new bytes are a sign of life: an incomplete frame may stay here and be looked at again for ever.
      socket.wasHeard = true
    } catch {
      if !error.wouldBlock { socketEnds(connection, socket, WebSocketGrammar.broken) }
      return .goesOn
    }
    return serveSocket(connection, socket)
  }

  /// Reads frames and calls handlers as long as there is input; then sends the handlers' output.
  func serveSocket(_ connection: ConnectionPointer, _ socket: WebSocketPointer) -> Turn {
    guard connection.state == .upgraded else { return .goesOn }
    var served = 0
    while true {
      switch nextStep(connection, socket) {
      case .rest:
        settleSocket(connection, socket)
        return .goesOn
      case .again: continue
      case .call(let call):
        let exchange = carry(connection, socket, call)
        switch dispatch(exchange) {
        case .handedOff: return .handedOff
        case .parked:
          // What is written already does not wait for the turn of a handler.
          flushSocket(connection, socket)
          return .goesOn
        case .answered: guard goOnAsSocket(connection, exchange) else { return .goesOn }
        }
      }
      served += 1
      if served >= limits.pipelinedRequestsPerTurn, !connection.input.isEmpty {
        settleSocket(connection, socket)
        lookSoon(connection)
        return .goesOn
      }
    }
  }

  private func nextStep(_ connection: ConnectionPointer, _ socket: WebSocketPointer) -> SocketStep {
    let code = socket.endCode
    if code != 0, code != WebSocketGrammar.broken { return .call(.closed) }
    if socket.owesDrain, code == 0 {
      socket.owesDrain = false
      return .call(.drain)
    }
    if code == 0, let failure = socket.pointee.failure {
      fail(socket, failure)
      socketEnds(connection, socket, failure.code, failure.description)
      return .again
    }
    if code == 0, socket.closesBy == 0 {
      let (isClosing, isPaused) = socket.locked { (socket.state == .closing, socket.isPaused) }
      // Once the application has closed it, only the client's close frame is waited for. No other message is
      // handed over, not even one that is here already.
      if isClosing { awaitClose(socket) } else if isPaused { return .rest }
    }
    // Messages that a client sent before it left are served.
    let step = readSocket(connection, socket)
    guard case .rest = step, socket.pointee.failure == nil else { return step }
    if code != 0 { return .call(.closed) }
    guard connection.isStream, connection.incoming == .endReceived else { return .rest }
    // Its client has ended the stream, and has sent no close frame.
    connection.next(.peerEnded)
    socketEnds(connection, socket, WebSocketGrammar.broken)
    return .again
  }

  private enum SocketStep {
    /// There is nothing to do.
    case rest
    case again
    case call(SocketCall)
  }

  /// Takes the next frame, or a piece of it.
  private func readSocket(_ connection: ConnectionPointer, _ socket: WebSocketPointer) -> SocketStep {
    guard let base = connection.input.base, !connection.input.isEmpty else { return .rest }
    let bytes = UnsafeMutableRawBufferPointer(start: base, count: connection.input.count)
    var offset = 0
    do throws(WebSocketError) {
      let event = try socket.pointee.reader.next(bytes, &offset)
      connection.input.consume(offset)
      if connection.isStream { connection.codec.bypassed(offset) }
      switch event {
      case .needMore: return .rest
      case .pong: return .again
      case .ping(let range):
        pong(socket, range.bytes(in: base))
        return .again
      case .close(let code, let reason):
        clientCloses(connection, socket, code, reason.bytes(in: base))
        return .again
      case .piece(let piece):
        socket.pointee.received += Int64(piece.range.count)
        // The application has sent its last message, and gets no more (RFC 6455 §1.4).
        if socket.closesBy > 0 { return .again }
        return try take(piece, connection, socket, base)
      }
    } catch {
      // Nothing after it is read.
      connection.input.removeAll()
      guard socket.pointee.failure == nil, socket.endCode == 0 else { return .again }
      socket.pointee.failure = error
      // An application whose event loop is led answers what came before in that loop's next turn.
      if leading.guest.loop == nil { return .again }
      lookSoon(connection)
      return .rest
    }
  }

  private func fail(_ socket: WebSocketPointer, _ error: WebSocketError) {
    log.info("WebSocket closed with \(error.code): \(error): \(socket.line)")
    socket.locked { closeUnderLock(socket, error.code, .none) }
  }

  /// A message in one piece is lent from the input, unless more may be put there while its handler has it: by
  /// the ring, or from frames of HTTP/2. Any other is assembled.
  private func take(
    _ piece: WebSocketPiece, _ connection: ConnectionPointer, _ socket: WebSocketPointer,
    _ base: UnsafeMutableRawPointer
  ) throws(WebSocketError) -> SocketStep {
    let bytes = piece.range.bytes(in: base)
    let isWhole = piece.isFirst && piece.isLast && !piece.isCompressed
    let isLentFromInput = isWhole && connection.onRing == .no && !connection.isStream
    if !isLentFromInput { socket.pointee.message.append(bytes) }
    guard piece.isLast else { return .again }
    socket.pointee.isText = piece.isText
    if piece.isCompressed { try inflate(socket, piece.isText) }
    socket.pointee.lent = isLentFromInput ? bytes : socket.pointee.message.bytes
    return .call(.message)
  }

  private func inflate(_ socket: WebSocketPointer, _ isText: Bool) throws(WebSocketError) {
    guard let agreed = socket.pointee.deflate else { throw .deflateMalformed }
    var packed = ByteBuffer()
    swap(&packed, &socket.pointee.message)
    let most = limits.webSocketMessageBytes
    if agreed.clientKeepsContext {
      if socket.pointee.inflater == nil {
        socket.pointee.inflater = Deflater(compressing: false, bits: agreed.clientWindow)
      }
      guard let stream = socket.pointee.inflater else { throw .deflateMalformed }
      try stream.inflate(packed.bytes, most: most, into: &socket.pointee.message)
    } else {
      // A client that was told no window size may use the largest.
      try webSockets.inflate(packed.bytes, bits: 15, most: most, into: &socket.pointee.message)
    }
    var check = UTF8Check()
    if isText, !check.accepts(socket.pointee.message.bytes) || !check.isComplete { throw .textMalformed }
  }

  // MARK: Calls of handlers

  /// An exchange for a call of a handler: it has its turn among the calls of the app, its deadline and its
  /// place on the scoreboard like any other.
  private func carry(
    _ connection: ConnectionPointer, _ socket: WebSocketPointer, _ call: SocketCall
  ) -> ExchangePointer {
    let exchange = exchanges.take()
    exchange.next(.begun)
    exchange.connection = connection
    exchange.outlet = connection.outlet
    connection.exchange = exchange
    exchange.socket = socket
    exchange.socketCall = call
    exchange.head.reset(form: .fields)
    exchange.began = now
    exchange.meta.method = Text("GET")
    let target = socket.pointee.target
    target.withUnsafeBytes { exchange.meta.requestURI = Text(exchange.arena.copy($0), $0.count) }
    if let calls = socket.pointee.calls {
      exchange.calls = calls
      calls.exchanges += 1
    }
    return exchange
  }

  /// The call itself, on whichever thread runs it.
  @inline(never)
  func callHandler(_ exchange: ExchangePointer) -> Int32 {
    guard let socket = exchange.socket else { return NSGI_FAIL.rawValue }
    let (handlers, argument, id) = (socket.pointee.handlers, socket.pointee.argument, socket.id)
    switch exchange.socketCall {
    case .none: break
    case .message:
      let (lent, kind) = (socket.pointee.lent, socket.pointee.isText ? NSGI_WS_TEXT : NSGI_WS_BINARY)
      let start = lent.baseAddress ?? UnsafeRawPointer(Text.empty.start!)
      handlers.message?(argument, id, Int32(kind.rawValue), start, lent.count)
    case .drain: handlers.drain?(argument, id)
    case .closed:
      socket.pointee.endReason.withUnsafeBytes { reason in
        let start = reason.baseAddress ?? UnsafeRawPointer(Text.empty.start!)
        let text = nsgi_str(p: start.assumingMemoryBound(to: CChar.self), n: reason.count)
        handlers.closed?(argument, id, Int32(socket.endCode), text)
      }
    }
    return NSGI_OK.rawValue
  }
}
