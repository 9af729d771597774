import Control

/// What workers say, and how they end.
extension Releases {
  mutating func ready(_ id: Int, _ generations: [Int]) {
    guard let worker = workers[id], worker.phase == .loading else { return }
    guard expects(id, generations) else {
      // Something in it speaks in its place: it would never become what its seat wants.
      act(.terminate(id, reason: "it says that it runs other builds than it was started with"))
      return act(.alarm(.start(worker: id), seconds: 1))
    }
    act(.cancel(.start(worker: id)))
    workers[id]!.phase = .serving
    workers[id]!.running = Plan(configuration: worker.plan.configuration, generations: generations)
    workers[id]!.since = now
    serves(id, worker)
    if case .stopping = state { dismiss(id) }
  }

  /// Whether a loading worker may report these generations.
  func expects(_ id: Int, _ generations: [Int]) -> Bool {
    workers[id]?.phase == .loading && workers[id]?.plan.generations == generations
  }

  /// Its end follows, with its consequences for the change in progress.
  mutating func silent(_ id: Int, _ reason: String) {
    switch workers[id]?.phase {
    case .serving, .leaving:
      act(.abort(id, reason: reason))
      act(.alarm(.leave(worker: id), seconds: 3))
    // Loading has its own time limit.
    case .loading, nil: break
    }
  }

  mutating func wantsOut(_ id: Int) {
    if workers[id]?.phase == .serving { workers[id]!.wantsOut = true }
  }

  mutating func ended(_ id: Int, _ ending: WorkerEnding) {
    guard let worker = workers.removeValue(forKey: id) else { return }
    for alarm in [
      ReleaseAlarm.start(worker: id), .leave(worker: id), .swap(worker: id), .present(worker: id),
    ] {
      act(.cancel(alarm))
    }
    act(.removeUnused)
    switch (worker.phase, state) {
    case (_, .stopping): break
    case (.leaving, .swapping(let swap)) where swap.asked == id:
      ending.ending == .exited(0) ? answered(id) : refuse(ending.sentence)
    case (.leaving, _): break
    case (.loading, .starting(let failures)): failStart(worker, ending, failures)
    case (.loading, _): failedToLoad(worker, ending)
    case (.serving, .swapping(let swap)):
      follow(worker, ending)
      judge(id, worker, ending, swap)
    case (.serving, _):
      follow(worker, ending)
      judge(worker, ending)
    }
  }

  /// A place that cannot start does not hold up the others. As long as nobody serves it is not tried again:
  /// an application that cannot be loaded at all ends the start at once, with one sentence.
  private mutating func failStart(_ worker: Worker, _ ending: WorkerEnding, _ before: [StartFailure]) {
    if !follows, workers.values.contains(where: { $0.phase == .serving }) {
      return failedToServe(worker.seat, worker.plan, ending.sentence)
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
    failedToServe(worker.seat, worker.plan, ending.sentence, isTheBuilds: ending.hadProcess)
  }

  /// It was not told to leave: whatever its exit code, requests may be lost with it.
  private mutating func follow(_ worker: Worker, _ ending: WorkerEnding) {
    let isEarly = ending.requests == 0 && now &- worker.since < UInt64(Seat.provingSeconds * 1e9)
    // A kill by hand, or by the kernel for lack of memory, says nothing about what it ran.
    if !isEarly || ending.ending == .killed(9) { hasProven(worker.seat, worker.actual) }
    isEarly ? failedToServe(worker.seat, worker.actual, ending.sentence) : died(worker.seat)
  }

  // MARK: Evidence

  /// A worker has died while a build is loaded into the others: because of that build, of another one, or of
  /// neither.
  private mutating func judge(_ id: Int, _ worker: Worker, _ ending: WorkerEnding, _ swap: InPlace) {
    let hasBuild = swap.asked == id || swap.target.runs(worker)
    if hasBuild, ending.app == nil || ending.app == swap.app {
      history.withdraw(swap.build, ending.sentence)
      return refuse(swap.asked == id ? ending.sentence : "its worker crashed: \(ending.sentence)")
    }
    if swap.asked == id { answered(id) }
    judge(worker, ending)
  }

  /// Judges what the death of a worker says about a change in progress or a recent one. A crash in an
  /// unchanged application says nothing.
  private mutating func judge(_ worker: Worker, _ ending: WorkerEnding) {
    // A worker that loads a build of an abandoned change, and was in no request, has died of that build.
    if worker.asked != nil, ending.app == nil { return }
    let release = known.first { $0.runs(worker) }
    let culprit = ending.app.flatMap { app in
      release.flatMap { $0.builds.indices.contains(app) ? $0.builds[app] : nil }
    }
    if case .rolling(let rolling) = state, rolling.target.runs(worker), !rolling.previous.runs(worker),
      rolling.isBlamed(for: culprit)
    {
      return takeBack(rolling, "its worker crashed: \(ending.sentence)")
    }
    guard let current, let probation else { return }
    let isOnProbation = culprit.map { culprit in probation.fresh.contains(where: culprit.isSame) }
    guard isOnProbation ?? current.runs(worker) else { return }
    let isKill = ending.ending == .killed(9)
    if isKill { self.probation!.kills += 1 }
    // A single kill may be the kernel's for lack of memory, or by hand.
    if !isKill || self.probation!.kills > 1 { withdraw("a worker crashed: \(ending.sentence)", of: culprit) }
  }
}
