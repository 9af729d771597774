import Config
import Control

/// Evidence against a new build, on its way or afterwards.
extension Releases {
  /// A release serves from now on: its fresh builds are on probation, and those that were before it and serve
  /// on stay so for the rest of their time.
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

  /// The probation is this one, with the alarm for its first end.
  mutating func setProbation(_ wanted: Probation) {
    endProbation()
    if !wanted.trials.isEmpty { probation = wanted }
    act(.removeUnused)
    guard let next = probation?.trials.map(\.end).min() else { return }
    let seconds = next > now ? Double(next - now) / 1e9 : 0
    act(.alarm(.probation(release: wanted.release), seconds: seconds))
  }

  /// Nothing is on probation any more, and nothing rings for it.
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
    guard let probation, probation.release == number else { return }
    withdraw(text, of: probation.fresh.first { $0.mount == mount })
  }

  /// Builds on probation have failed: back to those before, without being asked. A change that is being made
  /// from them is off.
  ///
  /// - Parameter culprit: the build that failed; nil: nobody knows which.
  mutating func withdraw(_ reason: String, of culprit: Build? = nil) {
    guard let probation, let current else { return }
    let hasOtherOptions = probation.previous.configuration != current.configuration
    let blamed = probation.blamed(culprit, hasOtherOptions: hasOtherOptions && probation.young.count > 1)
    guard !blamed.isEmpty else { return }
    for trial in blamed { history.withdraw(trial.build, reason) }
    // As workers have called them since.
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
    act(.count("taken_back"))
    act(.log(.error, "\(names) is taken back: \(reason)"))
    guard target != nil else {
      return act(.log(.error, "what a runtime makes is not kept: put the old files back and swap"))
    }
    act(.watchFiles)
  }

  /// What goes on when these builds are taken back; nil if what was before is not kept.
  private mutating func release(without blamed: [Probation.Trial], _ probation: Probation) -> Release? {
    guard let current, isKept(blamed.map(\.build)) else { return nil }
    let young = probation.young
    if blamed.count == young.count,
      blamed.allSatisfy({ trial in young.contains { $0.build.isSame(trial.build) } })
    {
      let previous = probation.previous
      return Release(
        number: nextNumber(), configuration: previous.configuration, arguments: previous.arguments,
        settings: previous.settings, builds: previous.builds, files: previous.files)
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

  /// The builds that were not taken back stay on probation. None of those that were is to come back with
  /// them.
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

  /// The children of the change under way are not wanted any more.
  mutating func abandonChange() {
    switch state {
    case .staging(let staging): act(.abandonStaging(ticket: staging.request.ticket))
    case .handingOver(let request): act(.killHeir(ticket: request.ticket))
    case .starting, .serving, .rolling, .swapping, .stopping: break
    }
  }

  // MARK: Alarms

  mutating func rang(_ alarm: ReleaseAlarm) {
    switch alarm {
    case .change(let ticket): changeTimedOut(ticket)
    case .start(let id): startTimedOut(id)
    case .leave(let id): kill(id, "it did not leave in time", again: alarm)
    case .soak(let number): soakIsOver(number)
    case .swap(let id): swapTimedOut(id)
    case .probation(let number): probationRang(number)
    case .seat(let seat): lookAgain(at: seat)
    case .stop: announcedStopIsDue()
    }
  }

  private mutating func startTimedOut(_ id: Int) {
    guard workers[id]?.phase == .loading else { return }
    kill(id, "it did not become ready in time (--swap-timeout)", again: .start(worker: id))
  }

  /// Ends a process, and looks again whether it has. One that the kernel holds never runs again: the server
  /// goes on as if it had.
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
    case .handingOver: refuse("the new server did not get ready in time")
    case .starting, .serving, .rolling, .swapping, .stopping: break
    }
  }
}
