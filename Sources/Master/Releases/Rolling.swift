import Control

/// The rolling swap: seat by seat, new first, then old. `wanted` says what each seat runs meanwhile.
extension Releases {
  mutating func roll(_ request: Request, to target: Release, _ fresh: [Build], soaks: Bool) {
    guard let current else { return }
    let rolling = Rolling(
      request: request, target: target, previous: current, fresh: fresh, hasSoaked: !soaks)
    state = .rolling(rolling)
    setDeadline(rolling)
  }

  /// The time in which a rollout reaches its next seat, or its end. Everything that it waits for there has an
  /// alarm of its own, which rings earlier: a worker that loads, the soak, a pause after failed starts, an
  /// old worker that leaves. This one is for anything that those do not cover.
  private mutating func setDeadline(_ rolling: Rolling) {
    let settings = rolling.target.settings.supervision
    let soak = rolling.isSoaking ? settings.soakSeconds : 0
    let leaving = graceSeconds + Double(Worker.mostKills)
    setDeadline(
      rolling.request, starting: settings.startSeconds, more: soak + leaving + Seat.longestPause)
  }

  mutating func rollingTimedOut(_ rolling: Rolling) {
    let isLast = rolling.seat >= seats(of: rolling.target)
    let place = "place \(rolling.seat + 1) did not change in time (--swap-timeout)"
    takeBack(rolling, isLast ? "the workers before did not leave in time" : place)
  }

  /// Goes on as far as the state of the workers allows.
  mutating func proceed() {
    switch state {
    case .starting(let failures): started(failures)
    case .rolling(let rolling): proceed(rolling)
    case .swapping(let swap): proceed(swap)
    case .presenting(let presenting): proceed(presenting)
    case .serving, .staging, .replaying, .handingOver, .stopping: break
    }
  }

  private mutating func started(_ failures: [StartFailure]) {
    guard let current, workers.values.contains(where: { $0.phase == .serving }) else { return }
    // Somebody serves: tries the others again.
    state = .starting([])
    for failure in failures { failedToServe(failure.seat, current.plan, failure.reason) }
    let missing = (0..<seats(of: current)).filter { !serves($0, current) }
    guard missing.allSatisfy({ hasHadItsTurn($0) }) else { return }
    state = .serving
    if !missing.isEmpty {
      let wanted = seats(of: current)
      act(.log(.warning, "the start goes on with \(wanted - missing.count) of \(wanted) workers"))
    }
    for build in current.builds { _ = history.commit(build) }
    act(.announceReady)
    act(.watchFiles)
  }

  /// A start does not wait for a place whose worker could not start, nor for one whose worker has served and
  /// died: where workers die often, there may be no moment in which all serve. A master that follows another
  /// takes over with all of them.
  private func hasHadItsTurn(_ seat: Int) -> Bool {
    guard let known = seats[seat] else { return false }
    return known.failedStarts > 0 || !follows && !known.deaths.isEmpty
  }

  private func serves(_ seat: Int, _ release: Release) -> Bool {
    workers.values.contains { $0.seat == seat && $0.phase == .serving && release.runs($0) }
  }

  private mutating func proceed(_ rolling: Rolling) {
    var rolling = rolling
    let (seat, wasSoaking) = (rolling.seat, rolling.isSoaking)
    while rolling.seat < seats(of: rolling.target), serves(rolling.seat, rolling.target) {
      if !rolling.hasSoaked {
        if !rolling.isSoaking {
          rolling.isSoaking = true
          let seconds = rolling.target.settings.supervision.soakSeconds
          act(.alarm(.soak(release: rolling.target.number), seconds: seconds))
        }
        break
      }
      tell(rolling.request, .progress("place \(rolling.seat + 1) serves the new build"))
      rolling.seat += 1
    }
    state = .rolling(rolling)
    if rolling.seat != seat || rolling.isSoaking != wasSoaking { setDeadline(rolling) }
    guard rolling.seat >= seats(of: rolling.target) else { return }
    // Committed when no old worker accepts any more: a connection opened afterwards never meets one.
    let old = workers.values.filter { !rolling.target.runs($0) && $0.phase != .loading }
    if old.allSatisfy({ $0.phase == .leaving && $0.isDeaf }) { commit(rolling) }
  }

  private mutating func commit(_ rolling: Rolling) {
    current = rolling.target
    for build in rolling.target.builds(notIn: rolling.previous) { _ = history.commit(build) }
    // The build that a rollback brings back has proven itself before.
    let isRollback = if case .rollback = rolling.request.change { true } else { false }
    goOnProbation(with: rolling.target, before: rolling.previous, isRollback ? [] : rolling.fresh)
    succeed("serving \(serviceText)")
    act(.watchFiles)
  }

  mutating func soakIsOver(_ number: Int) {
    if case .rolling(var rolling) = state, rolling.target.number == number {
      let hasGate = rolling.target.settings.supervision.gate != nil
      if hasGate, !rolling.fresh.isEmpty { tellCompared(rolling.request, number) }
      (rolling.hasSoaked, rolling.isSoaking) = (true, false)
      state = .rolling(rolling)
    }
    if case .swapping(var swap) = state, swap.target.number == number, swap.isSoaking {
      tellCompared(swap.request, number)
      (swap.hasSoaked, swap.isSoaking) = (true, false)
      state = .swapping(swap)
      act(.cancel(.change(swap.request.ticket)))
    }
  }

  /// The time in which the builds of a release were compared is over, and nothing speaks against the new one.
  private mutating func tellCompared(_ request: Request, _ number: Int) {
    let text = comparisonText(number) ?? "nothing was answered by the new build"
    tell(request, .progress("compared: \(text)"))
    act(.log(.info, "compared: \(text) (--swap-gate)"))
  }

  /// The release has failed during its roll-out; seats that have switched get the previous one again.
  mutating func takeBack(_ rolling: Rolling, _ reason: String) {
    act(.cancel(.soak(release: rolling.target.number)))
    for build in rolling.fresh { history.withdraw(build, reason) }
    refuse(reason)
  }
}
