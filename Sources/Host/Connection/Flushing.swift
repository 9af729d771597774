import Glibc
import Wire

/// Flush: from the output of a connection to its socket, and what the kernel watches meanwhile.
extension Worker {
  /// Sends what waits; what the socket does not take now goes when it can be written. Never closes: a
  /// peer that is gone shows in `closesAfterOutput` with nothing left to send.
  func flush(_ connection: ConnectionPointer) {
    do throws(SystemError) {
      while !connection.pointee.output.isEmpty {
        let count = try System.send(
          connection.pointee.fd, connection.pointee.output.base!, connection.pointee.output.count)
        connection.pointee.output.consume(count)
      }
      if connection.pointee.file.left > 0 { try sendFile(connection) }
    } catch {
      return error.wouldBlock ? block(connection) : lost(connection)
    }
    connection.pointee.isBlocked = false
    blocks.empty(&connection.pointee.output)
  }

  /// The socket is full: reading rests until it takes bytes again.
  private func block(_ connection: ConnectionPointer) {
    connection.pointee.isBlocked = true
    setInterest(connection, .write)
    setTimeout(connection, .write)
  }

  /// The client is gone: nothing more is sent to it.
  func lost(_ connection: ConnectionPointer) {
    connection.pointee.output.removeAll()
    connection.pointee.file.close()
    connection.pointee.isBlocked = false
    connection.pointee.closesAfterOutput = true
    connection.pointee.peerEnded = true
    if let exchange = connection.pointee.exchange { exchange.pointee.phase = .gone }
  }

  /// Beside the loop: sends what the socket takes without waiting; the leader sends the rest.
  func pushOutBeside(_ connection: ConnectionPointer) {
    do throws(SystemError) {
      while !connection.pointee.output.isEmpty {
        connection.pointee.output.consume(
          try System.send(
            connection.pointee.fd, connection.pointee.output.base!, connection.pointee.output.count))
      }
    } catch {
      if !error.wouldBlock { lost(connection) }
    }
  }

  private func sendFile(_ connection: ConnectionPointer) throws(SystemError) {
    while connection.pointee.file.left > 0 {
      let count = try System.sendFile(
        connection.pointee.fd, connection.pointee.file.fd, &connection.pointee.file.offset,
        Int(min(connection.pointee.file.left, 1 << 30)))
      // The file became shorter than its head promised: the client must see the answer cut.
      if count == 0 { throw SystemError("sendfile", EPIPE) }
      connection.pointee.file.left -= Int64(count)
    }
    connection.pointee.file.close()
  }

  /// The socket takes bytes again.
  func flushed(_ connection: ConnectionPointer) -> Turn {
    flush(connection)
    guard !connection.pointee.hasOutput else { return .goesOn }
    if connection.pointee.closesAfterOutput {
      finish(connection)
      return .goesOn
    }
    setInterest(connection, .read)
    if connection.pointee.state == .writing { connection.pointee.state = .idle }
    return decode(connection)
  }

  // MARK: What the kernel watches

  @inline(__always)
  func watchInput(_ connection: ConnectionPointer) {
    if connection.pointee.isRegistered, connection.pointee.interest == .read { return }
    if !connection.pointee.isBlocked { setInterest(connection, .read) }
  }

  /// Waits for input, unless the last flush has found the peer gone.
  func watchOrClose(_ connection: ConnectionPointer) {
    if connection.pointee.closesAfterOutput, !connection.pointee.hasOutput { return close(connection) }
    watchInput(connection)
  }

  func setInterest(_ connection: ConnectionPointer, _ interest: Interest) {
    guard !connection.pointee.isRegistered || connection.pointee.interest != interest else { return }
    do {
      if connection.pointee.isRegistered {
        try reactor.change(connection.pointee.fd, interest, connection.pointee.token)
      } else {
        try reactor.add(connection.pointee.fd, interest, connection.pointee.token)
      }
      connection.pointee.interest = interest
      connection.pointee.isRegistered = true
    } catch {
      log.error("a connection cannot be watched: \(error)")
      connection.pointee.closesAfterOutput = true
    }
  }
}
