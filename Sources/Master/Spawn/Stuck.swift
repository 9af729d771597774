import Control
import Glibc

/// Workers that hang: their loop does not turn although a request is over its time.
extension Master {
  /// Seconds beyond the deadline in which a worker can still help itself.
  private static let grace = 3.0

  /// Once a second: connections that nobody takes, although somebody could.
  func lookForBacklog() {
    let hasBacklog = System.haveInput(sockets.map(\.descriptor))
    if hasBacklog, hadBacklog {
      for worker in workers.values where phase(of: worker) == .serving { worker.send(Message(.rouse)) }
    }
    hadBacklog = hasBacklog
  }

  /// Once a second: requests far beyond their time.
  func lookForStuck() {
    guard let release = releases.current else { return }
    let seconds = release.settings.limits.requestTimeoutSeconds
    guard seconds > 0 else { return }
    let bound = UInt64((seconds + Master.grace) * 1e9)
    let now = System.now()
    for worker in workers.values where phase(of: worker) != .loading {
      let board = worker.board
      guard let oldest = board.entries.first, now > oldest.began, now - oldest.began > bound,
        now > board[.lastTurn].value, now - board[.lastTurn].value > bound
      else { continue }
      guard !worker.isStuck else {
        System.signal(worker.pid, SIGKILL)
        continue
      }
      worker.isStuck = true
      MasterLog.error("\(worker.title) hangs in \(oldest.line) beyond --harakiri; it is ended")
      // Its handler writes where it is.
      System.signal(worker.pid, SIGABRT)
    }
  }
}
