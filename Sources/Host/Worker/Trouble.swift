import Glibc
import Posix

/// Failures of the kernel that affect the loop.
struct Trouble {
  /// Why the loop could not go on.
  var failure: SystemError?
  /// How often in a row the kernel has failed.
  var count = 0
  /// Connections that the kernel would not watch, and their interests: tried again in each turn.
  var unwatched: [(token: Token, interest: Interest)] = []
}

/// Handles a kernel that fails the loop: for a moment, for lack of memory, or for good.
extension Worker {
  /// Failures in a row after which the loop gives up; between two of them it waits longer each time, so that
  /// they last some seconds.
  private static let mostTroubles = 60

  /// A wait for events has failed: true if the loop goes on. A failing ring is given up for epoll.
  func survives(_ error: SystemError) -> Bool {
    now = System.now()
    trouble.count += 1
    // If somebody has closed its descriptor, nothing can be trusted any more. The number may be another
    // file's by now, which must not be closed.
    let isTaken = error.code == EBADF || error.code == EOPNOTSUPP
    if ring.isOpen, ring.hasFailed, !isTaken {
      log.warning("io_uring has failed (\(error.reason)): serving with epoll")
      leaveRing()
      ring.tenure.forgo()
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

  /// The kernel does not watch a connection: tries again, as long as the connection has time.
  func notWatched(_ connection: ConnectionPointer, _ interest: Interest, _ error: SystemError) {
    if trouble.unwatched.isEmpty { log.error("connections cannot be watched, and are tried again: \(error)") }
    trouble.unwatched.append((connection.token, interest))
  }

  /// Runs in each turn while there are such connections.
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

  /// The log is not read, or not fast enough: tries again, and shows how much was lost.
  func flushLog() {
    LogSink.shared.flush()
    LogSink.requests.flush()
    board?[.droppedLines].value = UInt64(LogSink.shared.drops)
  }
}
