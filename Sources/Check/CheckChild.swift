import CNSGI
import Host

/// The child of `server check`: the application runs here, where it can crash and hang. Reports its progress
/// to its parent on descriptor 3.
public enum CheckChild {
  /// The name of the role on the command line.
  public static let role = "check-child"
  private static let reportDescriptor: Int32 = 3

  /// Runs the check that `arguments` ask for; made by `AppCheck`.
  public static func run(_ arguments: [String]) {
    guard let order = CheckOrder(arguments: arguments) else { return }
    System.closeOnExec(reportDescriptor)
    System.dieWithParent()
    // Constructors, load() and probe() must not get more rights than the caller, whatever they start.
    try? System.forbidPrivileges()
    try? ForkedCopy.watch()
    System.leaveNoCore()
    let reporter = CheckReporter(descriptor: reportDescriptor)
    ExerciseHost.shared.reporter = reporter
    do throws(LoadError) {
      let runtime = try RuntimeDirectory.create(in: order.runtime)
      defer { runtime.remove() }
      try check(order, reporter, runtime)
    } catch { reporter.send(.failed("\(error)")) }
    reporter.send(.end)
  }

  private static func check(
    _ order: CheckOrder, _ reporter: CheckReporter, _ runtime: RuntimeDirectory
  ) throws(LoadError) {
    let app = try CheckedApp(
      order.reference, options: order.options, host: ExerciseHost.table, runtime: runtime, reporter: reporter,
      limit: order.limit)
    let host = ExerciseHost.shared
    (host.isPlain, host.canCancel, host.flags) = (app.isPlain, app.table.cancel != nil, app.flags)
    if !app.isPlain {
      if !app.name.isEmpty { reporter.send(.fact(.name, app.name)) }
      if !app.version.isEmpty { reporter.send(.fact(.version, app.version)) }
      reporter.send(.fact(.minor, "\(app.table.head.minor)"))
      reporter.send(.fact(.flags, "\(app.flags)"))
    }
    if app.table.load != nil {
      let loaded = reporter.during(.load, limit: order.limit) { () -> Result<Void, LoadError> in
        do throws(LoadError) { return .success(try app.start()) } catch { return .failure(error) }
      }
      try loaded.get()
    }
    if app.table.probe != nil {
      let result = reporter.during(.probe, limit: order.limit) { app.probe() }
      guard result >= 0 else {
        let words = "refuses to serve: its probe() returned \(Generation.resultName(result))"
        return reporter.send(.failed("\(order.reference.path) \(words)"))
      }
    }
    if let path = order.path { return exercise(app, path, order, reporter) }
    if app.table.drain != nil { reporter.during(.drain, limit: order.limit) { app.drain() } }
    if app.table.unload != nil { reporter.during(.unload, limit: order.limit) { app.unload() } }
    if app.isUnloadable { reporter.send(.fact(.unloaded, app.close() ? "1" : "0")) }
  }

  private static func exercise(
    _ app: CheckedApp, _ path: String, _ order: CheckOrder, _ reporter: CheckReporter
  ) {
    do throws(Exercise.Halt) {
      try Exercise(app, reporter, limit: order.limit, path: path).run()
    } catch {
      switch error {
      case .unfinished: break
      case .refused(let error): reporter.send(.failed("it cannot be loaded a second time: \(error)"))
      case .system(let error): reporter.send(.failed("the exercise itself failed: \(error)"))
      }
    }
  }
}

/// What the parent asks of its child, as words of a command line.
struct CheckOrder: Equatable {
  var reference: AppReference
  /// Where the child makes its own private directory.
  var runtime: String
  /// Seconds for one stage.
  var limit: Double
  /// The path of the exercise's requests; nil without an exercise.
  var path: String?
  var options: [Generation.Option] = []

  var arguments: [String] {
    [reference.path, reference.symbol ?? "", runtime, "\(limit)", path ?? ""]
      + options.flatMap { [$0.key, $0.value] }
  }

  init(
    reference: AppReference, runtime: String, limit: Double, path: String?, options: [Generation.Option]
  ) {
    (self.reference, self.runtime, self.limit) = (reference, runtime, limit)
    (self.path, self.options) = (path, options)
  }

  init?(arguments: [String]) {
    guard arguments.count >= 5, let limit = Double(arguments[3]), limit > 0 else { return nil }
    let symbol = arguments[1].isEmpty ? nil : arguments[1]
    self.init(
      reference: AppReference(path: arguments[0], symbol: symbol), runtime: arguments[2], limit: limit,
      path: arguments[4].isEmpty ? nil : arguments[4], options: [])
    for index in stride(from: 5, to: arguments.count - 1, by: 2) {
      options.append(Generation.Option(key: arguments[index], value: arguments[index + 1]))
    }
  }
}
