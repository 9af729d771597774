import Config
import Control
import Glibc

/// What signals ask the master to do.
extension Master {
  /// `sender`: nil if nobody vouches for it.
  func signalled(_ signal: Int32, by sender: (user: Int, process: Int)?) {
    switch signal {
    case SIGHUP:
      var cause = ChangeRecord.Cause(.signal, "SIGHUP")
      if let sender { (cause.user, cause.process) = (sender.user, sender.process) }
      inform(.asked(.reload(cause: "SIGHUP"), by: nil, cause: cause))
    case SIGUSR1: _ = reopenLogs()
    default:
      if hasHandedOver { stopPrograms() }
      inform(.stopSignal)
    }
  }

  /// Reopens the logs by name, and hands them to the workers, which may not be allowed to open them.
  func reopenLogs() -> Outcome {
    let daemonLog = plan.settings.process.daemonLog
    let errorLog = releases.current?.settings.log.file ?? plan.settings.log.file ?? daemonLog
    let logs = [(STDERR_FILENO, errorLog), (STDOUT_FILENO, daemonLog)].compactMap { standard, path in
      path.map { (standard, $0) }
    }
    for (standard, path) in logs {
      let place = standard == STDERR_FILENO ? pipes?.original ?? standard : standard
      do { try System.redirect(place, to: path) } catch {
        let reason = "log \(path) cannot be reopened: \(System.guardedReason(error))"
        MasterLog.error(reason)
        return .refused(reason)
      }
      if place != standard { continue }
      let message = Message(.reopen, [.init("standard", "\(standard)")])
      for worker in workers.values { worker.send(message, descriptor: standard) }
    }
    if let pipes { reopenCollected(errorLog == nil ? -1 : pipes.original) }
    return logs.isEmpty && pipes == nil
      ? .done("there is no log file: the log is standard error", changed: false)
      : .done("logs are reopened", changed: true)
  }
}
