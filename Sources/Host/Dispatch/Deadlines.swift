import CLinux
import Glibc
import Wire

/// `--harakiri`: the time of a request is over. The leader answers or cuts, at that moment, whatever the app
/// does; a call that does not return keeps its thread, and nothing else.
extension Worker {
  /// A request waits for a call, or its call has left the loop: from now on its time counts.
  func startDeadline(_ connection: ConnectionPointer) {
    let seconds = limits.requestTimeoutSeconds
    connection.pointee.deadline = seconds > 0 ? now &+ UInt64(seconds * 1e9) : 0
    setTimeoutBeside(connection, .none)
  }

  /// The timer of a connection whose exchange is beside the loop: never later than the request's deadline.
  func setTimeoutBeside(_ connection: ConnectionPointer, _ timeout: Connection.Timeout) {
    let seconds: Double? =
      switch timeout {
      case .body: bodySeconds(connection)
      case .write: shortestWriteSeconds
      default: nil
      }
    let deadline = connection.pointee.deadline
    guard deadline != 0, deadline <= seconds.map({ now &+ UInt64($0 * 1e9) }) ?? .max else {
      return setTimeout(connection, timeout)
    }
    connection.pointee.timeout = .request
    timers.set(connection.pointee.slot, TimerWheel.tick(deadline, seconds: 0), timer)
  }

  /// What a timer was for may go on for some seconds more; but not beyond the request's deadline.
  func putOff(_ connection: ConnectionPointer, seconds: Double) {
    let (deadline, due) = (connection.pointee.deadline, now &+ UInt64(seconds * 1e9))
    let isRequest = deadline != 0 && deadline <= due
    if isRequest { connection.pointee.timeout = .request }
    let tick = TimerWheel.tick(isRequest ? deadline : due, seconds: 0)
    timers.set(connection.pointee.slot, tick, timer)
  }

  /// The deadline of a request has passed: the client gets a 504 if nothing was sent yet; a response that is
  /// under way is cut, so that the client notices.
  func deadlinePassed(_ connection: ConnectionPointer) {
    connection.pointee.deadline = 0
    guard let exchange = connection.pointee.exchange else { return close(connection) }
    guard connection.pointee.isDetached else { return waitedTooLong(connection, exchange) }
    log.warning("\(app(exchange).name) takes too long for \(exchange.pointee.requestLine)")
    // First, since the answer may be what the call waits for.
    logStack(exchange)
    let isAnswered = answerLate(exchange)
    abandoned(exchange)
    if isAnswered { endLate(connection, exchange) } else { cutLate(connection, exchange) }
    if !exchange.pointee.isAsync { setTimeout(connection, .stuck) }
  }

  /// A 504, after which the connection is of no use: the call may go on for long. False when a response was
  /// under way.
  private func answerLate(_ exchange: ExchangePointer) -> Bool {
    exchange.pointee.lock.lock()
    defer { exchange.pointee.lock.unlock() }
    guard exchange.pointee.phase == .called, !exchange.pointee.isOver else {
      // All is said, and the call goes on: what it has said still leaves.
      pushOutBeside(exchange)
      return exchange.pointee.phase == .finished
    }
    exchange.pointee.head.persists = false
    exchange.pointee.isHeld = false
    exchange.pointee.held.removeAll()
    exchange.pointee.response.reset()
    answer(exchange, 504, "the application did not answer in time")
    pushOutBeside(exchange)
    exchange.pointee.phase = .gone
    return true
  }

  /// The whole response is there: the connection ends behind it, and not behind the call.
  private func endLate(_ connection: ConnectionPointer, _ exchange: ExchangePointer) {
    connection.pointee.closesAfterOutput = true
    exchange.pointee.lock.lock()
    let hasOutput = exchange.pointee.outlet.pointee.hasOutput
    exchange.pointee.lock.unlock()
    if hasOutput { watchOutput(connection) } else { hangUp(connection) }
  }

  /// Half a response is there: the client must not take it for a whole one.
  private func cutLate(_ connection: ConnectionPointer, _ exchange: ExchangePointer) {
    connection.pointee.closesAfterOutput = true
    let isTold =
      switch exchange.pointee.plan.framing {
      case .chunked, .length: true
      case .none, .untilClose, .records: false
      }
    if connection.pointee.gateway == .cgi { return hangUp(connection) }
    // What ends without a word of its length, is told by a reset alone.
    if !isTold, connection.pointee.peer.isInternet { System.reset(connection.pointee.fd) }
    System.shutdown(connection.pointee.fd)
  }

  /// The client sees the end, though the descriptor stays: the call's thread may be in a function that uses
  /// it.
  func hangUp(_ connection: ConnectionPointer) {
    if connection.pointee.gateway == .cgi {
      // The process ends, and with it its output.
      connection.pointee.state = .closed
      return
    }
    setInterest(connection, [])
    try? System.shutdownWriting(connection.pointee.fd)
  }

  /// A request whose turn has not come.
  private func waitedTooLong(_ connection: ConnectionPointer, _ exchange: ExchangePointer) {
    guard let calls = exchange.pointee.calls, calls.pointee.remove(exchange) else { return }
    log.warning("\(app(exchange).name) has no turn in time for \(exchange.pointee.requestLine)")
    refuse(connection, 504, "the application did not answer in time")
  }

  /// A call was cancelled and goes on: its thread cannot be had back. The log gets its stack; under a
  /// master the worker is replaced, answers what else it has, and leaves without that thread.
  func callIsStuck(_ connection: ConnectionPointer) {
    guard let exchange = connection.pointee.exchange, connection.pointee.isDetached else { return }
    setTimeout(connection, .none)
    guard !exchange.pointee.isStuck, !exchange.pointee.isAsync else { return }
    exchange.pointee.isStuck = true
    stuckCalls += 1
    let line = exchange.pointee.requestLine
    log.error("\(app(exchange).name) is stuck in \(line): cancelled, and has not returned (--harakiri)")
    System.trace(exchange.pointee.thread)
    supervisor?.expire("a call is stuck in \(line) (--harakiri)")
  }
}
