import CNSGI
import Glibc
import Wire

/// What on_ready() waits for, and whom to tell.
struct ReadyCall {
  /// nsgi_ready bits; 0 for nothing.
  var what: Int32 = 0
  var function: (@convention(c) (UnsafeMutableRawPointer?) -> Void)?
  var argument: UnsafeMutableRawPointer?

  /// It asks only for conditions that exist, and has a function to call if it asks for any.
  var isWellFormed: Bool {
    let known = NSGI_READY_BODY.rawValue | NSGI_READY_SPACE.rawValue | NSGI_READY_GONE.rawValue
    return what & ~Int32(known) == 0 && (what == 0 || function != nil)
  }
}

/// Asynchronous exchanges: finish() and on_ready() from any thread, cancel from the leader.
extension Worker {
  // MARK: The app's side

  /// finish(): ends an exchange whose call answered NSGI_ASYNC, even before that call has returned.
  func finish(_ exchange: ExchangePointer, _ result: Int32) -> Int32 {
    guard exchange.earlyResult == nil else { return NSGI_GONE.rawValue }
    if exchange.state.owner == .asynchronous, !awaitReadyCall(exchange) { return NSGI_GONE.rawValue }
    switch exchange.next(.finished) {
    // Before call() has returned: its return completes the exchange.
    case .remember: exchange.earlyResult = result
    case .answerOffLoop: end(exchange, result)
    default: return NSGI_GONE.rawValue
    }
    return NSGI_OK.rawValue
  }

  /// Under the lock: completes an asynchronous exchange and gives it to the leader.
  private func end(_ exchange: ExchangePointer, _ result: Int32) {
    exchange.ready = ReadyCall()
    complete(exchange, result)
    pushOutLast(exchange)
    inbox.post(.finished(exchange))
  }

  /// on_ready(): remembers whom to tell; the leader tells.
  func onReady(_ exchange: ExchangePointer, _ call: ReadyCall) -> Int32 {
    guard call.isWellFormed else { return NSGI_MISUSE.rawValue }
    guard awaitReadyCall(exchange) else { return NSGI_GONE.rawValue }
    exchange.ready = call
    guard call.what != 0 else { return NSGI_OK.rawValue }
    inbox.post(.asksReadiness(exchange, exchange.id))
    return NSGI_OK.rawValue
  }

  /// Under the lock: waits until a function that on_ready() was given and that is running has ended, unless
  /// this is its own thread. False if the exchange has ended meanwhile.
  private func awaitReadyCall(_ exchange: ExchangePointer) -> Bool {
    let id = exchange.id
    while let runner = exchange.readyRunner, pthread_equal(runner, pthread_self()) == 0 {
      exchange.lock.wait()
      guard exchange.id == id, !exchange.isOver else { return false }
    }
    return true
  }

  // MARK: The leader's side

  /// call() has answered NSGI_ASYNC on the leader: the exchange leaves the loop, the leader goes on.
  func becomeAsync(_ exchange: ExchangePointer) {
    // This thread is still inside the host: nobody else is, and nobody waits for the lock.
    exchange.lock.lock()
    leave(exchange)
    exchange.next(.wentAsync)
    exchange.lock.unlock()
    if exchange.connection.streamsBody { resumeStream(exchange.connection, exchange) }
  }

  /// Tells an app that a condition that it waits for holds now.
  func becameReady(_ exchange: ExchangePointer, _ what: nsgi_ready) {
    exchange.lock.lock()
    let call = exchange.ready
    let isAsked = call.what & Int32(what.rawValue) != 0
    if isAsked {
      exchange.ready = ReadyCall()
      exchange.readyRunner = pthread_self()
    }
    exchange.lock.unlock()
    guard isAsked else { return }
    call.function?(call.argument)
    ForkedCopy.end()
    exchange.lock.lock()
    exchange.readyRunner = nil
    exchange.lock.broadcast()
    exchange.lock.unlock()
  }

  /// An app has asked: does one of the conditions hold already?
  func checkReadiness(_ exchange: ExchangePointer, _ id: nsgi_id) {
    guard exchange.id == id else { return }
    exchange.lock.lock()
    let connection = exchange.connection
    let stream = exchange.stream.isOpen
    let hasPiece = !exchange.stream.isGathered && !exchange.stream.bytes.isEmpty
    let hasBody =
      !stream || hasPiece || exchange.stream.state != .coming
    let hasSpace = exchange.outlet.waiting < limits.responseBufferBytes
    let isGone = exchange.state.isAbandoned
    let what = exchange.ready.what
    let isAsynchronous = exchange.state.owner == .asynchronous
    if !hasSpace, isAsynchronous { watchOutput(connection) }
    let asksForEnd = what == Int32(NSGI_READY_GONE.rawValue) && isAsynchronous && !isGone
    if asksForEnd, exchange.stream.state != .coming { watchEnd(connection) }
    exchange.lock.unlock()
    if isGone { becameReady(exchange, NSGI_READY_GONE) }
    if hasBody, what & Int32(NSGI_READY_BODY.rawValue) != 0 { becameReady(exchange, NSGI_READY_BODY) }
    if hasSpace, what & Int32(NSGI_READY_SPACE.rawValue) != 0 { becameReady(exchange, NSGI_READY_SPACE) }
    if stream, !hasBody { resumeStream(connection, exchange) }
  }

  /// An app that waits only for the client to leave is told when the client ends its side: a client that
  /// closes says no more.
  private func watchEnd(_ connection: ConnectionPointer) {
    guard connection.gateway.hasSocket else { return }
    setInterest(connection, connection.interest.union(.end))
  }

  /// The client is gone or the time is over: tells the app once. It may still read the part of the request
  /// that is there. If the client `hasLeft`, nothing of the response is sent, as the app learns with its next
  /// write; otherwise the response is over.
  func abandoned(_ exchange: ExchangePointer, hasLeft: Bool = false) {
    exchange.lock.lock()
    let action = exchange.next(hasLeft ? .clientLeft : .timeOver)
    if exchange.stream.state == .coming { exchange.stream.state = .broken }
    if hasLeft { exchange.outlet.lose() }
    exchange.lock.broadcast()
    exchange.lock.unlock()
    returnPermitNow(exchange)
    guard action == .tell else { return }
    app(exchange).cancel(exchange)
    becameReady(exchange, NSGI_READY_GONE)
  }

  /// Leader: handles an event of a connection whose exchange is beside the loop.
  func besideEvent(_ connection: ConnectionPointer, _ event: Readiness) {
    guard let exchange = connection.exchange else { return }
    if event.hasHungUp { return hungUp(connection, exchange) }
    if event.hasEnded, connection.interest.contains(.end) { return hungUp(connection, exchange) }
    if event.canWrite, connection.interest.contains(.write) { flushBeside(connection, exchange) }
    if event.canRead, connection.streamsBody { feedBeside(connection, exchange) }
  }

  /// The peer is gone, or has broken the connection. What it sent before is still there: a request that waits
  /// for its call keeps its turn, and a body is read to its end.
  private func hungUp(_ connection: ConnectionPointer, _ exchange: ExchangePointer) {
    guard connection.isDetached, connection.streamsBody else {
      unwatch(connection)
      if connection.isDetached { abandoned(exchange, hasLeft: true) }
      return
    }
    exchange.lock.lock()
    let isComing = exchange.stream.state == .coming
    let isFull = exchange.stream.isFull
    exchange.lock.unlock()
    if isComing, !isFull { return feedBeside(connection, exchange) }
    unwatch(connection)
    // The rest comes when the app has taken what waits for it; then this is reported again.
    if !isComing { abandoned(exchange, hasLeft: true) }
  }

  /// Leader: sends what an asynchronous app has left in the output.
  private func flushBeside(_ connection: ConnectionPointer, _ exchange: ExchangePointer) {
    exchange.lock.lock()
    let wasChoked = exchange.outlet.isChoked
    pushOutBeside(exchange)
    let isEmpty = !exchange.outlet.hasOutput
    let isLost = exchange.outlet.isLost
    exchange.lock.unlock()
    if isLost {
      unwatch(connection)
      return abandoned(exchange, hasLeft: true)
    }
    if isEmpty, connection.closesAfterOutput { return hangUp(connection) }
    if isEmpty {
      setInterest(connection, connection.interest.subtracting(.write))
      if connection.timeout == .write { setTimeoutBeside(connection, .none) }
      if wasChoked, connection.streamsBody { resumeStream(connection, exchange) }
    } else if connection.timeout == .write {
      setTimeoutBeside(connection, .write)
    }
    becameReady(exchange, NSGI_READY_SPACE)
  }

  /// Leader: wakes when the socket takes bytes again, and when its client has taken none for too long.
  func watchOutput(_ connection: ConnectionPointer) {
    setInterest(connection, connection.interest.union(.write))
    if connection.timeout == .none { setTimeoutBeside(connection, .write) }
  }
}
