import Config
import Control

/// What an operator, a signal or a file asks for.
enum Change: Equatable {
  /// A new build of one application, or of all; `file` in place of its path.
  case swap(mount: String?, file: String?)
  /// The configuration is read again, and every application swapped.
  case reload(cause: String)
  /// The build before the one that serves, of one application or of all.
  case rollback(mount: String?)

  var verb: String {
    switch self {
    case .swap: "swap"
    case .reload: "reload"
    case .rollback: "rollback"
    }
  }
}

/// A change, and who waits for it.
struct Request {
  let change: Change
  let watcher: Int?
}

/// Changes, one after the other: each is staged, put to work, and committed or refused. Whatever fails
/// leaves what serves as it is.
extension Master {
  /// Takes a change; it waits its turn.
  func submit(_ change: Change, watcher: Int?) {
    guard phase != .stopping else {
      return finish(Request(change: change, watcher: watcher), refused: "the server stops")
    }
    if isBusy || phase == .starting {
      queue.append(Request(change: change, watcher: watcher))
      tell(watcher, .progress("waits for the change before it"))
      return
    }
    begin(Request(change: change, watcher: watcher))
  }

  /// A change, or the return from one, is under way.
  private var isBusy: Bool { underWay != nil || rollout != nil || inPlace != nil }

  /// The next change in the queue, if nothing is under way.
  func startNext() {
    if !queue.isEmpty, phase == .serving, !isBusy { begin(queue.removeFirst()) }
  }

  private func begin(_ request: Request) {
    underWay = request
    switch request.change {
    case .swap(let mount, let file): beginSwap(mount, file)
    case .reload: beginReload()
    case .rollback(let mount): beginRollback(mount)
    }
  }

  /// The change under way has come to its end, good or not.
  private func end(_ outcome: Outcome) {
    guard let request = underWay else { return }
    underWay = nil
    lastOutcome = "\(request.change.verb): \(outcome.text)"
    switch outcome {
    case .done(let text, _): MasterLog.info("\(request.change.verb): \(text)")
    case .refused(let text): MasterLog.error("\(request.change.verb) refused: \(text)")
    }
    tell(request.watcher, .end(outcome))
    removeUnused()
    startNext()
  }

  /// The change has succeeded, or there was nothing to do.
  func succeed(_ text: String, changed: Bool = true) { end(.done(text, changed: changed)) }

  /// The change is off: what serves goes on.
  func refuse(_ reason: String) { end(.refused("\(reason); still serving \(serviceText)")) }

  private func finish(_ request: Request, refused reason: String) {
    tell(request.watcher, .end(.refused(reason)))
  }

  /// Nothing of what was asked for will be done.
  func abandonChanges(_ reason: String) {
    for request in queue { finish(request, refused: reason) }
    queue = []
    if underWay != nil { end(.refused(reason)) }
    rollout = nil
    inPlace = nil
  }

  /// "hello generation 6 (build 3f2a)".
  var serviceText: String {
    (current?.builds ?? []).map {
      $0.title + ($0.buildID.isEmpty ? "" : " (build \($0.buildID.prefix(12)))")
    }.joined(separator: ", ")
  }

  // MARK: Swap

  private func beginSwap(_ mount: String?, _ file: String?) {
    guard let current else { return refuse("nothing is loaded") }
    var arguments = current.arguments
    if let file, let mount { arguments = Settings.arguments(arguments, servingAt: mount, path: file) }
    guard let settings = parse(arguments) else { return refuse("\(file ?? "it") cannot be an application") }
    let apps = settings.apps.indices.filter { mount == nil || settings.apps[$0].mount == mount }
    stage(arguments, settings, apps: apps, isReload: false)
  }

  /// Copies, inspects and tries builds in a child, then puts them to work.
  private func stage(_ arguments: [String], _ settings: Settings, apps: [Int], isReload: Bool) {
    tell(underWay?.watcher, .progress("tries the new build in a process of its own"))
    stage(arguments, settings, apps: apps, tries: true) { [unowned self] outcome, staging in
      guard underWay != nil, phase == .serving, let current else { return }
      switch outcome {
      case .failed(let reason, _): refuse(reason)
      case .configured: refuse("the trial went astray")
      case .staged(let staged):
        let target = target(arguments, settings, staging, staged)
        let fresh = target.builds.filter { build in
          !current.builds.contains { $0.mount == build.mount && $0.generation == build.generation }
        }
        if fresh.isEmpty, arguments == current.arguments {
          return succeed("nothing to do: the build is the one that serves, \(serviceText)", changed: false)
        }
        putToWork(target, fresh, isReload: isReload)
      }
    }
  }

  /// The release that the staged builds make; a build that equals the serving one stays that one, unless a
  /// runtime made it: its code lies elsewhere.
  private func target(
    _ arguments: [String], _ settings: Settings, _ staging: Staging, _ staged: [Int: Job.Staged]
  ) -> Release {
    let builds = settings.apps.indices.map { app -> Build in
      let serving = current?.builds.first { $0.mount == settings.apps[app].mount }
      guard let result = staged[app] else { return serving! }
      let changed = changedLibraries(result.libraries)
      let isSame = result.isSame && settings.apps[app].isKeptWhole && changed.isEmpty
      if result.isSame, !changed.isEmpty {
        let sentence = "the file is the one that serves; what it loads has changed: \(Master.list(changed))"
        MasterLog.info(sentence)
        tell(underWay?.watcher, .progress(sentence))
      }
      let hasSameOptions = current?.settings.apps.contains(settings.apps[app]) ?? false
      if isSame, hasSameOptions, let serving {
        history.giveBack(serving.mount, staging.generations[app]!)
        return serving
      }
      return build(app, settings, staging, result)
    }
    return Release(number: nextNumber(), arguments: arguments, settings: settings, builds: builds)
  }

  /// In place if that was asked for and every new build allows it; else worker by worker.
  private func putToWork(_ target: Release, _ fresh: [Build], isReload: Bool) {
    guard let current else { return }
    let isInPlace = target.settings.supervision.swap == .inPlace && !isReload && fresh.count == 1
    if isInPlace, let build = fresh.first {
      let old = current.builds.first { $0.mount == build.mount }
      let replaced = replacedLibraries(build.libraries)
      if build.isUnloadable, old?.isUnloadable ?? false, replaced.isEmpty {
        return beginInPlace(target, build)
      }
      let reason =
        replaced.isEmpty
        ? "the build cannot be unloaded" : "workers have loaded an earlier \(Master.list(replaced))"
      tell(underWay?.watcher, .progress("\(reason): worker by worker"))
    }
    beginRollout(target, soak: target.settings.supervision.soakSeconds)
  }

  // MARK: Reload

  private func beginReload() {
    var orders = Orders(.configure)
    orders.arguments = plan.commandLine
    run(orders, seconds: 30) { [unowned self] outcome in
      guard underWay != nil, phase == .serving, let current else { return }
      switch outcome {
      case .failed(let reason, _): refuse("the configuration cannot be used: \(reason)")
      case .staged: refuse("the configuration went astray")
      case .configured(let arguments):
        guard let wanted = parse(arguments) else { return refuse("the configuration cannot be used") }
        for name in Settings.fixed(current.settings, wanted) {
          let sentence = "\(name): a change takes a restart; what was stays"
          MasterLog.warning("reload: \(sentence)")
          tell(underWay?.watcher, .progress(sentence))
        }
        // Who the workers are is not for a file to say that may have changed since the start.
        let arguments = Settings.arguments(arguments, asIdentifiedBy: current.arguments)
        guard let settings = parse(arguments) else { return refuse("the configuration cannot be used") }
        stage(arguments, settings, apps: Array(settings.apps.indices), isReload: true)
      }
    }
  }

  /// Settings from arguments that hold everything: nothing is read from anywhere else.
  func parse(_ arguments: [String]) -> Settings? {
    let invocation = try? Settings.parse(
      arguments: arguments, environment: [:], standardInputIsListening: true,
      readFile: { _ in throw SystemError("open", 0) })
    guard case .run(let settings) = invocation else { return nil }
    return settings
  }

  // MARK: Rollback

  private func beginRollback(_ mount: String?) {
    if let app = current?.settings.apps.first(where: { $0.mount == mount }), !app.isKeptWhole {
      return refuse(
        "\(app.path) is made by a runtime from files that the server does not keep; put the old ones back "
          + "and swap")
    }
    guard let target = rollbackTarget(mount) else { return refuse("there is no build to go back to") }
    beginRollout(target, soak: 0)
  }

  /// The release before, for one application or for all that have one.
  func rollbackTarget(_ mount: String?) -> Release? {
    guard let current else { return nil }
    var arguments = current.arguments
    var builds = current.builds
    var hasAny = false
    for index in builds.indices where mount == nil || builds[index].mount == mount {
      guard current.settings.apps[index].isKeptWhole,
        let previous = history.previous(builds[index].mount)
      else { continue }
      hasAny = true
      builds[index] = previous
      guard current.settings.apps[index].runtime == nil else { continue }
      arguments = Settings.arguments(arguments, servingAt: previous.mount, path: previous.source)
    }
    guard hasAny, let settings = parse(arguments) else { return nil }
    return Release(number: nextNumber(), arguments: arguments, settings: settings, builds: builds)
  }
}
