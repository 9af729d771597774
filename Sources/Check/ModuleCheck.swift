import Control
import Host
import Posix

/// `server check` of an application in Python: the program that would serve it inspects it, and reports what
/// it finds. None of the application's code runs unless that is asked for.
public enum ModuleCheck {
  /// Runs the program, and reads its report.
  ///
  /// - Parameters:
  ///   - words: its command line, variables first, as the runtime gives it (`Server.inspection`); an empty
  ///     word and a sentence if the runtime refuses.
  ///   - target: the application, in the operator's words.
  ///   - loads: whether the words make it run the application.
  ///   - limit: seconds in all.
  public static func run(_ words: [String], target: String, loads: Bool, limit: Double) -> ModuleReport {
    var report = ModuleReport(target: target, isLoaded: loads)
    if words.first == "" {
      report.failure = words.dropFirst().joined(separator: " ")
      return report
    }
    do throws(SystemError) {
      let pipe = try System.makePipe()
      defer { System.close(pipe.reading) }
      let variables = Array(words.prefix { !$0.hasPrefix("/") })
      let pid = try start(Array(words[variables.count...]), variables, pipe.writing)
      let isInTime = System.readLines(of: pid, pipe.reading, limit: limit) { report.take($0) }
      let ending = System.endGroup(pid)
      if !isInTime { report.breakdown(.hung(seconds: limit)) }
      switch ending {
      case .exited(let code): report.breakdown(.exited(code))
      case .killed(let signal): report.breakdown(.crashed(signal: SignalName.of(signal)))
      }
    } catch { report.failure = report.failure ?? "the check itself failed: \(error)" }
    return report
  }

  private static func start(
    _ words: [String], _ variables: [String], _ report: Int32
  ) throws(SystemError) -> Int32 {
    defer { System.close(report) }
    return try System.spawnProgram(words, variables, report: report)
  }
}

/// What is known about an application in Python.
public struct ModuleReport: Sendable {
  let target: String
  let isLoaded: Bool
  /// Why the server would not serve it.
  var failure: String?
  /// The facts that the program has reported, each once, by their names in check.py.
  private(set) var facts: [String: String] = [:]
  private(set) var remarks: [String] = []

  /// Names in the order of the report, with their labels for people.
  private static let shown = [
    ("python", "python"), ("release", "release"), ("environment", "environment"), ("file", "file"),
    ("callable", "callable"), ("object", "object"), ("interface", "interface"), ("unknown", "unknown"),
  ]

  init(target: String, isLoaded: Bool) { (self.target, self.isLoaded) = (target, isLoaded) }

  /// Takes a line of the program; the application can write there too. False for a line that means nothing.
  mutating func take(_ line: String) -> Bool {
    let fields = TabbedLine.decoded(line)
    guard fields.count == 2, facts["end"] == nil, remarks.count < 64 else { return false }
    switch fields[0] {
    case "reason": failure = failure ?? fields[1]
    case "remark": remarks.append(fields[1])
    case "at", "end": facts[fields[0]] = fields[1]
    case let name where facts[name] == nil && Self.shown.contains { $0.0 == name }: facts[name] = fields[1]
    default: return false
    }
    return true
  }

  /// The program has ended in this way, which counts unless it had reported everything.
  mutating func breakdown(_ kind: CheckReport.Breakdown) {
    guard facts["end"] == nil, failure == nil else { return }
    let place = facts["at"] == nil ? "before it was looked at" : "while it was loaded"
    failure =
      switch kind {
      case .crashed(let signal): "\(target) crashed (\(signal)) \(place)"
      case .exited(let code): "\(target) ended the whole process (exit code \(code)) \(place)"
      case .hung(let seconds):
        "\(target) did not come back within \(CheckReport.seconds(seconds)) \(place); --time-limit gives it "
          + "longer"
      }
  }

  /// One sentence that says why the application is not good; nil when nothing is known against it.
  public var reason: String? { failure }

  /// The report for people: one line per fact, then the verdict.
  public var text: String {
    var lines: [String] = []
    func add(_ name: String, _ value: String?) {
      guard let value else { return }
      lines.append(name + String(repeating: " ", count: max(1, 12 - name.count)) + value)
    }
    add("module", target)
    for (name, title) in Self.shown { add(title, facts[name]) }
    for remark in remarks { add("remark", remark) }
    let good = isLoaded ? "good" : "good, as far as the source tells; --load runs it"
    add("verdict", failure == nil ? good : "bad")
    return lines.map(Printable.text).joined(separator: "\n")
  }

  /// The report for programs (RFC 8259): every member is always present, null if unknown.
  public var json: String {
    JSON.object(
      [
        ("module", .text(target)), ("good", .flag(failure == nil)), ("loaded", .flag(isLoaded)),
        ("reason", .text(failure)),
      ] + Self.shown.map { ($0.0, JSON.text(facts[$0.0])) }
        + [("remarks", .list(remarks.map { .text($0) }))]
    ).text
  }
}
