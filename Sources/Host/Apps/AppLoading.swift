import CNSGI
import Config

/// Makes generations of what the configuration names: shared libraries, and apps that a runtime makes.
///
/// A plugin is loaded once however many apps it makes: two copies of an interpreter do not go together in one
/// process. Its load() runs once for each app, each with a state of its own.
struct AppLoading {
  /// Where an app's own copy of its library is.
  enum Place {
    /// To be made, in a directory of this process.
    case runtime(RuntimeDirectory)
    /// Made by another process of this server.
    case copied(path: String)
  }

  /// What load() is told besides the options.
  struct Start {
    var number: UInt32 = 1
    var worker: UInt32 = 0
    var workers: UInt32 = 1
    var saved = Generation.Saved()
  }

  /// What to do about a library that an app would get from somebody else.
  enum Libraries {
    /// From another app: refused. From the server: a line in the log.
    case told
    /// Refused in any case: a new process would load the right one.
    case exact
    /// Nothing.
    case untold
  }

  var libraries = Libraries.told
  /// All workers load the same: one of them reports for all.
  private var speaks = true
  private let search: PluginSearch
  /// Only builds that the key of this process has signed are loaded.
  private let needsSignatures: Bool
  private let host: UnsafePointer<nsgi_host>
  /// The first app of each plugin, by file.
  private var plugins: [String: Generation] = [:]

  init(_ settings: Settings, host: UnsafePointer<nsgi_host> = HostTable.shared) {
    self.host = host
    search = PluginSearch(directories: settings.pluginDirectories)
    needsSignatures = settings.supervision.appKey != nil
  }

  /// The file of an app's library; a missing plugin ends the start with exit code 1.
  func path(of app: AppSettings) throws(ServerFailure) -> String {
    guard let plugin = app.runtime else { return app.path }
    return try search.find(plugin)
  }

  /// Loads, starts and probes an app; exit code 1 if its plugin is missing, otherwise 22.
  mutating func start(
    _ app: AppSettings, from place: Place, _ start: Start = Start()
  ) throws(ServerFailure) -> Generation {
    let path = try path(of: app)
    speaks = start.worker == 0
    do throws(LoadError) {
      let generation = try load(app, path, place, number: start.number)
      try generation.start(worker: start.worker, workers: start.workers, from: start.saved)
      let fresh = LoadedLibraries.shared.update(for: .app(Self.label(app)))
      do throws(LoadError) {
        if libraries != .untold { try judge(LibraryCheck().after(generation.copy, fresh), app) }
        try generation.probe()
      } catch {
        // Elsewhere the process ends with it.
        if libraries == .exact { generation.unload() }
        throw error
      }
      return generation
    } catch { throw error.failure(of: app) }
  }

  private mutating func load(
    _ app: AppSettings, _ path: String, _ place: Place, number: UInt32
  ) throws(LoadError) -> Generation {
    let given = app
    let app = KeptFiles.substitute(app, place)
    let options = app.options.map { Generation.Option(key: $0.key, value: $0.value) }
    if app.runtime != nil, let plugin = plugins[path] {
      return plugin.sibling(named: app.path, options: options, number: number)
    }
    let copy =
      switch place {
      case .runtime(let directory): try PrivateCopy(of: path, in: directory)
      case .copied(let copy): try PrivateCopy(source: path, path: copy)
      }
    try checkSignature(of: copy, place)
    LoadedLibraries.shared.hide(copy.path)
    LoadedLibraries.shared.update(for: .app("another application"))
    if libraries != .untold { try judge(LibraryCheck().before(copy), given) }
    let generation = try Generation.load(
      copy, AppReference(path: path, symbol: app.symbol), named: app.runtime == nil ? nil : app.path,
      options: options, number: number, host: host)
    if app.runtime != nil { plugins[path] = generation }
    return generation
  }

  /// The copy that is about to be loaded, no matter who made it or how long ago.
  private func checkSignature(of copy: PrivateCopy, _ place: Place) throws(LoadError) {
    guard needsSignatures else { return }
    guard let key = AppKey.shared else {
      throw .badSignature(path: copy.source, reason: "there is no key here")
    }
    switch place {
    case .runtime: try key.check(copy, try key.readSignature(of: copy.source))
    case .copied(let path): try key.check(copy, try key.keptSignature(beside: path, of: copy.source))
    }
    if let place = LibraryCheck().openPlace(of: copy) {
      throw .openPlace(path: copy.source, user: place.user, directory: place.directory)
    }
  }

  /// "/b (shop.so)".
  private static func label(_ app: AppSettings) -> String {
    "\(app.mount.isEmpty ? "/" : app.mount) (\(app.path))"
  }

  private func judge(_ conflicts: [LibraryConflict], _ app: AppSettings) throws(LoadError) {
    for conflict in conflicts {
      if conflict.owner == .server, libraries == .told {
        if speaks { Log.shared.warning("\(Self.label(app)) \(conflict)") }
      } else {
        throw .otherLibrary(app: Self.label(app), conflict)
      }
    }
  }
}
