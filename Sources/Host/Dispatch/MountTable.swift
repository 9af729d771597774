import CNSGI
import Wire

/// An application where it is mounted, and the generation that serves it.
struct App {
  /// "" or "/segment…", without a slash at the end.
  let mount: [UInt8]
  /// What log lines call it.
  let name: String
  let generation: Generation
  /// Its place in the configuration; what master and scoreboard call it by.
  let place: Int
  /// What a call needs, apart.
  let calls: UnsafeMutablePointer<AppCalls>

  /// - Parameter threads: calls under way at once at most, if the app is thread-safe.
  init(mount: String, name: String, generation: Generation, threads: Int, place: Int = 0) {
    self.place = place
    self.mount = Array(mount.utf8)
    self.name = name
    self.generation = generation
    calls = .allocate(capacity: 1)
    calls.initialize(to: AppCalls(generation, threads: threads, place: place))
  }
}

extension App {
  /// Tells the app that the client of a call is gone or its time is over.
  func cancel(_ exchange: ExchangePointer) {
    guard case .full(let table) = generation.form, let cancel = table.cancel else { return }
    cancel(generation.state, exchange.pointee.request)
  }

  /// Tells the app that no new call will come.
  func drain() {
    if case .full(let table) = generation.form { table.drain?(generation.state) }
  }
}

/// The applications of a worker by mount point: the longest prefix that ends at a segment border wins.
struct MountTable: @unchecked Sendable {
  private let apps: UnsafeMutableBufferPointer<App>
  /// The only app, if it sits at the root: nothing has to be compared.
  private let root: UnsafeMutablePointer<AppCalls>?

  /// - Parameter apps: no two at one mount; kept for the life of the process.
  init(_ apps: [App]) {
    self.apps = .allocate(capacity: apps.count)
    _ = self.apps.initialize(from: apps.sorted { $0.mount.count > $1.mount.count })
    root = apps.count == 1 && apps[0].mount.isEmpty ? apps[0].calls : nil
    for (index, app) in self.apps.enumerated() { app.calls.pointee.index = index }
  }

  /// Mounted applications.
  var count: Int { apps.count }

  /// Where the application of a place in the configuration stands in the table.
  func index(of place: Int) -> Int? { apps.firstIndex { $0.place == place } }

  /// The app of a place in the table; `AppCalls.index`.
  subscript(index: Int) -> App { apps[index] }

  /// The app for the request's path, with SCRIPT_NAME and PATH_INFO moved to its mount; nil for none.
  @inline(__always)
  func find(_ exchange: inout Exchange) -> UnsafeMutablePointer<AppCalls>? { root ?? search(&exchange) }

  private func search(_ exchange: inout Exchange) -> UnsafeMutablePointer<AppCalls>? {
    let path = Normalizer.joined(exchange.meta.scriptName, exchange.meta.pathInfo, &exchange.arena)
    for app in apps where matches(app.mount, path.bytes) {
      let count = app.mount.count
      if count == 0 { return app.calls }
      let name = exchange.arena.copy(UnsafeRawBufferPointer(rebasing: path.bytes[..<count]))
      exchange.meta.scriptName = Text(name, count)
      exchange.meta.pathInfo = Text(path.start! + count, path.count - count)
      return app.calls
    }
    return nil
  }

  /// No new calls will come.
  func drain() { for app in apps { app.drain() } }

  private func matches(_ mount: [UInt8], _ path: UnsafeRawBufferPointer) -> Bool {
    guard path.count >= mount.count else { return false }
    for index in mount.indices where path[index] != mount[index] { return false }
    return path.count == mount.count || path[mount.count] == UInt8(ascii: "/") || mount.isEmpty
  }
}
