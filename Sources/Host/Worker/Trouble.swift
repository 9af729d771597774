import Glibc
import Posix

/// What the kernel has failed the loop in.
struct Trouble {
  /// Why the loop could not go on.
  var failure: SystemError?
  /// How often in a row the kernel has failed it.
  var count = 0
  /// Connections that the kernel would not watch, and what for: asked again in each turn.
  var unwatched: [(token: Token, interest: Interest)] = []
}

/// A kernel that fails the loop: for want of memory for a moment, or for good.
extension Worker {
  /// Failures in a row after which the loop gives up; between two of them it waits longer each time, so that
  /// they are some seconds.
  private static let mostTroubles = 60

  /// What a wait for events has failed of: true when the loop goes on. A ring that fails is left for epoll.
  func survives(_ error: SystemError) -> Bool {
    now = System.now()
    trouble.count += 1
    // Without its descriptor, which somebody has closed, nothing is to be trusted any more.
    if ring.isOpen, ring.hasFailed, error.code != EBADF {
      log.warning("io_uring has failed (\(error.reason)): serving with epoll")
      leaveRing()
      tenure.forgo()
      return true
    }
    guard error.isMomentary, trouble.count <= Worker.mostTroubles else {
      trouble.failure = error
      return false
    }
    if trouble.count == 1 { log.warning("the event loop waits for the kernel: \(error)") }
    System.pause(microseconds: UInt32(min(trouble.count * 5000, 100_000)))
    return true
  }

  /// The kernel does not watch a connection: it is asked again, as long as the connection has time.
  func notWatched(_ connection: ConnectionPointer, _ interest: Interest, _ error: SystemError) {
    if trouble.unwatched.isEmpty { log.error("connections cannot be watched, and are tried again: \(error)") }
    trouble.unwatched.append((connection.token, interest))
  }

  /// With each turn, while there are such connections.
  func watchAgain() {
    let waiting = trouble.unwatched
    trouble.unwatched = []
    for (token, interest) in waiting {
      let connection = connections.record(token.slot)
      guard connection.token == token, connection.state != .closed,
        !connection.isWatched || connection.interest != interest
      else { continue }
      setInterest(connection, interest)
    }
  }

  /// Somebody does not read the log, or not fast enough: tries again, and shows what was lost.
  func flushLog() {
    LogSink.shared.flush()
    LogSink.requests.flush()
    board?[.droppedLines].value = UInt64(LogSink.shared.drops)
  }
}
