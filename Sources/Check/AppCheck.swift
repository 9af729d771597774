import CNSGI
import Host
import Posix

/// `server check`: is this file a good application, and what is in it? The file is read here. It is run only
/// if that is asked for, and in a child process, which may crash and hang as it likes.
public enum AppCheck {
  /// What to check, and how.
  public struct Request: Equatable, Sendable {
    /// The file, and a symbol if one was named.
    public var reference: AppReference
    /// Load it and run its load() and probe(), with the rights of the caller.
    public var loads = false
    /// Drive the application through requests too.
    public var exercises = false {
      didSet { if exercises { loads = true } }
    }
    /// Seconds for each stage: linking, load(), probe(), each step of the exercise.
    public var timeLimit = 10.0
    /// Options for load(), as `--app-option` gives them.
    public var options: [(key: String, value: String)] = []
    /// The path of the exercise's requests.
    public var path = "/"

    /// A check of the file alone.
    public init(_ reference: AppReference) { self.reference = reference }

    /// Two requests ask for the same.
    public static func == (left: Request, right: Request) -> Bool {
      left.reference == right.reference && left.loads == right.loads && left.exercises == right.exercises
        && left.timeLimit == right.timeLimit && left.path == right.path
        && left.options.elementsEqual(right.options, by: ==)
    }
  }

  /// Inspects the file. If it is to be loaded, runs it in a child unless its headers say already that it
  /// cannot be.
  public static func run(_ request: Request) -> CheckReport {
    var report = CheckReport(request.reference)
    report.isLoaded = request.loads
    do throws(LoadError) {
      let runtime = try RuntimeDirectory.create()
      defer { runtime.remove() }
      try inspect(&report, runtime)
      guard request.loads else { return report }
      do throws(SystemError) { try runChild(request, runtime, &report) } catch {
        report.failure = "the check itself failed: \(error)"
      }
      // A child that was killed has left its own directory in this one.
      RuntimeDirectory.sweep(runtime.path, olderThan: 0)
    } catch { report.failure = "\(error)" }
    return report
  }

  private static func inspect(_ report: inout CheckReport, _ runtime: RuntimeDirectory) throws(LoadError) {
    let reference = report.reference
    let copy = try PrivateCopy(of: reference.path, in: runtime)
    let image = try copy.inspect(wanted: reference.wanted)
    report.image = image
    report.size = copy.size
    report.symbol = reference.wanted.first { image.symbols[$0] != nil }
    guard let symbol = report.symbol else { throw .noEntry(path: reference.path, symbol: reference.symbol) }
    guard image.symbols[symbol] == .function else {
      throw .notAFunction(path: reference.path, symbol: symbol)
    }
    report.libraries = LibraryCheck().files(of: copy)
    // The linker has its own message for it.
    guard !report.isLoaded, let missing = report.libraries.first(where: { $0.file == nil }) else { return }
    throw .unresolved(path: reference.path, reason: "\(missing.name), for \(missing.user), is not found")
  }

  // MARK: The child

  private static func runChild(
    _ request: Request, _ runtime: RuntimeDirectory, _ report: inout CheckReport
  ) throws(SystemError) {
    let order = CheckOrder(
      reference: request.reference, runtime: runtime.path, limit: request.timeLimit,
      path: request.exercises ? request.path : nil,
      options: request.options.map { Generation.Option(key: $0.key, value: $0.value) })
    let pipe = try System.makePipe()
    defer { System.close(pipe.reading) }
    let pid = try start(order, pipe.writing)
    let isInTime = follow(pid, pipe.reading, limit: request.timeLimit, &report)
    let ending = System.endGroup(pid)
    guard !report.hasEnded else { return }
    if !isInTime {
      report.breakdown = .hung(seconds: request.timeLimit)
    } else {
      switch ending {
      case .exited(let code): report.breakdown = .exited(code)
      case .killed(let signal): report.breakdown = .crashed(signal: SignalName.of(signal))
      }
    }
  }

  private static func start(_ order: CheckOrder, _ report: Int32) throws(SystemError) -> Int32 {
    defer { System.close(report) }
    // A backtrace takes the runtime longer than the limit, and says nothing to the caller of a check.
    return try System.spawnSelf(
      [CheckChild.role] + order.arguments, variables: ["SWIFT_BACKTRACE=enable=no"], report: report)
  }

  /// Reads the child's messages until it ends; false when a stage takes longer than it may.
  private static func follow(
    _ pid: Int32, _ descriptor: Int32, limit: Double, _ report: inout CheckReport
  ) -> Bool {
    System.readLines(of: pid, descriptor, limit: limit) { line in
      guard let message = CheckMessage(line: line) else { return false }
      report.take(message)
      return true
    }
  }
}
