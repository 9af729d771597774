import Glibc

/// A leader's time with a ring: taken up when calls are fast, left by the successor of a leader whose call
/// was handed off.
extension Worker {
  /// The leader, with nothing else to do: has its own ring from now on.
  func takeUpRing() {
    ringDue = .max
    do throws(SystemError) {
      let isFirst = ring.bell < 0
      try ring.open(&blocks)
      if isFirst { try reactor.add(ring.bell, [.read, .edges], Token(.ring, slot: 0)) }
    } catch {
      closeRing()
      log.info("io_uring cannot be had here (\(error.reason)): serving with epoll")
      return
    }
    ringSince = now
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

  /// A new leader: what the last one's ring was to do goes on with epoll, for a while. Calls that are slow
  /// come in a row, and each would cost all connections the change.
  func leaveRing() {
    guard ring.isOpen else { return }
    now = System.now()
    // What has completed is in memory; the rest will not.
    takeCompletions()
    closeRing()
    let hasLasted = now &- ringSince > UInt64(limits.ringLastsSeconds * 1e9)
    ringRest = hasLasted ? limits.ringRestSeconds : min(ringRest * 2, limits.ringRestMostSeconds)
    ringDue = now &+ UInt64(ringRest * 1e9)
    for slot in 0..<UInt32(connections.capacity) {
      let connection = connections.record(slot)
      guard connection.pointee.onRing != .no else { continue }
      connection.pointee.onRing = .no
      if connection.pointee.state != .closed { watchAnew(connection) }
    }
  }

  /// Gives the kernel's part back; connections that were on it are watched by nobody.
  func closeRing() { ring.close(&blocks) }

  /// From now on the Reactor watches the connection: it needs more than to wait for input.
  func leaveRing(_ connection: ConnectionPointer) {
    guard connection.pointee.onRing == .receiving else { return }
    connection.pointee.prefersReactor = true
    connection.pointee.onRing = .leaving
    ring.cancel(connection.pointee.token)
  }

  /// A connection closes while the ring receives for it. What was asked in this turn has to be submitted
  /// before: the number of a descriptor that is closed is another connection's a moment later. And the ring
  /// lets go of the socket only when it is entered, but the peer is to see the end now, with the last bytes.
  func endReceiving(_ connection: ConnectionPointer) {
    if connection.pointee.onRing == .receiving { ring.cancel(connection.pointee.token) }
    ring.submit()
    if !connection.pointee.outlet.pointee.resets { System.shutdown(connection.pointee.fd) }
  }

  /// A connection that nobody watches, to be watched for what it waits for.
  func watchAnew(_ connection: ConnectionPointer) {
    let interest = connection.pointee.interest
    connection.pointee.isRegistered = false
    setInterest(connection, interest)
  }
}
