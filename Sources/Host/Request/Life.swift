import CLinux
import CNSGI
import Wire

/// The life of a request, in order: accept (Accepting.swift) → read (Receiving.swift) → decode → call the app
/// → encode (Response.swift) → flush → keep or close. docs/LIFE_OF_A_REQUEST.md has the same headings.
extension Worker {
  // MARK: Read

  /// Receives once what is there, and goes on with it.
  func receive(_ connection: ConnectionPointer) -> Turn {
    do throws(SystemError) {
      switch connection.state {
      case .lingering, .writing:
        let count = try takeForNobody(connection)
        if count == 0 { ended(connection) } else { hasReadOver(connection, count) }
        return .goesOn
      case .readingBody
      where connection.input.isEmpty && connection.codec.bodyLeft > 0 && !connection.isSealed:
        return try receiveBody(connection)
      case .closed, .idle, .readingHead, .readingBody, .calling, .skipping, .upgraded:
        return try receiveInput(connection)
      }
    } catch {
      // A level-triggered event that brought nothing, or a peer that is gone.
      if error.wouldBlock { watchOrClose(connection) } else { broke(connection) }
      return .goesOn
    }
  }

  @inline(__always)
  private func receiveInput(_ connection: ConnectionPointer) throws(SystemError) -> Turn {
    guard try takeInput(connection) > 0 else {
      ended(connection)
      return .goesOn
    }
    if !connection.preface.isEmpty, !readPreface(connection) { return .goesOn }
    return decode(connection)
  }

  /// Receives a long body of known length straight into place.
  private func receiveBody(_ connection: ConnectionPointer) throws(SystemError) -> Turn {
    let left = connection.codec.bodyLeft
    guard let exchange = connection.exchange,
      exchange.body.prepare(for: left, bound: limits.bodyMemoryBytes)
    else { return try receiveInput(connection) }
    let count = try takeBody(connection, exchange, left)
    if count == 0 {
      ended(connection)
      return .goesOn
    }
    expect(connection, left - Int64(count))
    if Int64(count) == left { return decode(connection) }
    if connection.kept > 0 { takeKept(connection) }
    if count < BlockPool.blockBytes { connection.acknowledge() }
    if !bodyKeepsPace(connection, exchange) { bodyIsTooLate(connection) }
    return .goesOn
  }

  // MARK: Decode

  /// Turns the available bytes into events and acts on them.
  @inline(__always)
  func decode(_ connection: ConnectionPointer) -> Turn {
    if connection.isCarrier { return serveFrames(connection) }
    if let socket = connection.socket { return serveSocket(connection, socket) }
    return decodeRequests(connection)
  }

  private func decodeRequests(_ connection: ConnectionPointer) -> Turn {
    var served = 0
    while true {
      // A client that does not take its answers gets no more of them.
      if connection.outlet.isBlocked { return .goesOn }
      if connection.exchange == nil {
        if connection.state == .skipping, !skip(connection) { return .goesOn }
        if connection.input.isEmpty {
          becomeIdle(connection)
          return .goesOn
        }
      }
      let exchange = connection.exchange ?? begin(connection)
      var offset = 0
      let event: ReadEvent
      let bytes = connection.input.bytes
      do {
        event = try connection.codec.next(bytes.bytes, &offset, &exchange.head)
      } catch {
        refuse(connection, error)
        return .goesOn
      }
      switch event {
      case .needMore:
        connection.input.consume(offset)
        awaitMore(connection, exchange)
        return .goesOn
      case .head:
        exchange.base = exchange.head.assembled.base ?? connection.input.base!
        connection.input.consume(offset)
        guard prepare(connection, exchange) else { return .goesOn }
        // Without a body there is nothing more to read; waiting for a streamed one is up to the app.
        guard exchange.head.endsRequest || exchange.stream.isOpen else { continue }
        offset = 0
        fallthrough
      case .end:
        if offset > 0 { connection.input.consume(offset) }
        // The ring may have brought the rest of a long body.
        if connection.lowWater > 1 { expect(connection, 0) }
        // Nobody announced the length of a chunked body; now it is known.
        if exchange.meta.contentLength < 0, !exchange.stream.isOpen {
          exchange.meta.contentLength = exchange.body.length
        }
        switch serve(exchange) {
        case .handedOff: return .handedOff
        case .parked: return .goesOn
        case .answered: guard keepOrClose(connection) else { return .goesOn }
        }
        served += 1
        if served == limits.pipelinedRequestsPerTurn, !connection.input.isEmpty {
          postpone(connection)
          return .goesOn
        }
      case .body(let range):
        connection.input.consume(offset)
        guard keep(range.bytes(in: bytes.baseAddress!), connection, exchange) else { return .goesOn }
      case .trailer(let line):
        exchange.keepTrailer(line: line.bytes(in: bytes.baseAddress!))
        connection.input.consume(offset)
      case .abort:
        connection.input.consume(offset)
        aborted(connection, exchange)
        guard keepOrClose(connection) else { return .goesOn }
      case .answer(let answer):
        connection.input.consume(offset)
        guard answered(connection, answer) else { return .goesOn }
      }
    }
  }

  /// Keeps a piece of a body until all of it is here; false when the request is answered.
  @inline(__always)
  private func keep(
    _ piece: UnsafeRawBufferPointer, _ connection: ConnectionPointer, _ exchange: ExchangePointer
  ) -> Bool {
    do {
      try exchange.body.append(piece, bound: limits.bodyMemoryBytes, spools)
      return true
    } catch {
      bodyFailed(connection, exchange, error)
      return false
    }
  }

  /// The request is complete.
  @inline(__always)
  private func serve(_ exchange: ExchangePointer) -> Dispatched {
    ownAnswers.exist && exchange.calls == nil ? answerFile(exchange) : dispatch(exchange)
  }

  /// Goes on with a request that rested after its head.
  func goOn(_ connection: ConnectionPointer, _ exchange: ExchangePointer) -> Turn {
    guard direct(connection, exchange) else { return .goesOn }
    if exchange.head.endsRequest || exchange.stream.isOpen {
      switch serve(exchange) {
      case .handedOff: return .handedOff
      case .parked: return .goesOn
      case .answered: guard keepOrClose(connection) else { return .goesOn }
      }
    }
    return decode(connection)
  }

  /// A request has begun: gives it an exchange.
  @inline(__always)
  func begin(_ connection: ConnectionPointer) -> ExchangePointer {
    let exchange = exchanges.take()
    exchange.next(.begun)
    exchange.connection = connection
    exchange.outlet = connection.outlet
    connection.exchange = exchange
    connection.next(.begun)
    return exchange
  }

  /// Only part of a request is there: waits for the rest.
  @inline(never)
  private func awaitMore(_ connection: ConnectionPointer, _ exchange: ExchangePointer) {
    switch connection.state {
    case .readingBody:
      do { try exchange.body.own(bound: limits.bodyMemoryBytes, spools) } catch {
        return bodyFailed(connection, exchange, error)
      }
      if !connection.gateway.hasSocket { return }
      moveOn(connection, exchange)
      guard bodyKeepsPace(connection, exchange) else { return bodyIsTooLate(connection) }
      expect(connection, connection.codec.bodyLeft)
    case _ where connection.codec.isIdle && connection.input.isEmpty:
      give(exchange)
      return becomeIdle(connection)
    default: setTimeout(connection, .head)
    }
    if connection.kept > 0 { takeKept(connection) }
    if intake.hasReadAll { connection.acknowledge() }
    flush(connection)
    watchOrClose(connection)
  }

  /// The head is complete: normalises it and finds who answers. False when the request is answered, or rests.
  @inline(__always)
  private func prepare(_ connection: ConnectionPointer, _ exchange: ExchangePointer) -> Bool {
    connection.next(.headRead)
    exchange.began = now
    do {
      try normalize(connection, exchange)
    } catch {
      refuse(connection, error.status, error.description)
      return false
    }
    if exchange.head.mayHaveChunks, hasMore(connection) {
      refuse(connection, 411, "a body in chunks came without its length, which this protocol cannot carry")
      return false
    }
    return direct(connection, exchange)
  }

  /// Finds who answers. False when the request is answered, or rests.
  @inline(__always)
  private func direct(_ connection: ConnectionPointer, _ exchange: ExchangePointer) -> Bool {
    if ownAnswers.exist, namesFile(exchange) {
      if let question = exchange.routing?.question {
        ask(question, connection, exchange)
        return false
      }
      if exchange.announcesMuch {
        answerEarly(connection, exchange)
        return false
      }
    } else {
      guard let calls = apps.mounts.find(&exchange.pointee) else {
        refuse(connection, 404, "no application is mounted here")
        return false
      }
      exchange.calls = calls
      calls.exchanges += 1
      if calls.streamsIn, !exchange.head.endsRequest, connection.gateway.hasSocket {
        exchange.stream.state = .coming
        connection.streamsBody = true
        return true
      }
    }
    guard fitsSpools(exchange) else {
      refuse(connection, 413, Worker.bodySentence(413), .spools)
      return false
    }
    if exchange.head.expectsContinue, connection.input.isEmpty {
      let outlet = exchange.outlet
      blocks.fill(&outlet.output)
      exchange.encoder.interim(100, into: &outlet.output)
      flush(connection)
    }
    return true
  }

  @inline(__always)
  private func normalize(
    _ connection: ConnectionPointer, _ exchange: ExchangePointer
  ) throws(NormalizeError) {
    let hasSocket = connection.gateway.hasSocket
    let facts = ConnectionFacts(
      gateway: connection.gateway,
      remoteAddr: PeerAddress.text(&connection.peer, &exchange.arena),
      localName: hasSocket ? listeners[Int(connection.listener)].name : Text("localhost"),
      fixesRootScriptName: settings.fixesRootScriptName)
    try Normalizer.normalize(
      &exchange.head, exchange.base, facts, into: &exchange.meta,
      &exchange.arena)
    exchange.isNormalized = true
    // A gateway's front end has said what its client speaks.
    if connection.isSealed, connection.gateway.isHTTP { exchange.meta.scheme = Text("https") }
    if !settings.trustedProxies.isEmpty { applyForwarded(exchange) }
  }

  /// Bytes have come after the head.
  @inline(never)
  private func hasMore(_ connection: ConnectionPointer) -> Bool {
    !connection.input.isEmpty || hasMoreInput(connection)
  }

  /// The front end takes a request back before the app has seen it (FastCGI §5.4).
  @inline(never)
  private func aborted(_ connection: ConnectionPointer, _ exchange: ExchangePointer) {
    if connection.state == .readingBody {
      log.info("the front end has taken back \(exchange.requestLine) before its body was complete")
    }
    exchange.plan.persists = exchange.head.persists
    exchange.plan.framing = .records
    exchange.next(.aborted)
    endMarks(exchange)
  }

  private func postpone(_ connection: ConnectionPointer) {
    flush(connection)
    connection.isPostponed = true
    rounds.postponed.append(connection.token)
  }

  // MARK: Keep or close

  /// The answer is encoded: the exchange ends. True when the next request of the connection may be read.
  func keepOrClose(_ connection: ConnectionPointer) -> Bool {
    guard let exchange = connection.exchange else { return false }
    if exchange.socket != nil { return goOnAsSocket(connection, exchange) }
    let event = afterAnswer(connection, exchange)
    give(exchange)
    guard event != .closed, !connection.isClosing else {
      endWithOutput(connection)
      return false
    }
    if event == .answered {
      connection.next(.answered)
      connection.codec.reset()
    } else {
      connection.next(.answeredEarly)
    }
    if connection.keepsInput { stopKeeping(connection) }
    // Answers to pipelined requests leave together, but never wait for a request that is not there.
    let outlet = connection.outlet
    let leavesNow = outlet.file.left > 0 || connection.input.isEmpty
    if leavesNow || outlet.output.count > BlockPool.blockBytes {
      leavesNow ? flushSoon(connection) : flush(connection)
    }
    return true
  }

  /// What an answer means for its connection: answered, answeredEarly or closed.
  @inline(__always)
  private func afterAnswer(
    _ connection: ConnectionPointer, _ exchange: ExchangePointer
  ) -> Connection.Event {
    let hasWholeBody = exchange.stream.isComplete
    // A client that asked for the close, or whose protocol ends with the answer, sends nothing more.
    connection.expectsNoMore = !exchange.head.persists && hasWholeBody
    // Requests after one whose client has left are complete all the same; after an answer that was cut the
    // client cannot read on.
    let isCut = exchange.phase == .gone && !exchange.outlet.isLost
    if isCut { judgeBody(connection, exchange.plan) }
    guard exchange.plan.persists, !isCut, !endsUnsaid(connection, exchange) else { return .closed }
    if hasWholeBody { return .answered }
    return exchange.stream.state == .coming ? .answeredEarly : .closed
  }

  /// Between two requests: no block, no exchange, only the keep-alive timer.
  @inline(__always)
  private func becomeIdle(_ connection: ConnectionPointer) {
    if !connection.isOutgoing { flushSoon(connection) }
    // The client of a worker that leaves was promised another turn, and may be asking: tells it then.
    connection.next(.rested)
    blocks.empty(&connection.input)
    if connection.isClosing, !connection.hasOutput { return endIdle(connection) }
    if connection.outlet.isBlocked { return }
    if departure.isUnderWay, !departure.isRetired || connection.gateway.keepsWithoutWord {
      setTimeout(connection, .quiet)
    } else {
      setTimeout(connection, .keepAlive)
    }
    watchInput(connection)
  }

  /// Gives an exchange and its memory back.
  func give(_ exchange: ExchangePointer) {
    let connection = exchange.connection
    if recall != nil { remember(exchange) }
    blocks.empty(&connection.headBlock)
    connection.exchange = nil
    connection.streamsBody = false
    if connection.pace.isBegun { connection.pace = Pace() }
    if exchange.isCounted { count(exchange) }
    let freed = exchange.body.memory.capacity &+ exchange.stream.bytes.capacity
    if freed > BlockPool.blockBytes { common.free(freed) }
    if let calls = exchange.calls {
      rounds.epoch &+= 1
      calls.exchanges -= 1
      exchange.calls = nil
    }
    exchange.clear()
    exchanges.give(exchange.slot)
  }

  /// A request that an app had is over: shows it on the scoreboard.
  @inline(__always)
  private func count(_ exchange: ExchangePointer) {
    guard let board, let calls = exchange.calls else { return }
    board.end(exchange.slot)
    if exchange.socketCall != .none { return }
    board[.requests].increment()
    let app = calls.place
    board[.requests, app: app].increment()
    if exchange.response.status >= 500 { board[.errors, app: app].increment() }
  }
}
