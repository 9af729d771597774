import Check
import Config
import Glibc
import Host

/// `server check FILE.so[:symbol]` and `server check MODULE[:CALLABLE]`: reads the command line, prints what
/// `AppCheck` or `ModuleCheck` found.
enum CheckCommand {
  static let usage = """
    Usage: \(Program.command) check FILE.so[:symbol] [OPTION...]
           \(Program.command) check MODULE[:CALLABLE]|FILE.py[:CALLABLE] [OPTION...]

    Says whether FILE.so is an application that this server can serve, and what is in it. The file is
    read, and nothing of it runs, unless --load or --exercise says so. Exits 0 if it is good; else 1, with
    the reason.

    Says the same of a module or a file of Python: which Python would serve it, whether its source and
    what that imports is there, and whether it is an application. Nothing of it runs without --load, nor
    what packages have Python run at its start.

      --load                   run its constructors, nsgi_entry, load() and probe(), in a process of its
                               own that has your rights: for files that you trust; of a module the import
      --exercise               load it and drive it through requests, clients that leave, cancels, threads,
                               reloads (libraries)
      --path PATH              where the requests of the exercise go (default: /)
      --json                   print the report as JSON
      --time-limit SECONDS     for each stage: linking, load, probe, a step of the exercise (default: 10)
      --app-option KEY=VALUE   an option for its load(); may be repeated
      -w, --asgi, --wsgi, --interface, --wsgi-file, --callable, -H, --python, --pythonpath, --env, --chdir,
      --plugins-dir
                               what serves a module, as the server has them
    """

  /// Options of the server that say what a module is and what serves it, and have a value.
  private static let moduleOptions: Set<String> = [
    "-w", "--module", "--wsgi", "--asgi", "--interface", "--wsgi-file", "--file", "--callable", "-H",
    "--venv", "--virtualenv",
    "--home",
    "--pyhome", "--python", "--pythonpath", "--pp", "--python-path", "--env", "--chdir", "--plugins-dir",
  ]

  /// What the command line asks for.
  private struct Invocation {
    var request: AppCheck.Request
    var isJSON = false
    /// Words for the server that would serve a module; nil for a library.
    var module: [String]?
    /// What is checked, in the operator's words.
    var target = ""
  }

  /// Runs the command; the exit code.
  static func run(_ arguments: [String]) -> Int32 {
    guard !arguments.contains("--help"), !arguments.contains("-h") else {
      print(usage)
      return 0
    }
    let reason: String?
    do {
      let invocation = try parse(arguments)
      reason = try invocation.module == nil ? checkLibrary(invocation) : checkModule(invocation)
    } catch let error as ConfigError {
      error.all.forEach { Server.announce($0.description) }
      return 1
    } catch {
      Server.announce("\(error)")
      return 1
    }
    fflush(nil)
    guard let reason else { return 0 }
    Server.announce(reason)
    return 1
  }

  private static func checkLibrary(_ invocation: Invocation) -> String? {
    let report = AppCheck.run(invocation.request)
    print(invocation.isJSON ? report.json : report.text)
    return report.reason
  }

  private static func checkModule(_ invocation: Invocation) throws -> String? {
    let loads = invocation.request.loads
    let found = try Settings.parse(
      arguments: (invocation.module ?? []) + ["--http-socket", "127.0.0.1:0"], environment: [:],
      workingDirectory: Files.workingDirectory(), isFile: FileSystem.isFile, surroundings: .ofThisMachine,
      readFile: Files.read)
    guard case .run(let settings) = found else { return "there is no module to check" }
    if let directory = settings.process.directory {
      guard FileSystem.enter(directory) else { return "\(directory) cannot be entered; correct --chdir" }
    }
    let words = try Server.inspection(of: settings, loads: loads)
    fflush(nil)
    let report = ModuleCheck.run(
      words, target: invocation.target, loads: loads, limit: invocation.request.timeLimit)
    print(invocation.isJSON ? report.json : report.text)
    return report.reason
  }

  /// Whether a word that is no option names a module or a file of Python, and how the server is told so.
  private static func moduleWords(_ text: String) -> [String]? {
    let path = text.split(separator: ":", omittingEmptySubsequences: false).first.map(String.init) ?? text
    if path.hasSuffix(".py") || path.hasSuffix(".wsgi") && FileSystem.isFile(path) {
      return ["--wsgi-file=\(text)"]
    }
    let isModule = !path.isEmpty && !path.hasSuffix(".so") && !path.contains("/")
    guard isModule, !FileSystem.isFile(path) else { return nil }
    return ["--module=\(text)"]
  }

  private static func parse(_ arguments: [String]) throws(UsageError) -> Invocation {
    var words = Words(arguments, command: "check")
    var file: String?
    var module: [String] = []
    var invocation = Invocation(request: AppCheck.Request(AppReference(path: "")))
    while let word = try words.next() {
      switch word.name {
      case "--json": try words.flag(word) { invocation.isJSON = true }
      case "--load": try words.flag(word) { invocation.request.loads = true }
      case "--exercise": try words.flag(word) { invocation.request.exercises = true }
      case "--path":
        let path = try words.value(of: word, "PATH")
        guard path.hasPrefix("/") else { throw UsageError("`\(path)` is no path: begin it with a slash") }
        invocation.request.path = path
      case "--time-limit":
        let text = try words.value(of: word, "SECONDS")
        guard let seconds = Double(text), seconds >= 0.1, seconds <= 3600 else {
          throw UsageError("`\(text)` is no time limit: give seconds from 0.1 to 3600")
        }
        invocation.request.timeLimit = seconds
      case "--app-option":
        let text = try words.value(of: word, "KEY=VALUE")
        guard let equals = text.firstIndex(of: "="), equals != text.startIndex else {
          throw UsageError("`\(text)` is no option for an app: write --app-option key=value")
        }
        let value = String(text[text.index(after: equals)...])
        invocation.request.options.append((String(text[..<equals]), value))
      case let name where moduleOptions.contains(name):
        let value = try words.value(of: word, "VALUE")
        if ["-w", "--module", "--wsgi", "--asgi", "--wsgi-file", "--file"].contains(name) {
          invocation.target = value
        }
        module += [name, value]
      case let name where name.hasPrefix("-"): throw words.unknown(name)
      case let name:
        guard file == nil else { throw UsageError("`\(name)` is one file too many: check one at a time") }
        file = name
      }
    }
    return try complete(invocation, file, module)
  }

  /// Puts together what the words have said.
  private static func complete(
    _ given: Invocation, _ file: String?, _ module: [String]
  ) throws(UsageError) -> Invocation {
    var invocation = given
    let named = file.flatMap { module.isEmpty ? moduleWords($0) : moduleWords($0) ?? ["--module=\($0)"] }
    if named != nil || !invocation.target.isEmpty {
      guard file == nil || invocation.target.isEmpty else {
        throw UsageError("`\(file ?? "")` is one module too many: check one at a time")
      }
      guard !invocation.request.exercises, invocation.request.options.isEmpty else {
        throw UsageError("--exercise, --path and --app-option are for libraries: leave them out for a module")
      }
      invocation.target = file ?? invocation.target
      invocation.module = ["--plugin", "python3"] + module + (named ?? [])
      return invocation
    }
    guard let file else {
      throw UsageError("no file to check: write \(Program.command) check FILE.so, or check MODULE:CALLABLE")
    }
    guard invocation.request.loads || invocation.request.options.isEmpty else {
      throw UsageError("--app-option is for load(), which does not run: add --load")
    }
    invocation.request.reference = AppReference(parsing: file)
    return invocation
  }
}
