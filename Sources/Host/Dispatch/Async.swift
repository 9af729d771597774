import CNSGI
import Glibc
import Wire

/// What on_ready() waits for, and whom to tell.
struct ReadyCall {
  /// nsgi_ready bits; 0 for nothing.
  var what: Int32 = 0
  var function: (@convention(c) (UnsafeMutableRawPointer?) -> Void)?
  var argument: UnsafeMutableRawPointer?

  /// It asks for things that there are, and has a function to call if it asks for any.
  var isWellFormed: Bool {
    let known = NSGI_READY_BODY.rawValue | NSGI_READY_SPACE.rawValue | NSGI_READY_GONE.rawValue
    return what & ~Int32(known) == 0 && (what == 0 || function != nil)
  }
}

/// Asynchronous exchanges: finish() and on_ready() from any thread, cancel from the leader.
extension Worker {
  // MARK: The app's side

  /// finish(): ends an exchange whose call answered NSGI_ASYNC, also before that call has returned.
  func finish(_ exchange: ExchangePointer, _ result: Int32) -> Int32 {
    guard !exchange.pointee.isOver, exchange.pointee.earlyResult == nil else { return NSGI_GONE.rawValue }
    guard exchange.pointee.isAsync else {
      // Before call() has returned: its return completes the exchange.
      exchange.pointee.earlyResult = result
      return NSGI_OK.rawValue
    }
    return end(exchange, result)
  }

  /// Under the lock: completes an asynchronous exchange and gives it to the leader.
  private func end(_ exchange: ExchangePointer, _ result: Int32) -> Int32 {
    guard awaitReadyCall(exchange) else { return NSGI_GONE.rawValue }
    exchange.pointee.isOver = true
    exchange.pointee.ready = ReadyCall()
    complete(exchange, result)
    pushOutLast(exchange)
    inbox.post(.finished(exchange))
    return NSGI_OK.rawValue
  }

  /// on_ready(): remembers whom to tell; the leader does.
  func onReady(_ exchange: ExchangePointer, _ call: ReadyCall) -> Int32 {
    guard call.isWellFormed else { return NSGI_MISUSE.rawValue }
    guard awaitReadyCall(exchange) else { return NSGI_GONE.rawValue }
    exchange.pointee.ready = call
    guard call.what != 0 else { return NSGI_OK.rawValue }
    inbox.post(.asksReadiness(exchange, exchange.pointee.id))
    return NSGI_OK.rawValue
  }

  /// Under the lock: a function that on_ready() was given and that runs right now has to come to its end,
  /// unless this is its own thread. False when the exchange has ended meanwhile.
  private func awaitReadyCall(_ exchange: ExchangePointer) -> Bool {
    let id = exchange.pointee.id
    while let runner = exchange.pointee.readyRunner, pthread_equal(runner, pthread_self()) == 0 {
      exchange.pointee.lock.wait()
      guard exchange.pointee.id == id, !exchange.pointee.isOver else { return false }
    }
    return true
  }

  // MARK: The leader's side

  /// call() has answered NSGI_ASYNC on the leader: the exchange leaves the loop, the leader goes on.
  func becomeAsync(_ exchange: ExchangePointer) {
    // The word still says that this thread is inside: nobody else is, and nobody waits for the lock.
    exchange.pointee.lock.lock()
    exchange.pointee.isDetached = true
    exchange.pointee.isAsync = true
    leave(exchange)
    exchange.pointee.word.becomeDetached()
    exchange.pointee.lock.unlock()
    if exchange.pointee.connection.pointee.streamsBody { resumeStream(exchange.pointee.connection, exchange) }
  }

  /// Tells an app that waits for it that something is so now.
  func becameReady(_ exchange: ExchangePointer, _ what: nsgi_ready) {
    exchange.pointee.lock.lock()
    let call = exchange.pointee.ready
    let isAsked = call.what & Int32(what.rawValue) != 0
    if isAsked {
      exchange.pointee.ready = ReadyCall()
      exchange.pointee.readyRunner = pthread_self()
    }
    exchange.pointee.lock.unlock()
    guard isAsked else { return }
    call.function?(call.argument)
    ForkedCopy.end()
    exchange.pointee.lock.lock()
    exchange.pointee.readyRunner = nil
    exchange.pointee.lock.broadcast()
    exchange.pointee.lock.unlock()
  }

  /// An app has asked: is one of the things so already?
  func checkReadiness(_ exchange: ExchangePointer, _ id: nsgi_id) {
    guard exchange.pointee.id == id else { return }
    exchange.pointee.lock.lock()
    let connection = exchange.pointee.connection
    let stream = exchange.pointee.stream.isOpen
    let hasPiece = !exchange.pointee.stream.isGathered && !exchange.pointee.stream.bytes.isEmpty
    let hasBody =
      !stream || hasPiece || exchange.pointee.stream.state != .coming
    let hasSpace = exchange.pointee.outlet.pointee.waiting < limits.responseBufferBytes
    let isGone = exchange.pointee.isAbandoned.load(ordering: .relaxed)
    let what = exchange.pointee.ready.what
    if !hasSpace, exchange.pointee.isAsync { watchOutput(connection) }
    exchange.pointee.lock.unlock()
    if isGone { becameReady(exchange, NSGI_READY_GONE) }
    if hasBody, what & Int32(NSGI_READY_BODY.rawValue) != 0 { becameReady(exchange, NSGI_READY_BODY) }
    if hasSpace, what & Int32(NSGI_READY_SPACE.rawValue) != 0 { becameReady(exchange, NSGI_READY_SPACE) }
    if stream, !hasBody { resumeStream(connection, exchange) }
  }

  /// The client is gone or the time is over: the app is told once. What of the request is there may still be
  /// read. Of a response whose client `hasLeft` nothing is sent, as its app learns by the next write; any
  /// other is over.
  func abandoned(_ exchange: ExchangePointer, hasLeft: Bool = false) {
    exchange.pointee.lock.lock()
    let wasTold = exchange.pointee.isCancelled || exchange.pointee.isOver
    exchange.pointee.isCancelled = true
    exchange.pointee.isAbandoned.store(true, ordering: .releasing)
    if exchange.pointee.stream.state == .coming { exchange.pointee.stream.state = .broken }
    if hasLeft {
      exchange.pointee.outlet.pointee.lose()
    } else if !exchange.pointee.isOver {
      exchange.pointee.phase = .gone
    }
    exchange.pointee.lock.broadcast()
    exchange.pointee.lock.unlock()
    returnPermitNow(exchange)
    guard !wasTold else { return }
    app(exchange).cancel(exchange)
    becameReady(exchange, NSGI_READY_GONE)
  }

  /// Leader: an event of a connection whose exchange is beside the loop.
  func besideEvent(_ connection: ConnectionPointer, _ event: Readiness) {
    guard let exchange = connection.pointee.exchange else { return }
    if event.hasHungUp { return hungUp(connection, exchange) }
    if event.canWrite, connection.pointee.interest.contains(.write) { flushBeside(connection, exchange) }
    if event.canRead, connection.pointee.streamsBody { feedBeside(connection, exchange) }
  }

  /// The peer is gone, or has broken the connection. What it sent before is there still: a request that waits
  /// for its call keeps its turn, and a body is read to its end.
  private func hungUp(_ connection: ConnectionPointer, _ exchange: ExchangePointer) {
    guard connection.pointee.isDetached, connection.pointee.streamsBody else {
      unwatch(connection)
      if connection.pointee.isDetached { abandoned(exchange, hasLeft: true) }
      return
    }
    exchange.pointee.lock.lock()
    let isComing = exchange.pointee.stream.state == .coming
    let isFull = exchange.pointee.stream.isFull
    exchange.pointee.lock.unlock()
    if isComing, !isFull { return feedBeside(connection, exchange) }
    unwatch(connection)
    // The rest comes when the app has taken what waits for it; then this is told again.
    if !isComing { abandoned(exchange, hasLeft: true) }
  }

  /// Leader: sends what an asynchronous app has left in the output.
  private func flushBeside(_ connection: ConnectionPointer, _ exchange: ExchangePointer) {
    exchange.pointee.lock.lock()
    let wasChoked = exchange.pointee.outlet.pointee.isChoked
    pushOutBeside(exchange)
    let isEmpty = !exchange.pointee.outlet.pointee.hasOutput
    exchange.pointee.lock.unlock()
    if isEmpty, connection.pointee.closesAfterOutput { return hangUp(connection) }
    if isEmpty {
      setInterest(connection, connection.pointee.interest.subtracting(.write))
      if connection.pointee.timeout == .write { setTimeoutBeside(connection, .none) }
      if wasChoked, connection.pointee.streamsBody { resumeStream(connection, exchange) }
    } else if connection.pointee.timeout == .write {
      setTimeoutBeside(connection, .write)
    }
    becameReady(exchange, NSGI_READY_SPACE)
  }

  /// Leader: wakes when the socket takes bytes again, and when its client has taken none for too long.
  func watchOutput(_ connection: ConnectionPointer) {
    setInterest(connection, connection.pointee.interest.union(.write))
    if connection.pointee.timeout == .none { setTimeoutBeside(connection, .write) }
  }
}
