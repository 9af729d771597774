import Wire

/// How connections end: in stages (RFC 9112 §9.6), whatever was expected of the peer. A socket that is
/// closed with bytes unread, or that gets some later, answers with a reset, which takes from the peer
/// what it has not read of its answer. So our side is shut first, then what still comes is read over,
/// for a bounded time and up to a bounded amount, and the socket is closed when the peer has ended its
/// side.
extension Worker {
  /// The connection ends when its output is sent.
  func endWithOutput(_ connection: ConnectionPointer) {
    connection.pointee.closesAfterOutput = true
    connection.pointee.lingerBytes = limits.lingerBytes
    flush(connection)
    if connection.pointee.hasOutput { connection.pointee.state = .writing } else { finish(connection) }
  }

  /// Ends a connection that waits for a request.
  func endIdle(_ connection: ConnectionPointer) {
    connection.pointee.expectsNoMore = true
    endWithOutput(connection)
  }

  /// The last byte is sent: our side ends, and the connection with the peer's.
  func finish(_ connection: ConnectionPointer) {
    if connection.pointee.gateway == .cgi {
      cgiFailed = connection.pointee.outlet.pointee.isLost
      connection.pointee.state = .closed
      return
    }
    let outlet = connection.pointee.outlet
    if connection.pointee.peerEnded || outlet.pointee.isLost || outlet.pointee.isCut {
      return close(connection)
    }
    if connection.pointee.expectsNoMore, mayCloseAtOnce(connection) { return close(connection) }
    do { try System.shutdownWriting(connection.pointee.fd) } catch { return close(connection) }
    connection.pointee.state = .lingering
    connection.pointee.lingersUntil = now &+ UInt64(limits.lingerTotalSeconds * 1e9)
    blocks.empty(&connection.pointee.input)
    setTimeout(connection, .linger)
    watchInput(connection)
  }

  /// Nothing of the answer can be lost to a reset any more. On a unix socket what is sent is in the peer's
  /// hands, and a close is an error there only if something is unread.
  private func mayCloseAtOnce(_ connection: ConnectionPointer) -> Bool {
    guard connection.pointee.input.isEmpty else { return false }
    if isTCP(connection), stopping == nil || System.unsentBytes(connection.pointee.fd) > 0 { return false }
    return !System.hasInput(connection.pointee.fd)
  }

  /// The socket is one of TCP, whatever a PROXY header says.
  @inline(__always)
  func isTCP(_ connection: ConnectionPointer) -> Bool {
    connection.pointee.gateway != .cgi && listeners[Int(connection.pointee.listener)].isTCP
  }

  // MARK: Reading over

  /// What a closing connection waits for while its socket is full: a peer that sends all before it reads has
  /// to be read over, or both wait for each other.
  func interestInEnd(_ connection: ConnectionPointer) -> Interest {
    let mayRead = !connection.pointee.peerEnded && !connection.pointee.outlet.pointee.isCut
    let isRead = connection.pointee.closesAfterOutput && mayRead
    return isRead ? [.read, .write] : .write
  }

  /// Reads and drops what a peer still sends after its answer, or while that is on its way.
  func drain(_ connection: ConnectionPointer) throws(SystemError) {
    blocks.fill(&connection.pointee.input)
    connection.pointee.input.removeAll()
    let count = try System.receive(
      connection.pointee.fd, connection.pointee.input.tail, connection.pointee.input.room)
    blocks.empty(&connection.pointee.input)
    if count == 0 { ended(connection) } else { hasReadOver(connection, count) }
  }

  /// So many bytes of a peer that has its answer were dropped: how long is it listened to?
  func hasReadOver(_ connection: ConnectionPointer, _ count: Int) {
    connection.pointee.lingerBytes -= count
    guard connection.pointee.state == .lingering else {
      // What it sends beyond that has to wait for its answer.
      if connection.pointee.lingerBytes <= 0 { setInterest(connection, .write) }
      return
    }
    let isOver = connection.pointee.lingerBytes <= 0 || now >= connection.pointee.lingersUntil
    if isOver { return close(connection) }
    // A worker that stops does not wait for the end of a long upload.
    if stopping == nil { setTimeout(connection, .linger) }
  }

  /// When the worker stops: peers that have all of their answers, and owe nothing, do not hold it up.
  func endLingering() {
    for slot in 0..<UInt32(connections.capacity) {
      let connection = connections.record(slot)
      guard connection.pointee.state == .lingering, connection.pointee.expectsNoMore else { continue }
      if mayCloseAtOnce(connection) { close(connection) }
    }
  }

  // MARK: The peer's end

  /// The peer has ended its side. Whole requests before that were answered; half a one is dropped.
  func ended(_ connection: ConnectionPointer) {
    connection.pointee.peerEnded = true
    if connection.pointee.hasOutput { return setInterest(connection, .write) }
    sayDropped(connection)
    close(connection)
  }

  /// The connection broke: nothing more comes, and nothing can be sent.
  func broke(_ connection: ConnectionPointer) {
    sayDropped(connection)
    close(connection)
  }

  /// Half a request is dropped with its connection; one whose head was there gets a line.
  private func sayDropped(_ connection: ConnectionPointer) {
    guard connection.pointee.state == .readingBody, let exchange = connection.pointee.exchange else { return }
    log.info("the client of \(exchange.pointee.requestLine) has left before its body was complete")
  }
}
