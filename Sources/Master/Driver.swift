import Config
import Control
import Glibc

/// Carries out what `Releases` decides. Anything that an action leads to at once is an event again, and waits
/// until the actions before it are done.
extension Master {
  /// Something has happened.
  func inform(_ event: Event) {
    events.append(event)
    guard !isDeciding else { return }
    isDeciding = true
    while !events.isEmpty {
      let now = System.now()
      let event = events.removeFirst()
      for action in releases.take(event, now: now, calendar: System.seconds()) { perform(action) }
      statistics.enters(releases.phase, at: now)
    }
    isDeciding = false
    tendZygotes()
    hastenLook()
  }

  private func perform(_ action: Action) {
    switch action {
    case .spawn(let id, let seat, let release, let old): launch(id, seat, release, follows: old)
    case .retire(let id): retire(id)
    case .dismiss(let id): workers[id]?.send(Message(.stop))
    case .quit(let id): workers[id]?.send(Message(.quit))
    case .terminate(let id, let reason): end(id, reason)
    case .abort(let id, let reason): abort(id, reason)
    case .configure(let ticket): configure(ticket)
    case .stage(let ticket): stage(ticket)
    case .readCertificates(let ticket): readCertificates(ticket)
    case .present(let id, let certificates): present(id, certificates)
    case .abandonStaging(let ticket): abandonStaging(ticket)
    case .replay(let ticket, let target, let fresh, let requests): replay(ticket, target, fresh, requests)
    case .abandonReplay(let ticket): abandonReplay(ticket)
    case .swap(let id, let app, let build): swap(id, app, build)
    case .startHeir(let ticket, let binary): startHeir(ticket, binary)
    case .killHeir(let ticket): killHeir(ticket)
    case .handOver(let ticket): handOver(to: ticket)
    case .announceStop: for worker in workers.values { worker.send(Message(.unready)) }
    case .closeSockets: closeSockets()
    case .alarm(let alarm, let seconds): alarms.set(.releases(alarm), seconds: seconds)
    case .cancel(let alarm): alarms.cancel(.releases(alarm))
    case .tell(let asker, let reply): tell(asker, reply)
    case .log(.info, let text): MasterLog.info(text)
    case .log(.warning, let text): MasterLog.warning(text)
    case .log(.error, let text): MasterLog.error(text)
    case .count(let name):
      statistics.count(name)
      statistics.changed(releases.lastOutcome ?? "", at: System.seconds())
    case .gateClosed(let figure): statistics.count("gate_\(figure.rawValue)")
    case .announceReady: announceReady()
    case .announceFailure(let reason, let code): announceFailure(reason, code: code)
    case .resized(let text, let isMore):
      MasterLog.info(text)
      statistics.count(isMore ? "workers_added" : "workers_dropped")
      statistics.changed(text, at: System.seconds())
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
    for socket in watchSockets {
      MasterLog.announce("\(socket.kind.rawValue) socket \(socket.address) ready")
    }
    // A master that follows knows the figures of the one before it once it owns the server.
    if !plan.follows || hasTakenOver { startWatcher() }
    startPrograms()
    plan.notify(plan.follows ? "READY=1\nMAINPID=\(System.ownPID)" : "READY=1")
    tellParent(Message(.ready))
    alarms.set(.look, seconds: 1)
  }

  func announceFailure(_ reason: String, code: Int32) {
    tellParent(Message(.failed, [Message.reason(reason), .init("code", "\(code)")]))
    MasterLog.announce(reason)
  }

  /// The server stops: the kernel refuses connections from now on. Those who watch see it leave; without a
  /// process that answers them they are refused as well.
  private func closeSockets() {
    plan.notify("STOPPING=1")
    for job in jobs.values { System.signal(job.pid, SIGKILL) }
    for socket in sockets { System.close(socket.descriptor) }
    sockets = []
    if watcher == nil { endWatching() }
    stopPrograms()
  }

  /// Removes copies of builds that nobody runs, fills or can ask for again.
  func removeUnused() {
    var used: Set<Int> = []
    for worker in workers.values { used.formUnion(worker.release.builds.map(\.copy)) }
    for job in jobs.values { used.formUnion(job.copies.values.map(\.number)) }
    for release in releases.known { used.formUnion(release.builds.map(\.copy)) }
    for list in releases.history.builds.values {
      used.formUnion(list.filter { !$0.status.isWithdrawn }.map(\.copy))
    }
    for number in copies.numbers.subtracting(used) { copies.remove(number) }
  }
}
