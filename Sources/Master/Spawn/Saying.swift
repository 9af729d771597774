import Config
import Control
import Glibc

/// What workers say.
extension Master {
  /// Reads a worker's messages; if there are many, the rest comes with the next turn.
  func workerSpeaks(_ id: Int) {
    if let forking = forking[id] { forkedSpeaks(id, forking) }
    for _ in 0..<Limits.messagesPerTurn {
      guard let worker = workers[id] else { return }
      do throws(SystemError) {
        let bytes = try System.receivePacket(worker.link)
        guard !bytes.isEmpty else { return hearNoMore(worker.link) }
        guard worker.hearing.admits(at: System.now()) else { return silence(worker) }
        guard let report = WorkerReport(bytes, apps: worker.release.builds.count) else {
          misheard(worker)
          continue
        }
        heed(worker, report)
      } catch {
        if error.code == EMSGSIZE {
          guard worker.hearing.admits(at: System.now()) else { return silence(worker) }
          misheard(worker)
        } else {
          if !error.isMomentary { hearNoMore(worker.link) }
          return
        }
      }
    }
  }

  /// It floods the master: nothing more is read from it, and its seat gets another worker.
  private func silence(_ worker: WorkerHandle) {
    hearNoMore(worker.link)
    MasterLog.error(
      "\(worker.title) said more than \(Limits.messagesPerSecond) things within a second and is ended; "
        + "something in it writes to descriptor \(HandedDescriptor.control)")
    System.signal(worker.pid, SIGKILL)
  }

  private func misheard(_ worker: WorkerHandle) {
    guard worker.hearing.misspeaks() else { return }
    MasterLog.warning(
      "\(worker.title) said what no worker says; something in it writes to descriptor "
        + "\(HandedDescriptor.control), which is not its own")
  }

  private func heed(_ worker: WorkerHandle, _ report: WorkerReport) {
    switch report {
    case .loaded(let libraries): worker.libraries = libraries
    case .ready(let apps): becameReady(worker, apps)
    case .failed(let reason, let code): worker.failure = (reason, code)
    case .expired(let reason): replace(worker.id, reason)
    case .renew(let reason): asksForReload(worker, reason)
    case .retiring: inform(.deaf(worker.id))
    case .saved(let app, let hasState): saved(worker, app, hasState: hasState)
    case .presents(let number): inform(.presents(worker.id, certificates: number))
    case .declined(let number, let reason):
      inform(.declined(worker.id, certificates: number, reason))
    case .traced: traced(worker.id)
    case .topics: wantsIntroductions(worker)
    case .recalled: recalled(worker.id)
    case .swapped(let app, let generation): swapped(worker, app, generation)
    case .refused(let app, let generation, let reason, let isFull):
      inform(
        .keptOld(
          worker.id, app: app, generation: generation, reason: "\(worker.title): \(reason)", isFull: isFull))
    }
  }
}
