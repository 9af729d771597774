import Wire

/// Input that has not come yet: requested early when it is needed, skipped when it is not.
extension Worker {
  /// At the end of a body every piece is told of, for a peer may hold it back (`acknowledge`).
  private static let lastBytes: Int64 = 64 * 1024

  /// A long body is told of when most of it is there: to be woken for each piece costs more than the piece.
  /// Fewer bytes are told of too if the kernel is short of memory, and at the peer's end.
  func expect(_ connection: ConnectionPointer, _ left: Int64) {
    let most = left - Worker.lastBytes
    let before = connection.exchange?.body.length ?? 0
    // What goes to a file is received by the block.
    let isLong = most >= Worker.lastBytes && before + left <= limits.bodyMemoryBytes
    let lowWater = isLong ? Int32(most) : 1
    let isSet = isLong ? 2...lowWater ~= connection.lowWater : connection.lowWater == 1
    // Of ciphertext a session may hold some already: less may be to come than bytes of the body.
    guard !isSet, connection.peer.isInternet, !connection.isSealed else { return }
    connection.lowWater = lowWater
    System.setLowWater(connection.fd, lowWater)
  }

  /// FastCGI: reads over what is left of a request whose answer did not wait for it. True when the next one
  /// may be read.
  func skip(_ connection: ConnectionPointer) -> Bool {
    // The reader asks for a head, and leaves it alone inside a body.
    var head = RequestHead(capacity: 1)
    while true {
      if connection.outlet.isBlocked {
        if connection.timeout != .linger { setTimeout(connection, .linger) }
        return false
      }
      var offset = 0
      let bytes = connection.input.bytes
      guard let event = try? connection.codec.next(bytes.bytes, &offset, &head) else {
        endWithOutput(connection)
        return false
      }
      connection.input.consume(offset)
      switch event {
      case .head, .body, .abort: break
      case .answer(let answer): guard answered(connection, answer) else { return false }
      case .end:
        connection.codec.reset()
        connection.next(.readOver)
        return true
      case .needMore:
        flush(connection)
        if connection.timeout != .linger { setTimeout(connection, .linger) }
        if hasReadAll { connection.acknowledge() }
        watchOrClose(connection)
        return false
      }
    }
  }
}
