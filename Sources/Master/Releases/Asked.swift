import Config
import Control

/// Changes, one after the other.
extension Releases {
  mutating func ask(_ change: Change, _ asker: Int?, _ cause: ChangeRecord.Cause?) {
    var request = Request(ticket: nextNumber(), change: change, askers: asker.map { [$0] } ?? [])
    (request.causes, request.asked, request.at) = (cause.map { [$0] } ?? [], now, calendar)
    if case .stopping = state { return finish(request, .refused("the server stops")) }
    if isStopAnnounced, case .upgrade = change { return finish(request, .refused(Releases.stopsSoon)) }
    if let place = place(thatServes: change) {
      queue[place].askers += request.askers
      let fresh = request.causes.filter { !queue[place].causes.contains($0) }
      queue[place].causes = Array((queue[place].causes + fresh).prefix(ChangeRecord.mostCauses))
    } else {
      queue.append(request)
    }
    if self.request != nil { tell(request, .progress("waits for the change before it")) }
  }

  /// Why nothing new is begun that would outlast the server.
  static let stopsSoon = "the server is to stop (--shutdown-delay)"

  /// A waiting request that will read the files after this moment: one reading serves both, unless a request
  /// of another kind comes after it.
  private func place(thatServes change: Change) -> Int? {
    guard change.readsFiles, let place = queue.lastIndex(where: { $0.change.asksTheSame(as: change) }) else {
      return nil
    }
    return queue[(place + 1)...].allSatisfy { $0.change.readsUsualFiles } ? place : nil
  }

  /// Starts the next change, if none is in progress; one that ends at once is followed by another.
  mutating func startNext() {
    while case .serving = state, !queue.isEmpty { begin(queue.removeFirst()) }
    reconcile()
  }

  private mutating func begin(_ request: Request) {
    switch request.change {
    case .swap:
      state = .staging(Preparation(request: request))
      tell(request, .progress("tries the new build in a process of its own"))
      act(.stage(ticket: request.ticket))
      setDeadline(request)
    case .reload:
      state = .staging(Preparation(request: request, isReload: true))
      act(.configure(ticket: request.ticket))
      setDeadline(request)
    case .certificates:
      state = .staging(Preparation(request: request))
      if current?.settings.tlsListeners.isEmpty ?? true { return refuse("no socket speaks TLS") }
      act(.readCertificates(ticket: request.ticket))
      setDeadline(request)
    case .rollback(let mount): rollBack(request, mount)
    case .upgrade(let binary):
      state = .handingOver(request)
      act(.startHeir(ticket: request.ticket, binary: binary))
      setDeadline(request)
    }
  }
}

/// Staging: the results of a change's children.
extension Releases {
  /// Gives a change the time of two starts, and `more` seconds for what it waits for besides.
  /// - Parameter starting: seconds of a start; nil: as the serving release has it.
  mutating func setDeadline(_ request: Request, starting: Double? = nil, more: Double = 0) {
    let seconds = starting ?? current?.settings.supervision.startSeconds ?? 30
    act(.alarm(.change(request.ticket), seconds: 2 * seconds + more + 5))
  }

  mutating func staged(_ ticket: Int, _ result: StagingResult) {
    guard case .staging(let staging) = state, staging.request.ticket == ticket, let current else { return }
    switch result {
    case .failed(let reason): refuse(reason)
    case .configured: act(.stage(ticket: ticket))
    case .certified(let files): certified(staging.request, files)
    case .built(let target, let fresh, let obstacle):
      if fresh.isEmpty, target.arguments == current.arguments, target.files == current.files {
        return succeed("nothing to do: the build is the one that serves, \(serviceText)", changed: false)
      }
      prepared(
        Prepared(
          request: staging.request, target: target, fresh: fresh, obstacle: obstacle,
          isReload: staging.isReload))
    }
  }

  /// In place if that was asked for and both builds allow it; otherwise worker by worker.
  mutating func swapsInPlace(_ target: Release, _ fresh: [Build], _ obstacle: String?) -> Bool {
    guard target.settings.supervision.swap == .inPlace, fresh.count == 1, let current else { return false }
    let old = current.builds.first { $0.mount == fresh[0].mount }
    if obstacle == nil, fresh[0].isUnloadable, old?.isUnloadable ?? false { return true }
    tell(request, .progress("\(obstacle ?? "the build cannot be unloaded"): worker by worker"))
    return false
  }

  mutating func rollBack(_ request: Request, _ mount: String?) {
    guard let target = rollbackTarget(mount) else {
      let before = current?.builds.filter { mount == nil || $0.mount == mount }
        .compactMap { history.previous($0.mount) }.first
      let reason = before.map { build in
        "the files that a runtime made generation \(build.generation) of were not kept; put the old ones "
          + "back and swap"
      }
      return finish(
        request, .refused("\(reason ?? "there is no build to go back to"); still serving \(serviceText)"))
    }
    roll(request, to: target, [], soaks: false)
  }

  /// The release with the previous builds, of one application or of all that have one.
  private mutating func rollbackTarget(_ mount: String?) -> Release? {
    guard let current else { return nil }
    var (arguments, builds, hasAny) = (current.arguments, current.builds, false)
    for index in builds.indices where mount == nil || builds[index].mount == mount {
      guard let previous = history.previous(builds[index].mount), previous.isKept else { continue }
      hasAny = true
      builds[index] = previous
      guard current.settings.apps[index].runtime == nil else { continue }
      arguments = Settings.arguments(arguments, servingAt: previous.mount, path: previous.source)
    }
    guard hasAny, let settings = Releases.parse(arguments) else { return nil }
    return release(arguments, settings, builds)
  }

  /// Settings from arguments that contain everything: nothing is read from anywhere else.
  static func parse(_ arguments: [String]) -> Settings? {
    let invocation = try? Settings.parse(
      arguments: arguments, environment: [:], standardInputIsListening: true,
      readFile: { _ in throw SystemError("open", 0) })
    guard case .run(let settings) = invocation else { return nil }
    return settings
  }
}
