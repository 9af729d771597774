// Settings while the options are being applied, with parts that only make sense once all of them are known.

struct Draft {
  var settings = Settings()
  /// Which of `settings.listeners` came from `--socket`, whose protocol is `socketProtocol`, wherever that
  /// is given.
  var plainSockets: [Int] = []
  var socketProtocol = ListenerProtocol.auto
  /// `--tls-cert` and `--tls-key`, in the order given.
  var (tlsCertificates, tlsKeys): ([String], [String]) = ([], [])
  var appOptions: [(mount: String?, option: AppOption)] = []
  var wantsCGI = false
  var runtimes = RuntimeDraft()
  /// The last option that asks for a program of the operator's.
  var programOption = ""
  /// Names of plugins that are not the server's, and that it starts without.
  var missingPlugins: [String] = []
  /// Whether a file of this name exists: an ambiguous value is read as that file.
  var isFile: @Sendable (String) -> Bool = { _ in false }

  mutating func listen(_ text: String, _ gateway: ListenerProtocol) throws(ValueError) {
    do {
      settings.listeners.append(ListenerSettings(address: try Address(parsing: text), gateway: gateway))
    } catch {
      throw .address(error)
    }
  }

  /// Checks what concerns several options at once.
  consuming func finish(hasInheritedSockets: Bool, isGateway: Bool) throws(ConfigError) -> Settings {
    for index in plainSockets { settings.listeners[index].gateway = socketProtocol }
    settings.inheritedProtocol = socketProtocol
    var problems: [ConfigError] = []
    do throws(ConfigError) { try checkListeners() } catch { problems.append(error) }
    do throws(ConfigError) { try finishTLS() } catch { problems.append(error) }
    do throws(ConfigError) {
      try makeRuntimeApps()
      try checkApps()
      try distributeAppOptions()
      if settings.apps.isEmpty { throw .noApplication }
      try checkSignatures()
    } catch { problems.append(error) }
    if let problem = settings.rules.lostJump { problems.append(problem) }
    let hasSockets = !settings.listeners.isEmpty || hasInheritedSockets
    if wantsCGI, !settings.listeners.isEmpty { problems.append(.cgiWithSockets) }
    if let workers = settings.process.workers, workers > 1, !settings.process.hasMaster {
      problems.append(.workersWithoutMaster(workers))
    }
    if !settings.process.hasMaster {
      if let watched = settings.watch.listeners.first { throw .watchWithoutMaster(watched.kind.rawValue) }
      if settings.watch.shutdownDelaySeconds > 0 { throw .watchWithoutMaster("shutdown-delay") }
      if settings.supervision.preloading == .wanted {
        settings.warnings.append(
          "preload means nothing with no-master: one process loads the applications, and none is forked")
      }
    }
    settings.isCGI = wantsCGI || (isGateway && !hasSockets)
    do throws(ConfigError) { try checkPrograms() } catch { problems.append(error) }
    do throws(ConfigError) { try checkCheaper() } catch { problems.append(error) }
    do throws(ConfigError) { try finishLogs() } catch { problems.append(error) }
    settings.shared.finish()
    develop()
    tellServerFacts()
    if !settings.isCGI, !hasSockets { problems.append(.noSocket(script: script)) }
    if let error = ConfigError.of(problems) { throw error }
    return settings
  }

  /// In development saved files are served at once: nothing waits for a build to prove itself.
  private mutating func develop() {
    guard settings.supervision.isDevelopment else { return }
    settings.supervision.watchesApps = true
    (settings.supervision.soakSeconds, settings.supervision.probationSeconds) = (0, 0)
    settings.supervision.replay.requests = 0
    settings.warnings.append(
      "--debug is for development: whoever can ask this server sees its tracebacks, with lines of the source")
  }

  /// The file that is served, which may be the program that was started.
  private var script: String? { runtimes.made.first { $0.option.key == "wsgi-file" }?.option.value }

  private func checkListeners() throws(ConfigError) {
    for (index, listener) in settings.listeners.enumerated() {
      if case .inet(_, port: 0) = listener.address { continue }
      if settings.listeners[..<index].contains(where: { $0.address == listener.address }) {
        throw .addressTwice(listener.address)
      }
    }
  }

  private func checkApps() throws(ConfigError) {
    for (index, app) in settings.apps.enumerated() {
      if let other = settings.apps[..<index].first(where: { $0.mount == app.mount }) {
        throw .mountTwice(app.mount, other.path, app.path)
      }
    }
  }

  /// A runtime makes apps from files that no signature covers.
  private func checkSignatures() throws(ConfigError) {
    guard settings.supervision.appKey != nil else { return }
    for app in settings.apps {
      if let runtime = app.runtime { throw .unsignable(app.path, runtime: runtime.name) }
    }
  }

  private mutating func distributeAppOptions() throws(ConfigError) {
    for (mount, option) in appOptions {
      let indices = settings.apps.indices.filter { mount == nil || settings.apps[$0].mount == mount }
      if indices.isEmpty, let mount, !settings.apps.isEmpty { throw .optionForNoApp(mount: mount) }
      for index in indices { settings.apps[index].options.append(option) }
    }
  }
}
