import Control

/// The time after a commit in which the release may still be taken back by itself.
struct Probation {
  let release: Release
  let previous: Release
  /// Mounts whose builds are new.
  let mounts: [String]
  /// Failure share of the release before, by mount.
  let before: [String: Double]
  /// Workers that were killed from outside.
  var kills = 0
}

/// Watching what a new build does.
extension Master {
  /// Answers that fail before they count as evidence.
  private static let leastFailures = 5

  /// A release was committed: watch it.
  func beginProbation(_ release: Release, before previous: Release, _ fresh: [Build]) {
    endProbation()
    let seconds = release.settings.supervision.probationSeconds
    guard seconds > 0, !fresh.isEmpty else { return }
    probation = Probation(
      release: release, previous: previous, mounts: fresh.map(\.mount), before: failureShares(previous))
    alarms.set(.probation(release: release.number), seconds: seconds)
  }

  /// Nothing is watched any more.
  func endProbation() {
    if let old = probation { alarms.cancel(.probation(release: old.release.number)) }
    probation = nil
  }

  func probationIsOver(_ number: Int) {
    guard probation?.release.number == number else { return }
    probation = nil
    removeUnused()
  }

  /// Once a second: the scoreboards of a release on probation, and workers that hang.
  func look() {
    alarms.set(.look, seconds: 1)
    lookForStuck()
    lookForBacklog()
    guard let probation, rollout == nil else { return }
    let its = workers.values.filter { $0.release.number == probation.release.number }
    if let evidence = failures(its, probation.release, besides: probation.previous) { withdraw(evidence) }
  }

  /// The release on probation has failed: back to the one before, without being asked.
  func withdraw(_ evidence: String) {
    guard let probation, phase == .serving else { return }
    self.probation = nil
    alarms.cancel(.probation(release: probation.release.number))
    let failed = probation.release.builds.filter { probation.mounts.contains($0.mount) }
    for build in failed { history.withdraw(build, evidence) }
    let names = failed.map(\.title).joined(separator: ", ")
    MasterLog.error("\(names) is taken back: \(evidence)")
    lastOutcome = "taken back: \(names): \(evidence)"
    let isKept = probation.mounts.contains { mount in
      probation.release.settings.apps.contains { $0.mount == mount && $0.isKeptWhole }
    }
    guard isKept else {
      return MasterLog.error("what a runtime makes is not kept: put the old files back and swap")
    }
    if rollout == nil { goBack(to: probation.previous) }
  }

  /// What speaks against the new builds of a release, by the answers of its workers; nil for nothing.
  func failures(_ its: some Collection<WorkerHandle>, _ release: Release, besides previous: Release)
    -> String?
  {
    let before = failureShares(previous)
    for (app, build) in release.builds.enumerated() {
      let isNew = !previous.builds.contains { $0.mount == build.mount && $0.generation == build.generation }
      guard isNew else { continue }
      let requests = its.reduce(0) { $0 + $1.board[.requests, app: app].count }
      let errors = its.reduce(0) { $0 + $1.board[.errors, app: app].count }
      guard errors >= Master.leastFailures, errors * 2 >= requests else { continue }
      let share = Double(errors) / Double(max(requests, 1))
      if share > 2 * (before[build.mount] ?? 0) {
        return "\(errors) of \(requests) answers were 5xx"
      }
    }
    return nil
  }

  /// The share of failed answers of a release's workers, by mount.
  private func failureShares(_ release: Release) -> [String: Double] {
    if let probation, probation.previous.number == release.number { return probation.before }
    var shares: [String: Double] = [:]
    for (app, build) in release.builds.enumerated() {
      let its = workers.values.filter { $0.release.number == release.number }
      let requests = its.reduce(0) { $0 + $1.board[.requests, app: app].count }
      let errors = its.reduce(0) { $0 + $1.board[.errors, app: app].count }
      shares[build.mount] = requests == 0 ? 0 : Double(errors) / Double(requests)
    }
    return shares
  }
}
