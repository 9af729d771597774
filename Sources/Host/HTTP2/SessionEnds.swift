import Config
import Wire

/// How HTTP/2 connections and their streams end (RFC 9113 §5.4, §6.8).
extension Worker {
  // MARK: Streams

  /// A stream's record is closed: ends whatever is still open on the wire.
  func leaveSession(_ record: ConnectionPointer) {
    guard let multiplexer = record.multiplexer else { return }
    let id = record.streamID
    if let place = multiplexer.pointee.place(of: id) { multiplexer.pointee.streams.remove(at: place) }
    record.multiplexer = nil
    acceptor.streamEnded()
    record.outlet.pointee.isStream = false
    record.outlet.pointee.front.removeAll()
    record.given = 0
    guard let carrier = multiplexer.pointee.carrier else { return free(multiplexer) }
    let outlet = carrier.outlet
    if !carrier.isClosing, !outlet.isLost {
      blocks.fill(&outlet.output)
      multiplexer.pointee.session.abandon(id, into: &outlet.output)
    }
    enlist(multiplexer)
  }

  /// Shows the client at once that an answer is cut, though its call goes on.
  func resetStream(_ record: ConnectionPointer) {
    guard let multiplexer = record.multiplexer, let carrier = multiplexer.pointee.carrier else { return }
    let outlet = carrier.outlet
    blocks.fill(&outlet.output)
    multiplexer.pointee.session.reset(record.streamID, .cancel, into: &outlet.output)
    enlist(multiplexer)
  }

  // MARK: Connections

  /// Settles how long to wait for the connection, and whether it ends.
  func settle(_ multiplexer: MultiplexerPointer, _ carrier: ConnectionPointer) {
    if carrier.isClosing || carrier.state != .idle { return }
    if carrier.input.isEmpty { blocks.empty(&carrier.input) }
    let isQuiet = multiplexer.pointee.streams.isEmpty
    if multiplexer.pointee.leaving == .last, isQuiet { return endWithOutput(carrier) }
    if carrier.outlet.isBlocked { return }
    if carrier.outlet.output.isEmpty { blocks.empty(&carrier.outlet.output) }
    // Something is left after the last whole frame; bytes of a body have the time of their stream.
    let isHalf = isQuiet && (multiplexer.pointee.session.isMidway || !carrier.input.isEmpty)
    switch carrier.timeout {
    case .head where isHalf || !multiplexer.pointee.session.isGreeted: break
    case .quiet where multiplexer.pointee.leaving == .announced: break
    case _ where isHalf && multiplexer.pointee.leaving == .no: setTimeout(carrier, .head)
    case _ where isQuiet: setTimeout(carrier, multiplexer.pointee.leaving == .no ? .keepAlive : .quiet)
    default: if carrier.timeout != .none { disarm(carrier) }
    }
    if carrier.isWatched, carrier.interest == .read { return }
    setInterest(carrier, .read)
  }

  /// The client has broken the protocol, or floods.
  func sessionBroke(_ multiplexer: MultiplexerPointer, _ carrier: ConnectionPointer, _ error: HTTP2Error) {
    tellOfClose(carrier, error.description)
    let outlet = carrier.outlet
    blocks.fill(&outlet.output)
    multiplexer.pointee.session.goAway(
      multiplexer.pointee.session.lastID, error.code, into: &outlet.output)
    blocks.empty(&carrier.input)
    carrier.closesAfterOutput = true
    loseStreams(multiplexer)
    carrier.expectsNoMore = false
    endWithOutput(carrier)
  }

  /// The socket closes: the streams' client is gone.
  func endSession(_ carrier: ConnectionPointer) {
    guard let multiplexer = carrier.multiplexer else { return }
    carrier.multiplexer = nil
    (multiplexer.pointee.carrier, multiplexer.pointee.isEnding) = (nil, true)
    // Requests may ask for its facts: it ends when the last of them does.
    if multiplexer.pointee.tls == carrier.outlet.carrier, carrier.outlet.carrier != nil {
      endSealed(carrier, keepsSession: true)
    }
    loseStreams(multiplexer)
    multiplexer.pointee.isEnding = false
    free(multiplexer)
  }

  private func loseStreams(_ multiplexer: MultiplexerPointer) {
    for stream in multiplexer.pointee.streams { clientLeft(stream.record) }
  }

  /// Gives it back once neither socket nor streams are left.
  private func free(_ multiplexer: MultiplexerPointer) {
    guard multiplexer.pointee.carrier == nil, !multiplexer.pointee.isEnding,
      multiplexer.pointee.streams.isEmpty
    else { return }
    multiplexer.pointee.tls?.close()
    multiplexer.deinitialize(count: 1)
    multiplexer.deallocate()
  }

  // MARK: Leaving

  /// The worker leaves: clients are told to open no more streams here. Streams on their way are still served.
  func announceLeaving() {
    for slot in 0..<UInt32(connections.capacity) {
      let connection = connections.record(slot)
      if connection.state == .idle, connection.isCarrier, let multiplexer = connection.multiplexer {
        announceLeaving(multiplexer)
      }
    }
  }

  func announceLeaving(_ multiplexer: MultiplexerPointer) {
    guard multiplexer.pointee.leaving == .no, let carrier = multiplexer.pointee.carrier else { return }
    multiplexer.pointee.leaving = .announced
    let outlet = carrier.outlet
    blocks.fill(&outlet.output)
    multiplexer.pointee.session.goAway(HTTP2Session.anyID, .none, into: &outlet.output)
    setTimeout(carrier, .quiet)
    enlist(multiplexer)
  }

  /// Nobody sends requests any more, or those who do have had time to learn of the end: the existing streams
  /// are the last ones.
  func endSessionSoon(_ carrier: ConnectionPointer) {
    guard let multiplexer = carrier.multiplexer, multiplexer.pointee.leaving != .last else { return }
    multiplexer.pointee.leaving = .last
    disarm(carrier)
    let outlet = carrier.outlet
    blocks.fill(&outlet.output)
    multiplexer.pointee.session.goAway(multiplexer.pointee.session.lastID, .none, into: &outlet.output)
    carrier.expectsNoMore = true
    enlist(multiplexer)
  }
}
