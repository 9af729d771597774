import Config
import Glibc

/// When there is a ring, and how long there is none.
struct RingTenure {
  /// When a leader may set one up, in monotonic nanoseconds.
  var due: UInt64
  /// Since when there is one.
  var since: UInt64 = 0
  /// How many seconds there is none after a hand-off.
  var rest: Double
  /// Turns in a row in which only the ring had something.
  var turns: UInt8 = 0

  init(isAllowed: Bool, restSeconds: Double) { (due, rest) = (isAllowed ? 0 : .max, restSeconds) }

  /// No ring any more.
  mutating func forgo() { due = .max }

  /// It is given up, at `now`: for how long depends on how long it has lasted.
  mutating func end(at now: UInt64, _ limits: Limits) {
    let hasLasted = now &- since > UInt64(limits.ringLastsSeconds * 1e9)
    rest = hasLasted ? limits.ringRestSeconds : min(rest * 2, limits.ringRestMostSeconds)
    due = now &+ UInt64(rest * 1e9)
  }
}

/// A leader's time with a ring: set up when calls are fast, given up by the successor of a leader whose call
/// was handed off.
extension Worker {
  /// For the leader, when idle: sets up its own ring.
  func takeUpRing() {
    // Answers of this turn that wait to be sealed: the ring would send them as they are.
    sendOutgoing()
    ring.tenure.forgo()
    do throws(SystemError) {
      let isFirst = ring.bell < 0
      try ring.open(&blocks)
      if isFirst { try reactor.add(ring.bell, [.read, .edges], Token(.ring, slot: 0)) }
    } catch {
      closeRing()
      log.info("io_uring is not available (\(error.reason)): serving with epoll")
      return
    }
    ring.tenure.since = now
    for slot in 0..<UInt32(connections.capacity) {
      let connection = connections.record(slot)
      guard connection.state == .idle, connection.isRegistered,
        connection.interest == .read, !connection.prefersReactor,
        !connection.keepsInput
      else { continue }
      try? reactor.remove(connection.fd)
      connection.isRegistered = false
      watchInput(connection)
    }
  }

  /// For a new leader: the work of the last one's ring goes on with epoll, for a while. Slow calls come in a
  /// row, and each would cost all connections the change.
  func leaveRing() {
    guard ring.isOpen else { return }
    now = System.now()
    // Completed operations are in memory; the rest will not complete.
    takeCompletions()
    closeRing()
    ring.tenure.end(at: now, limits)
    for slot in 0..<UInt32(connections.capacity) {
      let connection = connections.record(slot)
      guard connection.onRing != .no else { continue }
      connection.onRing = .no
      if connection.state != .closed { watchAnew(connection) }
    }
  }

  /// Gives back the kernel's part; connections that were on it are no longer watched.
  func closeRing() { ring.close(&blocks) }

  /// From now on the Reactor watches the connection: it needs more than waiting for input.
  func leaveRing(_ connection: ConnectionPointer) {
    guard connection.onRing == .receiving else { return }
    connection.prefersReactor = true
    connection.onRing = .leaving
    ring.cancel(connection.token)
  }

  /// A connection closes while the ring receives for it. Requests of this turn have to be submitted first: a
  /// closed descriptor's number belongs to another connection a moment later. And the ring releases the
  /// socket only when it is entered, but the peer should see the end now, with the last bytes.
  func endReceiving(_ connection: ConnectionPointer) {
    if connection.onRing == .receiving { ring.cancel(connection.token) }
    ring.submit()
    if !connection.outlet.resets { System.shutdown(connection.fd) }
  }

  /// Watches an unwatched connection for what it waits for.
  func watchAnew(_ connection: ConnectionPointer) {
    let interest = connection.interest
    connection.isRegistered = false
    setInterest(connection, interest)
  }
}
