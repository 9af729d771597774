import CLinux
import Glibc
import Wire

/// The loop on io_uring: one call a turn sends the answers of the last one and brings what has come since. First
/// everything that came is put where it belongs, then it is served: no completion is left when an application
/// runs, so that a successor finds all of it in the worker.
extension Worker {
  /// What came and is to be served.
  enum News {
    /// A connection has input, or has ended.
    case input(Token)
    /// A listener's new connection.
    case accepted(fd: Int32, listener: Int)
  }

  /// Input that a connection may have in advance; beyond it the ring receives no more for it.
  private static let mostAhead = 4 * BlockPool.blockBytes
  /// A body with more bytes to come than this is received straight to its place, which the ring cannot.
  private static let longBody: Int64 = 4 * Int64(BlockPool.blockBytes)

  // MARK: Taking it up, and leaving it

  /// The leader, with nothing else to do: has its own ring from now on.
  func takeUpRing() {
    ringDue = .max
    do { try ring.open(&blocks) } catch {
      log.info("io_uring cannot be had here (\(error.reason)): serving with epoll")
      return
    }
    ringSince = now
    reactorHasEvents = true
    ring.watch(reactor.epoll, Token(.reactor, slot: 0))
    for index in listeners.indices where isListening {
      try? reactor.remove(listeners[index].fd)
      ring.accept(listeners[index].fd, Token(.listener, slot: UInt32(index)))
    }
    for slot in 0..<UInt32(connections.capacity) {
      let connection = connections.record(slot)
      guard connection.pointee.state == .idle, connection.pointee.isRegistered,
        connection.pointee.interest == .read, !connection.pointee.prefersReactor
      else { continue }
      try? reactor.remove(connection.pointee.fd)
      connection.pointee.isRegistered = false
      watchInput(connection)
    }
  }

  /// A new leader: what the last one's ring was to do goes on with epoll, for a while. Calls that are slow come
  /// in a row, and each would cost all connections the change.
  func leaveRing() {
    guard ring.isOpen else { return }
    now = System.now()
    closeRing()
    let hasLasted = now &- ringSince > Worker.ringProvesWell
    ringRest = hasLasted ? Worker.shortestRingRest : min(ringRest * 2, Worker.longestRingRest)
    ringDue = now &+ ringRest
    if isListening { for index in listeners.indices { try? watch(index) } }
    for token in outgoing {
      let connection = connections.record(token.slot)
      guard connection.pointee.token == token else { continue }
      flush(connection)
      if connection.pointee.isClosing, !connection.pointee.hasOutput { close(connection) }
    }
    outgoing.removeAll(keepingCapacity: true)
    for slot in 0..<UInt32(connections.capacity) {
      let connection = connections.record(slot)
      guard connection.pointee.onRing != .no else { continue }
      connection.pointee.onRing = .no
      if connection.pointee.state != .closed { watchAnew(connection) }
    }
  }

  /// Gives the kernel's part back; connections that were on it are watched by nobody.
  func closeRing() { ring.close(&blocks) }

  // MARK: A turn

  /// Sends what is to leave, waits, and puts what has come where it belongs. Returns how many events the Reactor
  /// has beside that.
  func waitOnRing(milliseconds: Int32) throws(SystemError) -> Int {
    prepareOutgoing()
    try ring.wait(milliseconds: reactorHasEvents || !arriving.isEmpty ? 0 : milliseconds)
    takeCompletions()
    settleOutgoing()
    guard reactorHasEvents else { return 0 }
    // It is told once of what is level-triggered: asked again until it has nothing, it forgets nothing.
    let count = try reactor.wait(milliseconds: 0)
    reactorHasEvents = count > 0
    return count
  }

  /// Serves what has come.
  func serveNews() -> Turn {
    if fresh.isEmpty { fresh.begin(with: &arriving) }
    while let news = fresh.next() {
      switch news {
      case .input(let token): if serveInput(token) == .handedOff { return .handedOff }
      case .accepted(let fd, let index): if accepted(fd, index) == .handedOff { return .handedOff }
      }
      // Answers wait for the end of the turn, but not for calls of a millisecond each.
      let period = watched.pointee.period
      if period != lastPeriod {
        lastPeriod = period
        sendOutgoing()
      }
    }
    return .goesOn
  }

  private func serveInput(_ token: Token) -> Turn {
    let connection = connections.record(token.slot)
    guard connection.pointee.token == token, connection.pointee.hasNews else { return .goesOn }
    connection.pointee.hasNews = false
    switch connection.pointee.state {
    case .closed: return .goesOn
    case .calling:
      if connection.pointee.streamsBody, let exchange = connection.pointee.exchange {
        feedBeside(connection, exchange, hasReceived: true)
      }
    case .lingering: connection.pointee.input.removeAll()
    case .idle, .readingHead, .readingBody, .writing:
      if !connection.pointee.isPostponed, !connection.pointee.input.isEmpty {
        if !connection.pointee.preface.isEmpty, !readPreface(connection) { break }
        if decode(connection) == .handedOff { return .handedOff }
      }
    }
    guard connection.pointee.token == token, connection.pointee.state != .closed else { return .goesOn }
    lookAfter(connection)
    return .goesOn
  }

  /// A connection whose input was served: is it still received for, and should it be?
  private func lookAfter(_ connection: ConnectionPointer) {
    switch connection.pointee.onRing {
    case .no where !connection.pointee.isRegistered:
      // The end is told again to whoever looks later.
      if connection.pointee.hasEnded, isReading(connection) { return inputEnded(connection) }
      watchAnew(connection)
    case .receiving where connection.pointee.state == .readingBody:
      if connection.pointee.codec.bodyLeft > Worker.longBody { leaveRing(connection) }
    case .no, .receiving, .leaving: break
    }
  }

  private func isReading(_ connection: ConnectionPointer) -> Bool {
    switch connection.pointee.state {
    case .idle, .readingHead, .readingBody: !connection.pointee.isPostponed && !connection.pointee.outlet.pointee.isBlocked
    case .lingering: true
    case .closed, .calling, .writing: false
    }
  }

  private func inputEnded(_ connection: ConnectionPointer) {
    flush(connection)
    if connection.pointee.state == .lingering { close(connection) } else { ended(connection) }
  }

  // MARK: Completions

  private func takeCompletions() {
    repeat {
      let count = ring.completed
      for index in 0..<count { take(ring.completion(index)) }
      ring.heeded(count)
    } while ring.takesOverflow()
    ring.showBlocks()
  }

  @inline(__always)
  private func take(_ completion: Ring.Completion) {
    switch completion.token.kind {
    case .connection: received(completion)
    case .listener: arrived(completion)
    case .answer: fellShort(Int(completion.token.slot), completion.result)
    case .reactor:
      reactorHasEvents = true
      if !completion.goesOn { ring.watch(reactor.epoll, completion.token) }
    case .nobody, .signal, .inbox, .control, nil: break
    }
  }

  /// Something was received, or receiving has ended.
  @inline(__always)
  private func received(_ completion: Ring.Completion) {
    let connection = connections.record(completion.token.slot)
    let isCurrent = connection.pointee.token == completion.token && connection.pointee.state != .closed
    if let number = completion.block {
      let block = ring.block(number)
      let count = isCurrent ? Int(max(0, completion.result)) : 0
      if count > 0, connection.pointee.input.block == nil {
        connection.pointee.input.adopt(block, capacity: BlockPool.blockBytes)
        connection.pointee.input.commit(count)
        ring.lend(blocks.take(), number)
      } else {
        connection.pointee.input.append(UnsafeRawBufferPointer(start: block, count: count))
        ring.lend(block, number)
      }
    }
    guard isCurrent else { return }
    if !completion.goesOn { receivingEnded(connection, completion.result) }
    if connection.pointee.input.count > Worker.mostAhead { leaveRing(connection) }
    guard !connection.pointee.hasNews else { return }
    connection.pointee.hasNews = true
    arriving.append(.input(completion.token))
  }

  /// Nothing more is received for a connection: it has ended, was cancelled, or there was no block left.
  private func receivingEnded(_ connection: ConnectionPointer, _ result: Int32) {
    connection.pointee.onRing = .no
    switch -result {
    case 0, ECONNRESET, EPIPE, ETIMEDOUT: connection.pointee.hasEnded = true
    default: break
    }
  }

  /// A connection has come, or accepting has ended.
  private func arrived(_ completion: Ring.Completion) {
    let index = Int(completion.token.slot)
    if completion.result >= 0 {
      arriving.append(.accepted(fd: completion.result, listener: index))
    } else if completion.result != -ECANCELED {
      acceptFailed(SystemError("accept4", -completion.result))
    }
    if !completion.goesOn, completion.result != -ECANCELED, isListening { try? watch(index) }
  }

  // MARK: Answers that leave with the next wait

  /// The answer of a connection that now waits for its next request leaves with those of the others.
  @inline(__always)
  func flushSoon(_ connection: ConnectionPointer) {
    let outlet = connection.pointee.outlet
    guard ring.isOpen, outlet.pointee.file.left == 0, !connection.pointee.closesAfterOutput,
      !outlet.pointee.isBlocked, stopping == nil, outlet.pointee.output.count <= BlockPool.blockBytes,
      !outlet.pointee.output.isEmpty
    else { return flush(connection) }
    guard !connection.pointee.isOutgoing else { return }
    connection.pointee.isOutgoing = true
    outgoing.append(connection.pointee.token)
  }

  private func prepareOutgoing() {
    for index in outgoing.indices {
      let connection = connections.record(outgoing[index].slot)
      let outlet = connection.pointee.outlet
      // It may have been closed or flushed since.
      guard connection.pointee.token == outgoing[index], !outlet.pointee.output.isEmpty,
        !outlet.pointee.isBlocked
      else { continue }
      ring.send(
        connection.pointee.fd, outlet.pointee.output.base!, outlet.pointee.output.count,
        Token(.answer, slot: UInt32(index)))
    }
  }

  /// What was submitted has left.
  private func settleOutgoing() {
    for token in outgoing {
      let connection = connections.record(token.slot)
      guard connection.pointee.token == token, connection.pointee.isOutgoing else { continue }
      connection.pointee.isOutgoing = false
      let outlet = connection.pointee.outlet
      if outlet.pointee.isBlocked { continue }
      outlet.pointee.output.removeAll()
      blocks.empty(&outlet.pointee.output)
    }
    outgoing.removeAll(keepingCapacity: true)
  }

  /// In the middle of a turn: what is to leave, leaves.
  private func sendOutgoing() {
    guard !outgoing.isEmpty else { return }
    prepareOutgoing()
    ring.submit()
    takeCompletions()
    settleOutgoing()
  }

  /// An answer was not taken whole: the rest goes when it can, as ever.
  private func fellShort(_ index: Int, _ result: Int32) {
    let connection = connections.record(outgoing[index].slot)
    guard connection.pointee.token == outgoing[index], connection.pointee.isOutgoing else { return }
    connection.pointee.isOutgoing = false
    let outlet = connection.pointee.outlet
    if result > 0 { outlet.pointee.output.consume(Int(result)) }
    flush(connection)
    if connection.pointee.isClosing, !connection.pointee.hasOutput { close(connection) }
  }

  // MARK: Between ring and Reactor

  /// From now on the Reactor watches the connection: it needs more than to wait for input.
  func leaveRing(_ connection: ConnectionPointer) {
    guard connection.pointee.onRing == .receiving else { return }
    connection.pointee.prefersReactor = true
    connection.pointee.onRing = .leaving
    ring.cancel(connection.pointee.token)
  }

  /// A connection that nobody watches, to be watched for what it waits for.
  private func watchAnew(_ connection: ConnectionPointer) {
    let interest = connection.pointee.interest
    connection.pointee.isRegistered = false
    setInterest(connection, interest)
  }
}
