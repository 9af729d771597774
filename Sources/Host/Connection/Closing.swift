import Wire

/// How connections end: in stages (RFC 9112 §9.6), whatever was expected of the peer. A socket that is closed
/// with bytes unread, or that gets some later, answers with a reset, which takes from the peer the part of
/// its answer that it has not read. So our side is shut first, then input is read and dropped, for a bounded
/// time and up to a bounded amount, and the socket is closed when the peer has ended its side.
extension Worker {
  /// Ends the connection when its output is sent.
  func endWithOutput(_ connection: ConnectionPointer) {
    connection.closesAfterOutput = true
    connection.lingerBytes = limits.lingerBytes
    flush(connection)
    if connection.hasOutput { connection.next(.lastAnswer) } else { finish(connection) }
  }

  /// Closes the socket and gives everything back.
  func close(_ connection: ConnectionPointer) {
    // First: until then other threads may send, and look at the outlet.
    if let socket = connection.socket { letGo(connection, socket) }
    if connection.multiplexer != nil {
      connection.isStream ? leaveSession(connection) : endSession(connection)
    }
    if let exchange = connection.exchange { give(exchange) }
    disarm(connection)
    let outlet = connection.outlet
    blocks.empty(&connection.input)
    blocks.empty(&outlet.output)
    if connection.onRing != .no, ring.isOpen { endReceiving(connection) }
    letGoOfInput(connection)
    if outlet.carrier != nil { endSealed(connection) }
    if connection.preface.contains(.handshake) { acceptor.handshakes.withdraw(connection.token) }
    if connection.fd >= 0 { System.close(connection.fd) }
    outlet.pointee.clear()
    connection.pointee.clear()
    connections.give(connection.slot)
  }

  /// Ends a connection that waits for a request.
  func endIdle(_ connection: ConnectionPointer) {
    if connection.isCarrier { return endSessionSoon(connection) }
    connection.expectsNoMore = true
    endWithOutput(connection)
  }

  /// The last byte is sent: ends our side; the connection ends when the peer ends its own.
  func finish(_ connection: ConnectionPointer) {
    if !connection.gateway.hasSocket {
      departure.cgi.hasFailed = connection.outlet.isLost
      connection.next(.closed)
      return
    }
    let outlet = connection.outlet
    if connection.incoming == .ended || outlet.isLost || connection.isStream { return close(connection) }
    if outlet.isCut { return resetSoon(connection) }
    if connection.expectsNoMore, mayCloseAtOnce(connection) { return close(connection) }
    do { try System.shutdownWriting(connection.fd) } catch { return close(connection) }
    connection.next(.shut)
    connection.lingersUntil = now &+ UInt64(limits.lingerTotalSeconds * 1e9)
    blocks.empty(&connection.input)
    setTimeout(connection, .linger)
    watchInput(connection)
  }

  /// Lets the client see the end, but keeps the descriptor: the call's thread may be in a function that uses
  /// it.
  func hangUp(_ connection: ConnectionPointer) {
    if !connection.gateway.hasSocket {
      // The process ends, and its output with it.
      connection.next(.closed)
      return
    }
    if connection.isStream { return }
    setInterest(connection, [])
    if connection.kept > 0 { takeKept(connection) }
    try? System.shutdownWriting(connection.fd)
  }

  /// Bytes sent over a unix socket are in the peer's hands, and a close is an error there only if something
  /// is unread: this saves three system calls per request.
  @inline(__always)
  private func mayCloseAtOnce(_ connection: ConnectionPointer) -> Bool {
    connection.gateway.endsWithItsLength && !isTCP(connection) && connection.input.isEmpty
      && !hasMoreInput(connection)
  }

  /// Nothing of the answer can be lost any more: all of it is in the peer's hands, and has been for a moment,
  /// in which a peer that was still writing has ended. Writing to a closed unix socket is an error, and not
  /// all peers read what came before it.
  private func mayClose(_ connection: ConnectionPointer) -> Bool {
    let start = connection.lingersUntil &- UInt64(limits.lingerTotalSeconds * 1e9)
    guard now >= start &+ UInt64(limits.resetDelaySeconds * 1e9) else { return false }
    if isTCP(connection), System.unsentBytes(connection.fd) > 0 { return false }
    return !hasMoreInput(connection)
  }

  /// The socket is a TCP one, whatever a PROXY header says.
  @inline(__always)
  func isTCP(_ connection: ConnectionPointer) -> Bool {
    connection.gateway.hasSocket && listeners[Int(connection.listener)].isTCP
  }

  // MARK: Reading over

  /// This many bytes of a peer that has its answer were dropped: how long do we keep listening to it?
  func hasReadOver(_ connection: ConnectionPointer, _ count: Int) {
    connection.lingerBytes -= count
    guard connection.state == .lingering else {
      // Anything that it sends beyond that has to wait for its answer.
      if connection.lingerBytes <= 0 { setInterest(connection, .write) }
      return
    }
    let isOver = connection.lingerBytes <= 0 || now >= connection.lingersUntil
    if isOver { return close(connection) }
    // A worker that stops does not wait for the end of a long upload.
    if !departure.isUnderWay { setTimeout(connection, .linger) }
  }

  /// When the worker stops: peers that have all of their answers, and owe nothing, do not hold it up.
  func endLingering() {
    for slot in 0..<UInt32(connections.capacity) {
      let connection = connections.record(slot)
      guard connection.state == .lingering, connection.expectsNoMore else { continue }
      if mayClose(connection) { close(connection) }
    }
  }

  // MARK: The peer's end

  /// The peer has ended its side. Complete requests before that were answered; an incomplete one is dropped.
  func ended(_ connection: ConnectionPointer) {
    connection.next(.peerEnded)
    if connection.hasOutput, !connection.isCarrier { return setInterest(connection, .write) }
    sayDropped(connection)
    close(connection)
  }

  /// The connection broke: nothing more comes, and nothing can be sent.
  func broke(_ connection: ConnectionPointer) {
    sayDropped(connection)
    close(connection)
  }

  /// Drops an incomplete request with its connection; one whose head was there gets a line.
  private func sayDropped(_ connection: ConnectionPointer) {
    guard connection.state == .readingBody, let exchange = connection.exchange else { return }
    log.info("the client of \(exchange.requestLine) has left before its body was complete")
  }
}
