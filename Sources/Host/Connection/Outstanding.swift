import Wire

/// What has not come yet: hastened while it is wanted, read over when it is not.
extension Worker {
  /// Half of something is there, and nothing more is waiting. A peer may hold a small rest back until it
  /// hears of what it has sent (Nagle's algorithm, RFC 1122 §4.2.3.4), and the kernel does not tell it for
  /// 40 ms (§4.2.3.2): so nginx sends a POST over a kept FastCGI connection.
  func acknowledge(_ connection: ConnectionPointer) {
    if connection.pointee.peer.isInternet { System.acknowledge(connection.pointee.fd) }
  }

  /// At the end of a body every piece is told of, for a peer may hold it back (`acknowledge`).
  private static let lastBytes: Int64 = 64 * 1024

  /// A long body is told of when most of it is there: to be woken for each piece costs more than the piece.
  /// Fewer bytes are told of too if the kernel is short of memory, and at the peer's end.
  func expect(_ connection: ConnectionPointer, _ left: Int64) {
    let most = left - Worker.lastBytes
    let before = connection.pointee.exchange?.pointee.body.length ?? 0
    // What goes to a file is received by the block.
    let isLong = most >= Worker.lastBytes && before + left <= limits.bodyMemoryBytes
    let lowWater = isLong ? Int32(most) : 1
    let isSet = isLong ? 2...lowWater ~= connection.pointee.lowWater : connection.pointee.lowWater == 1
    guard !isSet, connection.pointee.peer.isInternet else { return }
    connection.pointee.lowWater = lowWater
    System.setLowWater(connection.pointee.fd, lowWater)
  }

  /// FastCGI: reads over what is left of a request whose answer did not wait for it. True when the next one
  /// may be read.
  func skip(_ connection: ConnectionPointer) -> Bool {
    // The reader asks for a head, and leaves it alone inside a body.
    var head = RequestHead(capacity: 1)
    while true {
      if connection.pointee.outlet.pointee.isBlocked {
        if connection.pointee.timeout != .linger { setTimeout(connection, .linger) }
        return false
      }
      var offset = 0
      let bytes = connection.pointee.input.bytes
      guard let event = try? connection.pointee.codec.next(bytes.bytes, &offset, &head) else {
        endWithOutput(connection)
        return false
      }
      connection.pointee.input.consume(offset)
      switch event {
      case .head, .body, .abort: break
      case .answer(let answer): guard answered(connection, answer) else { return false }
      case .end:
        connection.pointee.codec.reset()
        connection.pointee.state = .idle
        return true
      case .needMore:
        flush(connection)
        if connection.pointee.timeout != .linger { setTimeout(connection, .linger) }
        if hasReadAll { acknowledge(connection) }
        watchOrClose(connection)
        return false
      }
    }
  }
}
