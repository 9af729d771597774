import Glibc
import Wire

/// Receiving: the one place where bytes of a peer come in, whoever asks for them: the loop on epoll, the
/// ring, an app that reads its body, a connection that is read over, a CGI program. What is to stay in the
/// socket until a request is over stays there from here on (KeptInput.swift).
extension Worker {
  /// Input that a connection may have in advance, in bytes; beyond it the ring receives no more for it.
  private static let mostAhead = 4 * BlockPool.blockBytes

  /// Receives once, without waiting, into the connection's input. Returns how many bytes have come, 0 at the
  /// peer's end.
  @inline(__always)
  func takeInput(_ connection: ConnectionPointer) throws(SystemError) -> Int {
    if connection.isSealed || connection.isStream { return try takeSealed(connection) }
    if connection.kept > 0 { takeKept(connection) }
    makeRoom(connection)
    let keeps = connection.keepsInput && connection.mayBeLast
    let count = try System.receive(
      connection.fd, connection.input.tail, connection.input.room, keeps: keeps)
    if keeps { connection.kept = count }
    inputCame(connection, count)
    return count
  }

  /// The same into a body of known length, of which so many bytes are to come, past the codec.
  func takeBody(
    _ connection: ConnectionPointer, _ exchange: ExchangePointer, _ left: Int64
  ) throws(SystemError) -> Int {
    if connection.kept > 0 { takeKept(connection) }
    let keeps = connection.keepsInput && connection.mayBeLast
    // Of a long rest whose end is to stay in the socket, all but one byte is enough: that is next.
    let most = connection.keepsInput && !keeps ? left - 1 : left
    let count = try System.receive(connection.fd, exchange.body.memory.tail, Int(most), keeps: keeps)
    if keeps { connection.kept = count }
    exchange.body.received(count)
    connection.codec.bypassed(count)
    return count
  }

  /// The same for nobody: the peer has its answer.
  func takeForNobody(_ connection: ConnectionPointer) throws(SystemError) -> Int {
    if connection.kept > 0 { takeKept(connection) }
    return try System.receive(connection.fd, wasted, BlockPool.blockBytes)
  }

  /// CGI: takes from a descriptor of its own, and may wait.
  func takeInput(_ connection: ConnectionPointer, from input: Int32) throws(SystemError) -> Int {
    makeRoom(connection)
    let count = try System.read(input, connection.input.tail, connection.input.room)
    inputCame(connection, count)
    return count
  }

  /// The ring has received something, or receives no more.
  @inline(__always)
  func take(_ completion: Ring.Completion) {
    let connection = connections.record(completion.token.slot)
    let isCurrent = connection.token == completion.token && connection.state != .closed
    if let number = completion.block {
      let block = ring.block(number)
      let count = isCurrent ? Int(max(0, completion.result)) : 0
      if count > 0, connection.input.block == nil {
        connection.input.adopt(block, capacity: BlockPool.blockBytes)
        connection.input.commit(count)
        ring.lend(blocks.take(), number)
      } else {
        connection.input.append(UnsafeRawBufferPointer(start: block, count: count))
        ring.lend(block, number)
      }
    }
    guard isCurrent else { return }
    if !completion.goesOn { receivingEnded(connection, completion.result) }
    if connection.input.count > Worker.mostAhead { leaveRing(connection) }
    enlist(connection)
  }

  @inline(__always)
  private func makeRoom(_ connection: ConnectionPointer) {
    blocks.fill(&connection.input)
    if connection.input.room == 0 { connection.input.reserve(BlockPool.blockBytes) }
  }

  @inline(__always)
  private func inputCame(_ connection: ConnectionPointer, _ count: Int) {
    hasReadAll = count < connection.input.room
    connection.input.commit(count)
  }
}
