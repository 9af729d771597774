import CNSGI
import Config
import Control
import Glibc

/// The extension `draft.program/1` of a runtime whose language has a program of its own, in which its
/// applications should run (docs/NSGI.md).
private struct ProgramTable {
  /// Writes the words of a command line as env(1) takes it, variables first, each followed by a zero, at most
  /// `capacity` bytes; returns how many; 0 to stay in this process. `library` is the file of the worker
  /// library.
  let program:
    @convention(c) (
      _ boot: UnsafePointer<nsgi_boot>?, _ library: UnsafePointer<CChar>?,
      _ words: UnsafeMutablePointer<CChar>?,
      _ capacity: Int
    ) -> Int
}

/// The extension `draft.preload/1` of a runtime whose program can load applications before there are workers,
/// and fork those (docs/NSGI.md).
private struct PreloadTable {
  /// As `program` above: the command line of a zygote; after an empty word, those of the file that it reads.
  let program:
    @convention(c) (
      _ boot: UnsafePointer<nsgi_boot>?, _ library: UnsafePointer<CChar>?,
      _ words: UnsafeMutablePointer<CChar>?, _ capacity: Int
    ) -> Int
  /// The words that make this program load an application, each followed by a zero.
  let application:
    @convention(c) (
      _ boot: UnsafePointer<nsgi_boot>?, _ words: UnsafeMutablePointer<CChar>?, _ capacity: Int
    ) -> Int
}

/// The extension `draft.inspect/1` of a runtime that can inspect an application without serving it
/// (docs/NSGI.md).
private struct InspectTable {
  /// As `program` above, for a program that writes what it finds to descriptor 3; `loads` is 1 to run the
  /// application's code. An empty word followed by a sentence if no program can serve the application.
  let program:
    @convention(c) (
      _ boot: UnsafePointer<nsgi_boot>?, _ loads: Int32, _ words: UnsafeMutablePointer<CChar>?,
      _ capacity: Int
    ) -> Int
}

/// The extension `draft.keep/1` of a runtime that can keep what it makes an application from (docs/NSGI.md).
private struct KeepTable {
  /// Writes it to a descriptor: 1; 0 if it cannot be kept, with the reason in `boot.error`.
  let keep: @convention(c) (_ boot: UnsafePointer<nsgi_boot>?, _ descriptor: Int32) -> Int32
}

/// What a runtime's program finds, as `server check` shows it.
extension Server {
  /// The command line that inspects the first application of a configuration, variables first; an empty word
  /// and a sentence if the runtime refuses it.
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

/// The way from a child of the master to the process that runs applications: the user, and the program.
extension Server {
  /// Changes the child of a master before it carries out its orders: first to the workers' user, then to the
  /// program that a runtime asks for, which goes on in `serveAsGuest`. Returns only in the server's program.
  public static func enter(_ settings: Settings, _ assignment: Assignment) throws(ServerFailure) {
    let orders = assignment.orders
    if orders.role == .stage || orders.role == .replay || orders.isReplay { System.leaveNoCore() }
    try ProcessSetup.enter(
      settings.process, worker: orders.role == .worker ? orders.worker : nil,
      isFirst: orders.role == .zygote ? true : nil)
    if orders.role == .stage { try StageRole.copyAll(settings, assignment) }
    if orders.role == .zygote {
      // After the change of user, which makes the kernel forget it.
      System.dieWithParent()
      guard !ProcessSetup.isSanitized, let zygote = RuntimeProgram(settings, orders).zygote() else { return }
      do { try System.hand(zygote.paper, at: HandedDescriptor.orders) } catch {
        throw ServerFailure("the zygote cannot be told what it is to load: \(error)")
      }
      // An empty word makes the title stand alone, without the program's name.
      try become(
        zygote.line, settings.process.title.text(.helper("zygote")).map { ["", $0] } ?? orders.title)
    }
    if orders.role == .worker || orders.tries, !ProcessSetup.isSanitized,
      let words = RuntimeProgram(settings, orders).words()
    {
      try become(words, orders.title)
    }
    // A staging child asks the runtimes first, in copies of its own.
    if orders.role != .stage { try ProcessSetup.tellCopiesApart() }
  }

  /// Becomes a program; its variables come before it.
  private static func become(_ words: [String], _ title: [String]) throws(ServerFailure) {
    let variables = words.prefix { !$0.hasPrefix("/") }
    let line = Array(words[variables.count...])
    guard let program = line.first else { return }
    for variable in variables { System.setVariable(variable) }
    System.inheritOnExec(HandedDescriptor.control)
    HeldFiles.leaveToProgram()
    let error = System.become(program, line + title)
    guard error.code != E2BIG else {
      throw ServerFailure(
        "\(program) cannot be started (\(error.reason)): a variable of the environment has 128 KiB at most, "
          + "and all of them what ulimit -s says by four; shorten what env sets, or use --embed")
    }
    throw ServerFailure("\(program) cannot be started (\(error.reason)); correct --python, or use --embed")
  }

  /// Carries out the orders in a program other than the server's; ends the process.
  public static func serveAsGuest(_ settings: Settings, _ assignment: Assignment) throws(ServerFailure) {
    // Starting the program has reopened what the change of user had closed.
    if settings.process.user != nil { System.closeToUsers() }
    if let library = System.ownLibrary { LoadedLibraries.shared.hide(library) }
    var settings = settings
    for index in settings.apps.indices where settings.apps[index].runtime != nil {
      settings.apps[index].options.append(AppOption(key: "server.guest", value: "true"))
    }
    let orders = assignment.orders
    // A forked process has only what its zygote has set up.
    if orders.role == .worker { try ProcessSetup.bound(settings.process, worker: orders.worker) }
    if orders.role == .stage {
      StageRole.run(settings, assignment, isGuest: true)
      leave(0)
    }
    try ProcessSetup.tellCopiesApart()
    let signals = try takeSignals()
    let work: @Sendable () -> Void = { [settings] in
      do { try Self.work(settings, assignment, signals: signals) } catch { leave(assignment.fail(error)) }
      leave(0)
    }
    guard settings.limits.threads == 1 else { return work() }
    // The program's first thread is the one that its language calls the main thread: applications run there.
    try HomeThread.lendThisThread(work)
  }

  static func takeSignals() throws(ServerFailure) -> Int32 {
    do { return try Worker.takeSignals() } catch { throw ServerFailure("signals cannot be read: \(error)") }
  }
}

/// Asks the runtimes of a configuration for the program that their applications run in.
struct RuntimeProgram {
  private let settings: Settings
  private let orders: Orders
  private let search: PluginSearch

  init(_ settings: Settings, _ orders: Orders) {
    (self.settings, self.orders) = (settings, orders)
    search = PluginSearch(directories: settings.pluginDirectories)
  }

  /// The command line of the first that names one; any error in a runtime is reported when it loads.
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

  /// The command line of the zygote of the first runtime that has one, and a file for it: words, each
  /// followed by a zero. It covers all of that runtime's applications: the number of places that workers
  /// need, then for each application the number of its words, and the words.
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
    guard let first = orders.builds.first, let asked = Asked(first, settings, search) else {
      return []
    }
    return answer(asked, "draft.inspect/1") { found, boot, words in
      found.assumingMemoryBound(to: InspectTable.self).pointee
        .program(boot, loads ? 1 : 0, words.baseAddress, words.count)
    }
  }

  /// Has the runtime of an application copy what it would make it from into a file; a remark says what is
  /// left out, or why nothing is kept.
  func keep(_ build: Orders.Build, into output: Int32) -> (isKept: Bool, remark: String) {
    guard let asked = Asked(build, settings, search) else { return (false, "its runtime is not there") }
    let words = answer(asked, "draft.keep/1") { found, boot, words in
      // The remark follows the first byte, which says which of the two it is.
      words[1] = 0
      var told = boot.pointee
      (told.error, told.error_cap) = (words.baseAddress! + 1, words.count - 2)
      let isKept = withUnsafePointer(to: told) {
        found.assumingMemoryBound(to: KeepTable.self).pointee.keep($0, output) != 0
      }
      words[0] = CChar(bitPattern: isKept ? UInt8(ascii: "+") : UInt8(ascii: "-"))
      return strlen(words.baseAddress!) + 1
    }
    let word = words.first ?? ""
    return (word.hasPrefix("+"), String(word.dropFirst()))
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
    /// The plugin's path, and the file of the worker library.
    let plugin: String
    let library: String

    init?(_ build: Orders.Build, _ settings: Settings, _ search: PluginSearch) {
      guard build.app < settings.apps.count, let runtime = settings.apps[build.app].runtime,
        let plugin = try? search.find(runtime), let library = search.library(beside: plugin)
      else { return nil }
      app = KeptFiles.substitute(settings.apps[build.app], .copied(path: build.path))
      (self.build, self.plugin, self.library) = (build, plugin, HeldFiles.place(of: library))
    }
  }

  /// The answer of a runtime's extension, from a copy of this process that then ends with everything that the
  /// runtime has loaded: so libraries that an application loads can be told from those loaded before. Empty
  /// if it has no such extension, or cannot be loaded.
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
    // A staging child has yet to copy the plugin, which is the server's own.
    let file = orders.role == .stage ? HeldFiles.place(of: asked.plugin) : asked.build.path
    guard let copy = try? PrivateCopy(source: asked.plugin, path: file),
      let generation = try? Generation.load(
        copy, AppReference(path: asked.plugin, symbol: asked.app.symbol), named: asked.app.path,
        options: asked.app.options.map { .init(key: $0.key, value: $0.value) },
        number: UInt32(asked.build.generation), host: HostTable.shared),
      case .full(let table) = generation.form, let found = table.extension?(name)
    else { return [] }
    return generation.withBoot { boot in
      // More than fits on a stack.
      let room = UnsafeMutableBufferPointer<CChar>.allocate(capacity: Limits.programWordsBytes)
      defer { room.deallocate() }
      let count = ask(UnsafeRawPointer(found), UnsafePointer(boot), room)
      return count > 0 && count <= room.count ? room[..<count].map(UInt8.init(bitPattern:)) : []
    }
  }
}
