import CNSGI
import Host

/// What a check found: the file itself, and what happened when it ran.
public struct CheckReport: Sendable {
  /// How a child ended that did not finish.
  enum Breakdown: Equatable, Sendable {
    case crashed(signal: String)
    /// It ended the process itself.
    case exited(Int32)
    case hung(seconds: Double)
  }

  /// A step of the exercise.
  struct Step: Equatable, Sendable {
    let name: String
    /// Its result; nil if it did not finish.
    var outcome: String?
    var violations: [String] = []
  }

  let reference: AppReference
  /// Nil for a file that is not a shared library.
  var image: ElfImage?
  /// Bytes.
  var size = 0
  /// It was run, or at least an attempt was made.
  var isLoaded = false
  /// The libraries that it links, directly or through others, for whom, and where they are.
  var libraries: [(name: String, user: String, file: String?)] = []
  /// The entry that is used.
  var symbol: String?
  /// Why it cannot be used, if it says so itself.
  var failure: String?
  var breakdown: Breakdown?

  /// The stage that was entered last.
  private(set) var stage: CheckStage?
  /// Microseconds of each stage that returned.
  private(set) var times: [(stage: CheckStage, microseconds: UInt64)] = []
  private(set) var facts: [CheckFact: String] = [:]
  private(set) var steps: [Step] = []
  /// The child has done everything.
  private(set) var hasEnded = false

  init(_ reference: AppReference) { self.reference = reference }

  /// Takes a message of the child.
  mutating func take(_ message: CheckMessage) {
    switch message {
    case .entering(let stage):
      self.stage = stage
      if case .step(let name) = stage { change(name) { _ in } }
    case .passed(let stage, let time): times.append((stage, time))
    case .fact(let fact, let value): facts[fact] = value
    case .failed(let reason): failure = failure ?? reason
    case .outcome(let step, let text): change(step) { $0.outcome = text }
    case .violation(let step, let text): change(step) { $0.violations.append(text) }
    case .end: hasEnded = true
    }
  }

  private mutating func change(_ name: String, _ body: (inout Step) -> Void) {
    let index = steps.firstIndex { $0.name == name } ?? steps.count
    if index == steps.count { steps.append(Step(name: name)) }
    body(&steps[index])
  }

  // MARK: The verdict

  /// One sentence that says why the application is not good; nil when it is.
  public var reason: String? {
    let path = reference.path
    if let failure { return failure }
    if let breakdown, let stage {
      switch breakdown {
      case .crashed(let signal): return "\(path) crashed (\(signal)) \(stage.place(in: symbol))"
      case .exited(let code):
        return "\(path) ended the whole process (exit code \(code)) \(stage.place(in: symbol))"
      case .hung(let seconds):
        return "\(path) did not come back within \(Self.seconds(seconds)) \(stage.place(in: symbol)); "
          + "--time-limit gives it longer"
      }
    }
    if breakdown != nil { return "the check of \(path) ended before it began" }
    guard let first = steps.first(where: { !$0.violations.isEmpty }) else { return nil }
    return "\(path) does not keep to nsgi.h (\(Self.count(violationCount, "violation"))): "
      + "\(first.violations[0]), in the exercise \"\(first.name)\""
  }

  var violationCount: Int { steps.reduce(0) { $0 + $1.violations.count } }

  /// Whether the application is good.
  public var isGood: Bool { reason == nil }

  static func count(_ number: Int, _ noun: String) -> String { "\(number) \(noun)\(number == 1 ? "" : "s")" }

  static func seconds(_ value: Double) -> String {
    let text = value == value.rounded() ? "\(Int(value))" : "\(value)"
    return text == "1" ? "1 second" : "\(text) seconds"
  }

  // MARK: Contents of both forms

  /// The language of the source, as far as the file tells.
  var language: String {
    guard let image else { return "" }
    let libraries = ["libstdc++", "libc++"]
    let isCpp = image.needed.contains { name in libraries.contains { name.hasPrefix($0) } }
    return image.language == .c && isCpp ? "C++" : image.language.rawValue
  }

  var isPlain: Bool { symbol.map { !AppReference.isEntry($0) } ?? false }

  /// The names in nsgi.h of the application's promises; unknown bits as a number.
  var promises: [String] {
    let flags = facts[.flags].flatMap { UInt32($0) } ?? 0
    let known: [(nsgi_app_flags, String)] = [
      (NSGI_THREADSAFE, "NSGI_THREADSAFE"), (NSGI_NONBLOCKING, "NSGI_NONBLOCKING"),
      (NSGI_STREAMS_IN, "NSGI_STREAMS_IN"), (NSGI_MAY_ASYNC, "NSGI_MAY_ASYNC"),
      (NSGI_UNLOADABLE, "NSGI_UNLOADABLE"),
    ]
    let rest = known.reduce(flags) { $0 & ~$1.0.rawValue }
    return known.filter { flags & $0.0.rawValue != 0 }.map(\.1)
      + (rest == 0 ? [] : ["0x" + String(rest, radix: 16)])
  }

  /// The lowest version that the application needs; nil for the plain form, which is frozen.
  var needs: String? { facts[.minor].map { "\(NSGI_MAJOR).\($0)" } }
  static var offered: String { "\(NSGI_MAJOR).\(NSGI_MINOR)" }

  func microseconds(_ stage: CheckStage) -> UInt64? { times.last { $0.stage == stage }?.microseconds }

  /// Whether the library can leave memory, and what prevents it; nil until the application has said so.
  var unloading: (isPossible: Bool, why: String)? {
    if !isLoaded, !isPlain, image?.pinned == nil { return nil }
    if let pinned = image?.pinned { return (false, pinned) }
    if facts[.unloaded] == "0" { return (false, "dlclose leaves it in memory") }
    if facts[.unloaded] == "1" { return (true, "tried") }
    return promises.contains("NSGI_UNLOADABLE")
      ? (true, "promised, and nothing in the file is against it")
      : (false, "it does not promise NSGI_UNLOADABLE")
  }
}
