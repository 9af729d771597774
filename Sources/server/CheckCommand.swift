import Check
import Config
import Glibc
import Host

/// `server check FILE.so[:symbol]`: reads the command line, prints what `AppCheck` found.
enum CheckCommand {
  static let usage = """
    Usage: \(Program.command) check FILE.so[:symbol] [OPTION...]

    Says whether FILE.so is an application that this server can serve, and what is in it. The file is
    read, and nothing of it runs, unless --load or --exercise says so. Exits 0 if it is good; else 1, with
    the reason.

      --load                   run its constructors, nsgi_entry, load() and probe(), in a process of its
                               own that has your rights: for files that you trust
      --exercise               load it and drive it through requests, clients that leave, cancels, threads,
                               reloads
      --path PATH              where the requests of the exercise go (default: /)
      --json                   print the report as JSON
      --time-limit SECONDS     for each stage: linking, load, probe, a step of the exercise (default: 10)
      --app-option KEY=VALUE   an option for its load(); may be repeated
    """

  /// What the command line asks for.
  private struct Invocation {
    var request: AppCheck.Request
    var isJSON = false
  }

  /// Runs the command; the exit code.
  static func run(_ arguments: [String]) -> Int32 {
    guard !arguments.contains("--help"), !arguments.contains("-h") else {
      print(usage)
      return 0
    }
    let invocation: Invocation
    do throws(UsageError) { invocation = try parse(arguments) } catch {
      Server.announce("\(error)")
      return 1
    }
    let report = AppCheck.run(invocation.request)
    print(invocation.isJSON ? report.json : report.text)
    fflush(nil)
    guard let reason = report.reason else { return 0 }
    Server.announce(reason)
    return 1
  }

  private static func parse(_ arguments: [String]) throws(UsageError) -> Invocation {
    var words = Words(arguments, command: "check")
    var file: String?
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
      case let name where name.hasPrefix("-"): throw words.unknown(name)
      case let name:
        guard file == nil else { throw UsageError("`\(name)` is one file too many: check one at a time") }
        file = name
      }
    }
    guard let file else { throw UsageError("no file to check: write \(Program.command) check FILE.so") }
    guard invocation.request.loads || invocation.request.options.isEmpty else {
      throw UsageError("--app-option is for load(), which does not run: add --load")
    }
    invocation.request.reference = AppReference(parsing: file)
    return invocation
  }
}
