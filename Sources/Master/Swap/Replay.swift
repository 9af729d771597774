import Config
import Control

/// A replay on its way: what the workers remember is gathered and fetched, then a child replays it. This
/// process looks at none of it: heads of requests, and answers of applications, may be anything.
struct Rehearsal {
  let ticket: Int
  let target: Release
  let fresh: [Build]
  /// Requests of each application at most.
  let requests: Int
  /// Workers that remember requests for this replay only.
  var gathering: Set<Int> = []
  /// When gathering ends at the latest, in monotonic nanoseconds.
  var gathersUntil: UInt64 = 0
  /// Workers that have not handed over what they remember, and the files that they have filled.
  var open: Set<Int> = []
  var files: [Int32] = []
}

extension Master {
  /// Begins with what the serving workers remember; those that remember nothing are told to, and are given
  /// some time.
  func replay(_ ticket: Int, _ target: Release, _ fresh: [Build], _ requests: Int) {
    var rehearsal = Rehearsal(ticket: ticket, target: target, fresh: fresh, requests: requests)
    for worker in workers.values where phase(of: worker) == .serving && !worker.remembers {
      worker.send(remembering(requests, target.settings.supervision.replay))
      rehearsal.gathering.insert(worker.id)
    }
    self.rehearsal = rehearsal
    guard !rehearsal.gathering.isEmpty else { return recall(ticket) }
    self.rehearsal!.gathersUntil = System.now() &+ UInt64(Limits.replayGatherSeconds * 1e9)
    tellAskers(
      "the workers remember requests from now on, for \(Int(Limits.replayGatherSeconds)) s at most; with "
        + "--swap-replay they always do")
    gather(ticket)
  }

  private func remembering(_ requests: Int, _ settings: ReplaySettings) -> Message {
    Message(
      .remember,
      [.init("count", "\(requests)"), .init("credentials", settings.keepsCredentials ? "1" : "0")])
  }

  /// Waits until there are enough, or for long enough.
  func gather(_ ticket: Int) {
    guard let rehearsal, rehearsal.ticket == ticket else { return }
    let count = workers.values.reduce(0) { sum, worker in
      phase(of: worker) == .serving ? sum + worker.board[.remembered].count : sum
    }
    guard count < rehearsal.requests, System.now() < rehearsal.gathersUntil else { return recall(ticket) }
    alarms.set(.gather(ticket: ticket), seconds: 0.1)
  }

  /// Has the serving workers write what they remember into files.
  private func recall(_ ticket: Int) {
    guard rehearsal?.ticket == ticket else { return }
    for worker in workers.values where phase(of: worker) == .serving {
      guard let file = try? System.memoryFile("heads") else { continue }
      worker.send(Message(.recall), descriptor: file)
      rehearsal!.files.append(file)
      rehearsal!.open.insert(worker.id)
    }
    alarms.set(.recall(ticket: ticket), seconds: Limits.recallSeconds)
    if rehearsal!.open.isEmpty { recallIsOver(ticket) }
  }

  /// A worker has written what it remembers, or has ended.
  func recalled(_ id: Int) {
    guard let ticket = rehearsal?.ticket, rehearsal!.open.remove(id) != nil, rehearsal!.open.isEmpty else {
      return
    }
    recallIsOver(ticket)
  }

  /// All have, or the time is up: what a worker has written by then counts.
  func recallIsOver(_ ticket: Int) {
    guard let rehearsal, rehearsal.ticket == ticket else { return }
    endRehearsal()
    let files = rehearsal.files.filter { System.size($0) <= 2 * Int64(Limits.rememberedBytes) }
    if files.count < rehearsal.files.count {
      MasterLog.warning("a worker remembers more than it may, and what it remembers is not replayed")
    }
    begin(rehearsal, files)
    for file in rehearsal.files { System.close(file) }
  }

  /// Ends what is done for a replay outside of its child; the files stay.
  private func endRehearsal() {
    guard let rehearsal else { return }
    alarms.cancel(.gather(ticket: rehearsal.ticket))
    alarms.cancel(.recall(ticket: rehearsal.ticket))
    for id in rehearsal.gathering {
      workers[id]?.send(remembering(0, rehearsal.target.settings.supervision.replay))
    }
    self.rehearsal = nil
  }

  /// Nobody needs it any more.
  func abandonReplay(_ ticket: Int) {
    if let rehearsal, rehearsal.ticket == ticket {
      endRehearsal()
      for file in rehearsal.files { System.close(file) }
    }
    abandonStaging(ticket)
  }

  /// Starts the child that replays what is in the files.
  private func begin(_ rehearsal: Rehearsal, _ files: [Int32]) {
    guard let current = releases.current else { return }
    let target = rehearsal.target
    var orders = Orders(.replay)
    (orders.arguments, orders.workers) = (target.arguments, target.workers)
    orders.files = releases.files(of: target)
    var replay = Orders.Replay(requests: rehearsal.requests)
    (replay.arguments, replay.files) = (current.arguments, releases.files(of: current))
    for (app, build) in target.builds.enumerated() where rehearsal.fresh.contains(where: build.isSame) {
      guard let place = current.builds.firstIndex(where: { $0.mount == build.mount }) else { continue }
      let before = current.builds[place]
      orders.builds.append(.init(app: app, generation: build.generation, path: build.path))
      replay.builds.append(.init(app: place, generation: before.generation, path: before.path))
    }
    var handed = HandedMap()
    for file in files { replay.heads.append(handed.add(file)) }
    orders.replay = replay
    do throws(SystemError) { try mend(current.builds + target.builds) } catch {
      return answer(rehearsal, .failed("the copies of builds cannot be made again: \(error)"))
    }
    let seconds =
      target.settings.supervision.startSeconds + Limits.replaySeconds + 12 * Limits.replayAnswerSeconds
    run(orders, handing: handed.map, ticket: rehearsal.ticket, seconds: seconds) { [unowned self] outcome in
      switch outcome {
      case .failed(let reason, _): answer(rehearsal, .failed(reason))
      case .staged, .configured: answer(rehearsal, .failed("internal error: a replay gave no report"))
      case .unreplayed(let reason): answer(rehearsal, .skipped(reason))
      case .replayed(let reports):
        answer(rehearsal, .compared(named(reports, target, current)))
      }
    }
  }

  private func answer(_ rehearsal: Rehearsal, _ result: ReplayResult) {
    inform(.replayed(ticket: rehearsal.ticket, result))
  }

  /// The reports with what the child does not know, in the order of the applications.
  private func named(
    _ reports: [Int: ReplayReport], _ target: Release, _ current: Release
  ) -> [ReplayReport] {
    reports.sorted { $0.key < $1.key }.map { app, report in
      var report = report
      report.mount = target.builds[app].mount
      let before = current.builds.first { $0.mount == report.mount }
      (report.from, report.to) = (before?.generation ?? 0, target.builds[app].generation)
      return report
    }
  }
}
