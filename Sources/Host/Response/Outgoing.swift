import Wire

/// Answers of a turn leave together: a client that is woken for the first is awake for the rest, and the ring
/// takes them all with the wait that ends the turn. None of them waits for calls of a millisecond or more.
extension Worker {
  /// Sends the answer of a connection that now waits for its next request together with the others.
  @inline(__always)
  func flushSoon(_ connection: ConnectionPointer) {
    let outlet = connection.outlet
    guard outlet.file.left == 0, !outlet.resets, !outlet.isBlocked, outlet.carrier == nil || !ring.isOpen,
      !connection.closesAfterOutput, !departure.isUnderWay, !outlet.output.isEmpty,
      outlet.output.count <= BlockPool.blockBytes
    else { return flush(connection) }
    guard !connection.isOutgoing else { return }
    connection.isOutgoing = true
    rounds.outgoing.append(connection.token)
  }

  /// Asks the ring to send them; returns how many of the list were looked at, which are all unless it has
  /// failed.
  func prepareOutgoing() -> Int {
    for index in rounds.outgoing.indices where isPending(rounds.outgoing[index]) {
      let connection = connections.record(rounds.outgoing[index].slot)
      let outlet = connection.outlet
      let isAsked = ring.send(
        connection.fd, outlet.output.base!, outlet.output.count,
        Token(.answer, slot: UInt32(index)))
      if !isAsked { return index }
    }
    return rounds.outgoing.count
  }

  /// It has not been closed, flushed or blocked since.
  @inline(__always)
  private func isPending(_ token: Token) -> Bool {
    let connection = connections.record(token.slot)
    let outlet = connection.outlet
    return connection.token == token && !outlet.output.isEmpty && !outlet.isBlocked
  }

  /// The submitted answers have left.
  func settleOutgoing() {
    for index in rounds.outgoing.indices { settle(rounds.outgoing[index]) }
    rounds.outgoing.removeAll()
  }

  @inline(__always)
  private func settle(_ token: Token) {
    let connection = connections.record(token.slot)
    guard connection.token == token, connection.isOutgoing else { return }
    connection.isOutgoing = false
    let outlet = connection.outlet
    if outlet.isBlocked { return }
    outlet.output.removeAll()
    blocks.empty(&outlet.output)
  }

  /// The ring has failed: of the first `prepared` in the list the last `unsubmitted` have not left, nor have
  /// those after them. They stay in the list, for epoll.
  func settleOutgoing(_ prepared: Int, besides unsubmitted: Int) {
    var left = unsubmitted
    var stays = [Bool](repeating: true, count: rounds.outgoing.count)
    for index in (0..<prepared).reversed() where isPending(rounds.outgoing[index]) {
      stays[index] = left > 0
      left -= 1
    }
    takeCompletions()
    for index in rounds.outgoing.indices where !stays[index] { settle(rounds.outgoing[index]) }
    rounds.outgoing.keep(stays)
  }

  /// Between two calls of a turn: sends waiting answers once per period of the watchdog.
  @inline(__always)
  func sendOutgoingInTime() {
    let period = callWatch.call.pointee.period
    guard period != rounds.lastPeriod else { return }
    rounds.lastPeriod = period
    if !rounds.carriers.isEmpty { sendCarriers() }
    sendOutgoing()
  }

  /// Sends everything that waits to leave.
  @inline(__always)
  func sendOutgoing() { if !rounds.outgoing.isEmpty { sendAllOutgoing() } }

  private func sendAllOutgoing() {
    guard ring.isOpen else { return flushOutgoing() }
    // The wait that follows leaves the ring.
    if ring.hasFailed { return }
    let prepared = prepareOutgoing()
    ring.submit()
    if ring.hasFailed { return settleOutgoing(prepared, besides: ring.unsubmitted) }
    takeCompletions()
    settleOutgoing()
  }

  private func flushOutgoing() {
    for index in rounds.outgoing.indices {
      let token = rounds.outgoing[index]
      let connection = connections.record(token.slot)
      guard connection.token == token else { continue }
      connection.isOutgoing = false
      flush(connection)
      if connection.isClosing, !connection.hasOutput { close(connection) }
    }
    rounds.outgoing.removeAll()
  }

  /// An answer was not taken whole: the rest goes when it can, as usual.
  func fellShort(_ index: Int, _ result: Int32) {
    let connection = connections.record(rounds.outgoing[index].slot)
    guard connection.token == rounds.outgoing[index], connection.isOutgoing else { return }
    connection.isOutgoing = false
    let outlet = connection.outlet
    if result > 0 { outlet.output.consume(Int(result)) }
    flush(connection)
  }
}
