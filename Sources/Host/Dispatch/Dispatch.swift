import CLinux
import CNSGI
import Wire

/// Whether the thread still leads after what it did.
enum Turn {
  case goesOn
  /// A call was taken off the loop while it ran: another thread leads, and what the loop owns is that one's. The
  /// thread returns to the followers without touching anything.
  case handedOff
}

/// Dispatch: Leader/Followers with hand-off. The leader runs the app itself; when the call turns out to wait or to
/// be slow, another thread becomes leader and this one stays with its app.
extension Worker {
  /// The request is complete: call its app, now or when a call of it ends.
  @inline(__always)
  func dispatch(_ exchange: ExchangePointer) -> Turn {
    let calls = mounts[exchange.pointee.mount].calls
    guard calls.pointee.active < calls.pointee.limit else {
      enqueue(exchange, calls)
      return .goesOn
    }
    return call(exchange, calls)
  }

  /// Calls the app on this thread.
  @inline(__always)
  private func call(_ exchange: ExchangePointer, _ calls: UnsafeMutablePointer<AppCalls>) -> Turn {
    calls.pointee.active += 1
    exchange.pointee.phase = .called
    exchange.pointee.connection.pointee.state = .calling
    exchange.pointee.word.begin(pinned: calls.pointee.neverWaits)
    watchdog.began(exchange)
    clinux_set_current(exchange)
    let result = mounts[exchange.pointee.mount].call(exchange)
    clinux_set_current(nil)
    if exchange.pointee.word.end() {
      exchange.pointee.isDetached = true
      completeBeside(exchange, result)
      return .handedOff
    }
    watchdog.ended()
    calls.pointee.active -= 1
    complete(exchange, result)
    if accessLog.isEnabled { accessLog.add(exchange, now: System.now()) }
    return .goesOn
  }

  // MARK: Beside the loop

  /// The call has returned on a thread that does not lead any more: encode what is left, send what the socket takes,
  /// and give the exchange back to the leader.
  private func completeBeside(_ exchange: ExchangePointer, _ result: Int32) {
    complete(exchange, result)
    pushOutBeside(exchange.pointee.connection)
    inbox.post(exchange)
  }

  /// Starts the thread that looks for slow calls.
  func startWatchdog() -> Bool {
    System.startThread { [unowned(unsafe) self] in
      self.watchdog.run { self.vacate($0) }
    }
  }

  /// Another thread is to lead: `exchange` has left the loop.
  func vacate(_ exchange: ExchangePointer) {
    leadership.vacate(exchange) {
      System.startThread { [unowned(unsafe) self] in
        self.serve(self.leadership.follow(kept: false), kept: false)
        self.leadership.threadEnded()
      }
    }
  }

  /// The host would have to wait on the app's behalf: whoever follows leads on, this thread may wait.
  func leaveLoop(_ exchange: ExchangePointer) {
    guard !exchange.pointee.isDetached else { return }
    exchange.pointee.isDetached = true
    exchange.pointee.word.detachFromHost()
    vacate(exchange)
  }

  // MARK: The leader's side of it

  /// A new leader takes over from a call that has left the loop: the head keeps its block, and the kernel watches the
  /// connection for nothing but its end.
  func takeOver(_ exchange: ExchangePointer) {
    let connection = exchange.pointee.connection
    connection.pointee.isDetached = true
    moveOn(connection, exchange)
    rest(connection)
  }

  /// No event but the peer's reset is of interest now, and no timer runs.
  private func rest(_ connection: ConnectionPointer) {
    setTimeout(connection, .none)
    if connection.pointee.isRegistered { setInterest(connection, []) }
  }

  /// A peer is gone while its request waits or runs: epoll would say so for ever.
  func hungUp(_ connection: ConnectionPointer) {
    guard connection.pointee.isRegistered else { return }
    try? reactor.remove(connection.pointee.fd)
    connection.pointee.isRegistered = false
    connection.pointee.interest = []
    connection.pointee.exchange?.pointee.isAbandoned.store(true, ordering: .releasing)
  }

  /// Exchanges whose calls have ended beside the loop.
  func serveInbox() -> Turn {
    var turn = Turn.goesOn
    for exchange in inbox.take() {
      // A call that is handed off meanwhile leaves the rest to its successor.
      if turn == .handedOff { inbox.post(exchange) } else { turn = returned(exchange) }
    }
    return turn
  }

  private func returned(_ exchange: ExchangePointer) -> Turn {
    let connection = exchange.pointee.connection
    let calls = mounts[exchange.pointee.mount].calls
    connection.pointee.isDetached = false
    exchange.pointee.isDetached = false
    calls.pointee.active -= 1
    if accessLog.isEnabled { accessLog.add(exchange, now: now) }
    if exchange.pointee.isAbandoned.load(ordering: .acquiring) { lost(connection) }
    if keepOrClose(connection), decode(connection) == .handedOff { return .handedOff }
    return serveQueue(calls)
  }

  // MARK: One call at a time, or as many as the app may have

  private func enqueue(_ exchange: ExchangePointer, _ calls: UnsafeMutablePointer<AppCalls>) {
    let connection = exchange.pointee.connection
    guard calls.pointee.waiting < limits.queuedRequests else {
      return refuse(connection, 503, "the application has more requests waiting than it is allowed")
    }
    connection.pointee.state = .calling
    rest(connection)
    calls.pointee.append(exchange)
  }

  /// Calls for requests that had to wait, as far as the app may have calls.
  private func serveQueue(_ calls: UnsafeMutablePointer<AppCalls>) -> Turn {
    while calls.pointee.active < calls.pointee.limit, let exchange = calls.pointee.next() {
      let connection = exchange.pointee.connection
      if exchange.pointee.isAbandoned.load(ordering: .relaxed) {
        close(connection)
        continue
      }
      if call(exchange, calls) == .handedOff { return .handedOff }
      if keepOrClose(connection), decode(connection) == .handedOff { return .handedOff }
    }
    return .goesOn
  }
}

/// The calls of one application: how many are under way, how many may be, and who waits.
struct AppCalls {
  /// Under way, on the loop or beside it.
  var active = 0
  /// `threads` for an app that is thread-safe, else 1.
  let limit: Int
  /// NSGI_NONBLOCKING: the app stays on the loop.
  let neverWaits: Bool
  /// Requests in the queue.
  private(set) var waiting = 0
  private var first: ExchangePointer?
  private var last: ExchangePointer?

  init(limit: Int, neverWaits: Bool) {
    self.limit = limit
    self.neverWaits = neverWaits
  }

  mutating func append(_ exchange: ExchangePointer) {
    exchange.pointee.next = nil
    if let last { last.pointee.next = exchange } else { first = exchange }
    last = exchange
    waiting += 1
  }

  mutating func next() -> ExchangePointer? {
    guard let exchange = first else { return nil }
    first = exchange.pointee.next
    if first == nil { last = nil }
    waiting -= 1
    return exchange
  }
}
