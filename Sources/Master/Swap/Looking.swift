import Control

/// Judges the answers of a build on trial by numbers that its workers count.
extension Master {
  /// Answers that fail before they count as evidence.
  private static let leastFailures = 5
  /// Seconds between two looks, usually and while a build is on trial.
  private static let looks = (usual: 1.0, onTrial: 0.05)

  /// A trial may have begun: the next look comes soon.
  func hastenLook() {
    let isOnTrial = !releases.trials.isEmpty
    if isOnTrial, !wasOnTrial { alarms.set(.look, seconds: Master.looks.onTrial) }
    wasOnTrial = isOnTrial
  }

  /// Looks at what the workers show; runs again and again.
  func look() {
    alarms.set(.look, seconds: releases.trials.isEmpty ? Master.looks.usual : Master.looks.onTrial)
    let since = System.now() &- lastLook
    if since >= 900_000_000 {
      lastLook = System.now()
      reapUnwatched()
      reapOrphans()
      introduce()
      lookForSilent(afterPause: since > 3_000_000_000)
      lookAtGenerations()
      lookForBacklog()
      lookForControl()
      lookForCommandPipes()
      lookForHangs()
      lookForDemand()
      lookForGrown()
      lookAtFiles()
    }
    lookForEvidence()
    measure()
  }

  /// Reports the generations that the workers show.
  private func lookAtGenerations() {
    inform(
      .shown(
        workers.mapValues { worker in
          let (board, count) = (worker.board, worker.release.builds.count)
          // All further applications share the last place.
          let apart = count > Scoreboard.apps ? Scoreboard.apps - 1 : count
          return (0..<apart).map { board[.generation, app: $0].count }
        }))
  }

  /// Passes the workers' figures to the comparison of builds, a few times a second.
  ///
  /// - Parameter isLast: a decision depends on it now.
  func measure(isLast: Bool = false) {
    let began = System.now()
    guard releases.wantsFigures, isLast || began >= nextMeasure else { return }
    var figures: [Int: WorkerFigures] = [:]
    for (id, worker) in workers where releases.workers[id].map({ $0.phase != .loading }) ?? false {
      let board = worker.board
      let places = worker.release.builds.indices.prefix(Scoreboard.apps)
      let open = System.descriptors(of: worker.pid)
      let known = board[.connections].count + introductions.count(of: id)
      figures[id] = WorkerFigures(
        tallies: places.map { board.tally($0) }, requests: board[.requests].count,
        resident: System.memory(of: worker.pid).resident,
        descriptors: open.map { max(0, $0 - min($0, known)) })
    }
    // Workers with very many descriptors take time to count: at most a twentieth of this process's time.
    let ended = System.now()
    nextMeasure = ended &+ max(Master.measurePause, 20 &* (ended &- began))
    inform(.measured(figures))
  }

  /// Minimum nanoseconds between two looks at figures.
  private static let measurePause: UInt64 = 250_000_000

  /// Reports a build whose answers fail.
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

  /// The share of a release's answers that failed, by mount.
  private func failureShares(_ release: Release) -> [String: Double] {
    var shares: [String: Double] = [:]
    for (app, build) in release.builds.enumerated() {
      let (requests, errors) = counts(release, app)
      shares[build.mount] = requests == 0 ? 0 : Double(errors) / Double(requests)
    }
    return shares
  }

  /// An application's answers from the workers that run a release, and how many of them failed.
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
