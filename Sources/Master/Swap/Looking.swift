import Control

/// What the answers of a build on trial say, in numbers that its workers count.
extension Master {
  /// Answers that fail before they count as evidence.
  private static let leastFailures = 5
  /// Seconds between two looks, in general and while a build is on trial.
  private static let looks = (usual: 1.0, onTrial: 0.05)

  /// A trial may have begun: the next look comes soon.
  func hastenLook() {
    let isOnTrial = !releases.trials.isEmpty
    if isOnTrial, !wasOnTrial { alarms.set(.look, seconds: Master.looks.onTrial) }
    wasOnTrial = isOnTrial
  }

  /// Looks at what workers show, again and again.
  func look() {
    alarms.set(.look, seconds: releases.trials.isEmpty ? Master.looks.usual : Master.looks.onTrial)
    let since = System.now() &- lastLook
    if since >= 900_000_000 {
      lastLook = System.now()
      reapUnwatched()
      reapOrphans()
      lookForSilent(afterPause: since > 3_000_000_000)
      lookForBacklog()
      lookForControl()
      lookForCommandPipes()
      lookForHangs()
      lookForDemand()
      lookForGrown()
      lookAtFiles()
    }
    lookForEvidence()
  }

  /// Tells of a build whose answers fail.
  func lookForEvidence() {
    let trials = releases.trials
    if trials.isEmpty, let current = releases.current { usualFailures = failureShares(current) }
    for trial in trials { look(at: trial) }
  }

  private func look(at trial: Releases.Trial) {
    for (app, build) in trial.release.builds.enumerated() where trial.fresh.contains(where: build.isSame) {
      let (requests, errors) = counts(trial.release, app)
      guard errors >= Master.leastFailures, errors * 2 >= requests else { continue }
      let share = Double(errors) / Double(max(requests, 1))
      if share > 2 * (usualFailures[build.mount] ?? 0) {
        let sentence = "\(errors) of \(requests) answers were 5xx"
        return inform(.evidence(release: trial.release.number, sentence, mount: build.mount))
      }
    }
  }

  /// The share of failed answers of a release's workers, by mount.
  private func failureShares(_ release: Release) -> [String: Double] {
    var shares: [String: Double] = [:]
    for (app, build) in release.builds.enumerated() {
      let (requests, errors) = counts(release, app)
      shares[build.mount] = requests == 0 ? 0 : Double(errors) / Double(requests)
    }
    return shares
  }

  /// Answers of an application by the workers that run a release, and how many of them failed.
  private func counts(_ release: Release, _ app: Int) -> (requests: Int, errors: Int) {
    var (requests, errors) = (0, 0)
    for worker in running(release) {
      let answers = worker.answers(of: app, on: worker.board)
      requests += answers.requests
      errors += answers.errors
    }
    return (requests, errors)
  }

  /// The workers that say they run a release.
  func running(_ release: Release) -> [WorkerHandle] {
    workers.values.filter { releases.workers[$0.id].map(release.runs) ?? false }
  }
}
