import Config
import Control
import Glibc

/// The children of a change: they reread the configuration, and copy, inspect and try builds.
extension Master {
  /// Rereads the configuration.
  func configure(_ ticket: Int) {
    var orders = Orders(.configure)
    orders.arguments = plan.commandLine
    run(orders, ticket: ticket, seconds: Master.configureSeconds) { [unowned self] outcome in
      guard let current = releases.current else { return }
      switch outcome {
      case .failed(let reason, _): fail(ticket, "the configuration cannot be used: \(reason)")
      case .staged, .replayed, .unreplayed:
        fail(ticket, "internal error: reading the configuration gave builds")
      case .configured(let arguments, let files):
        guard let wanted = Releases.parse(arguments) else {
          return fail(ticket, "the configuration cannot be used")
        }
        for name in Settings.fixed(current.settings, wanted) {
          let sentence = "\(name): a change takes a restart; what was stays"
          MasterLog.warning("reload: \(sentence)")
          tellAskers(sentence)
        }
        // A file that may have changed since the start must not decide which user the workers run as.
        let arguments = Settings.arguments(arguments, asIdentifiedBy: current.arguments)
        guard let settings = Releases.parse(arguments) else {
          return fail(ticket, "the configuration cannot be used")
        }
        configured = (ticket, arguments, settings, files)
        inform(.staged(ticket: ticket, .configured))
      }
    }
  }

  private static let configureSeconds = 30.0

  private func fail(_ ticket: Int, _ reason: String) { inform(.staged(ticket: ticket, .failed(reason))) }

  /// Copies, inspects and tries the builds of a change.
  func stage(_ ticket: Int) {
    guard let current = releases.current, let change = releases.request?.change else { return }
    var (arguments, settings, files) = (current.arguments, current.settings, current.files)
    var mount: String?
    switch change {
    case .swap(let wanted, let file, _):
      mount = wanted
      if let wanted, let file {
        arguments = Settings.arguments(arguments, servingAt: wanted, path: file)
        guard let parsed = Releases.parse(arguments) else {
          return fail(ticket, "\(file) cannot be an application")
        }
        settings = parsed
      }
    case .reload:
      guard let configured, configured.ticket == ticket else { return }
      (arguments, settings, files) = (configured.arguments, configured.settings, configured.files)
    case .rollback, .upgrade, .certificates: return
    }
    let apps = settings.apps.indices.filter { mount == nil || settings.apps[$0].mount == mount }
    // The serving ones are not tried again: an expired certificate does not hold up a new build.
    let tried = files == current.files ? [] : files
    // A developer waits for it, and the first new worker also refuses a build that cannot be loaded.
    let isHurried = settings.supervision.isDevelopment && apps.allSatisfy { settings.apps[$0].runtime != nil }
    stage(arguments, settings, tried, apps: apps, tries: !isHurried, ticket: ticket) {
      [unowned self] outcome, copied in
      switch outcome {
      case .failed(let reason, _): fail(ticket, reason)
      case .configured, .replayed, .unreplayed:
        fail(ticket, "internal error: staging gave a configuration")
      case .staged(let staged):
        guard releases.isStaging(ticket) else { return removeUnused() }
        let target = target(arguments, settings, files, copied, staged)
        let fresh = target.builds(notIn: current)
        let replaced = replacedLibraries(fresh.first?.libraries ?? LibraryReport())
        let obstacle =
          replaced.isEmpty ? nil : "workers have loaded an earlier \(Master.list(replaced))"
        inform(.staged(ticket: ticket, .built(target, fresh: fresh, obstacle: obstacle)))
      }
    }
  }

  /// The release that the staged builds make; a build that equals the serving one stays that one, unless a
  /// runtime made it, because its code is elsewhere.
  private func target(
    _ arguments: [String], _ settings: Settings, _ files: [HandedFile], _ copied: CopiedBuilds,
    _ staged: [Int: Job.Staged]
  ) -> Release {
    let current = releases.current
    let builds = settings.apps.indices.map { app -> Build in
      let serving = current?.builds.first { $0.mount == settings.apps[app].mount }
      guard let result = staged[app] else { return serving! }
      let changed = changedLibraries(result.libraries)
      let isSame = result.isSame && settings.apps[app].isKeptWhole && changed.isEmpty
      if result.isSame, !changed.isEmpty {
        let sentence = "the file is the one that serves; what it loads has changed: \(Master.list(changed))"
        MasterLog.info(sentence)
        tellAskers(sentence)
      }
      let hasSameOptions = current?.settings.apps.contains(settings.apps[app]) ?? false
      if isSame, hasSameOptions, let serving {
        releases.history.giveBack(serving.mount, copied.generations[app]!)
        return serving
      }
      return build(app, settings, copied, result)
    }
    return releases.release(arguments, settings, builds, files)
  }

  /// Nobody needs the children of a change any more.
  func abandonStaging(_ ticket: Int) {
    for job in jobs.values where job.ticket == ticket { System.signal(job.pid, SIGKILL) }
  }
}
