import Control

/// What workers say, and how they end.
extension Releases {
  mutating func ready(_ id: Int, _ generations: [Int]) {
    guard let worker = workers[id], worker.phase == .loading else { return }
    act(.cancel(.start(worker: id)))
    workers[id]!.phase = .serving
    workers[id]!.running = Plan(configuration: worker.plan.configuration, generations: generations)
    workers[id]!.since = now
    serves(worker.seat)
    if case .stopping = state { dismiss(id) }
  }

  mutating func wantsOut(_ id: Int) {
    if workers[id]?.phase == .serving { workers[id]!.wantsOut = true }
  }

  mutating func ended(_ id: Int, _ ending: WorkerEnding) {
    guard let worker = workers.removeValue(forKey: id) else { return }
    for alarm in [ReleaseAlarm.start(worker: id), .leave(worker: id), .swap(worker: id)] {
      act(.cancel(alarm))
    }
    act(.removeUnused)
    switch (worker.phase, state) {
    case (.leaving, _), (_, .stopping): break
    case (.loading, .starting): failStart(worker, ending)
    case (.loading, _): failedToLoad(worker, ending)
    case (.serving, _): died(id, worker, ending)
    }
    if case .swapping(let swap) = state, swap.asked == id { refuse(ending.sentence) }
  }

  /// A start fails by its first worker; one that cannot start does not end others that serve already.
  private mutating func failStart(_ worker: Worker, _ ending: WorkerEnding) {
    if workers.values.contains(where: { $0.phase == .serving }) {
      return failedToServe(worker.seat, ending.sentence)
    }
    act(.announceFailure(ending.sentence, code: ending.code))
    stop(ending.code)
  }

  private mutating func failedToLoad(_ worker: Worker, _ ending: WorkerEnding) {
    if case .rolling(let rolling) = state, worker.plan == rolling.target.plan {
      return takeBack(rolling, ending.sentence)
    }
    failedToServe(worker.seat, ending.sentence)
  }

  /// Nobody told it to leave: whatever its exit code, requests may be lost with it.
  private mutating func died(_ id: Int, _ worker: Worker, _ ending: WorkerEnding) {
    if ending.requests == 0, now &- worker.since < 1_000_000_000 {
      failedToServe(worker.seat, ending.sentence)
    } else {
      died(worker.seat)
    }
    if case .rolling(let rolling) = state, rolling.target.runs(worker), !rolling.previous.runs(worker) {
      return takeBack(rolling, "its worker crashed: \(ending.sentence)")
    }
    guard let current, let probation, probation.release == current.number, current.runs(worker) else {
      return
    }
    let isKill = ending.ending == .killed(9)
    if isKill { self.probation!.kills += 1 }
    // Once may be the kernel for want of memory, or somebody's hand.
    if !isKill || self.probation!.kills > 1 { withdraw("a worker crashed: \(ending.sentence)") }
  }

  // MARK: Stop

  mutating func stop(_ code: Int32) {
    if case .stopping = state { return hurry() }
    let reason = "the server stops"
    for request in queue { finish(request, .refused(reason)) }
    queue = []
    switch state {
    case .staging(let staging): act(.abandonStaging(ticket: staging.request.ticket))
    case .handingOver: act(.killHeir)
    case .starting, .serving, .rolling, .swapping, .stopping: break
    }
    if let request { finish(request, .refused(reason)) }
    probation = nil
    state = .stopping(code: code)
    act(.closeSockets)
    for id in workers.keys.sorted() { dismiss(id) }
  }

  private mutating func dismiss(_ id: Int) {
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
