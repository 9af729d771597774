import Glibc

/// Whether a worker takes connections.
enum Admission {
  /// It does. May become full, short.
  case open
  /// `--max-connections` are open; with the next one that closes it becomes open.
  case full
  /// The system has no descriptor or no memory for another connection; tried again with each tick.
  case short
}

/// Clients for whom there is no room: they stay in the backlog, where the kernel holds them, until there is.
extension Worker {
  /// There may be one more connection.
  @inline(__always)
  var hasRoom: Bool { connections.alive < limits.connections }

  /// Takes no more connections for now. Without an interest in the sockets, so that the loop does not spin,
  /// and that other workers are woken instead of this one.
  func leaveInBacklog(_ reason: Admission, _ sentence: @autoclosure () -> String) {
    guard admission == .open else { return }
    admission = reason
    for listener in listeners { try? reactor.remove(listener.fd) }
    if backlogLines.allows(now) { log.warning("new clients wait in the backlog: \(sentence())") }
  }

  /// Looks at the sockets again.
  func acceptAgain() {
    guard admission != .open, stopping == nil else { return }
    admission = .open
    for index in listeners.indices {
      do { try watch(index) } catch {
        // One that was left in is as good.
        if error.code != EEXIST { admission = .short }
      }
    }
  }

  /// What a failure of accept(2) means: true when it was that of one connection, and the next may be taken.
  func mayAcceptNext(after error: SystemError) -> Bool {
    switch error.code {
    case EAGAIN: return false
    // The client has left; Linux also passes on what has befallen it on the network already.
    case ECONNABORTED, EPROTO, ENOPROTOOPT, ENETDOWN, ENETUNREACH, EHOSTDOWN, EHOSTUNREACH, ENONET, EPERM:
      return true
    case EMFILE, ENFILE: leaveInBacklog(.short, error.reason)
    default: leaveInBacklog(.short, "\(error)")
    }
    return false
  }
}

/// Lets one line a second through, of those that clients could cause as often as they like.
struct LinePace {
  private static let period: UInt64 = 1_000_000_000
  private var next: UInt64 = 0

  /// Whether a line may be written at `now`, in monotonic nanoseconds.
  mutating func allows(_ now: UInt64) -> Bool {
    guard now >= next else { return false }
    next = now &+ LinePace.period
    return true
  }
}
