import Control
import Glibc

/// Workers that hang: their loop does not turn.
extension Master {
  /// Seconds beyond the deadline of a request in which a worker can still help itself.
  private static let grace = 3.0
  /// Seconds without a turn after which a worker is asked for one: an idle worker has no other reason to make
  /// one.
  private static let quietSeconds = 2.0

  /// Looks once a second for connections that nobody accepts, although somebody could.
  func lookForBacklog() {
    let hasBacklog = System.haveInput(sockets.map(\.descriptor))
    if hasBacklog, hadBacklog {
      for worker in workers.values where phase(of: worker) == .serving { worker.send(Message(.rouse)) }
    }
    hadBacklog = hasBacklog
  }

  /// Looks once a second for workers whose loop does not turn. After a pause of the whole machine, which the
  /// master notices by its own, every worker gets another chance.
  func lookForSilent(afterPause: Bool) {
    for worker in workers.values where phase(of: worker) != .loading {
      if worker.isStuck {
        System.signal(worker.pid, SIGKILL)
        continue
      }
      let board = worker.board
      if afterPause || board[.lastTurn].value >= worker.asked { worker.asked = 0 }
      if let reason = hangsInRequest(board) ?? isSilent(worker, board) {
        inform(.silent(worker.id, reason: reason))
      }
    }
  }

  /// A request is far beyond its deadline, and the loop that would have ended it does not turn.
  private func hangsInRequest(_ board: Scoreboard) -> String? {
    guard let limits = releases.current?.settings.limits, limits.requestTimeoutSeconds > 0 else { return nil }
    let bound = UInt64((limits.requestTimeoutSeconds + Master.grace) * 1e9)
    let now = System.now()
    guard let oldest = board.entries.first, now > oldest.began, now - oldest.began > bound,
      now > board[.lastTurn].value, now - board[.lastTurn].value > bound
    else { return nil }
    return "hangs in \(oldest.line) beyond --harakiri"
  }

  /// When a worker has last turned: not before it existed, and not in the future.
  static func lastTurn(_ told: UInt64, of began: UInt64, _ now: UInt64) -> UInt64 {
    max(min(told, now), began)
  }

  /// It was asked for a turn, and has made none since.
  private func isSilent(_ worker: WorkerHandle, _ board: Scoreboard) -> String? {
    guard let seconds = releases.current?.settings.supervision.silenceSeconds, seconds > 0 else { return nil }
    let now = System.now()
    let turn = Master.lastTurn(board[.lastTurn].value, of: worker.began, now)
    guard worker.asked > 0 else {
      if now - turn > UInt64(Master.quietSeconds * 1e9) {
        worker.asked = now
        worker.send(Message(.beat))
      }
      return nil
    }
    guard now > worker.asked, Double(now - worker.asked) / 1e9 >= seconds else { return nil }
    return "has not turned its event loop for \(Int(Double(now - turn) / 1e9)) s (--worker-timeout)"
  }

  /// Ends a worker that hangs: its handler writes where it hangs, unless it is stopped. A second later it is
  /// killed.
  func abort(_ id: Int, _ reason: String) {
    guard let worker = workers[id], !worker.isStuck else { return }
    worker.isStuck = true
    MasterLog.error("\(worker.title) \(reason); it is ended")
    System.signal(worker.pid, SIGABRT)
  }
}
