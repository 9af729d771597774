import Glibc
import Wire

/// Facts about the bytes that were received last, and a place for those that nobody wants.
struct Intake {
  /// The current connection has received everything that there was: it ended within a block.
  var hasReadAll = false
  /// A place for unwanted bytes.
  let wasted = UnsafeMutableRawPointer.allocate(byteCount: BlockPool.blockBytes, alignment: 16)

  /// Gives its memory back.
  func free() { wasted.deallocate() }
}

/// The one place where bytes from a peer come in, whoever asks for them: the loop on epoll, the ring, an app
/// that reads its body, a connection whose input is dropped, a CGI program. Bytes that have to stay in the
/// socket until a request is over stay there from here on (KeptInput.swift).
extension Worker {
  /// Bytes of input that a connection may have in advance; beyond that the ring receives no more for it.
  private static let mostAhead = 4 * BlockPool.blockBytes

  /// Receives once, without waiting, into the connection's input. Returns how many bytes have come, 0 at the
  /// peer's end.
  @inline(__always)
  func takeInput(_ connection: ConnectionPointer) throws(SystemError) -> Int {
    rounds.epoch &+= 1
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

  /// The same into a body of known length, of which this many bytes are to come, bypassing the codec.
  func takeBody(
    _ connection: ConnectionPointer, _ exchange: ExchangePointer, _ left: Int64
  ) throws(SystemError) -> Int {
    rounds.epoch &+= 1
    if connection.kept > 0 { takeKept(connection) }
    let keeps = connection.keepsInput && connection.mayBeLast
    // For a long rest whose end has to stay in the socket, all but one byte is enough: that one is next.
    let most = connection.keepsInput && !keeps ? left - 1 : left
    let count = try System.receive(connection.fd, exchange.body.memory.tail, Int(most), keeps: keeps)
    if keeps { connection.kept = count }
    exchange.body.received(count)
    connection.codec.bypassed(count)
    return count
  }

  /// The same for input that is dropped: the peer has its answer.
  func takeForNobody(_ connection: ConnectionPointer) throws(SystemError) -> Int {
    if connection.kept > 0 { takeKept(connection) }
    return try System.receive(connection.fd, intake.wasted, BlockPool.blockBytes)
  }

  /// CGI: takes from a descriptor of its own, and may wait.
  func takeInput(_ connection: ConnectionPointer, from input: Int32) throws(SystemError) -> Int {
    makeRoom(connection)
    let count = try System.read(input, connection.input.tail, connection.input.room)
    inputCame(connection, count)
    return count
  }

  /// The ring has received something, or has stopped receiving.
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
    intake.hasReadAll = count < connection.input.room
    connection.input.commit(count)
  }

  /// Leaves the head in its block while the body comes in through another.
  func moveOn(_ connection: ConnectionPointer, _ exchange: ExchangePointer) {
    guard connection.headBlock.block == nil, exchange.head.assembled.block == nil else {
      return
    }
    var fresh = ByteBuffer()
    if !connection.input.isEmpty {
      blocks.fill(&fresh)
      fresh.append(connection.input.bytes)
    }
    swap(&fresh, &connection.input)
    swap(&fresh, &connection.headBlock)
  }
}
