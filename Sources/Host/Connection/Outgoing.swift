import Wire

/// Answers of a turn leave together: a client that is woken for the first is awake for the rest, and the ring
/// takes them all with the wait that ends the turn. None waits for calls of a millisecond and more.
extension Worker {
  /// The answer of a connection that now waits for its next request leaves with those of the others.
  @inline(__always)
  func flushSoon(_ connection: ConnectionPointer) {
    let outlet = connection.pointee.outlet
    guard outlet.pointee.file.left == 0, !outlet.pointee.resets, !outlet.pointee.isBlocked,
      !connection.pointee.closesAfterOutput, stopping == nil, !outlet.pointee.output.isEmpty,
      outlet.pointee.output.count <= BlockPool.blockBytes
    else { return flush(connection) }
    guard !connection.pointee.isOutgoing else { return }
    connection.pointee.isOutgoing = true
    outgoing.append(connection.pointee.token)
  }

  func prepareOutgoing() {
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
  func settleOutgoing() {
    for index in outgoing.indices {
      let token = outgoing[index]
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

  /// Between two calls of a turn: what is to leave does so once a period of the watchdog.
  @inline(__always)
  func sendOutgoingInTime() {
    let period = watched.pointee.period
    guard period != lastPeriod else { return }
    lastPeriod = period
    sendOutgoing()
  }

  /// What is to leave, leaves.
  func sendOutgoing() {
    guard !outgoing.isEmpty else { return }
    guard ring.isOpen else { return flushOutgoing() }
    prepareOutgoing()
    ring.submit()
    takeCompletions()
    settleOutgoing()
  }

  private func flushOutgoing() {
    for index in outgoing.indices {
      let token = outgoing[index]
      let connection = connections.record(token.slot)
      guard connection.pointee.token == token else { continue }
      connection.pointee.isOutgoing = false
      flush(connection)
      if connection.pointee.isClosing, !connection.pointee.hasOutput { close(connection) }
    }
    outgoing.removeAll(keepingCapacity: true)
  }

  /// An answer was not taken whole: the rest goes when it can, as ever.
  func fellShort(_ index: Int, _ result: Int32) {
    let connection = connections.record(outgoing[index].slot)
    guard connection.pointee.token == outgoing[index], connection.pointee.isOutgoing else { return }
    connection.pointee.isOutgoing = false
    let outlet = connection.pointee.outlet
    if result > 0 { outlet.pointee.output.consume(Int(result)) }
    flush(connection)
  }
}
