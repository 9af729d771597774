// What must be true in the world, at any time and when it is quiet.
import Config
import Control

@testable import Master

extension World {
  /// After each event.
  mutating func check() {
    let journal = releases.journal
    if journal.added != counted {
      problems.append("\(counted) changes have ended, \(journal.added) are known")
    }
    if journal.records.count > Limits.changesKept { problems.append("there are too many records") }
    if case .stopping = releases.state {
    } else {
      let present = releases.workers.values.filter { $0.phase != .leaving }
      for (seat, workers) in Dictionary(grouping: present, by: \.seat) {
        let needed = releases.isHot(seat) ? Seat.mostNeeded : 1
        if workers.count > needed + 1 { problems.append("seat \(seat) has \(workers.count) workers") }
      }
    }
    for (id, worker) in releases.workers where living[id] == nil && worker.phase != .leaving {
      // Spawned in the same breath, or its death is not told yet.
      if worker.phase == .serving { problems.append("worker \(id) serves and is dead") }
    }
    checkHistory()
    checkAlarms()
  }

  /// Nothing waits without an alarm: no change in any of its phases, no worker that loads or leaves.
  private mutating func checkAlarms() {
    for (id, worker) in releases.workers {
      let alarm: ReleaseAlarm? =
        switch worker.phase {
        case .loading: .start(worker: id)
        case .leaving: .leave(worker: id)
        case .serving: nil
        }
      if let alarm, alarms[alarm] == nil { problems.append("worker \(id) waits without \(alarm)") }
    }
    guard let ticket = releases.request?.ticket else { return }
    var alarm = ReleaseAlarm.change(ticket)
    if case .swapping(let swap) = releases.state, let id = swap.asked { alarm = .swap(worker: id) }
    if alarms[alarm] == nil { problems.append("change \(ticket) waits without \(alarm)") }
  }

  /// The record names what serves, once for each application.
  private mutating func checkHistory() {
    switch releases.state {
    // Nothing has served yet, or never will.
    case .starting, .stopping: return
    case .serving, .staging, .replaying, .rolling, .swapping, .presenting, .handingOver: break
    }
    for build in releases.current?.builds ?? [] {
      let known = releases.history.builds[build.mount] ?? []
      let serving = known.filter { $0.status == .serving }.map(\.generation)
      if serving == [build.generation] { continue }
      problems.append("\(build.mount) \(build.generation) serves, and the record says \(serving)")
    }
  }

  /// Once a second: what is believed of workers is what they run. Who was asked to load something may have it
  /// and not have said so.
  mutating func checkBelief() {
    for (id, worker) in releases.workers where worker.phase == .serving && worker.asked == nil {
      guard !liars.contains(id), let lives = living[id] else { continue }
      guard worker.running?.generations != lives.generations else { continue }
      problems.append("worker \(id) runs \(lives), and \(String(describing: worker.running)) is believed")
    }
  }

  /// Another master goes on with what the one before has left.
  mutating func checkUpgrade(from old: Releases, _ bequest: Bequest) {
    let isKnown = bequest.changes.contains { $0.change == "upgrade" && $0.end == .done }
    if !isKnown { problems.append("the upgrade has no record") }
    if !releases.journal.records.starts(with: bequest.changes) { problems.append("the records do not go on") }
    for (mount, builds) in old.history.builds {
      let wanted = builds.filter { $0.status != .serving }.map(\.generation)
      let found = releases.history.builds[mount, default: []].map(\.generation)
      if found != wanted { problems.append("of the builds \(wanted) \(found) are kept") }
      if releases.history.count(mount) < old.history.count(mount) { problems.append("numbers come twice") }
    }
    // What a runtime makes serves on when it is withdrawn, but cannot be gone back to.
    let isKept = old.probation?.previous.builds.allSatisfy { build in
      old.history.builds[build.mount]?.contains { build.isSame($0) && !$0.status.isWithdrawn } ?? false
    }
    if isKept ?? false, let trial = old.probation, trial.end > now, releases.probation?.end != trial.end {
      problems.append("the probation does not go on")
    }
  }

  /// Serving workers of the options that serve which present other certificates.
  var behind: Int {
    releases.workers.values.count { worker in
      worker.phase == .serving && worker.actual.configuration == releases.current?.configuration
        && worker.certificates != releases.current?.certificates
    }
  }

  /// In the end, when nobody asks and nothing fails: each place has one worker, of what serves.
  mutating func checkEnd() {
    guard let current = releases.current else { return }
    let used = releases.seats(of: current)
    for seat in 0..<used {
      let serving = releases.workers.filter { $0.value.seat == seat && $0.value.phase == .serving }
      let isRight = serving.allSatisfy { id, worker in
        current.runs(worker) && living[id]?.generations == current.plan.generations
      }
      if serving.count != 1 || !isRight {
        problems.append("seat \(seat) runs \(serving), not \(current.plan)")
      }
    }
    let strays = releases.workers.values.filter { $0.seat >= used }
    if !strays.isEmpty { problems.append("seats above hold \(strays)") }
    if behind > 0 { problems.append("\(behind) workers present other certificates") }
  }
}
