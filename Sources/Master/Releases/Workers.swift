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

  /// What follows is its end, and whatever that means for the change under way.
  mutating func silent(_ id: Int, _ reason: String) {
    switch workers[id]?.phase {
    case .serving, .leaving: act(.abort(id, reason: reason))
    // Loading has its own time.
    case .loading, nil: break
    }
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
    case (.loading, .starting(let failures)): failStart(worker, ending, failures)
    case (.loading, _): failedToLoad(worker, ending)
    case (.serving, _): died(worker, ending)
    }
    if case .swapping(let swap) = state, swap.asked == id { refuse(ending.sentence) }
  }

  /// A place that cannot start keeps the others from nothing. As long as nobody serves it is not tried again:
  /// an application that cannot be loaded at all ends the start at once, with one sentence.
  private mutating func failStart(_ worker: Worker, _ ending: WorkerEnding, _ before: [StartFailure]) {
    if !follows, workers.values.contains(where: { $0.phase == .serving }) {
      return failedToServe(worker.seat, ending.sentence)
    }
    let failures =
      before + [StartFailure(seat: worker.seat, reason: ending.sentence, code: ending.code)]
    state = .starting(failures)
    let wanted = current.map { seats(of: $0) } ?? 0
    guard follows || failures.count >= wanted else { return }
    act(.announceFailure(failures[0].reason, code: failures[0].code))
    stop(failures[0].code)
  }

  private mutating func failedToLoad(_ worker: Worker, _ ending: WorkerEnding) {
    if case .rolling(let rolling) = state, worker.plan == rolling.target.plan {
      return takeBack(rolling, ending.sentence)
    }
    failedToServe(worker.seat, ending.sentence)
  }

  /// Nobody told it to leave: whatever its exit code, requests may be lost with it.
  private mutating func died(_ worker: Worker, _ ending: WorkerEnding) {
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
    abandonChange()
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
