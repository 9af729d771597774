// `NSGI_<OPTION>=value` -> occurrences, and `UWSGI_<OPTION>=value`, which is read first. An empty variable
// counts as unset (containers pass such). A name that is not an option does not end the start: images and
// clusters add names of their own.

/// The options of the environment.
struct EnvironmentOptions {
  var options: [Occurrence] = []
  /// Findings about variables that are not options.
  var findings = Findings()
  /// uWSGI's options that change nothing here.
  var accepted: [String] = []
  /// The variables `UWSGI_…` as keys that files may refer to.
  var keys: [Entry] = []
}

enum EnvironmentReader {
  static let prefix = "NSGI_"
  static let foreignPrefix = "UWSGI_"
  /// Where `server new` finds its templates: not an option of a server.
  private static let share = "NSGI_SHARE"
  /// Under a gateway: how many of the arguments come from the program that runs the server. Not an option.
  static let argumentCount = "NSGI_ARGUMENTS"
  /// Tells an application that it is only being tried. Not an option.
  private static let replay = "NSGI_REPLAY"
  /// Variables that uWSGI's processes pass each other; no operator sets them.
  private static let internals = [
    "UWSGI_ORIGINAL_PROC_NAME", "UWSGI_RELOADS", "UWSGI_EMPEROR_", "UWSGI_VASSAL", "UWSGI_JAIL",
    "UWSGI_FORK_",
    "UWSGI_PROFILE", "UWSGI_INCLUDES", "UWSGI_EMBED_", "UWSGI_PLUGIN_DIR", "UWSGI_BROODLORD_",
  ]

  static func read(_ environment: [String: String]) -> EnvironmentOptions {
    var result = foreign(environment)
    let others = [share, argumentCount, replay]
    for (name, value) in variables(environment, prefix) where !others.contains(name) {
      let option = optionName(of: name, prefix)
      guard let index = OptionTable.index(named: option) else {
        guard !isServiceLink(name, value) else { continue }
        let error = ConfigError.unknownOption(
          place: "`\(name)` in the environment",
          suggestion: Suggestion.name(for: option[...]).map(variable(of:)))
        result.findings.warnings.append("\(error.sentence), and is ignored; \(error.fix)")
        continue
      }
      let occurrence = Occurrence(index: index, written: name, value: value, origin: .environment)
      if case .action = occurrence.spec.shape {
        let error = ConfigError.commandLineOnly(place: occurrence.place)
        result.findings.warnings.append("\(error.sentence), and is ignored; \(error.fix)")
        continue
      }
      result.options.append(occurrence)
    }
    return result
  }

  /// The options of uWSGI's variables. One that neither uWSGI nor this server knows is reported as a loss.
  private static func foreign(_ environment: [String: String]) -> EnvironmentOptions {
    var translator = Translator(referenced: [])
    var keys: [Entry] = []
    for (name, value) in variables(environment, foreignPrefix) {
      if internals.contains(where: name.hasPrefix) || isServiceLink(name, value) { continue }
      let entry = Entry(
        key: optionName(of: name, foreignPrefix), value: value, origin: .environment, dialect: .uwsgi)
      keys.append(entry)
      translator.take(entry)
    }
    translator.findings.speaksUWSGI = !translator.options.isEmpty
    return EnvironmentOptions(
      options: translator.options, findings: translator.findings, accepted: translator.accepted, keys: keys)
  }

  private static func variables(
    _ environment: [String: String], _ prefix: String
  ) -> [(name: String, value: String)] {
    environment.filter { $0.key.utf8.starts(with: prefix.utf8) && !$0.value.isEmpty }
      .sorted { $0.key < $1.key }.map { ($0.key, $0.value) }
  }

  /// The variables that Kubernetes, like Docker's links before it, puts into every container next to a
  /// service called nsgi or nsgi-web: NSGI_SERVICE_HOST, NSGI_SERVICE_PORT_HTTP, NSGI_PORT=tcp://10.0.0.1:80,
  /// NSGI_WEB_PORT_80_TCP_ADDR.
  private static func isServiceLink(_ name: String, _ value: String) -> Bool {
    let words = name.split(separator: "_").map { $0 }
    if name.hasSuffix("_SERVICE_HOST") { return true }
    if words.last == "PORT", value.holds("://") { return true }
    return words.indices.dropFirst().contains { index in
      guard words[index] == "PORT" else { return false }
      if words[index - 1] == "SERVICE" { return true }
      guard index + 2 < words.count, words[index + 1].utf8.allSatisfy(Ascii.isDigit) else { return false }
      return ["TCP", "UDP", "SCTP"].contains(words[index + 2])
    }
  }

  /// `NSGI_HTTP_SOCKET` -> `http-socket`.
  private static func optionName(of variable: String, _ prefix: String) -> String {
    variable.dropFirst(prefix.count).lowercased().exchanging(Ascii.underscore, for: Ascii.dash)
  }

  /// `http-socket` -> `NSGI_HTTP_SOCKET`.
  private static func variable(of option: String) -> String {
    prefix + option.uppercased().exchanging(Ascii.dash, for: Ascii.underscore)
  }
}
