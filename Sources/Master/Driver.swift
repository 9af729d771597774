import Config
import Control
import Glibc

/// Carries out what `Releases` decides. Whatever an action leads to at once is an event again, and waits
/// until the actions before it are done.
extension Master {
  /// Something has happened.
  func inform(_ event: Event) {
    events.append(event)
    guard !isDeciding else { return }
    isDeciding = true
    while !events.isEmpty {
      for action in releases.take(events.removeFirst(), now: System.now()) { perform(action) }
    }
    isDeciding = false
  }

  private func perform(_ action: Action) {
    switch action {
    case .spawn(let id, let seat, let release, let old): launch(id, seat, release, follows: old)
    case .retire(let id): retire(id)
    case .dismiss(let id): workers[id]?.send(Message(.stop))
    case .quit(let id): workers[id]?.send(Message(.quit))
    case .terminate(let id, let reason): end(id, reason)
    case .configure(let ticket): configure(ticket)
    case .stage(let ticket): stage(ticket)
    case .abandonStaging(let ticket): abandonStaging(ticket)
    case .swap(let id, let app, let build): swap(id, app, build)
    case .startHeir(let binary): startHeir(binary)
    case .killHeir: killHeir()
    case .handOver: handOver()
    case .closeSockets: closeSockets()
    case .alarm(let alarm, let seconds): alarms.set(.releases(alarm), seconds: seconds)
    case .cancel(let alarm): alarms.cancel(.releases(alarm))
    case .tell(let asker, let reply): tell(asker, reply)
    case .log(.info, let text): MasterLog.info(text)
    case .log(.warning, let text): MasterLog.warning(text)
    case .log(.error, let text): MasterLog.error(text)
    case .announceReady: announceReady()
    case .announceFailure(let reason, let code): announceFailure(reason, code: code)
    case .removeUnused: removeUnused()
    case .watchFiles: watchFiles()
    }
  }

  // MARK: The server as a whole

  /// All first workers serve: the server has started.
  private func announceReady() {
    if let warning = plan.warning { MasterLog.announce(warning) }
    if let current = releases.current {
      for build in current.builds {
        let spread = Spread(
          mount: build.mount, name: build.name, processes: current.workers, calls: build.calls)
        MasterLog.announce(spread.line)
      }
    }
    for socket in sockets { MasterLog.announce(socket.readyLine) }
    plan.notify(plan.follows ? "READY=1\nMAINPID=\(System.ownPID)" : "READY=1")
    tellParent(Message(.ready))
    alarms.set(.look, seconds: 1)
  }

  func announceFailure(_ reason: String, code: Int32) {
    tellParent(Message(.failed, [Message.reason(reason), .init("code", "\(code)")]))
    MasterLog.announce(reason)
  }

  /// The server stops: whoever connects from now on is refused by the kernel.
  private func closeSockets() {
    plan.notify("STOPPING=1")
    for job in jobs.values { System.signal(job.pid, SIGKILL) }
    for socket in sockets { System.close(socket.descriptor) }
    sockets = []
  }

  /// Copies of builds that nobody runs, fills or can ask for again.
  func removeUnused() {
    var used: Set<Int> = []
    for worker in workers.values { used.formUnion(worker.release.builds.map(\.copy)) }
    for job in jobs.values { used.formUnion(job.copies.values.map(\.number)) }
    for release in releases.known { used.formUnion(release.builds.map(\.copy)) }
    for list in releases.history.builds.values { used.formUnion(list.map(\.copy)) }
    for number in copies.numbers.subtracting(used) { copies.remove(number) }
  }
}
