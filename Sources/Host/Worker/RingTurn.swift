import Glibc
import Wire

/// The loop on io_uring: one call a turn sends the answers of the last one and brings what has come since.
/// Only when that is nothing, the loop waits, as ever with epoll: what many workers listen for is told to one
/// of them. All that came is put where it belongs before any of it is served.
extension Worker {
  /// A body with more bytes to come than this is received straight to its place, which the ring cannot.
  private static let longBody: Int64 = 4 * Int64(BlockPool.blockBytes)

  /// Turns after which the Reactor is asked, however much the ring brings.
  private static let turnsInARow: UInt8 = 8

  /// Sends what is to leave, and puts what has come where it belongs; waits if that is nothing. Returns how
  /// many events the Reactor has.
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
      tenure.turns &+= 1
      if tenure.turns < Worker.turnsInARow { return 0 }
    }
    tenure.turns = 0
    guard rounds.arriving.isEmpty, milliseconds != 0, ring.mayWait() else {
      ring.hasWaited()
      return try reactor.wait(milliseconds: 0)
    }
    defer { ring.hasWaited() }
    return try reactor.wait(milliseconds: milliseconds)
  }

  /// Serves what has come.
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
        hasReadAll = connection.input.count % BlockPool.blockBytes != 0
        if !connection.preface.isEmpty, !readPreface(connection) { break }
        if decode(connection) == .handedOff { return .handedOff }
      }
    }
    guard connection.token == token, connection.state != .closed else { return .goesOn }
    lookAfter(connection)
    return .goesOn
  }

  /// A connection whose input was served: is it still received for, and should it be?
  private func lookAfter(_ connection: ConnectionPointer) {
    if let socket = connection.socket {
      if connection.incoming != .open { socketEnds(connection, socket, WebSocketGrammar.broken) }
    }
    // Whoever looks later is told of the end again.
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
