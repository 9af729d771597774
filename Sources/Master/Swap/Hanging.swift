import Config
import Control

/// Requests that a build on trial does not answer. How long an application takes is its own affair, so the
/// time is compared with the longest that the previous builds have been seen to take.
extension Master {
  /// Checks once a second which requests take long, and whether they did before.
  func lookForHangs() {
    let now = System.now()
    let trials = releases.trials
    for (id, worker) in workers {
      let isOnTrial = trials.contains { trial in releases.workers[id].map(trial.release.runs) ?? true }
      guard !isOnTrial, let entry = worker.board.entries.first, entry.app < worker.release.builds.count else {
        continue
      }
      let mount = worker.release.builds[entry.app].mount
      usualLongest[mount] = max(usualLongest[mount] ?? 0, age(of: entry, now))
    }
    for trial in trials {
      for (app, build) in trial.release.builds.enumerated() where trial.fresh.contains(where: build.isSame) {
        look(at: trial.release, app, build, now)
      }
    }
  }

  private func look(at release: Release, _ app: Int, _ build: Build, _ now: UInt64) {
    let bound = max(Limits.hangSeconds, 2 * (usualLongest[build.mount] ?? 0))
    var (hanging, requests) = (0, 0)
    for worker in running(release) {
      let board = worker.board
      requests += worker.answers(of: app, on: board).requests
      hanging += board.entries.count { $0.app == app && age(of: $0, now) > bound }
    }
    guard hanging >= Limits.leastHangs, Double(hanging) >= Limits.hangShare * Double(requests) else { return }
    let share = "\(hanging) of \(requests) requests"
    let sentence = "\(share) have taken more than \(Int(bound)) s, as none did before"
    inform(.evidence(release: release.number, sentence, mount: build.mount))
  }

  /// Seconds that a request has taken so far.
  private func age(of entry: Scoreboard.Entry, _ now: UInt64) -> Double {
    now > entry.began ? Double(now - entry.began) / 1e9 : 0
  }
}
