import Control
import Wire

/// How a worker leaves when others go on accepting on the same sockets: no request may meet a close.
///
/// An HTTP connection is served once more and told to close. FastCGI has no word for that, and a front end
/// sees the end of a connection that it keeps only when it looks. So such a connection ends with an answer
/// that brings the end along in one segment, or after it has been quiet for a while; when the worker is late,
/// with the next answer of any kind.
extension Worker {
  /// Others go on accepting on the same sockets: finish what is here and leave.
  func retire() {
    guard stopping == nil else { return }
    isRetired = true
    beginToLeave()
    // First deaf, then empty: what the kernel has woken this worker for must not be left lying.
    closeListeners()
    supervisor?.link.send(Message(.retiring))
    sendOutgoing()
    forEachIdle { connection in
      if connection.pointee.gateway == .fastcgi { setTimeout(connection, .quiet) }
    }
    drainWhenQuiet()
  }

  func beginToLeave() {
    isStopping.store(true, ordering: .releasing)
    let seconds = limits.gracefulSeconds
    stopping = .graceful(deadline: now &+ UInt64(seconds * 1e9))
    // What only waits does not hold it up for longer than half of the time that there is.
    lateFrom = now &+ UInt64(seconds / 2 * 1e9)
    drainFrom = now &+ UInt64(min(limits.drainSeconds, seconds / 2) * 1e9)
  }

  /// Too many retired workers wait, or the master is gone: what has been quiet for a while is closed.
  func hurry() {
    lateFrom = min(lateFrom, now &+ UInt64(limits.quietSeconds * 1e9))
    forEachIdle { connection in
      if connection.pointee.timeout != .quiet { setTimeout(connection, .quiet) }
    }
  }

  var isLate: Bool { now >= lateFrom }

  /// Closes what waits between two requests. An answer that is still on its way, or requests in the buffer,
  /// end by themselves; so does a request that has reached the machine: a close would answer it with a reset.
  func closeIdle() {
    sendOutgoing()
    forEachIdle { connection in
      if !connection.pointee.hasOutput, !hasInput(connection) { endIdle(connection) }
    }
  }

  private func forEachIdle(_ body: (ConnectionPointer) -> Void) {
    for slot in 0..<UInt32(connections.capacity) {
      let connection = connections.record(slot)
      if connection.pointee.state == .idle, !connection.pointee.isPostponed { body(connection) }
    }
  }

  /// What still comes of the request would have to be read over, or the worker leaves: then connections end,
  /// but not before the requests that are there already. Beside the loop nobody may look whether there are.
  /// FastCGI says nothing: the leader decides at the end.
  @inline(__always)
  func saysClose(_ exchange: ExchangePointer) -> Bool {
    if exchange.pointee.stream.isComplete, !isStopping.load(ordering: .relaxed) { return false }
    if exchange.pointee.connection.pointee.gateway == .fastcgi { return false }
    if !exchange.pointee.stream.isComplete { return true }
    return exchange.pointee.isDetached || exchange.pointee.connection.pointee.input.isEmpty
  }

  /// A connection that could go on ends with the answer that is in its output, though nothing says so.
  @inline(__always)
  func endsUnsaid(_ connection: ConnectionPointer, _ exchange: ExchangePointer) -> Bool {
    guard stopping != nil else { return false }
    // The apps were told that no call comes any more.
    if isDrained { return true }
    return connection.pointee.gateway == .fastcgi && mayEndUnsaid(connection, exchange)
  }

  /// A front end that has begun to read an answer may read the rest and the end of the connection in one go,
  /// and not see the end before it has sent the next request (nginx does not repeat a POST).
  private func mayEndUnsaid(_ connection: ConnectionPointer, _ exchange: ExchangePointer) -> Bool {
    guard connection.pointee.input.isEmpty else { return false }
    if !isRetired || isLate { return true }
    return !exchange.pointee.isUnderway
      && connection.pointee.outlet.pointee.output.count <= System.segmentBytes(connection.pointee.fd)
  }

  /// Leader, when the worker stops: tells the apps, as soon as no call can come any more. Until then
  /// requests that have reached the machine are still called for.
  func drainWhenQuiet() {
    guard !isDrained else { return }
    if isLate { closeIdle() }
    guard mounts.apps.allSatisfy({ $0.calls.pointee.uncalled == 0 }) else { return }
    for slot in 0..<UInt32(connections.capacity) where mayAsk(connections.record(slot)) { return }
    isDrained = true
    for app in mounts.apps { app.drain() }
  }

  /// Nobody has told the client of a call that its connection ends with the answer.
  private func mayGoOn(_ connection: ConnectionPointer) -> Bool {
    guard let exchange = connection.pointee.exchange else { return false }
    if connection.pointee.gateway == .fastcgi { return exchange.pointee.head.persists }
    exchange.pointee.lock.lock()
    defer { exchange.pointee.lock.unlock() }
    switch exchange.pointee.phase {
    case .responding, .finished: return exchange.pointee.plan.persists
    case .free, .reading, .called, .gone: return false
    }
  }

  /// Another request may come from a connection of a worker that stops.
  private func mayAsk(_ connection: ConnectionPointer) -> Bool {
    switch connection.pointee.state {
    case .idle, .readingHead, .readingBody, .skipping: return true
    case .calling where isLate || now >= drainFrom: return false
    case .calling: return !connection.pointee.input.isEmpty || isRetired && mayGoOn(connection)
    case .closed, .writing, .lingering: return false
    }
  }
}
