import Config
import Control
import Glibc
import Posix

/// Why a server did not start or did not go on: a sentence for the operator, and the exit code.
public struct ServerFailure: Error, CustomStringConvertible {
  /// The sentence, with the fix.
  public let description: String
  /// 1, or 22 when an application cannot be loaded.
  public let exitCode: Int32
  /// The same could succeed in a process in which nothing is loaded yet.
  var needsNewProcess = false

  /// - Parameter exitCode: 1 for the operator's configuration, 22 for an application.
  public init(_ description: String, exitCode: Int32 = 1) {
    self.description = description
    self.exitCode = exitCode
  }

  /// The worker's loop cannot be made.
  init(loop error: SystemError) {
    let isRing = "\(error.call)" == "io_uring_setup"
    self.init(
      isRing
        ? "io_uring is not available (\(error.reason)); use --io auto or --io epoll"
        : "the event loop cannot be made: \(error)")
  }
}

/// One plain process that serves, without a master: loads the applications, binds the sockets, runs a
/// worker until it is told to stop.
public enum Server {
  /// Serves until a stop signal; returns when all running requests are answered.
  public static func run(_ settings: Settings) throws(ServerFailure) {
    if let path = settings.log.file { try redirectLog(path) }
    ProcessSetup.begin(settings.process)
    if !settings.isCGI { ProcessSetup.show(.worker(0), settings.process) }
    try ProcessSetup.tellCopiesApart()
    let streams = settings.isCGI ? try CGIStreams.take() : nil
    let identity = try Identity.ofChildren(settings.process)
    let listeners = settings.isCGI ? [] : try listen(settings)
    let files = try OwnFiles(listeners, settings.process, for: identity)
    defer { files.remove() }
    // Reads them while this process still may.
    let keys = try TLSFiles.read(settings)
    let identities = try TLSIdentities.all(settings, keys, checksTime: true)
    try AppKey.take(settings, keys)
    try ProcessSetup.enter(settings.process, worker: 0)
    try StaticFiles.check(settings)
    try RuleBook.check(settings)
    if let streams { return try answerOnce(settings, streams) }
    let signals = try takeSignals()
    let runtime = try runtimeDirectory(settings)
    defer { runtime.remove() }
    let spools = try SpoolRoom.prepare(settings)
    let home = try HomeThread.start(threads: settings.limits.threads)
    Extensions.servesAlone = true
    GuestLoops.isOffered = settings.apps.count == 1
    let apps = try load(settings, runtime, files, home)
    try serve(at: home) { home throws(ServerFailure) in
      let worker: Worker
      do throws(SystemError) {
        worker = try Worker(
          settings: settings, listeners: listeners, mounts: MountTable(apps), log: .shared, spools: spools,
          presented: Presented(identities, tickets: TicketKeys([]).keys))
      } catch { throw ServerFailure(loop: error) }
      try checkRoom()
      worker.leading.settle(home)
      announceReady(settings, apps, listeners)
      do throws(SystemError) {
        // Apps cannot be unloaded under calls that have not returned.
        if try worker.run(signals: signals) { unload(worker) }
      } catch { throw ServerFailure("the event loop failed: \(error)") }
    } abandoned: {
      runtime.remove()
      files.remove()
    }
  }

  /// Runs a worker whose applications are loaded: on this thread, unless this one is their home from now on.
  ///
  /// - Parameter abandoned: called before the process ends because an application does not return.
  static func serve(
    at home: HomeThread?, _ run: @escaping (HomeThread?) throws(ServerFailure) -> Void,
    abandoned: @escaping () -> Void = {}
  ) throws(ServerFailure) {
    guard home == nil, GuestLoops.led != nil else { return try run(home) }
    try HomeThread.host({ home throws(ServerFailure) in try run(home) }, abandoned: abandoned)
  }

  private static func announceReady(_ settings: Settings, _ apps: [App], _ listeners: [Listener]) {
    if let warning = ProcessSetup.warning(settings.process) { announce(warning) }
    for app in apps {
      let mount = String(decoding: app.mount, as: UTF8.self)
      announce(Spread(mount: mount, name: app.name, processes: 1, calls: app.calls.pointee.threads).line)
    }
    for listener in listeners { announce(listener.readyLine) }
    ProcessSetup.notify("READY=1")
  }

  /// Descriptors that a worker needs besides those that it has: the ring, a connection and its spool.
  private static let neededDescriptors = 3

  /// A worker that can take no connection serves nobody, and clients would wait for ever.
  static func checkRoom() throws(ServerFailure) {
    do { try System.tryDescriptors(neededDescriptors) } catch {
      throw ServerFailure("there is no room for connections: \(error.reason)")
    }
  }

  /// CGI. Signals are left as they are: SIGTERM ends the process, whatever the app is doing.
  private static func answerOnce(_ settings: Settings, _ streams: CGIStreams) throws(ServerFailure) {
    let runtime = try runtimeDirectory(settings)
    defer { runtime.remove() }
    // A single app gets the libraries that it finds: looking for others would cost each request time.
    let deadline = CGIDeadline(settings.limits, streams)
    let apps = try load(settings, runtime, looksAtLibraries: settings.apps.count > 1)
    deadline.loaded()
    do {
      let worker = try Worker(settings: settings, listeners: [], mounts: MountTable(apps), log: .shared)
      let code = worker.runCGI(streams)
      if worker.departure.isQuiet { unload(worker) }
      guard code == 0 else { throw ServerFailure("the answer could not be delivered whole") }
    } catch let error as SystemError {
      throw ServerFailure(loop: error)
    } catch {
      throw ServerFailure("\(error)")
    }
  }

  /// Before anything else: programs that apps start inherit what a launcher has passed on to this process.
  public static func resetSignals() { System.resetSignals() }

  /// Before anything else: makes sure that descriptors 0 to 2 are open, or the first opened file would get
  /// one of them.
  public static func fillStandardDescriptors() throws(ServerFailure) {
    do { try System.fillStandard() } catch {
      throw ServerFailure(
        "a standard descriptor is closed, and /dev/null cannot be opened in its place (\(error.reason)); "
          + "start the server with descriptors 0, 1 and 2 open")
    }
  }

  /// Writes a sentence for the operator to standard error.
  public static func announce(_ text: String) {
    LogLine.announce(text)
  }

  /// Writes a text of the server's own to standard error unchanged.
  public static func show(_ text: String) {
    LogLine.show(text + "\n")
  }

  static func redirectLog(_ path: String) throws(ServerFailure) {
    do { try Log.shared.redirect(to: path) } catch {
      throw ServerFailure(
        "the log file \(path) cannot be opened (\(System.guardedReason(error))); choose a place that you may "
          + "write to")
    }
  }

  /// Throws if a log file cannot be opened. A named pipe may have its reader later.
  static func tryLog(_ path: String) throws(ServerFailure) {
    do throws(SystemError) { try System.tryLog(path) } catch {
      if error.code == ENXIO { return }
      throw ServerFailure(
        "the log file \(path) cannot be opened (\(System.guardedReason(error))); choose a place that you may "
          + "write to")
    }
  }

  // MARK: Applications

  static func runtimeDirectory(
    _ settings: Settings, for identity: Identity? = nil
  ) throws(ServerFailure) -> RuntimeDirectory {
    do {
      return try RuntimeDirectory.create(
        in: settings.process.runtimeDirectory, for: identity, sweeps: !settings.isCGI)
    } catch {
      throw ServerFailure("\(error)")
    }
  }

  /// The same while signals are held: a stop of the server does not wait for a load() that waits.
  private static func load(
    _ settings: Settings, _ runtime: RuntimeDirectory, _ files: OwnFiles, _ home: HomeThread?
  ) throws(ServerFailure) -> [App] {
    // Read only by the other thread until this one is back from the apps.
    nonisolated(unsafe) let made = runtime
    let watch = SignalWatch { event in
      guard case .stop(let signal) = event else { return .heeded }
      announce("\(SignalName.of(signal)) before the applications were loaded: nothing is under way")
      made.remove()
      files.remove()
      System.endAtOnce(0)
    }
    defer { watch.end() }
    return try home.perform { () throws(ServerFailure) in try load(settings, runtime) }
  }

  private static func load(
    _ settings: Settings, _ runtime: RuntimeDirectory, looksAtLibraries: Bool = true
  ) throws(ServerFailure) -> [App] {
    var loading = AppLoading(settings)
    if !looksAtLibraries { loading.libraries = .untold }
    var apps: [App] = []
    for (place, app) in settings.apps.enumerated() {
      let generation = try loading.start(app.told(of: settings), from: .runtime(runtime))
      apps.append(
        App(
          mount: app.mount, name: generation.name, generation: generation, threads: settings.limits.threads,
          place: place))
    }
    return apps
  }

  // MARK: Sockets

  private static func bind(
    _ wanted: ListenerSettings, _ settings: Settings
  ) throws(ListenError) -> Listener {
    do throws(ListenError) {
      return try Listener.bind(wanted, files: settings.socketFiles, limits: settings.limits)
    } catch {
      let before = settings.listeners.prefix { $0 != wanted }
      guard case .refused(let address, let reason, _) = error, reason.code == EADDRINUSE,
        let other = before.first(where: { $0.address.collides(with: address) })
      else { throw error }
      throw .takenByOwn(address, other.address)
    }
  }

  static func listen(_ settings: Settings) throws(ServerFailure) -> [Listener] {
    var listeners: [Listener] = []
    do throws(ListenError) {
      // Done before anything is bound: a socket of our own must not count as inherited.
      let named = settings.listeners.compactMap { listener -> Int32? in
        if case .descriptor(let fd) = listener.address { fd } else { nil }
      }
      for fd in named where !InheritedSockets.isListening(fd) { throw .notListening(fd) }
      let handedOver = InheritedSockets.find(default: settings.inheritedProtocol)
      for wanted in settings.listeners {
        listeners.append(try bind(wanted, settings))
      }
      for inherited in handedOver where !named.contains(inherited.fd) {
        listeners.append(
          try Listener.adopt(inherited.fd, gateway: inherited.gateway, limits: settings.limits))
      }
    } catch {
      for listener in listeners { listener.removeFile() }
      throw ServerFailure("\(error)")
    }
    return listeners
  }
}
