// The whole configuration -> the options in effect, and what is to be said about them: files first, then
// UWSGI_* and NSGI_* variables, then the command line.

/// A configuration that was read, not yet applied.
struct Reading {
  var options: [Occurrence]
  var findings: Findings
  /// Names of uWSGI's options that change nothing here, in the order of their appearance.
  var accepted: [String]
  /// `strict` is on.
  var isStrict = false

  /// What a reading needs besides its input.
  struct Needs {
    let environment: [String: String]
    let workingDirectory: String
    let surroundings: Surroundings
    let isFile: @Sendable (String) -> Bool
    let readFile: (String) throws -> String
    let budget = ReadingBudget()

    /// A file that the configuration names, which must not be a pipe.
    func readOther(_ path: String) throws -> String {
      if surroundings.isPipe(path) { throw IsPipe() }
      return try readFile(path)
    }

    private struct IsPipe: Error, CustomStringConvertible {
      let description = "it is a pipe, and only --ini reads one"
    }
  }

  init(_ given: CommandLineOptions, _ variables: EnvironmentOptions, _ needs: Needs) {
    findings = variables.findings
    findings.add(given.findings)
    accepted = variables.accepted + given.accepted
    let words = variables.options + given.options
    var reader = ConfigReader(
      needs, variables: words.compactMap(\.asVariable) + variables.keys + words.flatMap(\.asKeys))
    for word in words {
      guard case .configuration(_, let format) = word.spec.shape else { continue }
      reader.read(word.value ?? "", format: format, place: word.place)
    }
    findings.add(reader.findings)
    var references = References(entries: reader.entries, reader: reader)
    let referenced = references.names
    findings.losses.removeAll { loss in
      variables.keys.contains { referenced.contains($0.key) && loss.place == $0.origin.quote($0.key) }
    }
    var translator = Translator(referenced: referenced)
    if let error = Self.note(reader.entries, references, &translator) { findings.problems.append(error) }
    for entry in reader.entries {
      guard case .ini = entry.origin, !needs.budget.isSpent else { continue }
      do throws(ConfigError) { translator.take(try references.resolve(entry)) } catch {
        findings.problems.append(error)
      }
    }
    findings.warnings += references.warnings
    findings.add(translator.findings)
    for name in translator.accepted where !accepted.contains(name) { accepted.append(name) }
    options = translator.options + translator.tellings + words
    isStrict =
      options.last { $0.spec.name == "strict" }.map {
        (try? Value.boolean($0.value ?? "true")) ?? true
      }
      ?? false
    if findings.speaksUWSGI {
      tellOrder(translator.options, variables.options)
      takeForeignDefaults()
      offerModule()
    }
    if !accepted.isEmpty {
      notes.append("always so here, or without meaning: \(accepted.joined(separator: ", "))")
    }
  }

  /// Notes the sockets of uWSGI's that options name by their numbers. What is wrong with their references is
  /// said when the options are taken; only the error after which none is taken any more is returned.
  private static func note(
    _ entries: [Entry], _ references: References, _ translator: inout Translator
  ) -> ConfigError? {
    var references = references
    let budget = references.reader.needs.budget
    for entry in entries where entry.value?.hasPrefix("=") == true || entry.key.hasSuffix("-socket") {
      guard case .ini = entry.origin, entry.dialect == .uwsgi, !budget.isSpent else { continue }
      do throws(ConfigError) { translator.sharedSockets.note(try references.resolve(entry)) } catch {
        if budget.isSpent { return error }
        translator.sharedSockets.note(entry)
      }
    }
    return nil
  }

  /// In uWSGI a file's value counts, and not that of a variable: here the variable's does, and is told where
  /// they differ.
  private mutating func tellOrder(_ inFiles: [Occurrence], _ inVariables: [Occurrence]) {
    for option in inVariables where option.isForeign && !option.spec.repeats {
      guard let other = inFiles.last(where: { $0.index == option.index }), other.value != option.value
      else { continue }
      findings.warnings.append(
        "`UWSGI_\(option.written.uppercased().exchanging(Ascii.dash, for: Ascii.underscore))` in the "
          + "environment counts, and \(other.place) does not; in uWSGI the file's value would")
    }
  }

  /// For a configuration in uWSGI's words, uWSGI's defaults apply: one process, one call at a time in it, and
  /// applications loaded before there are workers.
  private mutating func takeForeignDefaults() {
    var taken: [String] = []
    for name in ["threads", "processes"] where takeDefault(name, "1", unless: [name]) {
      taken.insert("\(name) = 1", at: 0)
    }
    _ = takeDefault("lazy-apps", "false", unless: ["lazy-apps", "preload"])
    if !taken.isEmpty {
      notes.append(
        "uWSGI's defaults hold where its words are used: \(taken.joined(separator: ", ")); "
          + "more of either answers more requests at once, as in threads = 16 for an application that waits"
      )
    }
  }

  /// Adds an option before all others, unless one of these is given.
  private mutating func takeDefault(_ name: String, _ value: String, unless others: [String]) -> Bool {
    guard let index = OptionTable.index(named: name),
      !options.contains(where: { others.contains($0.spec.name) })
    else { return false }
    options.insert(Occurrence(index: index, written: name, value: value, origin: .commandLine), at: 0)
    return true
  }

  /// Offers uWSGI's module to applications written for it.
  private mutating func offerModule() {
    guard let index = OptionTable.index(named: "uwsgi-module"),
      !options.contains(where: { $0.index == index })
    else { return }
    options.append(Occurrence(index: index, written: "uwsgi-module", value: "true", origin: .commandLine))
  }

  /// Notes for the operator that are no reason to worry.
  var notes: [String] = []

  /// Why the configuration is refused: all of its errors.
  var problems: [ConfigError] {
    findings.problems + (isStrict ? findings.losses.map { .loss("\($0.place): \($0.sentence)") } : [])
  }
  /// The warnings to the operator of a server that starts.
  var warnings: [String] { notes + findings.warnings + (isStrict ? [] : Loss.sentences(findings.losses)) }
}

extension Occurrence {
  /// Given by a variable `UWSGI_…`, whose options have the name in its small letters.
  fileprivate var isForeign: Bool { origin == .environment && !written.hasPrefix(EnvironmentReader.prefix) }

  /// What `%(name)` and `if-opt` of files find of an option outside of them: its own name, and the one that
  /// was written.
  fileprivate var asKeys: [Entry] {
    switch spec.shape {
    case .configuration, .variable, .action: return []
    case .flag, .value, .optionalValue: break
    }
    let alias = String(written.drop { $0 == "-" })
    let names = [spec.name] + (spec.aliases.contains(alias) ? [alias] : [])
    return names.map { Entry(key: $0, value: value ?? "true", origin: origin, dialect: .server) }
  }

  /// The variable defined by `--set NAME=VALUE`.
  fileprivate var asVariable: Entry? {
    guard case .variable = spec.shape, let (name, value) = (value ?? "").cut(at: Ascii.equals),
      !name.isEmpty
    else { return nil }
    return Entry(key: String(name), value: String(value), origin: origin, dialect: .server)
  }
}

extension ConfigReader {
  /// - Parameter variables: those defined by `--set`.
  init(_ needs: Reading.Needs, variables: [Entry]) {
    self.init(needs: needs)
    entries = variables
  }
}
