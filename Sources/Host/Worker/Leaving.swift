import Control
import Wire

/// How a worker leaves when others go on accepting on the same sockets: no request may meet a close.
///
/// An HTTP connection is served once more and told to close. FastCGI cannot express that, and a front end
/// notices the end of a kept connection only when it looks. So such a connection ends with an answer that
/// carries the end in the same segment, or after it has been quiet for a while; when the worker is late, with
/// the next answer of any kind.
extension Worker {
  /// Others go on accepting on the same sockets: finishes its requests and leaves.
  func retire() {
    guard !departure.isUnderWay else { return }
    departure.retire()
    beginToLeave()
    // Stop polling, then accept what is queued: no woken connection may be stranded.
    closeListeners()
    supervisor?.link.send(Message(.retiring))
    sendOutgoing()
    forEachIdle { connection in
      if connection.gateway.keepsWithoutWord { setTimeout(connection, .quiet) }
    }
    drainWhenQuiet()
  }

  func beginToLeave() {
    common.stop()
    departure.begin(at: now, limits)
    announceLeaving()
    for app in apps.all { app.leave() }
  }

  /// Too many retired workers wait, or the master is gone: closes connections that are quiet for a while.
  func hurry() {
    departure.hurry(at: now, limits)
    forEachIdle { connection in
      if connection.timeout != .quiet { setTimeout(connection, .quiet) }
    }
  }

  var isLate: Bool { now >= departure.lateFrom }

  /// Closes connections that wait between two requests. Those with an answer that is still being sent, or
  /// with requests in the buffer, end by themselves; so do those with a request that has reached the machine:
  /// a close would answer it with a reset.
  func closeIdle() {
    sendOutgoing()
    forEachIdle { connection in
      if connection.isCarrier || !connection.hasOutput, !connection.hasInput { endIdle(connection) }
    }
  }

  /// The server stops, and clients do not know it: one that was accepted and has not sent a request yet keeps
  /// its turn, and one that has been answered before may be sending: it is closed when it has been quiet for
  /// a while.
  func letIdleEnd() {
    sendOutgoing()
    forEachIdle { connection in
      setTimeout(connection, connection.timeout == .head ? .linger : .quiet)
    }
  }

  private func forEachIdle(_ body: (ConnectionPointer) -> Void) {
    for slot in 0..<UInt32(connections.capacity) {
      let connection = connections.record(slot)
      if connection.state == .idle, !connection.isPostponed { body(connection) }
    }
  }

  /// The rest of the request would have to be read and dropped, or the worker leaves: then connections end,
  /// but not before requests that have already come. Beside the loop nobody may check whether there are any.
  /// FastCGI announces nothing: the leader decides at the end.
  @inline(__always)
  func saysClose(_ exchange: ExchangePointer) -> Bool {
    if exchange.stream.isComplete, !common.isStopping { return false }
    if exchange.connection.gateway.keepsWithoutWord { return false }
    if !exchange.stream.isComplete { return true }
    return exchange.isDetached || exchange.connection.input.isEmpty
  }

  /// Closes after the answer in the output, without announcing it.
  @inline(__always)
  func endsUnsaid(_ connection: ConnectionPointer, _ exchange: ExchangePointer) -> Bool {
    guard departure.isUnderWay else { return false }
    // The apps were told that no more calls come.
    if departure.isDrained { return true }
    return connection.gateway.keepsWithoutWord && mayEndUnsaid(connection, exchange)
  }

  /// A front end that has begun to read an answer may read the rest and the end of the connection together,
  /// and notice the end only after it has sent the next request (nginx does not repeat a POST).
  private func mayEndUnsaid(_ connection: ConnectionPointer, _ exchange: ExchangePointer) -> Bool {
    guard connection.input.isEmpty else { return false }
    if isLate { return true }
    return !exchange.isUnderway
      && connection.outlet.output.count <= System.segmentBytes(connection.fd)
  }

  /// Leader, when the worker stops: tells the apps as soon as no more calls can come. Until then apps are
  /// still called for requests that have reached the machine.
  func drainWhenQuiet() {
    guard !departure.isDrained else { return }
    if isLate { closeIdle() }
    guard !apps.haveUncalled else { return }
    for slot in 0..<UInt32(connections.capacity) where mayAsk(connections.record(slot)) { return }
    departure.isDrained = true
    for app in apps.mounts.apps { app.drain() }
  }

  /// Nobody has told the client of a call that its connection ends with the answer.
  private func mayGoOn(_ connection: ConnectionPointer) -> Bool {
    guard let exchange = connection.exchange else { return false }
    if connection.gateway.keepsWithoutWord { return exchange.head.persists }
    exchange.lock.lock()
    defer { exchange.lock.unlock() }
    switch exchange.phase {
    case .responding, .finished: return exchange.plan.persists
    case .free, .reading, .called, .gone: return false
    }
  }

  /// Another request may come from a connection of a worker that stops.
  private func mayAsk(_ connection: ConnectionPointer) -> Bool {
    switch connection.state {
    case .idle where connection.isCarrier: return connection.multiplexer?.pointee.leaving != .last
    case .idle, .readingHead, .readingBody, .skipping: return true
    case .calling where connection.socket != nil: return false
    // A password is being checked: its application has not been asked yet.
    case .calling where connection.exchange?.pointee.calls == nil: return !isLate
    case .calling where isLate || now >= departure.drainFrom: return false
    case .calling: return !connection.input.isEmpty || departure.isRetired && mayGoOn(connection)
    case .closed, .writing, .lingering, .upgraded: return false
    }
  }
}
