import CLinux
import CNSGI
import Glibc
import Wire

/// Whether the thread still leads after what it did.
enum Turn {
  case goesOn
  /// A call was taken off the loop while it ran: another thread leads, and owns what the loop owns. The
  /// thread returns to the followers without touching anything.
  case handedOff
}

/// What became of a request that was dispatched.
enum Dispatched {
  /// Its response is complete; the connection may go on.
  case answered
  /// It waits in a queue, or it is asynchronous: the connection rests.
  case parked
  /// Another thread leads; see `Turn`.
  case handedOff
}

/// Dispatch: Leader/Followers with hand-off. The leader runs the app itself; when the call turns out to
/// wait or to be slow, another thread becomes leader and this one stays with its app.
extension Worker {
  /// The request is there: calls its app, now or when one of its calls ends.
  @inline(__always)
  func dispatch(_ exchange: ExchangePointer) -> Dispatched {
    let calls = exchange.calls.unsafelyUnwrapped
    guard calls.active < calls.limit, !leading.isAway else {
      enqueue(exchange, calls)
      return .parked
    }
    return call(exchange, calls)
  }

  /// Calls the app on this thread.
  @inline(__always)
  private func call(_ exchange: ExchangePointer, _ calls: AppCallsPointer) -> Dispatched {
    if calls.caller != leading.id { enter(calls) }
    calls.active += 1
    exchange.neverWaits = calls.neverWaits
    exchange.connection.next(.called)
    exchange.thread = pthread_self()
    if let board {
      exchange.isCounted = true
      board.begin(
        exchange.slot, at: now, app: calls.place, generation: calls.generation,
        exchange.meta.method.bytes, exchange.meta.requestURI.bytes,
        name: exchange.pointee.hasName ? exchange.pointee.requestID().bytes : Text.empty.bytes)
    }
    // An app that promised never to wait is watched only for its deadline.
    if calls.isWatched || callWatch.coversAll,
      callWatch.call.pointee.began(exchange, neverWaits: !calls.isWatched)
    {
      callWatch.dog.wake()
    }
    clinux_set_current(exchange)
    // The last act as leader: from here on the call may be taken off the loop.
    exchange.next(.called)
    let result = exchange.socketCall == .none ? calls.call(exchange) : callHandler(exchange)
    ForkedCopy.end(result)
    clinux_set_current(nil)
    if result == NSGI_ASYNC.rawValue { return returnedAsync(exchange, calls) }
    if exchange.race(.returned, likely: .app) == .answerOffLoop {
      completeBeside(exchange, result)
      return .handedOff
    }
    answered(exchange, calls, result)
    return .answered
  }

  /// The app was last called by another thread than this one, or never.
  @inline(never)
  private func enter(_ calls: AppCallsPointer) {
    calls.caller = leading.id
    if calls.watchesThreads { leading.thread.enter(calls.app) }
  }

  /// A call has returned on the leader.
  @inline(__always)
  private func answered(
    _ exchange: ExchangePointer, _ calls: AppCallsPointer, _ result: Int32
  ) {
    callWatch.call.pointee.ended()
    calls.active -= 1
    complete(exchange, exchange.earlyResult ?? result)
    account(exchange)
  }

  /// call() has answered NSGI_ASYNC: finish() ends the exchange, or has ended it already.
  private func returnedAsync(
    _ exchange: ExchangePointer, _ calls: AppCallsPointer
  ) -> Dispatched {
    let isAllowed = calls.mayAsync
    if !isAllowed {
      log.error("\(app(exchange).name) answered NSGI_ASYNC without NSGI_MAY_ASYNC")
    }
    let isAttached = exchange.race(.entered, likely: .app) == .goOn
    if isAttached, !isAllowed || exchange.earlyResult != nil {
      exchange.next(.settled)
      answered(exchange, calls, NSGI_FAIL.rawValue)
      return .answered
    }
    if isAttached {
      callWatch.call.pointee.ended()
      calls.active -= 1
      calls.asynchronous += 1
      becomeAsync(exchange)
      return .parked
    }
    guard isAllowed, becameAsyncBeside(exchange) else {
      completeBeside(exchange, NSGI_FAIL.rawValue)
      return .handedOff
    }
    return .handedOff
  }

  /// The app of an exchange, for anything that is not hot.
  func app(_ exchange: ExchangePointer) -> App { exchange.calls.unsafelyUnwrapped.app }

  // MARK: Beside the loop

  /// The call has returned on a thread that no longer leads: encodes what is left, sends what the socket
  /// takes, and gives the exchange back to the leader.
  private func completeBeside(_ exchange: ExchangePointer, _ result: Int32) {
    exchange.lock.lock()
    exchange.next(.completed)
    complete(exchange, exchange.earlyResult ?? result)
    pushOutLast(exchange)
    exchange.lock.unlock()
    inbox.post(.returned(exchange))
  }

  /// NSGI_ASYNC from a call beside the loop; false when finish() came first.
  private func becameAsyncBeside(_ exchange: ExchangePointer) -> Bool {
    exchange.lock.lock()
    defer { exchange.lock.unlock() }
    guard exchange.earlyResult == nil else { return false }
    exchange.next(.wentAsync)
    inbox.post(.returnedAsync(exchange))
    return true
  }

  /// Starts the thread that looks for slow calls.
  func startWatchdog() -> Bool {
    startCounted { worker in
      worker.callWatch.dog.run {
        worker.vacate($0)
      } tending: {
        worker.fillPlace()
      }
    }
  }

  /// Starts the first leader.
  func startLeader() -> Bool {
    guard let home = leading.home else {
      return startCounted {
        $0.begin()
        $0.serve(.lead([]))
      }
    }
    leadership.threadStarts()
    home.begin { [unowned(unsafe) self] in
      self.begin()
      self.serve(.lead([]), isHome: true)
      self.leadership.threadEnded()
    }
    return true
  }

  /// The first leader, before it serves.
  private func begin() {
    if System.readsSignals { System.awaitReader() }
    reportReady()
  }

  /// Another thread has to lead: `exchange` has left the loop, or this thread leaves it for an errand.
  func vacate(_ exchange: ExchangePointer?) {
    guard !leadership.vacate(exchange, startThread: startFollower) else { return }
    log.error(
      "the system gives no thread: requests wait until the slow one is over, or there is one "
        + "(--threads, ulimit -u)")
    callWatch.dog.wake()
  }

  /// Watchdog: tries again if `vacate` got no thread; true while nobody leads.
  private func fillPlace() -> Bool {
    leadership.lacksThread.load(ordering: .relaxed) && !leadership.fill(startThread: startFollower)
  }

  private func startFollower() -> Bool {
    System.startThread { [unowned(unsafe) self] in
      self.serve(nil)
      self.leadership.threadEnded()
    }
  }

  /// Starts a thread that the end of the worker waits for.
  func startCounted(_ life: @escaping @Sendable (Worker) -> Void) -> Bool {
    leadership.threadStarts()
    let isStarted = System.startThread { [unowned(unsafe) self] in
      life(self)
      self.leadership.threadEnded()
    }
    if !isStarted { leadership.threadEnded() }
    return isStarted
  }

  // MARK: The leader's side of it

  /// A new leader takes over from a call that has left the loop: the head keeps its block, and the kernel
  /// watches the connection for its end, and for the rest of a streamed body.
  func takeOver(_ exchange: ExchangePointer) {
    leave(exchange)
    let connection = exchange.connection
    if let socket = connection.socket {
      flushSocket(connection, socket)
      if isLeftAlone(exchange) { deadlinePassed(connection) }
      return
    }
    // Bytes that the call has flushed and the socket has not taken leave without another word from the app.
    exchange.lock.lock()
    let hasOutput = exchange.outlet.hasOutput
    exchange.lock.unlock()
    if hasOutput { watchOutput(connection) }
    if connection.streamsBody { resumeStream(connection, exchange) }
    if isLeftAlone(exchange) { deadlinePassed(connection) }
  }

  /// The app has promised never to wait, and was left alone up to the deadline of its call.
  private func isLeftAlone(_ exchange: ExchangePointer) -> Bool {
    exchange.neverWaits && exchange.calls?.isWatched != true
  }

  /// The exchange leaves the loop: its head keeps the block, its connection rests.
  func leave(_ exchange: ExchangePointer) {
    let connection = exchange.connection
    moveOn(connection, exchange)
    rest(connection)
  }

  /// No event but the peer's reset matters now, and no timer runs but the request's own.
  private func rest(_ connection: ConnectionPointer) {
    startDeadline(connection)
    setInterest(connection, [])
  }

  /// A peer is gone while its request waits or runs: epoll would say so for ever.
  func unwatch(_ connection: ConnectionPointer) {
    guard connection.isRegistered else { return }
    try? reactor.remove(connection.fd)
    connection.isRegistered = false
    connection.interest = []
  }

  /// Takes the messages of threads beside the loop.
  func serveInbox() -> Turn {
    if rounds.messages.isEmpty { inbox.take(&rounds.messages) }
    while let message = rounds.messages.next() {
      if heed(message) == .handedOff { return .handedOff }
    }
    return .goesOn
  }

  private func heed(_ message: Inbox.Message) -> Turn {
    switch message {
    case .returned(let exchange): return returned(exchange, wasCall: true)
    case .finished(let exchange): return returned(exchange, wasCall: false)
    case .returnedAsync(let exchange):
      let calls = exchange.calls.unsafelyUnwrapped
      calls.active -= 1
      calls.asynchronous += 1
      return serveQueue(calls)
    case .wantsBody(let exchange): resumeStream(exchange.connection, exchange)
    case .wantsOutput(let exchange): watchOutput(exchange.connection)
    case .offersPermit(let exchange): return takePermit(exchange)
    case .wantsPermit(let exchange): returnPermit(exchange)
    case .asksReadiness(let exchange, let id): checkReadiness(exchange, id)
    case .boundsTime(let exchange, let id): heedBound(exchange, id)
    case .decided(let asked, let isRight): return decided(asked, isRight: isRight)
    case .socket(let id): return heedSocket(id)
    case .topics: heedTopics()
    case .replaces(let replacement): install(replacement)
    case .certificates(let others, let number): present(others, number: number)
    case .toiled(let token, let carrier): return toiled(token, carrier)
    case .cameHome: return giveBack()
    case .threadLeft: break
    }
    return .goesOn
  }

  /// An exchange comes back to the loop with its response complete.
  private func returned(_ exchange: ExchangePointer, wasCall: Bool) -> Turn {
    let connection = exchange.connection
    let calls = exchange.calls.unsafelyUnwrapped
    exchange.lock.lock()
    // Under the lock: a thread that comes late and waits for it must not find the record's next life.
    exchange.next(.cameBack)
    exchange.pointee.retireID()
    exchange.lock.unlock()
    connection.deadline = 0
    setTimeout(connection, .none)
    if wasCall { calls.active -= 1 } else { calls.asynchronous -= 1 }
    if exchange.state.client == .givenUp { departure.stuckCalls -= 1 }
    account(exchange, at: now)
    if keepOrClose(connection), decode(connection) == .handedOff { return .handedOff }
    return serveQueue(calls)
  }

  // MARK: One call at a time, or as many as the app may have

  private func enqueue(_ exchange: ExchangePointer, _ calls: AppCallsPointer) {
    let connection = exchange.connection
    guard calls.waiting < limits.queuedRequests || exchange.socketCall != .none else {
      return refuse(connection, 503, "the application has more requests waiting than it is allowed")
    }
    connection.next(.called)
    rest(connection)
    calls.pointee.append(exchange)
  }

  /// Calls for requests that had to wait, as far as the app may have calls.
  func serveQueue(_ calls: AppCallsPointer) -> Turn {
    if calls.absent > 0 { returnPermits(calls) }
    while !leading.isAway, calls.active < calls.limit, let exchange = calls.pointee.next() {
      let connection = exchange.connection
      // Its client may wait or not: what it has asked for is done.
      switch call(exchange, calls) {
      case .handedOff: return .handedOff
      case .parked: continue
      case .answered: if keepOrClose(connection), decode(connection) == .handedOff { return .handedOff }
      }
    }
    return .goesOn
  }
}
