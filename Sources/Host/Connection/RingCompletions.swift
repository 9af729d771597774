import Glibc
import Wire

/// Completions of the ring: each is put where it belongs, and nothing is served yet.
extension Worker {
  /// Input that a connection may have in advance, in bytes; beyond it the ring receives no more for it.
  private static let mostAhead = 4 * BlockPool.blockBytes

  func takeCompletions() {
    repeat {
      let count = ring.completed
      for index in 0..<count { take(ring.completion(index)) }
      ring.heeded(count)
    } while ring.takesOverflow()
    ring.showBlocks()
  }

  @inline(__always)
  private func take(_ completion: Ring.Completion) {
    switch completion.token.kind {
    case .connection: received(completion)
    case .answer: fellShort(Int(completion.token.slot), completion.result)
    case .nobody, .listener, .signal, .inbox, .control, .ring, nil: break
    }
  }

  /// Something was received, or receiving has ended.
  @inline(__always)
  private func received(_ completion: Ring.Completion) {
    let connection = connections.record(completion.token.slot)
    let isCurrent = connection.pointee.token == completion.token && connection.pointee.state != .closed
    if let number = completion.block {
      let block = ring.block(number)
      let count = isCurrent ? Int(max(0, completion.result)) : 0
      if count > 0, connection.pointee.input.block == nil {
        connection.pointee.input.adopt(block, capacity: BlockPool.blockBytes)
        connection.pointee.input.commit(count)
        ring.lend(blocks.take(), number)
      } else {
        connection.pointee.input.append(UnsafeRawBufferPointer(start: block, count: count))
        ring.lend(block, number)
      }
    }
    guard isCurrent else { return }
    if !completion.goesOn { receivingEnded(connection, completion.result) }
    if connection.pointee.input.count > Worker.mostAhead { leaveRing(connection) }
    enlist(connection)
  }

  /// It is served when all completions are taken.
  @inline(__always)
  func enlist(_ connection: ConnectionPointer) {
    guard !connection.pointee.hasNews else { return }
    connection.pointee.hasNews = true
    arriving.append(connection.pointee.token)
  }

  /// Nothing more is received for a connection: it has ended, was cancelled, or there was no block left.
  private func receivingEnded(_ connection: ConnectionPointer, _ result: Int32) {
    connection.pointee.onRing = .no
    switch -result {
    case 0, ECONNRESET, EPIPE, ETIMEDOUT: connection.pointee.hasEnded = true
    default: break
    }
  }
}
