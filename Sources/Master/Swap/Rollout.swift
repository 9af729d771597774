/// A release on its way to the workers, one place after the other: new first, then old.
struct Rollout {
  /// What it waits for.
  enum Phase {
    /// The old worker writes its state.
    case saving
    /// The new worker of `place` loads.
    case starting(worker: Int)
    /// The first new worker serves beside the old ones.
    case soaking(worker: Int)
    /// Every place runs the target; old workers still accept.
    case settling
  }

  let number: Int
  let previous: Release
  var target: Release
  let soakSeconds: Double
  /// It brings back what served before, after a failure: nothing is left to go back to.
  let isReturn: Bool
  /// The place whose worker is being replaced.
  var place = 0
  var phase = Phase.saving

  /// Whether a place runs the target already.
  func hasSwitched(_ place: Int) -> Bool { place < self.place }

  /// Places of either release.
  var places: Int { max(previous.workers, target.workers) }
}

/// The rolling swap.
extension Master {
  /// Puts a release to work. The change under way ends with it.
  func beginRollout(_ target: Release, soak: Double, isReturn: Bool = false) {
    guard let current else { return }
    rollout = Rollout(
      number: nextNumber(), previous: current, target: target, soakSeconds: soak, isReturn: isReturn)
    advance()
  }

  /// The next place gets its worker, or the rollout settles.
  private func advance() {
    guard let rollout, phase == .serving else { return }
    if rollout.place >= rollout.places {
      self.rollout!.phase = .settling
      return rolloutProgress()
    }
    let place = rollout.place
    if let worker = serving(place), worker.release.number == rollout.target.number {
      retireOthers(than: worker)
      return next()
    }
    guard place < rollout.target.workers else {
      for worker in workers.values where worker.place == place { retire(worker) }
      return next()
    }
    self.rollout!.phase = .saving
    saveStates(of: serving(place)) { [unowned self] states in
      guard let now = self.rollout, now.number == rollout.number, phase == .serving else {
        for state in states.values { System.close(state.descriptor) }
        return
      }
      guard let worker = spawn(place, now.target, .rollout, states: states) else {
        return fail("no process for a new worker")
      }
      self.rollout!.phase = .starting(worker: worker.id)
    }
  }

  private func next() {
    rollout?.place += 1
    advance()
  }

  /// The new worker of a place accepts.
  func rolloutIsReady(_ worker: WorkerHandle) {
    guard let rollout, case .starting(let id) = rollout.phase, id == worker.id else {
      // Its rollout is over.
      return retire(worker)
    }
    tell(underWay?.watcher, .progress("\(worker.title) serves the new build"))
    if rollout.place == 0, rollout.soakSeconds > 0 {
      self.rollout!.phase = .soaking(worker: worker.id)
      alarms.set(.soak(rollout: rollout.number), seconds: rollout.soakSeconds)
      return
    }
    retireOthers(than: worker)
    next()
  }

  /// The first new worker has served beside the old ones for long enough.
  func soakIsOver(_ number: Int) {
    guard let rollout, rollout.number == number, case .soaking(let id) = rollout.phase,
      let worker = workers[id]
    else { return }
    if let evidence = failures([worker], rollout.target, besides: rollout.previous) { return fail(evidence) }
    retireOthers(than: worker)
    next()
  }

  /// Looks whether the rollout can be committed: no old worker accepts any more.
  func rolloutProgress() {
    guard let rollout, case .settling = rollout.phase else { return }
    let old = workers.values.filter { $0.release.number != rollout.target.number }
    guard old.allSatisfy({ $0.isDeaf || $0.state == .ended }) else { return }
    commit(rollout)
  }

  private func commit(_ rollout: Rollout) {
    let fresh = rollout.target.builds.filter { build in
      !rollout.previous.builds.contains { $0.mount == build.mount && $0.generation == build.generation }
    }
    current = rollout.target
    self.rollout = nil
    for build in fresh { _ = history.commit(build) }
    for place in 0..<rollout.target.workers { fill(place) }
    watchFiles()
    if rollout.isReturn { return startNext() }
    if case .rollback = underWay?.change {
      // It has proven itself before; what it replaces has not.
      endProbation()
    } else {
      beginProbation(rollout.target, before: rollout.previous, fresh)
    }
    succeed("serving \(serviceText)")
  }

  // MARK: When it fails

  /// A new worker of the rollout could not start.
  func rolloutFailed(_ worker: WorkerHandle, _ reason: String) {
    guard let rollout, worker.release.number == rollout.target.number else { return }
    if rollout.isReturn { return fill(worker.place) }
    fail(reason)
  }

  /// Takes the rollout back: the new workers leave, places that had switched get the old release again.
  func fail(_ reason: String) {
    guard let rollout else { return }
    alarms.cancel(.soak(rollout: rollout.number))
    for build in rollout.target.builds { history.withdraw(build, reason) }
    self.rollout = nil
    let isUntouched = rollout.place == 0
    for worker in workers.values where worker.release.number == rollout.target.number {
      if worker.state == .starting {
        worker.failure = (reason, 0)
        worker.send(.init(.quit))
        retire(worker)
      } else if isUntouched {
        retire(worker)
      }
    }
    if isUntouched {
      for place in 0..<rollout.previous.workers { fill(place) }
    } else {
      goBack(to: rollout.previous)
    }
    refuse(reason)
  }

  /// Every place gets what served before, in a release of its own: workers are told apart by that.
  func goBack(to previous: Release) {
    guard phase == .serving else { return }
    let back = Release(
      number: nextNumber(), arguments: previous.arguments, settings: previous.settings,
      builds: previous.builds)
    current = back
    for build in back.builds { _ = history.commit(build) }
    beginRollout(back, soak: 0, isReturn: true)
  }

  /// A worker that served has died: a release on trial fails by that.
  ///
  /// - Parameter isKill: by SIGKILL: the kernel for want of memory, or somebody's hand. Once is no evidence
  /// against a release that was committed.
  func crashed(_ worker: WorkerHandle, _ sentence: String, isKill: Bool) {
    inPlaceLost(worker, sentence)
    if let rollout, worker.release.number == rollout.target.number, !rollout.isReturn {
      return fail("its worker crashed: \(sentence)")
    }
    guard probation?.release.number == worker.release.number else { return }
    if isKill { probation!.kills += 1 }
    if !isKill || probation!.kills > 1 { withdraw("a worker crashed: \(sentence)") }
  }
}
