import CLinux
import Glibc
import Wire

/// `--harakiri`: the time of a request is up. The leader answers or cuts at that moment, whatever the app
/// does; a call that does not return keeps its thread, but nothing else.
extension Worker {
  /// The deadline of a request has passed: the client gets a 504 if nothing was sent yet; a response that has
  /// begun is cut, so that the client notices.
  func deadlinePassed(_ connection: ConnectionPointer) {
    connection.deadline = 0
    guard let exchange = connection.exchange else { return close(connection) }
    guard connection.isDetached else { return waitedTooLong(connection, exchange) }
    board?.countLate(app: exchange.calls?.place)
    if let socket = connection.socket { return handlerIsLate(connection, exchange, socket) }
    log.warning("\(app(exchange).name) takes too long for \(exchange.requestLine)")
    // Done first, since the answer may be what the call waits for.
    logStack(exchange)
    exchange.pointee.isLate = true
    let isAnswered = answerLate(exchange)
    abandoned(exchange)
    if isAnswered { endLate(connection, exchange) } else { cutLate(connection, exchange) }
    if exchange.state.owner == .detached { setTimeout(connection, .stuck) }
  }

  /// Answers with a 504, after which the connection is of no use: the call may go on for long. False if a
  /// response had begun.
  private func answerLate(_ exchange: ExchangePointer) -> Bool {
    exchange.lock.lock()
    defer { exchange.lock.unlock() }
    guard exchange.phase == .called, !exchange.isOver else {
      // The response is complete, but the call goes on: sends the rest of the output.
      pushOutBeside(exchange)
      return exchange.phase == .finished
    }
    exchange.head.persists = false
    exchange.isHeld = false
    exchange.held.removeAll()
    exchange.response.reset()
    answer(exchange, 504, "the application did not answer in time")
    pushOutBeside(exchange)
    exchange.next(.cut)
    return true
  }

  /// The response is complete: the connection ends after it, not after the call.
  private func endLate(_ connection: ConnectionPointer, _ exchange: ExchangePointer) {
    connection.closesAfterOutput = true
    exchange.lock.lock()
    let hasOutput = exchange.outlet.hasOutput
    exchange.lock.unlock()
    if hasOutput { watchOutput(connection) } else { hangUp(connection) }
  }

  /// The response is incomplete: the client must not take it for a whole one.
  private func cutLate(_ connection: ConnectionPointer, _ exchange: ExchangePointer) {
    connection.closesAfterOutput = true
    let isTold =
      switch exchange.plan.framing {
      case .chunked, .length: connection.gateway.heedsLengths
      case .none, .untilClose, .records, .frames: false
      }
    if !connection.gateway.hasSocket { return hangUp(connection) }
    if connection.isStream { return resetStream(connection) }
    // A body whose length was not announced can only be cut by a reset.
    if !isTold, isTCP(connection) { System.reset(connection.fd) }
    if !isTold, connection.kept > 0, severed(connection) { return }
    System.shutdown(connection.fd)
  }

  /// A request whose turn has not come.
  private func waitedTooLong(_ connection: ConnectionPointer, _ exchange: ExchangePointer) {
    guard let calls = exchange.calls, calls.pointee.remove(exchange) else { return }
    board?.countLate(app: calls.place)
    if let socket = connection.socket { return handlerWaitedTooLong(connection, exchange, socket) }
    log.warning("\(app(exchange).name) has no turn in time for \(exchange.requestLine)")
    refuse(connection, 504, "the application did not answer in time")
  }

  /// A call was cancelled and goes on: its thread cannot be recovered. Logs its stack; under a master the
  /// worker is replaced, answers its other requests, and leaves without that thread.
  func callIsStuck(_ connection: ConnectionPointer) {
    guard let exchange = connection.exchange, connection.isDetached else { return }
    setTimeout(connection, .none)
    guard exchange.next(.graceOver) == .giveUp else { return }
    departure.stuckCalls += 1
    let line = exchange.requestLine
    log.error("\(app(exchange).name) is stuck in \(line): cancelled, and has not returned (--harakiri)")
    System.trace(exchange.thread)
    supervisor?.expire("a call is stuck in \(line) (--harakiri)")
  }
}
