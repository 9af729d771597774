// `server migrate FILE`: another server's configuration -> an ini file of this server's, with a comment for
// each line that has changed or is lost.

import Control

/// A configuration being translated into this server's words.
public struct Migration {
  /// The lines of `[server]`, including comments.
  private var lines: [String] = []
  private let path: String
  /// Why nothing of the file could be read: one sentence; nil where it could.
  public private(set) var obstacle: String?

  init(of path: String) { self.path = path }

  /// The ini file.
  public var text: String {
    "; made of \(path) by `server migrate`\n[server]\n" + lines.map { $0 + "\n" }.joined()
  }

  /// Adds a sentence about what is lost, or has to be done.
  mutating func note(_ sentence: String) { lines.append("; \(Self.onOneLine(sentence))") }

  /// Adds an option, with the words that it comes from if they differ.
  mutating func add(_ name: String, _ value: String?, from origin: String? = nil) {
    if let origin { note(origin) }
    let value = value ?? "true"
    guard !value.isEmpty, value.trimmed.utf8.count == value.utf8.count, !value.utf8.contains(0x0a) else {
      return note("TO DO `\(name)` is lost: no line of an ini file has such a value (\(Self.quoted(value)))")
    }
    lines.append("\(name) = \(ConfigText.escaped(value))")
  }

  private static func quoted(_ value: String) -> String {
    let parts = value.utf8.split(separator: 0x0a, omittingEmptySubsequences: false)
    return "\"" + parts.map { String(Substring($0)) }.joined(separator: "\\n") + "\""
  }

  private static func onOneLine(_ text: String) -> String {
    text.exchanging(UInt8(ascii: "\n"), for: UInt8(ascii: " "))
  }
}

extension Migration {
  /// Reads a configuration of uWSGI's: ini, YAML, XML or JSON by its extension.
  ///
  /// - Parameters: as for `Settings.parse`.
  public static func uwsgi(
    _ path: String, environment: [String: String], workingDirectory: String = "",
    isFile: @escaping @Sendable (String) -> Bool = { _ in false },
    surroundings: Surroundings = Surroundings(), readFile: (String) throws -> String
  ) -> Migration {
    var migration = Migration(of: path)
    let reading = withoutActuallyEscaping(readFile) {
      Reading(
        CommandLineOptions(options: file(path)), EnvironmentOptions(),
        Reading.Needs(
          environment: environment, workingDirectory: workingDirectory, surroundings: surroundings,
          isFile: isFile, readFile: $0))
    }
    let isEmpty = reading.options.allSatisfy {
      if case .configuration = $0.spec.shape { true } else { false }
    }
    if isEmpty { migration.obstacle = reading.findings.problems.first?.description }
    for problem in reading.findings.problems { migration.note("TO DO \(problem)") }
    for warning in reading.findings.warnings { migration.note(warning) }
    for loss in Loss.sentences(reading.findings.losses) { migration.note("LOST \(loss)") }
    if !reading.accepted.isEmpty {
      migration.note("always so, or without meaning: \(reading.accepted.joined(separator: ", "))")
    }
    for option in reading.options {
      switch option.spec.shape {
      case .configuration, .variable, .action: continue
      default: break
      }
      // An entry that applications find in uwsgi.opt, but that is not an option here, gets a line of its own.
      let isSame = option.written == option.spec.name || option.spec.name == "uwsgi-opt"
      migration.add(option.spec.name, option.value, from: isSame ? nil : "was \(option.place)")
    }
    return migration
  }

  private static func file(_ path: String) -> [Occurrence] {
    OptionTable.index(named: "include").map {
      [Occurrence(index: $0, written: "", value: path, origin: .commandLine)]
    } ?? []
  }

  /// Reads what a gunicorn configuration file has set, after it has run.
  ///
  /// - Parameters:
  ///   - settings: names and values, as `evaluate_gunicorn.py` prints them: a list has several, a callable
  ///     has the single value "\u{1}".
  ///   - path: the file.
  ///   - source: its text, for line numbers.
  public static func gunicorn(
    _ settings: [(name: String, values: [String])], path: String, source: String
  ) -> Migration {
    var migration = Migration(of: path)
    var given: [GunicornTranslation.Given] = []
    var application: String?
    for (name, values) in settings {
      let line = lineNumber(of: name, in: source).map { "\(path):\($0): " } ?? "\(path): "
      if name == "wsgi_app" {
        application = values.first
      } else if values == ["\u{1}"] {
        if hooks.contains(name) {
          migration.note(
            "LOST \(line)`\(name)`: nothing calls it; do its work in the application's module")
        } else if let option = GunicornOption.find(setting: name) {
          var fix = "write its name as a text"
          if case .lost(let sentence) = option.meaning { fix = sentence }
          migration.note("LOST \(line)`\(name)`: it is a class or function of the file; \(fix)")
        }
      } else if let option = GunicornOption.find(setting: name) {
        let isOff = !option.takesValue && (values == ["false"] || values == ["off"] || values.isEmpty)
        if !isOff { given += values.map { (option, line + name + " =", $0) } }
      }
    }
    let translation = GunicornTranslation(given, [:])
    for problem in translation.findings.problems { migration.note("TO DO \(problem)") }
    for loss in Loss.sentences(translation.findings.losses) { migration.note("LOST \(loss)") }
    for warning in translation.findings.warnings { migration.note(warning) }
    let accepted = given.map(\.option).filter(\.isAccepted).map(\.setting)
    if !accepted.isEmpty {
      migration.note("always so, or without meaning: \(accepted.joined(separator: ", "))")
    }
    if application == nil {
      migration.note("TO DO write the application's module below, as in module = shop.wsgi")
    }
    for option in translation.options(serving: application ?? "MODULE:APP", beside: []) {
      if case .action = option.spec.shape {
        migration.note("LOST \(option.written) …: write --\(option.spec.name) on the command line")
        continue
      }
      let isOwn = option.written.hasPrefix("--")
      migration.add(option.spec.name, option.value, from: isOwn ? nil : "was \(option.written) …")
    }
    return migration
  }

  /// The names and values that `evaluate_gunicorn.py` prints.
  public static func settings(printed text: some StringProtocol) -> [(name: String, values: [String])] {
    text.utf8.split(separator: UInt8(ascii: "\n")).compactMap { line in
      let fields = TabbedLine.decoded(String(decoding: line, as: UTF8.self))
      return fields.first.map { ($0, Array(fields.dropFirst())) }
    }
  }

  private static let hooks: Set<String> = [
    "on_starting", "on_reload", "when_ready", "pre_fork", "post_fork", "post_worker_init",
    "worker_int",
    "worker_abort", "pre_exec", "pre_request", "post_request", "child_exit", "worker_exit",
    "nworkers_changed",
    "on_exit", "ssl_context", "on_dirty_starting", "dirty_post_fork", "dirty_worker_init",
    "dirty_worker_exit",
  ]

  private static func lineNumber(of name: String, in source: String) -> Int? {
    let lines = source.utf8.split(separator: UInt8(ascii: "\n"), omittingEmptySubsequences: false)
    return lines.firstIndex { line in
      let line = Substring(line)
      let rest = line.hasPrefix("def ") ? line.dropFirst(4) : line
      guard rest.hasPrefix(name) else { return false }
      return rest.dropFirst(name.count).trimmed.utf8.first.map { "=(:".utf8.contains($0) } ?? false
    }.map { $0 + 1 }
  }
}
