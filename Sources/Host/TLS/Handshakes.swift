import Wire

/// Handshakes whose next step uses the key and is taken beside the loop: a thread takes one after the other,
/// and the leader goes on with the connection. Until then the session belongs to the list, and its connection
/// has none.
///
/// Unchecked: everything mutable is guarded by `monitor`.
final class Handshakes: @unchecked Sendable {
  private let monitor = Monitor()
  /// Those that wait, by the numbers of their tokens.
  private var waiting: [UInt64: Carrier] = [:]
  /// Their order; those that were withdrawn are still in it.
  private var order: [Token] = []
  private var turn = Round<Token>()
  private var hasThread = false
  private var isOver = false
  /// Seconds after which the thread ends if there was nothing to do.
  private static let idleSeconds = 10.0

  /// Takes a session over; false, and it stays the caller's, if the system gives no thread.
  ///
  /// - Parameter startThread: starts a thread that takes steps until there is no `next`.
  func add(_ token: Token, _ carrier: Carrier, startThread: () -> Bool) -> Bool {
    monitor.lock()
    defer { monitor.unlock() }
    guard !isOver else { return false }
    if !hasThread {
      guard startThread() else { return false }
      hasThread = true
    }
    waiting[token.raw] = carrier
    order.append(token)
    monitor.signal()
    return true
  }

  /// The connection closes: ends its session, unless the thread has it already.
  func withdraw(_ token: Token) {
    monitor.lock()
    let carrier = waiting.removeValue(forKey: token.raw)
    monitor.unlock()
    carrier?.close()
  }

  /// For the thread: waits for a session; nil when the thread has to end.
  func next() -> (token: Token, carrier: Carrier)? {
    monitor.lock()
    defer { monitor.unlock() }
    let deadline = Monitor.deadline(seconds: Handshakes.idleSeconds)
    while !isOver {
      while let token = turn.next() {
        if let carrier = waiting.removeValue(forKey: token.raw) { return (token, carrier) }
      }
      if !order.isEmpty {
        turn.begin(with: &order)
      } else if !monitor.wait(until: deadline), order.isEmpty {
        break
      }
    }
    hasThread = false
    return nil
  }

  /// The loop has ended: the thread ends after its step.
  func end() {
    monitor.lock()
    isOver = true
    let left = waiting
    waiting = [:]
    monitor.signal()
    monitor.unlock()
    for carrier in left.values { carrier.close() }
  }
}

extension Worker {
  /// Leader: the next step of a handshake uses the key. Leaves it to the thread beside the loop if it may
  /// take longer than a millisecond, or if a shorter one was taken in this turn already: several of them
  /// would hold up others for as long. False: this thread has to take it.
  func leavesToil(_ connection: ConnectionPointer, _ carrier: Carrier) -> Bool {
    if !carrier.isHeavy, acceptor.lastToil != now {
      acceptor.lastToil = now
      return false
    }
    let token = connection.token
    guard acceptor.handshakes.add(token, carrier, startThread: { startCounted { $0.shakeHands() } }) else {
      return false
    }
    connection.outlet.carrier = nil
    connection.preface.insert(.handshake)
    if connection.input.isEmpty { blocks.empty(&connection.input) }
    // Only a reset matters now, and the deadline of the head.
    setInterest(connection, [])
    return true
  }

  /// Runs on a thread of its own.
  private func shakeHands() {
    while let (token, carrier) = acceptor.handshakes.next() {
      carrier.toil()
      inbox.post(.toiled(token, carrier))
    }
  }

  /// Leader: such a step was taken.
  func toiled(_ token: Token, _ carrier: Carrier) -> Turn {
    let connection = connections.record(token.slot)
    // A connection that has ended meanwhile, or is about to.
    guard connection.token == token, connection.state == .idle, connection.preface.contains(.handshake) else {
      carrier.close()
      return .goesOn
    }
    connection.preface.remove(.handshake)
    connection.outlet.carrier = carrier
    board?[.handshakes].increment()
    let nothing = UnsafeRawBufferPointer(start: nil, count: 0)
    guard goOnSealed(connection, carrier, nothing), readPreface(connection) else { return .goesOn }
    return decode(connection)
  }
}
