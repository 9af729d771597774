import Config
import Control

/// A change whose builds are staged, and what comes next: they are put to work in one of two ways.
struct Prepared {
  let request: Request
  let target: Release
  let fresh: [Build]
  /// Why they cannot be loaded into the existing workers; nil if they can.
  let obstacle: String?
  let isReload: Bool
}

/// The result of replaying remembered requests.
enum ReplayResult {
  /// Of each application that has a new build, in the order of the target's applications.
  case compared([ReplayReport])
  /// There is nothing to compare, for a reason that says nothing about the new builds.
  case skipped(String)
  /// A new build has failed, or nobody knows how it went.
  case failed(String)
}

/// Replay: between staging and the first new worker, copies of the serving builds and of the new ones are
/// given the requests that the workers remember, and their answers are compared.
extension Releases {
  /// Requests of each application that a change replays; 0: none.
  private func requestsToReplay(_ prepared: Prepared) -> Int {
    // Something must have served in the place of a new build.
    let hasBefore = prepared.fresh.contains { build in
      current?.builds.contains { $0.mount == build.mount } ?? false
    }
    guard hasBefore else { return 0 }
    if case .swap(_, _, let requests?) = prepared.request.change { return requests }
    return prepared.target.settings.supervision.replay.requests
  }

  /// The builds of a change are staged: they are tried with remembered requests, if that is wanted.
  mutating func prepared(_ prepared: Prepared) {
    let requests = requestsToReplay(prepared)
    guard requests > 0 else { return putToWork(prepared) }
    state = .replaying(prepared)
    act(
      .replay(
        ticket: prepared.request.ticket, prepared.target, fresh: prepared.fresh, requests: requests))
    tell(prepared.request, .progress("replays requests, with the network and the databases of the builds"))
    setDeadline(
      prepared.request, starting: prepared.target.settings.supervision.startSeconds,
      more: Releases.replaySeconds)
  }

  /// Seconds in which a replay ends beside the start of its copies: gathering and fetching what the workers
  /// remember, replaying it, the last answers.
  static let replaySeconds =
    Limits.replayGatherSeconds + Limits.recallSeconds + Limits.replaySeconds
    + 12 * Limits.replayAnswerSeconds

  mutating func replayed(_ ticket: Int, _ result: ReplayResult) {
    guard case .replaying(let prepared) = state, prepared.request.ticket == ticket else { return }
    switch result {
    case .failed(let reason): refuse(reason)
    case .skipped(let reason):
      let words = "nothing was replayed: \(reason)"
      journal.course?.replay = words
      goOn(prepared, words)
    case .compared(let reports): judge(prepared, reports)
    }
  }

  private mutating func judge(_ prepared: Prepared, _ reports: [ReplayReport]) {
    let gate = prepared.target.settings.supervision.replay.gate
    let refusal = reports.lazy.compactMap { report in
      gate.refusal(report).map { (mount: report.mount, reason: $0) }
    }.first
    for report in reports {
      var report = report
      report.at = calendar
      report.verdict = refusal.map { "refused: \($0.reason)" } ?? "accepted"
      replays[report.mount] = report
    }
    let summary = reports.map { "\($0.mount.isEmpty ? "/" : $0.mount) \($0.summary)" }.joined(separator: "; ")
    journal.course?.replay = summary
    guard let refusal else { return goOn(prepared, "replay: \(summary)") }
    act(.log(.info, "replay: \(summary)"))
    refuse("replayed to \(refusal.mount.isEmpty ? "/" : refusal.mount): \(refusal.reason); see ctl diff")
  }

  private mutating func goOn(_ prepared: Prepared, _ words: String) {
    tell(prepared.request, .progress(words))
    act(.log(.info, words))
    putToWork(prepared)
  }

  /// The builds go to the workers: in place, or worker by worker.
  mutating func putToWork(_ prepared: Prepared) {
    let (target, fresh) = (prepared.target, prepared.fresh)
    if !prepared.isReload, swapsInPlace(target, fresh, prepared.obstacle) {
      let app = target.builds.firstIndex { $0.mount == fresh[0].mount } ?? 0
      state = .swapping(InPlace(request: prepared.request, target: target, build: fresh[0], app: app))
    } else {
      roll(prepared.request, to: target, fresh, soaks: target.settings.supervision.soakSeconds > 0)
    }
  }
}
