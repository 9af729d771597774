import Wire

/// Input that has not come yet: requested early if it is needed, skipped if it is not.
extension Worker {
  /// The kernel reports every piece at the end of a body, because a peer may hold it back (`acknowledge`).
  private static let lastBytes: Int64 = 64 * 1024

  /// The kernel reports a long body when most of it is there: waking up for each piece costs more than the
  /// piece. It also reports fewer bytes if it is short of memory, and at the peer's end.
  func expect(_ connection: ConnectionPointer, _ left: Int64) {
    let most = left - Worker.lastBytes
    let before = connection.exchange?.body.length ?? 0
    // Bytes that go to a file are received through a block.
    let isLong = most >= Worker.lastBytes && before + left <= limits.bodyMemoryBytes
    let lowWater = isLong ? Int32(most) : 1
    let isSet = isLong ? 2...lowWater ~= connection.lowWater : connection.lowWater == 1
    // A session may hold some ciphertext already: fewer bytes may be to come than the body has.
    guard !isSet, connection.peer.isInternet, !connection.isSealed else { return }
    connection.lowWater = lowWater
    System.setLowWater(connection.fd, lowWater)
  }

  /// FastCGI: reads and drops the rest of a request whose answer did not wait for it. True when the next one
  /// may be read.
  /// may be read.
  func skip(_ connection: ConnectionPointer) -> Bool {
    // The reader asks for a head, and does not touch it inside a body.
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
      case .head, .body, .trailer, .abort: break
      case .answer(let answer): guard answered(connection, answer) else { return false }
      case .end:
        connection.codec.reset()
        connection.next(.readOver)
        return true
      case .needMore:
        flush(connection)
        if connection.timeout != .linger { setTimeout(connection, .linger) }
        if intake.hasReadAll { connection.acknowledge() }
        watchOrClose(connection)
        return false
      }
    }
  }
}
