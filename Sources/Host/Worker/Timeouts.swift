import CNSGI
import Config
import Wire

/// Deadlines of connections: when they run out, and how long those waits are that every request needs.
struct Timers: ~Copyable {
  var wheel: TimerWheel
  /// Nanoseconds that a connection waits for the next request; 0: it ends with its first answer.
  let keepAlive: UInt64
  /// Nanoseconds that it waits for the head of one.
  let head: UInt64

  init(now: UInt64, _ limits: Limits) {
    wheel = TimerWheel(now: now)
    keepAlive = UInt64(limits.keepAliveTimeoutSeconds * 1e9)
    head = UInt64(limits.headerTimeoutSeconds * 1e9)
  }

  /// A tick has passed since the wheel was last moved.
  @inline(__always)
  func hasTicked(at now: UInt64) -> Bool { now >> TimerWheel.tickShift > wheel.current }
}

/// Deadlines: the only place that arms a connection's timer, and the only one that decides what happens when
/// it runs out.
extension Worker {
  // MARK: Arming

  /// Sets the deadline of what the connection is doing now. A head that trickles in keeps its first one.
  @inline(__always)
  func setTimeout(_ connection: ConnectionPointer, _ timeout: Connection.Timeout) {
    if timeout == .head, connection.timeout == .head { return }
    guard timeout != .none else { return disarm(connection) }
    if timeout == .socket, socketSeconds(connection) == nil { return disarm(connection) }
    arm(connection, timeout, TimerWheel.tick(now, nanoseconds: nanoseconds(timeout, connection)))
  }

  /// For a WebSocket whose handlers rest: waits for signs of life, or for the client's close frame, but no
  /// longer than the time given when ours was sent.
  func setTimeout(_ connection: ConnectionPointer, of socket: WebSocketPointer) {
    let end = socket.closesBy
    guard end > 0 else { return setTimeout(connection, .socket) }
    arm(connection, .socketClose, TimerWheel.tick(max(end, now), seconds: 0))
  }

  /// Sets the timer of a connection whose exchange is off the loop: never later than the request's deadline.
  func setTimeoutBeside(_ connection: ConnectionPointer, _ timeout: Connection.Timeout) {
    let seconds: Double? =
      switch timeout {
      case .body: bodySeconds(connection)
      case .write: shortestWriteSeconds
      default: nil
      }
    let deadline = connection.deadline
    guard deadline != 0, deadline <= seconds.map({ now &+ UInt64($0 * 1e9) }) ?? .max else {
      return setTimeout(connection, timeout)
    }
    arm(connection, .request, TimerWheel.tick(deadline, seconds: 0))
  }

  /// Extends a timer by some seconds, but not beyond the request's deadline.
  func putOff(_ connection: ConnectionPointer, seconds: Double) {
    let (deadline, due) = (connection.deadline, now &+ UInt64(seconds * 1e9))
    let isRequest = deadline != 0 && deadline <= due
    arm(
      connection, isRequest ? .request : connection.timeout,
      TimerWheel.tick(isRequest ? deadline : due, seconds: 0))
  }

  /// A request waits for a call, or its call has left the loop: from now on its time counts.
  func startDeadline(_ connection: ConnectionPointer) {
    let seconds = limits.requestTimeoutSeconds
    let usual = seconds > 0 ? now &+ UInt64(seconds * 1e9) : 0
    connection.exchange?.pointee.deadlines.usual = usual
    connection.deadline = earlier(usual, connection.exchange?.pointee.deadlines.own ?? 0)
    setTimeoutBeside(connection, .none)
  }

  /// The app bounds the time of the request that it is called for; returns an nsgi_result.
  ///
  /// - Parameter seconds: from now on; 0: as for any other request.
  func bound(_ exchange: ExchangePointer, seconds: UInt32) -> Int32 {
    guard exchange.phase == .called, !exchange.neverWaits, exchange.connection.gateway.hasSocket else {
      return NSGI_MISUSE.rawValue
    }
    let own = seconds > 0 ? System.now() &+ UInt64(seconds) * 1_000_000_000 : 0
    exchange.pointee.deadlines.own = own
    // On the loop time does not count: it counts from the moment when the call leaves it.
    if exchange.isDetached {
      inbox.post(.boundsTime(exchange, exchange.id))
    } else if own > 0 {
      Access.leaveLoop(exchange)
    }
    return NSGI_OK.rawValue
  }

  /// Leader: an app has bounded the time of a request beside the loop.
  func heedBound(_ exchange: ExchangePointer, _ id: nsgi_id) {
    guard exchange.id == id, exchange.phase == .called, exchange.isDetached else { return }
    let (connection, deadlines) = (exchange.connection, exchange.pointee.deadlines)
    guard connection.timeout != .stuck else { return }
    connection.deadline = earlier(deadlines.usual, deadlines.own)
    let timeout = connection.timeout
    setTimeoutBeside(connection, timeout == .body || timeout == .write ? timeout : .none)
  }

  /// The earlier of two times, where 0 means never.
  private func earlier(_ one: UInt64, _ other: UInt64) -> UInt64 {
    one == 0 || other == 0 ? max(one, other) : min(one, other)
  }

  @inline(__always)
  private func arm(_ connection: ConnectionPointer, _ timeout: Connection.Timeout, _ tick: UInt64) {
    connection.timeout = timeout
    timers.wheel.set(connection.slot, tick, timer)
  }

  /// Nothing has a deadline.
  @inline(__always)
  func disarm(_ connection: ConnectionPointer) {
    connection.timeout = .none
    timers.wheel.cancel(connection.slot, timer)
  }

  /// Those that every request needs are kept in nanoseconds.
  @inline(__always)
  private func nanoseconds(_ timeout: Connection.Timeout, _ connection: ConnectionPointer) -> UInt64 {
    switch timeout {
    case .keepAlive: timers.keepAlive
    case .head: timers.head
    default: UInt64(seconds(timeout, connection) * 1e9)
    }
  }

  private func seconds(_ timeout: Connection.Timeout, _ connection: ConnectionPointer) -> Double {
    switch timeout {
    case .none: 0
    case .head: limits.headerTimeoutSeconds
    case .body: bodySeconds(connection)
    case .write: shortestWriteSeconds
    case .keepAlive: limits.keepAliveTimeoutSeconds
    case .quiet: limits.quietSeconds
    case .linger: limits.lingerSeconds
    case .reset: limits.resetDelaySeconds
    case .request: limits.requestTimeoutSeconds
    case .stuck: limits.cancelGraceSeconds
    case .socket: socketSeconds(connection) ?? 0
    case .socketClose: limits.lingerSeconds
    }
  }

  // MARK: Running out

  @inline(__always)
  func advanceTimers() { if timers.hasTicked(at: now) { timePasses() } }

  private func timePasses() {
    if acceptor.admission == .short { acceptAgain() }
    if requestLines.refusals.held > 0 { tellOfHeldRefusals() }
    timers.wheel.advance(to: now, timer)
    if departure.isUnderWay {
      drainWhenQuiet()
      endLingering()
      endSockets()
    }
    relieve()
    while let slot = timers.wheel.nextExpired() { expired(connections.record(slot)) }
  }

  private func expired(_ connection: ConnectionPointer) {
    switch connection.timeout {
    case .request: deadlinePassed(connection)
    case .stuck: callIsStuck(connection)
    case .socket: socketIsQuiet(connection)
    case .socketClose: socketCloseIsLate(connection)
    case .body: bodyIsLate(connection)
    case .write: outputIsLate(connection)
    case .head where connection.exchange != nil:
      refuse(connection, 408, "the request did not arrive in time")
    // A close would answer input that has just come with a reset.
    case .quiet where connection.hasInput, .keepAlive where connection.hasInput: lookAgain(connection)
    case .linger where connection.state == .idle && connection.hasInput: lookAgain(connection)
    case .quiet, .keepAlive: endIdle(connection)
    case .linger where connection.state == .skipping: endWithOutput(connection)
    case .head where connection.isCarrier: endIdle(connection)
    case .none, .head, .linger, .reset: close(connection)
    }
  }

  /// Serves input that has reached the machine in the next turn; nothing holds up the end for good.
  private func lookAgain(_ connection: ConnectionPointer) {
    if departure.isUnderWay || connection.isCarrier {
      setTimeout(connection, departure.isUnderWay ? .quiet : connection.timeout)
    }
  }
}
