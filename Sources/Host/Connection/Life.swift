import CLinux
import CNSGI
import Wire

/// The life of a request, in order: accept (Accepting.swift) → read → decode → call the app → encode
/// (Response.swift) → flush → keep or close. docs/LIFE_OF_A_REQUEST.md has the same headings.
extension Worker {
  // MARK: Read

  /// Receives what is there, once, and goes on with it.
  func receive(_ connection: ConnectionPointer) -> Turn {
    do throws(SystemError) {
      switch connection.pointee.state {
      case .lingering, .writing: try drain(connection)
      case .readingBody where connection.pointee.input.isEmpty && connection.pointee.codec.bodyLeft > 0:
        return try receiveBody(connection)
      default: return try receiveInput(connection)
      }
    } catch {
      // A level-triggered event that brought nothing, or a peer that is gone.
      if error.wouldBlock { watchOrClose(connection) } else { broke(connection) }
    }
    return .goesOn
  }

  @inline(__always)
  private func receiveInput(_ connection: ConnectionPointer) throws(SystemError) -> Turn {
    blocks.fill(&connection.pointee.input)
    if connection.pointee.input.room == 0 { connection.pointee.input.reserve(BlockPool.blockBytes) }
    let count = try System.receive(
      connection.pointee.fd, connection.pointee.input.tail, connection.pointee.input.room)
    if count == 0 {
      ended(connection)
      return .goesOn
    }
    hasReadAll = count < connection.pointee.input.room
    connection.pointee.input.commit(count)
    if !connection.pointee.preface.isEmpty, !readPreface(connection) { return .goesOn }
    return decode(connection)
  }

  /// A long body of known length goes straight to its place.
  private func receiveBody(_ connection: ConnectionPointer) throws(SystemError) -> Turn {
    let left = connection.pointee.codec.bodyLeft
    guard let exchange = connection.pointee.exchange,
      exchange.pointee.body.prepare(for: left, bound: limits.bodyMemoryBytes)
    else {
      return try receiveInput(connection)
    }
    let count = try System.receive(connection.pointee.fd, exchange.pointee.body.memory.tail, Int(left))
    if count == 0 {
      ended(connection)
      return .goesOn
    }
    exchange.pointee.body.received(count)
    connection.pointee.codec.bypassed(count)
    expect(connection, left - Int64(count))
    if Int64(count) == left { return decode(connection) }
    if count < BlockPool.blockBytes { acknowledge(connection) }
    if !bodyKeepsPace(connection, exchange) { bodyIsTooLate(connection) }
    return .goesOn
  }

  // MARK: Decode

  /// Turns the bytes that are there into events and acts on them.
  func decode(_ connection: ConnectionPointer) -> Turn {
    var served = 0
    while true {
      // A client that does not take its answers gets no further ones.
      if connection.pointee.outlet.pointee.isBlocked { return .goesOn }
      if connection.pointee.exchange == nil {
        if connection.pointee.state == .skipping, !skip(connection) { return .goesOn }
        if connection.pointee.input.isEmpty {
          becomeIdle(connection)
          return .goesOn
        }
      }
      let exchange = connection.pointee.exchange ?? begin(connection)
      var offset = 0
      let event: ReadEvent
      let bytes = connection.pointee.input.bytes
      do {
        event = try connection.pointee.codec.next(bytes.bytes, &offset, &exchange.pointee.head)
      } catch {
        refuse(connection, error)
        return .goesOn
      }
      switch event {
      case .needMore:
        connection.pointee.input.consume(offset)
        awaitMore(connection, exchange)
        return .goesOn
      case .head:
        exchange.pointee.base = exchange.pointee.head.base(connection.pointee.input.base!)
        connection.pointee.input.consume(offset)
        guard prepare(connection, exchange) else { return .goesOn }
        // Without a body there is nothing more to read; a streamed one is the app's to wait for.
        guard exchange.pointee.head.endsRequest || exchange.pointee.stream.isOpen else { continue }
        offset = 0
        fallthrough
      case .end:
        connection.pointee.input.consume(offset)
        // The ring may have brought the rest of a long body.
        if connection.pointee.lowWater > 1 { expect(connection, 0) }
        // Nobody announced the length of a chunked body; now it is known.
        if exchange.pointee.meta.contentLength < 0, !exchange.pointee.stream.isOpen {
          exchange.pointee.meta.contentLength = exchange.pointee.body.length
        }
        switch dispatch(exchange) {
        case .handedOff: return .handedOff
        case .parked: return .goesOn
        case .answered: guard keepOrClose(connection) else { return .goesOn }
        }
        served += 1
        if served == limits.pipelinedRequestsPerTurn, !connection.pointee.input.isEmpty {
          postpone(connection)
          return .goesOn
        }
      case .body(let range):
        let piece = range.bytes(in: bytes.baseAddress!)
        connection.pointee.input.consume(offset)
        do { try exchange.pointee.body.append(piece, bound: limits.bodyMemoryBytes, spools) } catch {
          bodyFailed(connection, exchange, error)
          return .goesOn
        }
      case .abort:
        connection.pointee.input.consume(offset)
        aborted(connection, exchange)
        guard keepOrClose(connection) else { return .goesOn }
      case .answer(let answer):
        connection.pointee.input.consume(offset)
        guard answered(connection, answer) else { return .goesOn }
      }
    }
  }

  /// A request has begun: it gets an exchange.
  @inline(__always)
  func begin(_ connection: ConnectionPointer) -> ExchangePointer {
    let exchange = exchanges.take()
    exchange.pointee.phase = .reading
    exchange.pointee.connection = connection
    exchange.pointee.outlet = connection.pointee.outlet
    connection.pointee.exchange = exchange
    connection.pointee.state = .readingHead
    return exchange
  }

  /// Half a request is there: wait for the rest.
  private func awaitMore(_ connection: ConnectionPointer, _ exchange: ExchangePointer) {
    switch connection.pointee.state {
    case .readingBody:
      do { try exchange.pointee.body.own(bound: limits.bodyMemoryBytes, spools) } catch {
        return bodyFailed(connection, exchange, error)
      }
      if connection.pointee.gateway == .cgi { return }
      moveOn(connection, exchange)
      guard bodyKeepsPace(connection, exchange) else { return bodyIsTooLate(connection) }
      expect(connection, connection.pointee.codec.bodyLeft)
    case _ where connection.pointee.codec.isIdle && connection.pointee.input.isEmpty:
      give(exchange)
      return becomeIdle(connection)
    default: setTimeout(connection, .head)
    }
    if hasReadAll { acknowledge(connection) }
    flush(connection)
    watchOrClose(connection)
  }

  /// The head stays in its block while the body comes in through another.
  func moveOn(_ connection: ConnectionPointer, _ exchange: ExchangePointer) {
    guard connection.pointee.headBlock.block == nil, exchange.pointee.head.assembled.block == nil else {
      return
    }
    var fresh = ByteBuffer()
    if !connection.pointee.input.isEmpty {
      blocks.fill(&fresh)
      fresh.append(connection.pointee.input.bytes)
    }
    swap(&fresh, &connection.pointee.input)
    swap(&fresh, &connection.pointee.headBlock)
  }

  /// The head is complete: find the app and say what the client may wait for.
  @inline(__always)
  private func prepare(_ connection: ConnectionPointer, _ exchange: ExchangePointer) -> Bool {
    connection.pointee.state = .readingBody
    exchange.pointee.began = now
    do {
      try normalize(connection, exchange)
    } catch {
      refuse(connection, error.status, error.description)
      return false
    }
    if exchange.pointee.head.mayHaveChunks, hasMore(connection) {
      refuse(connection, 411, "a body in chunks came without its length, which this protocol cannot carry")
      return false
    }
    guard let calls = mounts.find(&exchange.pointee) else {
      refuse(connection, 404, "no application is mounted here")
      return false
    }
    exchange.pointee.calls = calls
    calls.pointee.exchanges += 1
    if calls.pointee.streamsIn, !exchange.pointee.head.endsRequest, connection.pointee.gateway != .cgi {
      exchange.pointee.stream.state = .coming
      connection.pointee.streamsBody = true
      return true
    }
    guard fitsSpools(exchange) else {
      refuse(connection, 413, Worker.bodySentence(413))
      return false
    }
    if exchange.pointee.head.expectsContinue, connection.pointee.input.isEmpty {
      let outlet = connection.pointee.outlet
      blocks.fill(&outlet.pointee.output)
      HTTP1ResponseWriter.interim(100, into: &outlet.pointee.output)
      flush(connection)
    }
    return true
  }

  @inline(__always)
  private func normalize(
    _ connection: ConnectionPointer, _ exchange: ExchangePointer
  ) throws(NormalizeError) {
    let isCGI = connection.pointee.gateway == .cgi
    let facts = ConnectionFacts(
      gateway: connection.pointee.gateway,
      remoteAddr: PeerAddress.text(&connection.pointee.peer, &exchange.pointee.arena),
      localName: isCGI ? Text("localhost") : listeners[Int(connection.pointee.listener)].name,
      fixesRootScriptName: settings.fixesRootScriptName)
    try Normalizer.normalize(
      &exchange.pointee.head, exchange.pointee.base, facts, into: &exchange.pointee.meta,
      &exchange.pointee.arena)
    exchange.pointee.isNormalized = true
    if !settings.trustedProxies.isEmpty { applyForwarded(exchange) }
  }

  /// Bytes have come behind the head.
  @inline(never)
  private func hasMore(_ connection: ConnectionPointer) -> Bool {
    !connection.pointee.input.isEmpty || System.hasInput(connection.pointee.fd)
  }

  /// The front end takes a request back before the app has seen it (FastCGI §5.4).
  private func aborted(_ connection: ConnectionPointer, _ exchange: ExchangePointer) {
    if connection.pointee.state == .readingBody {
      log.info("the front end has taken back \(exchange.pointee.requestLine) before its body was complete")
    }
    exchange.pointee.plan.persists = exchange.pointee.head.persists
    exchange.pointee.phase = .finished
    endRecords(exchange)
  }

  private func postpone(_ connection: ConnectionPointer) {
    flush(connection)
    connection.pointee.isPostponed = true
    postponed.append(connection.pointee.token)
  }

  // MARK: Keep or close

  /// The answer is encoded: the exchange ends. True when the next request of the connection may be read.
  func keepOrClose(_ connection: ConnectionPointer) -> Bool {
    guard let exchange = connection.pointee.exchange else { return false }
    let next = afterAnswer(connection, exchange)
    give(exchange)
    guard next != .closed, !connection.pointee.isClosing else {
      endWithOutput(connection)
      return false
    }
    connection.pointee.state = next
    if next == .idle { connection.pointee.codec.reset() }
    // Answers to pipelined requests leave together, but never wait for a request that is not there.
    let outlet = connection.pointee.outlet
    let leavesNow = outlet.pointee.file.left > 0 || connection.pointee.input.isEmpty
    if leavesNow || outlet.pointee.output.count > BlockPool.blockBytes {
      leavesNow ? flushSoon(connection) : flush(connection)
    }
    return true
  }

  /// What a connection does behind its answer: idle, skipping or closed.
  @inline(__always)
  private func afterAnswer(
    _ connection: ConnectionPointer, _ exchange: ExchangePointer
  ) -> Connection.State {
    let hasWholeBody = exchange.pointee.stream.isComplete
    // A client that asked for the close, or whose protocol ends with the answer, sends nothing more.
    connection.pointee.expectsNoMore = !exchange.pointee.head.persists && hasWholeBody
    // Requests behind one whose client has left are complete all the same; behind an answer that was cut the
    // client cannot read on.
    let isCut = exchange.pointee.phase == .gone && !exchange.pointee.outlet.pointee.isLost
    judgeBody(exchange.pointee.outlet, isCut: isCut)
    guard exchange.pointee.plan.persists, !isCut, !endsUnsaid(connection, exchange) else { return .closed }
    if hasWholeBody { return .idle }
    return exchange.pointee.stream.state == .coming ? .skipping : .closed
  }

  /// Between two requests: no block, no exchange, only the keep-alive timer.
  @inline(__always)
  private func becomeIdle(_ connection: ConnectionPointer) {
    flushSoon(connection)
    // A retired worker's client was promised another turn, and may be asking: it is told to close then.
    connection.pointee.state = .idle
    blocks.empty(&connection.pointee.input)
    let isOver = connection.pointee.isClosing || stopping != nil && !isRetired
    if isOver, !connection.pointee.hasOutput { return endIdle(connection) }
    if connection.pointee.outlet.pointee.isBlocked { return }
    if stopping != nil, connection.pointee.gateway == .fastcgi {
      setTimeout(connection, .quiet)
    } else {
      setTimeout(connection, .keepAlive)
    }
    watchInput(connection)
  }

  /// Gives an exchange and its memory back.
  func give(_ exchange: ExchangePointer) {
    let connection = exchange.pointee.connection
    blocks.empty(&connection.pointee.headBlock)
    connection.pointee.exchange = nil
    connection.pointee.streamsBody = false
    if connection.pointee.pace.isBegun { connection.pointee.pace = Pace() }
    if exchange.pointee.isCounted { count(exchange) }
    let freed = exchange.pointee.body.memory.capacity &+ exchange.pointee.stream.bytes.capacity
    if freed > BlockPool.blockBytes { churn.add(freed, ordering: .relaxed) }
    if let calls = exchange.pointee.calls {
      calls.pointee.exchanges -= 1
      exchange.pointee.calls = nil
    }
    exchange.pointee.clear()
    exchanges.give(exchange.pointee.slot)
  }

  /// A request that an app had is over: the scoreboard shows it.
  @inline(__always)
  private func count(_ exchange: ExchangePointer) {
    guard let board = supervisor?.board, let calls = exchange.pointee.calls else { return }
    board.end(exchange.pointee.slot)
    board[.requests].increment()
    let app = calls.pointee.place
    board[.requests, app: app].increment()
    if exchange.pointee.response.status >= 500 { board[.errors, app: app].increment() }
  }
}
