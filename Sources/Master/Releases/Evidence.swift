import Config
import Control

/// Evidence against a new build, during its roll-out or afterwards.
extension Releases {
  /// A release serves from now on: its fresh builds are on probation, and earlier ones that still serve stay
  /// so for the rest of their time.
  mutating func goOnProbation(with release: Release, before previous: Release, _ fresh: [Build]) {
    let seconds = release.settings.supervision.probationSeconds
    var trials = (probation?.trials ?? []).filter { trial in
      seconds > 0 && trial.end > now && release.builds.contains(where: trial.build.isSame)
    }
    if seconds > 0 {
      trials += fresh.map { build in
        let before = previous.builds.first { $0.mount == build.mount }
        return Probation.Trial(build: build, before: before, end: now &+ UInt64(seconds * 1e9))
      }
    }
    let kills = fresh.isEmpty ? probation?.kills ?? 0 : 0
    setProbation(Probation(release: release.number, previous: previous, trials: trials, kills: kills))
  }

  /// Sets the probation, with the alarm for its first end.
  mutating func setProbation(_ wanted: Probation) {
    endProbation()
    if !wanted.trials.isEmpty { probation = wanted }
    act(.removeUnused)
    guard let next = probation?.trials.map(\.end).min() else { return }
    let seconds = next > now ? Double(next - now) / 1e9 : 0
    act(.alarm(.probation(release: wanted.release), seconds: seconds))
  }

  /// Ends the probation and its alarm.
  mutating func endProbation() {
    if let probation { act(.cancel(.probation(release: probation.release))) }
    probation = nil
  }

  /// Some builds may have proven themselves.
  private mutating func probationRang(_ number: Int) {
    guard var probation, probation.release == number else { return }
    // An alarm may ring a moment early.
    probation.trials.removeAll { $0.end <= now &+ 1_000_000 }
    setProbation(probation)
  }

  mutating func evidence(_ number: Int, _ text: String, _ mount: String?) {
    if case .rolling(let rolling) = state, rolling.target.number == number { return takeBack(rolling, text) }
    if case .swapping(let swap) = state, swap.target.number == number { return takeBack(swap, text) }
    guard let probation, probation.release == number else { return }
    withdraw(text, of: probation.fresh.first { $0.mount == mount })
  }

  /// Builds on probation have failed: goes back to the builds before, without being asked. A change that
  /// starts from them is abandoned.
  ///
  /// - Parameter culprit: the build that failed; nil: unknown.
  mutating func withdraw(_ reason: String, of culprit: Build? = nil) {
    guard let probation, let current else { return }
    let hasOtherOptions = probation.previous.configuration != current.configuration
    let blamed = probation.blamed(culprit, hasOtherOptions: hasOtherOptions && probation.young.count > 1)
    guard !blamed.isEmpty else { return }
    for trial in blamed { history.withdraw(trial.build, reason) }
    // With the names that workers have reported since.
    let called = blamed.map { trial in current.builds.first(where: trial.build.isSame) ?? trial.build }
    let names = called.map(\.title).joined(separator: ", ")
    let target = release(without: blamed, probation)
    keepProbation(probation, without: blamed, target ?? current)
    if let target {
      for build in target.builds(notIn: current) { _ = history.commit(build) }
      self.current = target
    }
    abandonChange()
    refuse("\(names), which it follows, is taken back: \(reason)")
    lastOutcome = "taken back: \(names): \(reason)"
    recordTakingBack(called, self.current?.builds ?? [], reason)
    act(.count("taken_back"))
    act(.log(.error, "\(names) is taken back: \(reason)"))
    guard target != nil else {
      return act(.log(.error, "what a runtime has made it of was not kept: put the old files back and swap"))
    }
    act(.watchFiles)
  }

  /// The release that goes on when these builds are taken back; nil if the builds before are not kept.
  private mutating func release(without blamed: [Probation.Trial], _ probation: Probation) -> Release? {
    guard let current, isKept(before: blamed.map(\.build), in: probation.previous) else { return nil }
    let young = probation.young
    if blamed.count == young.count,
      blamed.allSatisfy({ trial in young.contains { $0.build.isSame(trial.build) } })
    {
      let previous = probation.previous
      return Release(
        number: nextNumber(), configuration: previous.configuration, arguments: previous.arguments,
        settings: previous.settings, builds: previous.builds, files: previous.files,
        certificates: previous.certificates)
    }
    var (arguments, builds) = (current.arguments, current.builds)
    for trial in blamed {
      guard let before = trial.before, let app = builds.firstIndex(where: trial.build.isSame) else {
        return nil
      }
      builds[app] = before
      if current.settings.apps[app].runtime == nil, before.source != trial.build.source {
        arguments = Settings.arguments(arguments, servingAt: before.mount, path: before.source)
      }
    }
    let isSame = arguments == current.arguments
    guard let settings = isSame ? current.settings : Releases.parse(arguments) else { return nil }
    return release(arguments, settings, builds)
  }

  /// The builds that were not taken back stay on probation. None of those that were taken back may return
  /// with them.
  private mutating func keepProbation(
    _ probation: Probation, without blamed: [Probation.Trial], _ release: Release
  ) {
    func isBlamed(_ build: Build) -> Bool { blamed.contains { $0.build.isSame(build) } }
    var rest = probation
    rest.release = release.number
    rest.trials.removeAll { isBlamed($0.build) || !release.builds.contains(where: $0.build.isSame) }
    for (app, build) in rest.previous.builds.enumerated() where isBlamed(build) {
      if let before = blamed.first(where: { $0.build.isSame(build) })?.before {
        rest.previous.builds[app] = before
      }
    }
    setProbation(rest)
  }

  /// Abandons the children of the change in progress.
  mutating func abandonChange() {
    switch state {
    case .staging(let staging): act(.abandonStaging(ticket: staging.request.ticket))
    case .replaying(let prepared): act(.abandonReplay(ticket: prepared.request.ticket))
    case .handingOver(let request): act(.killHeir(ticket: request.ticket))
    case .starting, .serving, .rolling, .swapping, .presenting, .stopping: break
    }
  }

  // MARK: Alarms

  mutating func rang(_ alarm: ReleaseAlarm) {
    switch alarm {
    case .first: firstTimedOut()
    case .change(let ticket): changeTimedOut(ticket)
    case .start(let id): startTimedOut(id)
    case .leave(let id): kill(id, "it did not leave in time", again: alarm)
    case .soak(let number): soakIsOver(number)
    case .swap(let id): swapTimedOut(id)
    case .probation(let number): probationRang(number)
    case .present(let id): declined(id, workers[id]?.offered ?? 0, "it does not answer")
    case .seat(let seat): lookAgain(at: seat)
    case .stop: announcedStopIsDue()
    }
  }

  /// The children that stage have a time of their own, and were killed, but do not end.
  private mutating func firstTimedOut() {
    guard case .starting = state, current == nil else { return }
    let reason =
      "the first builds were not staged in time (--swap-timeout): a process that was killed does not end, a "
      + "call of it hangs in the kernel"
    act(.announceFailure(reason, code: 22))
    stop(22)
  }

  private mutating func startTimedOut(_ id: Int) {
    guard workers[id]?.phase == .loading else { return }
    kill(id, "it did not become ready in time (--swap-timeout)", again: .start(worker: id))
  }

  /// Kills a process, and checks later whether it has ended. One that the kernel holds never runs again: the
  /// server goes on as if it had ended.
  mutating func kill(_ id: Int, _ reason: String, again alarm: ReleaseAlarm) {
    guard let worker = workers[id] else { return }
    guard worker.kills < Worker.mostKills else {
      act(
        .log(
          .error,
          "a worker of place \(worker.seat + 1) does not end although it is killed: a call of it hangs in "
            + "the kernel; the server goes on without it"))
      return ended(id, WorkerEnding(ending: .killed(9), sentence: reason))
    }
    workers[id]!.kills += 1
    act(.terminate(id, reason: worker.kills == 0 ? reason : nil))
    act(.alarm(alarm, seconds: 1))
  }

  private mutating func changeTimedOut(_ ticket: Int) {
    guard request?.ticket == ticket else { return }
    abandonChange()
    switch state {
    case .staging: refuse("the trial did not end in time (--swap-timeout)")
    case .replaying: refuse("the replay did not end in time (--swap-timeout)")
    case .presenting: presentingTimedOut()
    case .handingOver: refuse("the new server did not get ready in time")
    case .swapping(let swap): swappingTimedOut(swap)
    case .rolling(let rolling): rollingTimedOut(rolling)
    case .starting, .serving, .stopping: break
    }
  }
}
