import Glibc
import Wire

/// The loop on io_uring: one call per turn sends the answers of the last one and brings what has come since.
/// Only if there is nothing does the loop wait, with epoll as always: it wakes just one of the workers that
/// listen on a socket. Everything that came is put where it belongs before any of it is served.
extension Worker {
  /// A body with more bytes to come than this is received directly into its place, which the ring cannot do.
  private static let longBody: Int64 = 4 * Int64(BlockPool.blockBytes)

  /// Turns after which the Reactor is asked, however much the ring brings; one if it watches a guest loop,
  /// whose events are as urgent as requests.
  private static let turnsInARow: UInt8 = 8

  /// Sends pending output, and puts input where it belongs; waits if there is none. Returns how many events
  /// the Reactor has.
  func waitOnRing(milliseconds: Int32) throws(SystemError) -> Int {
    try ring.check()
    let prepared = prepareOutgoing()
    if ring.hasWork {
      do throws(SystemError) { try ring.enter() } catch {
        settleOutgoing(prepared, besides: ring.unsubmitted)
        throw error
      }
      takeCompletions()
      settleOutgoing()
    }
    if !rounds.arriving.isEmpty {
      ring.tenure.turns &+= 1
      if ring.tenure.turns < Worker.turnsInARow, leading.guest.loop == nil { return 0 }
    }
    ring.tenure.turns = 0
    guard rounds.arriving.isEmpty, milliseconds != 0, ring.mayWait() else {
      ring.hasWaited()
      return try reactor.wait(milliseconds: 0)
    }
    defer { ring.hasWaited() }
    return try reactor.wait(milliseconds: milliseconds)
  }

  /// Serves the new input.
  func serveNews() -> Turn {
    rounds.freshen()
    while let token = rounds.nextFresh() {
      if serveInput(token) == .handedOff { return .handedOff }
      sendOutgoingInTime()
    }
    return .goesOn
  }

  private func serveInput(_ token: Token) -> Turn {
    let connection = connections.record(token.slot)
    guard connection.token == token, connection.hasNews else { return .goesOn }
    connection.hasNews = false
    switch connection.state {
    case .closed: return .goesOn
    case .calling:
      // One that waits for its call finds it in the input.
      guard connection.isDetached, connection.streamsBody else { break }
      if let exchange = connection.exchange { feedBeside(connection, exchange, hasReceived: true) }
    case .lingering, .writing:
      let count = connection.input.count
      blocks.empty(&connection.input)
      hasReadOver(connection, count)
    case .idle, .readingHead, .readingBody, .skipping, .upgraded:
      if !connection.isPostponed, !connection.input.isEmpty {
        intake.hasReadAll = connection.input.count % BlockPool.blockBytes != 0
        if !connection.preface.isEmpty, !readPreface(connection) { break }
        connection.socket?.pointee.wasHeard = true
        if decode(connection) == .handedOff { return .handedOff }
      }
    }
    guard connection.token == token, connection.state != .closed else { return .goesOn }
    lookAfter(connection)
    return .goesOn
  }

  /// The input of a connection was served: checks whether the ring still receives for it, and should.
  private func lookAfter(_ connection: ConnectionPointer) {
    if let socket = connection.socket {
      if connection.incoming != .open { socketEnds(connection, socket, WebSocketGrammar.broken) }
    }
    // A later look will find the end again.
    if connection.incoming != .open, isReading(connection) { return inputEnded(connection) }
    switch connection.onRing {
    case .no where !connection.isRegistered: watchAnew(connection)
    case .receiving where connection.state == .readingBody:
      if connection.codec.bodyLeft > Worker.longBody { leaveRing(connection) }
    case .no, .receiving, .leaving: break
    }
  }

  private func isReading(_ connection: ConnectionPointer) -> Bool {
    switch connection.state {
    case .idle, .readingHead, .readingBody, .skipping:
      !connection.isPostponed && !connection.outlet.isBlocked
    case .lingering, .writing: true
    case .closed, .calling, .upgraded: false
    }
  }

  private func inputEnded(_ connection: ConnectionPointer) {
    flush(connection)
    ended(connection)
  }
}
