import Wire

/// Unix sockets have no reset that could be asked for: a close looks like the end of an answer, and front
/// ends of SCGI, uwsgi and HTTP/1.0 pass half a body on as a whole one. But the kernel turns a close with
/// bytes unread into a reset, even for a process that has crashed. So the last bytes of a connection's first
/// request, which with these protocols is its only one, are looked at and left in the socket; they are taken
/// when the answer is complete, instead of the check whether anything unasked has come. This costs a request
/// nothing; one that comes in several pieces takes one more call for each.
extension Worker {
  /// Takes the bytes that were left in the socket.
  func takeKept(_ connection: ConnectionPointer) {
    while connection.kept > 0 {
      let count = min(connection.kept, BlockPool.blockBytes)
      let taken = (try? System.receive(connection.fd, intake.wasted, count)) ?? connection.kept
      connection.kept = taken > 0 ? connection.kept - taken : 0
    }
  }

  /// Whether more has come than was looked at; takes the bytes that were left in the socket.
  func hasMoreInput(_ connection: ConnectionPointer) -> Bool {
    let kept = connection.kept
    guard 1..<BlockPool.blockBytes ~= kept else {
      takeKept(connection)
      return System.hasInput(connection.fd)
    }
    connection.kept = 0
    return (try? System.receive(connection.fd, intake.wasted, kept + 1)) ?? 0 > kept
  }

  /// The first answer is complete and the connection goes on, like any other from now on.
  func stopKeeping(_ connection: ConnectionPointer) {
    connection.keepsInput = false
    takeKept(connection)
    guard ring.isOpen, connection.isRegistered, connection.interest == .read,
      !connection.prefersReactor
    else { return }
    // It belonged to the ring, except for its first request.
    try? reactor.remove(connection.fd)
    connection.isRegistered = false
  }

  /// The connection closes: with an end, or with the reset that its body asks for.
  @inline(__always)
  func letGoOfInput(_ connection: ConnectionPointer) {
    if connection.kept > 0, !connection.outlet.resets { takeKept(connection) }
    connection.kept = 0
    connection.keepsInput = false
  }

  /// Owner of the outlet: nothing more is sent or received; half a body can be told from a whole one.
  func breakOff(_ connection: ConnectionPointer) {
    if connection.isStream { return }
    if connection.outlet.resets, !isTCP(connection) {
      try? System.sever(connection.fd)
    }
    System.shutdown(connection.fd)
  }

  /// Breaks off a connection whose call may go on using its descriptor; false if that is not possible.
  func severed(_ connection: ConnectionPointer) -> Bool {
    unwatch(connection)
    connection.kept = 0
    do { try System.sever(connection.fd) } catch { return false }
    return true
  }
}
