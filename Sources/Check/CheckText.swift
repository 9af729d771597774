import Control
import Host

/// The report for people: one line per fact, then the verdict.
extension CheckReport {
  /// The report, without a line end.
  public var text: String {
    var lines: [String] = []
    func add(_ name: String, _ value: String?) {
      guard let value else { return }
      lines.append(name + String(repeating: " ", count: max(1, 12 - name.count)) + value)
    }
    add("file", reference.description)
    if let image {
      add("format", "ELF shared library for \(Self.machine), \(language), \(size) bytes")
      add("build-id", image.buildID ?? "none")
      add("needs", image.needed.isEmpty ? "no libraries" : image.needed.joined(separator: ", "))
      for library in libraries {
        let user = library.user == reference.path ? "" : ", for \(library.user)"
        lines.append("  \(library.name): \(library.file ?? "not found")\(user)")
      }
    }
    add("entry", symbol.map { "\($0) (\(isPlain ? "plain" : "full") form)" })
    if let needs { add("interface", "needs NSGI \(needs), this server offers \(Self.offered)") }
    add("name", facts[.name].map { name in facts[.version].map { "\(name) \($0)" } ?? name })
    if facts[.flags] != nil {
      add("promises", promises.isEmpty ? "nothing" : promises.joined(separator: ", "))
    }
    if let unloading, image != nil {
      add("unloading", "\(unloading.isPossible ? "possible" : "not possible"): \(unloading.why)")
    }
    for stage in [CheckStage.load, .probe] {
      if let time = microseconds(stage) { add(stage.word, Self.milliseconds(time)) }
    }
    if !steps.isEmpty {
      add("exercise", "\(Self.count(steps.count, "step")), \(Self.count(violationCount, "violation"))")
      for step in steps {
        lines.append("  \(step.name): \(step.outcome ?? "not finished")")
        for violation in step.violations { lines.append("    violation: \(violation)") }
      }
    }
    let isRead = isGood && !isLoaded
    add(
      "verdict", isRead ? "good, as far as the file tells; --load runs it" : isGood ? "good" : "bad")
    return lines.map(Printable.text).joined(separator: "\n")
  }

  static var machine: String {
    #if arch(x86_64)
      "x86_64"
    #else
      "aarch64"
    #endif
  }

  /// "0.123 ms".
  static func milliseconds(_ microseconds: UInt64) -> String {
    let fraction = String(microseconds % 1000 + 1000).dropFirst()
    return "\(microseconds / 1000).\(fraction) ms"
  }
}
