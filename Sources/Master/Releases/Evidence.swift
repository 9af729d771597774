import Control

/// Evidence against a new build, on its way or afterwards.
extension Releases {
  mutating func beginProbation(_ release: Release, before previous: Release, _ fresh: [Build]) {
    endProbation()
    let seconds = release.settings.supervision.probationSeconds
    guard seconds > 0, !fresh.isEmpty else { return }
    let end = now &+ UInt64(seconds * 1e9)
    probation = Probation(release: release.number, previous: previous, fresh: fresh, end: end)
    act(.alarm(.probation(release: release.number), seconds: seconds))
  }

  mutating func endProbation() {
    if let probation { act(.cancel(.probation(release: probation.release))) }
    probation = nil
    act(.removeUnused)
  }

  mutating func evidence(_ number: Int, _ text: String) {
    if case .rolling(let rolling) = state, rolling.target.number == number { return takeBack(rolling, text) }
    if probation?.release == number { withdraw(text) }
  }

  /// The release on probation has failed: back to the one before, without being asked. A change that was
  /// made from it is off.
  mutating func withdraw(_ reason: String) {
    guard let probation, let current else { return }
    endProbation()
    for build in probation.fresh { history.withdraw(build, reason) }
    // As workers have called them since.
    let called = probation.fresh.map { fresh in current.builds.first(where: fresh.isSame) ?? fresh }
    let names = called.map(\.title).joined(separator: ", ")
    abandonChange()
    refuse("\(names), which it follows, is taken back: \(reason)")
    lastOutcome = "taken back: \(names): \(reason)"
    act(.count("taken_back"))
    act(.log(.error, "\(names) is taken back: \(reason)"))
    guard isKept(probation.fresh) else {
      return act(.log(.error, "what a runtime makes is not kept: put the old files back and swap"))
    }
    let previous = probation.previous
    let target = Release(
      number: nextNumber(), configuration: previous.configuration, arguments: previous.arguments,
      settings: previous.settings, builds: previous.builds)
    for build in target.builds(notIn: current) { _ = history.commit(build) }
    self.current = target
    act(.watchFiles)
  }

  // MARK: The heir

  mutating func heirReady(_ ticket: Int, _ pid: Int32) {
    guard case .handingOver(let request) = state, request.ticket == ticket else {
      return act(.killHeir(ticket: ticket))
    }
    act(.handOver(ticket: ticket))
    state = .serving
    let sentence = "the server goes on as pid \(pid)"
    finish(request, .done(sentence, changed: true))
    for other in queue { finish(other, .refused(sentence)) }
    queue = []
    state = .stopping(code: 0)
    for id in workers.keys.sorted() { retire(id) }
  }

  mutating func heirFailed(_ ticket: Int, _ reason: String) {
    if case .handingOver(let request) = state, request.ticket == ticket { refuse(reason) }
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
    case .leave(let id): if workers[id] != nil { act(.terminate(id, reason: "it did not leave in time")) }
    case .soak(let number): soakIsOver(number)
    case .swap(let id): swapTimedOut(id)
    case .probation(let number): if probation?.release == number { endProbation() }
    case .seat(let seat): lookAgain(at: seat)
    }
  }

  private mutating func startTimedOut(_ id: Int) {
    guard workers[id]?.phase == .loading else { return }
    act(.terminate(id, reason: "it did not become ready in time (--swap-timeout)"))
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
