import Config
import Glibc
import Wire

/// HTTP/2 on the way in: frames of the carrier become requests, bytes of bodies, and ends of streams. A
/// stream is served like any connection, by `decode`.
extension Worker {
  /// The connection speaks HTTP/2 from its first byte on.
  func beginHTTP2(_ connection: ConnectionPointer) {
    connection.preface.remove(.http2)
    connection.gateway = .http1
    if connection.keepsInput { stopKeeping(connection) }
    connection.prefersReactor = true
    if connection.onRing == .receiving { leaveRing(connection) }
    let multiplexer = MultiplexerPointer.allocate(capacity: 1)
    multiplexer.initialize(to: Multiplexer(HTTP2Session(limits: HTTP2Limits(limits)), carrier: connection))
    multiplexer.pointee.tls = connection.outlet.carrier
    connection.multiplexer = multiplexer
    let outlet = connection.outlet
    blocks.fill(&outlet.output)
    multiplexer.pointee.session.greet(into: &outlet.output)
    if departure.isUnderWay { announceLeaving(multiplexer) }
    enlist(multiplexer)
  }

  /// Reads the frames in the input.
  @inline(never)
  func serveFrames(_ connection: ConnectionPointer) -> Turn {
    guard let multiplexer = connection.multiplexer else { return .goesOn }
    let token = connection.token
    multiplexer.pointee.session.refill(at: now / 1_000_000_000)
    enlist(multiplexer)
    var served = 0
    while connection.token == token, connection.multiplexer == multiplexer, !connection.isClosing {
      var offset = 0
      let bytes = connection.input.bytes
      let outlet = connection.outlet
      blocks.fill(&outlet.output)
      do throws(HTTP2Error) {
        let event = try multiplexer.pointee.session.next(bytes, &offset, into: &outlet.output)
        switch event {
        case .needMore:
          connection.input.consume(offset)
          // It has output since it was last looked after.
          if connection.hasOutput { enlist(multiplexer) }
          settle(multiplexer, connection)
          return .goesOn
        case .data(let id, let range):
          let piece = range.bytes(in: bytes.baseAddress!)
          if let record = record(multiplexer, id) {
            blocks.fill(&record.input)
            record.input.append(piece)
          }
          connection.input.consume(offset)
          if feed(multiplexer, id, connection) == .handedOff { return .handedOff }
        case .request(let id, let ends):
          connection.input.consume(offset)
          if try request(multiplexer, id, ends, connection) == .handedOff { return .handedOff }
          served += 1
        case .ended(let id):
          connection.input.consume(offset)
          if let record = record(multiplexer, id) { requestEnded(multiplexer, record) }
          if feed(multiplexer, id, connection) == .handedOff { return .handedOff }
        case .over(let id, let error):
          connection.input.consume(offset)
          if let record = record(multiplexer, id) { clientLeft(record, error) }
        case .window(let id):
          connection.input.consume(offset)
          windowsOpened(multiplexer, id)
        case .goAway: connection.input.consume(offset)
        }
      } catch {
        sessionBroke(multiplexer, connection, error)
        return .goesOn
      }
      sendOutgoingInTime()
      if served == limits.pipelinedRequestsPerTurn, !connection.input.isEmpty {
        awaitTurn(connection)
        return .goesOn
      }
    }
    return .goesOn
  }

  /// The record of a stream; nil once its exchange is over.
  func record(_ multiplexer: MultiplexerPointer, _ id: UInt32) -> ConnectionPointer? {
    multiplexer.pointee.place(of: id).map { multiplexer.pointee.streams[$0].record }
  }

  /// Frames are left in the input: has them read in the next turn, whichever thread leads then.
  private func awaitTurn(_ connection: ConnectionPointer) {
    guard !connection.isPostponed else { return }
    connection.isPostponed = true
    rounds.postponed.append(connection.token)
  }

  /// Does something that may call an app, so that the rest of the input is read whichever thread leads then.
  private func serve(_ connection: ConnectionPointer, _ body: () -> Turn) -> Turn {
    let waits = !connection.input.isEmpty
    if waits { awaitTurn(connection) }
    if let multiplexer = connection.multiplexer { enlist(multiplexer) }
    let token = connection.token
    if body() == .handedOff { return .handedOff }
    if waits, connection.token == token { connection.isPostponed = false }
    return .goesOn
  }

  // MARK: Requests

  /// Serves a request: gives it a record and an exchange, and serves as much of it as has come.
  private func request(
    _ multiplexer: MultiplexerPointer, _ id: UInt32, _ ends: Bool, _ carrier: ConnectionPointer
  ) throws(HTTP2Error) -> Turn {
    let outlet = carrier.outlet
    guard hasRoom else {
      try multiplexer.pointee.session.drop()
      try multiplexer.pointee.session.turnAway(id, into: &outlet.output)
      tellOfClose(carrier, "a stream was refused: \(limits.connections) connections and streams are open")
      return .goesOn
    }
    let record = connections.take()
    record.next(.opened)
    record.listener = carrier.listener
    record.peer = carrier.peer
    record.gateway = .http2
    record.codec = Codec(.http2, limits: HeadLimits(limits))
    record.codec.begin(stream: id)
    record.isSealed = carrier.isSealed
    record.multiplexer = multiplexer
    record.outlet.pointee.isStream = true
    multiplexer.pointee.streams.append(Multiplexer.Stream(id: id, record: record))
    acceptor.streamBegan()
    let exchange = begin(record)
    let fault: HTTP2Error?
    do { fault = try multiplexer.pointee.session.takeHead(&exchange.head) } catch {
      close(record)
      throw error
    }
    if ends { requestEnded(multiplexer, record) }
    guard let fault else { return serve(carrier) { decode(record) } }
    if fault.answer > 0 {
      refuse(record, fault.answer, fault.description)
    } else {
      log.debug("stream reset: \(fault.description)")
      try multiplexer.pointee.session.refuse(id, fault, into: &outlet.output)
      close(record)
    }
    return .goesOn
  }

  /// No more of a request comes. Its trailers are the exchange's before anybody is told of the end.
  private func requestEnded(_ multiplexer: MultiplexerPointer, _ record: ConnectionPointer) {
    if let exchange = record.exchange,
      let trailers = multiplexer.pointee.session.takeTrailers(record.streamID)
    {
      let isBeside = record.isDetached
      if isBeside { exchange.lock.lock() }
      exchange.pointee.keepTrailers(trailers.bytes)
      if isBeside { exchange.lock.unlock() }
    }
    record.codec.complete()
    record.next(.endReceived)
  }

  /// Takes bytes of a body or of a WebSocket, or their end.
  private func feed(
    _ multiplexer: MultiplexerPointer, _ id: UInt32, _ carrier: ConnectionPointer
  ) -> Turn {
    guard let record = record(multiplexer, id) else { return .goesOn }
    // There is no socket in which more could be.
    intake.hasReadAll = false
    // Only new bytes are a sign of life.
    if let socket = record.socket, !record.input.isEmpty { socket.wasHeard = true }
    switch record.state {
    // It is looked at in its turn.
    case .upgraded where record.isPostponed: break
    case .idle, .readingHead, .readingBody, .upgraded:
      let token = record.token
      let turn = serve(carrier) { decode(record) }
      if turn == .goesOn, record.token == token { giveWindow(record) }
      return turn
    case .calling:
      guard record.isDetached, record.streamsBody, record.interest.contains(.read) else { break }
      if let exchange = record.exchange { feedBeside(record, exchange, hasReceived: true) }
    case .closed, .skipping, .writing, .lingering: blocks.empty(&record.input)
    }
    return .goesOn
  }

  /// Lets the client send as much more of a body as the codec has taken.
  func giveWindow(_ record: ConnectionPointer) {
    guard let multiplexer = record.multiplexer, let carrier = multiplexer.pointee.carrier else { return }
    let count = Int(record.codec.bodyTaken) - record.given
    guard count > 0 else { return }
    record.given += count
    let outlet = carrier.outlet
    blocks.fill(&outlet.output)
    multiplexer.pointee.session.consumed(record.streamID, count, into: &outlet.output)
    enlist(multiplexer)
  }

  /// A stream's client is gone, for this exchange only.
  func clientLeft(_ record: ConnectionPointer, _ error: HTTP2Error? = nil) {
    if let error { log.debug("stream reset: \(error.description)") }
    // What the client sent before is still served.
    if let socket = record.socket { return socketEnds(record, socket, WebSocketGrammar.broken) }
    if record.isDetached, let exchange = record.exchange { return abandoned(exchange, hasLeft: true) }
    // It waits for its call, and keeps its turn: no part of the answer leaves, and no more of the body comes.
    if record.state == .calling {
      record.outlet.lose()
      if let exchange = record.exchange, exchange.stream.state == .coming { exchange.stream.state = .broken }
    } else {
      broke(record)
    }
  }
}
