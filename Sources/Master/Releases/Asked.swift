import Config
import Control

/// Changes, one after the other.
extension Releases {
  mutating func ask(_ change: Change, _ asker: Int?) {
    let request = Request(ticket: nextNumber(), change: change, askers: asker.map { [$0] } ?? [])
    if case .stopping = state { return finish(request, .refused("the server stops")) }
    if isStopAnnounced, case .upgrade = change { return finish(request, .refused(Releases.stopsSoon)) }
    if let place = place(thatServes: change) {
      queue[place].askers += request.askers
    } else {
      queue.append(request)
    }
    if self.request != nil { tell(request, .progress("waits for the change before it")) }
  }

  /// Why nothing new is begun that would outlast the server.
  static let stopsSoon = "the server is to stop (--shutdown-delay)"

  /// A request that waits and will read the files after this moment: one reading serves both, unless what
  /// comes behind it is of another kind.
  private func place(thatServes change: Change) -> Int? {
    guard change.readsFiles, let place = queue.lastIndex(where: { $0.change.asksTheSame(as: change) }) else {
      return nil
    }
    return queue[(place + 1)...].allSatisfy { $0.change.readsUsualFiles } ? place : nil
  }

  /// The next change, if nothing is under way; one that ends at once is followed by another.
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
    case .rollback(let mount): rollBack(request, mount)
    case .upgrade(let binary):
      state = .handingOver(request)
      act(.startHeir(ticket: request.ticket, binary: binary))
      setDeadline(request)
    }
  }
}

/// Staging: what the children of a change bring.
extension Releases {
  private mutating func setDeadline(_ request: Request) {
    let seconds = current?.settings.supervision.startSeconds ?? 30
    act(.alarm(.change(request.ticket), seconds: 2 * seconds + 5))
  }

  mutating func staged(_ ticket: Int, _ result: StagingResult) {
    guard case .staging(let staging) = state, staging.request.ticket == ticket, let current else { return }
    switch result {
    case .failed(let reason): refuse(reason)
    case .configured: act(.stage(ticket: ticket))
    case .built(let target, let fresh, let obstacle):
      if fresh.isEmpty, target.arguments == current.arguments, target.files == current.files {
        return succeed("nothing to do: the build is the one that serves, \(serviceText)", changed: false)
      }
      if !staging.isReload, swapsInPlace(target, fresh, obstacle) {
        let app = target.builds.firstIndex { $0.mount == fresh[0].mount } ?? 0
        state = .swapping(InPlace(request: staging.request, target: target, build: fresh[0], app: app))
      } else {
        roll(staging.request, to: target, fresh, soaks: target.settings.supervision.soakSeconds > 0)
      }
    }
  }

  /// In place if that was asked for and both builds allow it; else worker by worker.
  private mutating func swapsInPlace(_ target: Release, _ fresh: [Build], _ obstacle: String?) -> Bool {
    guard target.settings.supervision.swap == .inPlace, fresh.count == 1, let current else { return false }
    let old = current.builds.first { $0.mount == fresh[0].mount }
    if obstacle == nil, fresh[0].isUnloadable, old?.isUnloadable ?? false { return true }
    tell(request, .progress("\(obstacle ?? "the build cannot be unloaded"): worker by worker"))
    return false
  }

  mutating func rollBack(_ request: Request, _ mount: String?) {
    if let app = current?.settings.apps.first(where: { $0.mount == mount }), !app.isKeptWhole {
      let reason = "\(app.path) is made by a runtime from files that the server does not keep"
      return finish(
        request, .refused("\(reason); put the old ones back and swap; still serving \(serviceText)"))
    }
    guard let target = rollbackTarget(mount) else {
      return finish(request, .refused("there is no build to go back to; still serving \(serviceText)"))
    }
    roll(request, to: target, [], soaks: false)
  }

  /// The release with the builds before, of one application or of all that have one.
  private mutating func rollbackTarget(_ mount: String?) -> Release? {
    guard let current else { return nil }
    var (arguments, builds, hasAny) = (current.arguments, current.builds, false)
    for index in builds.indices where mount == nil || builds[index].mount == mount {
      guard current.settings.apps[index].isKeptWhole,
        let previous = history.previous(builds[index].mount)
      else { continue }
      hasAny = true
      builds[index] = previous
      guard current.settings.apps[index].runtime == nil else { continue }
      arguments = Settings.arguments(arguments, servingAt: previous.mount, path: previous.source)
    }
    guard hasAny, let settings = Releases.parse(arguments) else { return nil }
    return release(arguments, settings, builds)
  }

  /// Settings from arguments that hold everything: nothing is read from anywhere else.
  static func parse(_ arguments: [String]) -> Settings? {
    let invocation = try? Settings.parse(
      arguments: arguments, environment: [:], standardInputIsListening: true,
      readFile: { _ in throw SystemError("open", 0) })
    guard case .run(let settings) = invocation else { return nil }
    return settings
  }
}
