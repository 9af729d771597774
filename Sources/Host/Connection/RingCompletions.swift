import Glibc
import Wire

/// Completions of the ring: each is put in its place, and nothing is served yet.
extension Worker {
  func takeCompletions() {
    rounds.epoch &+= 1
    repeat {
      let count = ring.completed
      for index in 0..<count { heed(ring.completion(index)) }
      ring.heeded(count)
    } while ring.takesOverflow()
    ring.showBlocks()
  }

  @inline(__always)
  private func heed(_ completion: Ring.Completion) {
    switch completion.token.kind {
    case .connection: take(completion)
    case .answer: fellShort(Int(completion.token.slot), completion.result)
    case .nobody, .listener, .signal, .inbox, .control, .ring, .topics, .guest, nil: break
    }
  }

  /// It is served when all completions are taken.
  @inline(__always)
  func enlist(_ connection: ConnectionPointer) {
    guard !connection.hasNews else { return }
    connection.hasNews = true
    rounds.arriving.append(connection.token)
  }

  /// Nothing more is received for a connection: it has ended, was cancelled, or there was no block left.
  func receivingEnded(_ connection: ConnectionPointer, _ result: Int32) {
    connection.onRing = .no
    switch -result {
    case 0, ECONNRESET, EPIPE, ETIMEDOUT: connection.next(.endReceived)
    default: break
    }
  }
}
