import Control

/// How the server ends here: by a stop, or because another master takes over.
extension Releases {
  mutating func heirReady(_ ticket: Int, _ pid: Int32) {
    guard case .handingOver(let request) = state, request.ticket == ticket else {
      return act(.killHeir(ticket: ticket))
    }
    act(.handOver(ticket: ticket))
    state = .serving
    let sentence = "the server goes on as pid \(pid)"
    finish(request, .done(sentence, changed: true))
    for other in queue { finish(other, .refused(sentence)) }
    queue = []
    // The new master judges what it serves.
    endProbation()
    state = .stopping(code: 0, isHandedOver: true)
    for id in workers.keys.sorted() { retire(id) }
  }

  mutating func heirFailed(_ ticket: Int, _ reason: String) {
    if case .handingOver(let request) = state, request.ticket == ticket { refuse(reason) }
  }

  // MARK: Stop

  /// With `--shutdown-delay` load balancers learn of it first, and the requests that they still send are
  /// served. Nothing is handed over meanwhile: this master carries out the stop.
  mutating func signalledToStop() {
    switch state {
    case .starting, .stopping: return stop(0)
    case .serving, .staging, .replaying, .rolling, .swapping, .presenting, .handingOver: break
    }
    let seconds = current?.settings.watch.shutdownDelaySeconds ?? 0
    guard seconds > 0, !isStopAnnounced else { return stop(0) }
    isStopAnnounced = true
    act(.log(.info, "stops in \(Int(seconds.rounded(.up))) s (--shutdown-delay)"))
    act(.announceStop)
    act(.alarm(.stop, seconds: seconds))
    if case .handingOver = state {
      abandonChange()
      refuse(Releases.stopsSoon)
    }
    let upgrades = queue.filter { if case .upgrade = $0.change { true } else { false } }
    queue.removeAll { request in upgrades.contains { $0.ticket == request.ticket } }
    for request in upgrades { finish(request, .refused(Releases.stopsSoon)) }
  }

  /// No new clients should come: the stop is announced, or in progress.
  var isLeaving: Bool {
    if case .stopping = state { return true }
    return isStopAnnounced
  }

  /// Nobody can connect any more: the server stops, rather than going on in another master.
  var hasClosed: Bool {
    if case .stopping(_, let isHandedOver) = state { return !isHandedOver }
    return false
  }

  /// An impatient operator has stopped the server already.
  mutating func announcedStopIsDue() {
    if case .stopping = state { return }
    stop(0)
  }

  mutating func stop(_ code: Int32) {
    if case .stopping(let code, let isHandedOver) = state {
      guard isHandedOver else { return hurry() }
      state = .stopping(code: code, isHandedOver: false)
      for id in workers.keys.sorted() { dismiss(id) }
      return
    }
    let reason = "the server stops"
    for request in queue { finish(request, .refused(reason)) }
    queue = []
    abandonChange()
    if let request { finish(request, .refused(reason)) }
    endProbation()
    state = .stopping(code: code, isHandedOver: false)
    act(.closeSockets)
    for id in workers.keys.sorted() { dismiss(id) }
  }

  mutating func dismiss(_ id: Int) {
    switch workers[id]?.phase {
    case .loading: give(up: id)
    case .serving, .leaving:
      workers[id]!.phase = .leaving
      act(.dismiss(id))
      act(.alarm(.leave(worker: id), seconds: graceSeconds))
    case nil: break
    }
  }

  private mutating func hurry() {
    for id in workers.keys.sorted() {
      act(.quit(id))
      act(.alarm(.leave(worker: id), seconds: 1))
    }
  }

  /// The last worker has left.
  var isDone: Bool {
    if case .stopping = state { return workers.isEmpty }
    return false
  }
}
