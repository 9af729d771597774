import CNSGI
import Config
import Control

/// The extension `draft.program/1` of a runtime whose language has a program of its own, in which its
/// applications want to run (docs/NSGI.md).
private struct ProgramTable {
  /// Writes the words of a command line as env(1) takes it, variables first, each with a zero behind it, at
  /// most `capacity` bytes: how many; 0 to stay in this process. `library` is the file of the worker library.
  let program:
    @convention(c) (
      _ boot: UnsafePointer<nsgi_boot>?, _ library: UnsafePointer<CChar>?,
      _ words: UnsafeMutablePointer<CChar>?,
      _ capacity: Int
    ) -> Int
}

/// From a child of the master to the process that runs applications: the user, and the program.
extension Server {
  /// What the child of a master becomes before it does what its orders say: the workers' user first, then
  /// the program that a runtime asks for, which goes on in `serveAsGuest`. Returns in the server's own
  /// program.
  public static func enter(_ settings: Settings, _ assignment: Assignment) throws(ServerFailure) {
    let orders = assignment.orders
    if orders.role == .stage { System.leaveNoCore() }
    try ProcessSetup.enter(settings.process, worker: orders.role == .worker ? orders.worker : nil)
    if orders.role == .worker || orders.tries, !ProcessSetup.isSanitized,
      let words = RuntimeProgram(settings, orders).words()
    {
      try become(words, orders)
    }
    try ProcessSetup.tellCopiesApart()
  }

  /// Becomes a program whose variables stand before it.
  private static func become(_ words: [String], _ orders: Orders) throws(ServerFailure) {
    let variables = words.prefix { !$0.hasPrefix("/") }
    let line = Array(words[variables.count...])
    guard let program = line.first else { return }
    for variable in variables { System.setVariable(variable) }
    System.inheritOnExec(HandedDescriptor.control)
    let error = System.become(program, line + orders.title)
    throw ServerFailure("\(program) cannot be started (\(error.reason)); correct --python, or use --embed")
  }

  /// Does what the orders say, as another program than the server's; ends the process.
  public static func serveAsGuest(_ settings: Settings, _ assignment: Assignment) throws(ServerFailure) {
    // What the change of user had closed, the start of the program has opened again.
    if settings.process.user != nil { System.closeToUsers() }
    var settings = settings
    for index in settings.apps.indices where settings.apps[index].runtime != nil {
      settings.apps[index].options.append(AppOption(key: "server.guest", value: "true"))
    }
    try ProcessSetup.tellCopiesApart()
    if assignment.orders.role == .stage {
      StageRole.run(settings, assignment)
      leave(0)
    }
    let signals = try takeSignals()
    let work: @Sendable () -> Void = { [settings] in
      do { try Self.work(settings, assignment, signals: signals) } catch { leave(assignment.fail(error)) }
      leave(0)
    }
    guard settings.limits.threads == 1 else { return work() }
    // The program's first thread is the one that its language calls the main one: applications run there.
    try HomeThread.lendThisThread(work)
  }

  static func takeSignals() throws(ServerFailure) -> Int32 {
    do { return try Worker.takeSignals() } catch { throw ServerFailure("signals cannot be read: \(error)") }
  }
}

/// Asks the runtimes of a configuration for the program that their applications run in.
private struct RuntimeProgram {
  private let settings: Settings
  private let orders: Orders
  private let search: PluginSearch

  init(_ settings: Settings, _ orders: Orders) {
    (self.settings, self.orders) = (settings, orders)
    search = PluginSearch(directories: settings.pluginDirectories)
  }

  /// The command line of the first that names one; whatever is wrong with a runtime is told when it loads.
  func words() -> [String]? {
    for build in orders.builds where build.app < settings.apps.count {
      let app = settings.apps[build.app]
      guard let runtime = app.runtime, let path = try? search.find(runtime),
        let library = search.library(beside: path)
      else { continue }
      // Asked in a copy of this process, which is gone then with all that the runtime has loaded: what an
      // application loads is told from what was there before.
      let bytes = System.answerOfCopy { ask(app, build, path, library) }
      let words = bytes.split(separator: 0, omittingEmptySubsequences: false).dropLast()
        .map { String(decoding: $0, as: UTF8.self) }
      if !words.isEmpty { return words }
    }
    return nil
  }

  /// What a runtime answers; nothing of one that has no program, or that cannot be loaded.
  private func ask(
    _ app: AppSettings, _ build: Orders.Build, _ path: String, _ library: String
  ) -> [UInt8] {
    // A child that stages has yet to copy the plugin, which is the server's own.
    let file = orders.role == .worker ? build.path : path
    guard let copy = try? PrivateCopy(source: path, path: file),
      let generation = try? Generation.load(
        copy, AppReference(path: path, symbol: app.symbol), named: app.path,
        options: app.options.map { .init(key: $0.key, value: $0.value) }, number: UInt32(build.generation),
        host: HostTable.shared),
      case .full(let table) = generation.form, let found = table.extension?("draft.program/1")
    else { return [] }
    let program = found.assumingMemoryBound(to: ProgramTable.self).pointee.program
    return generation.withBoot { boot in
      withUnsafeTemporaryAllocation(of: CChar.self, capacity: Limits.programWordsBytes) { room in
        let count = program(boot, library, room.baseAddress, room.count)
        return count > 0 && count <= room.count ? room[..<count].map(UInt8.init(bitPattern:)) : []
      }
    }
  }
}
