import CNSGI
import Config
import Control
import Glibc

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

/// The extension `draft.preload/1` of a runtime whose program can load applications before there are workers,
/// and fork these (docs/NSGI.md).
private struct PreloadTable {
  /// As `program` above: the command line of a zygote; behind an empty word, words of the file that it reads.
  let program:
    @convention(c) (
      _ boot: UnsafePointer<nsgi_boot>?, _ library: UnsafePointer<CChar>?,
      _ words: UnsafeMutablePointer<CChar>?, _ capacity: Int
    ) -> Int
  /// The words that have this program load an application, each with a zero behind it.
  let application:
    @convention(c) (
      _ boot: UnsafePointer<nsgi_boot>?, _ words: UnsafeMutablePointer<CChar>?, _ capacity: Int
    ) -> Int
}

/// The extension `draft.inspect/1` of a runtime that can look at an application without serving it
/// (docs/NSGI.md).
private struct InspectTable {
  /// As `program` above, for a program that writes what it finds to descriptor 3; `loads` is 1 to run the
  /// application's code. An empty word and a sentence behind it where none can serve the application.
  let program:
    @convention(c) (
      _ boot: UnsafePointer<nsgi_boot>?, _ loads: Int32, _ words: UnsafeMutablePointer<CChar>?,
      _ capacity: Int
    ) -> Int
}

/// What a runtime's program finds, as `server check` shows it.
extension Server {
  /// The command line that inspects the first application of a configuration, variables first; an empty word
  /// and a sentence where the runtime refuses it.
  ///
  /// - Parameter loads: run the application's code.
  public static func inspection(of settings: Settings, loads: Bool) throws(ServerFailure) -> [String] {
    guard let runtime = settings.apps.first?.runtime else { return [] }
    let plugin = try PluginSearch(directories: settings.pluginDirectories).find(runtime)
    var orders = Orders(.stage)
    orders.builds = [Orders.Build(app: 0, generation: 1, path: plugin)]
    let words = RuntimeProgram(settings, orders).inspection(loads: loads)
    guard !words.isEmpty else {
      throw ServerFailure(
        "the plugin \(plugin) cannot look at applications; use the one that comes with this server")
    }
    return words
  }
}

/// From a child of the master to the process that runs applications: the user, and the program.
extension Server {
  /// What the child of a master becomes before it does what its orders say: the workers' user first, then
  /// the program that a runtime asks for, which goes on in `serveAsGuest`. Returns in the server's own
  /// program.
  public static func enter(_ settings: Settings, _ assignment: Assignment) throws(ServerFailure) {
    let orders = assignment.orders
    if orders.role == .stage { System.leaveNoCore() }
    try ProcessSetup.enter(
      settings.process, worker: orders.role == .worker ? orders.worker : nil,
      isFirst: orders.role == .zygote ? true : nil)
    if orders.role == .zygote {
      // After the change of user, with which the kernel forgets it.
      System.dieWithParent()
      guard !ProcessSetup.isSanitized, let zygote = RuntimeProgram(settings, orders).zygote() else { return }
      do { try System.hand(zygote.paper, at: HandedDescriptor.orders) } catch {
        throw ServerFailure("the zygote cannot be told what it is to load: \(error)")
      }
      // An empty word has the title stand alone, without the program's name.
      try become(
        zygote.line, settings.process.title.text(.helper("zygote")).map { ["", $0] } ?? orders.title)
    }
    if orders.role == .worker || orders.tries, !ProcessSetup.isSanitized,
      let words = RuntimeProgram(settings, orders).words()
    {
      try become(words, orders.title)
    }
    try ProcessSetup.tellCopiesApart()
  }

  /// Becomes a program whose variables stand before it.
  private static func become(_ words: [String], _ title: [String]) throws(ServerFailure) {
    let variables = words.prefix { !$0.hasPrefix("/") }
    let line = Array(words[variables.count...])
    guard let program = line.first else { return }
    for variable in variables { System.setVariable(variable) }
    System.inheritOnExec(HandedDescriptor.control)
    let error = System.become(program, line + title)
    guard error.code != E2BIG else {
      throw ServerFailure(
        "\(program) cannot be started (\(error.reason)): a variable of the environment has 128 KiB at most, "
          + "and all of them what ulimit -s says by four; shorten what env sets, or use --embed")
    }
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
    let orders = assignment.orders
    // One that was forked has only what its zygote has entered.
    if orders.role == .worker { try ProcessSetup.bound(settings.process, worker: orders.worker) }
    try ProcessSetup.tellCopiesApart()
    if orders.role == .stage {
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
    for build in orders.builds {
      guard let asked = Asked(build, settings, search) else { continue }
      let words = answer(asked, "draft.program/1") { found, boot, words in
        found.assumingMemoryBound(to: ProgramTable.self).pointee
          .program(boot, asked.library, words.baseAddress, words.count)
      }
      if !words.isEmpty { return words }
    }
    return nil
  }

  /// The command line of the zygote of the first runtime that has one, and a file for it: words with a zero
  /// behind each. With all of that runtime's applications: the numbers of places that workers need, of words
  /// of each application, and these.
  func zygote() -> (line: [String], paper: [UInt8])? {
    var found: (plugin: String, line: [String], paper: [String])?
    for build in orders.builds {
      guard var asked = Asked(build, settings, search), found.map({ $0.plugin == asked.plugin }) ?? true
      else { continue }
      asked.app = asked.app.toldOfTrial(settings, workers: orders.workers)
      if found == nil {
        let words = preload(asked) { $0.program($1, asked.library, $2.baseAddress, $2.count) }
        if words.isEmpty { continue }
        let line = Array(words.prefix { !$0.isEmpty })
        found = (asked.plugin, line, words.dropFirst(line.count + 1) + ["\(orders.places)"])
      }
      let words = preload(asked) { $0.application($1, $2.baseAddress, $2.count) }
      found!.paper += ["\(words.count)"] + words
    }
    return found.map { ($0.line, $0.paper.flatMap { Array($0.utf8) + [0] }) }
  }

  /// The command line that inspects the first application.
  func inspection(loads: Bool) -> [String] {
    guard let asked = orders.builds.first.flatMap({ Asked($0, settings, search) }) else { return [] }
    return answer(asked, "draft.inspect/1") { found, boot, words in
      found.assumingMemoryBound(to: InspectTable.self).pointee
        .program(boot, loads ? 1 : 0, words.baseAddress, words.count)
    }
  }

  private func preload(
    _ asked: Asked,
    _ ask: (PreloadTable, UnsafePointer<nsgi_boot>, UnsafeMutableBufferPointer<CChar>) -> Int
  ) -> [String] {
    answer(asked, "draft.preload/1") { found, boot, words in
      ask(found.assumingMemoryBound(to: PreloadTable.self).pointee, boot, words)
    }
  }

  /// An application of a runtime.
  private struct Asked {
    var app: AppSettings
    let build: Orders.Build
    /// The plugin's file, and that of the worker library.
    let plugin: String
    let library: String

    init?(_ build: Orders.Build, _ settings: Settings, _ search: PluginSearch) {
      guard build.app < settings.apps.count, let runtime = settings.apps[build.app].runtime,
        let plugin = try? search.find(runtime), let library = search.library(beside: plugin)
      else { return nil }
      (app, self.build, self.plugin, self.library) = (settings.apps[build.app], build, plugin, library)
    }
  }

  /// What a runtime's extension answers, in a copy of this process, which is gone then with all that the
  /// runtime has loaded: what an application loads is told from what was there before. Nothing of one that
  /// has no such extension, or that cannot be loaded.
  private func answer(
    _ asked: Asked, _ name: String,
    _ ask: (UnsafeRawPointer, UnsafePointer<nsgi_boot>, UnsafeMutableBufferPointer<CChar>) -> Int
  ) -> [String] {
    let bytes = System.answerOfCopy { answerHere(asked, name, ask) }
    return bytes.split(separator: 0, omittingEmptySubsequences: false).dropLast()
      .map { String(decoding: $0, as: UTF8.self) }
  }

  private func answerHere(
    _ asked: Asked, _ name: String,
    _ ask: (UnsafeRawPointer, UnsafePointer<nsgi_boot>, UnsafeMutableBufferPointer<CChar>) -> Int
  ) -> [UInt8] {
    // A child that stages has yet to copy the plugin, which is the server's own.
    let file = orders.role == .stage ? asked.plugin : asked.build.path
    guard let copy = try? PrivateCopy(source: asked.plugin, path: file),
      let generation = try? Generation.load(
        copy, AppReference(path: asked.plugin, symbol: asked.app.symbol), named: asked.app.path,
        options: asked.app.options.map { .init(key: $0.key, value: $0.value) },
        number: UInt32(asked.build.generation), host: HostTable.shared),
      case .full(let table) = generation.form, let found = table.extension?(name)
    else { return [] }
    return generation.withBoot { boot in
      // More than a stack has room for.
      let room = UnsafeMutableBufferPointer<CChar>.allocate(capacity: Limits.programWordsBytes)
      defer { room.deallocate() }
      let count = ask(UnsafeRawPointer(found), UnsafePointer(boot), room)
      return count > 0 && count <= room.count ? room[..<count].map(UInt8.init(bitPattern:)) : []
    }
  }
}
