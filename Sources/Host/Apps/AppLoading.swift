import CNSGI
import Config

/// Makes generations of what the configuration names: shared libraries, and apps that a runtime makes.
///
/// A plugin is loaded once however many apps it makes: two copies of an interpreter in one process do not
/// go together. Its load() runs once for each app, each with a state of its own.
struct AppLoading {
  private let runtime: RuntimeDirectory
  private let search: PluginSearch
  private let host: UnsafePointer<nsgi_host>
  /// The first app of each plugin, by file.
  private var plugins: [String: Generation] = [:]

  init(
    plugins directories: [String], runtime: RuntimeDirectory,
    host: UnsafePointer<nsgi_host> = HostTable.shared
  ) {
    self.runtime = runtime
    self.host = host
    search = PluginSearch(directories: directories)
  }

  /// Loads and starts an app; it ends the start with exit code 1 when its plugin is not there, else 22.
  mutating func start(_ app: AppSettings) throws(ServerFailure) -> Generation {
    let path = try app.runtime.map { plugin throws(ServerFailure) in try search.find(plugin) } ?? app.path
    do throws(LoadError) {
      let generation = try load(app, path)
      try generation.start()
      return generation
    } catch {
      throw ServerFailure("application cannot be loaded: \(error)", exitCode: LoadError.exitCode)
    }
  }

  private mutating func load(_ app: AppSettings, _ path: String) throws(LoadError) -> Generation {
    let options = app.options.map { Generation.Option(key: $0.key, value: $0.value) }
    guard app.runtime != nil else {
      return try Generation.load(
        AppReference(path: path, symbol: app.symbol), options: options, host: host, runtime: runtime)
    }
    if let plugin = plugins[path] { return plugin.sibling(named: app.path, options: options) }
    let plugin = try Generation.load(
      AppReference(path: path), named: app.path, options: options, host: host, runtime: runtime)
    plugins[path] = plugin
    return plugin
  }
}
