// `NSGI_<OPTION>=value` -> occurrences. An empty variable is as good as none (containers pass such). A name
// that is no option does not end the start: images and clusters put names of their own there.

/// The options of the environment.
struct EnvironmentOptions {
  var options: [Occurrence] = []
  /// A sentence for each variable that is no option.
  var warnings: [String] = []
}

enum EnvironmentReader {
  static let prefix = "NSGI_"
  /// Where `server new` finds what it copies: no option of a server.
  private static let share = "NSGI_SHARE"

  static func read(_ environment: [String: String]) -> EnvironmentOptions {
    var result = EnvironmentOptions()
    let names = environment.keys.filter { $0.utf8.starts(with: prefix.utf8) && $0 != share }
    for name in names.sorted() {
      guard let value = environment[name], !value.isEmpty else { continue }
      let option = optionName(of: name)
      guard let index = OptionTable.index(named: option) else {
        guard !isServiceLink(name, value) else { continue }
        let error = ConfigError.unknownOption(
          place: "`\(name)` in the environment",
          suggestion: Suggestion.name(for: option[...]).map(variable(of:)))
        result.warnings.append("\(error.sentence), and is ignored; \(error.fix)")
        continue
      }
      let occurrence = Occurrence(index: index, written: name, value: value, origin: .environment)
      if case .action = occurrence.spec.shape {
        let error = ConfigError.commandLineOnly(place: occurrence.place)
        result.warnings.append("\(error.sentence), and is ignored; \(error.fix)")
        continue
      }
      result.options.append(occurrence)
    }
    return result
  }

  /// What Kubernetes, like Docker's links before it, puts into every container beside a service called nsgi
  /// or nsgi-web: NSGI_SERVICE_HOST, NSGI_SERVICE_PORT_HTTP, NSGI_PORT=tcp://10.0.0.1:80,
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
  private static func optionName(of variable: String) -> String {
    variable.dropFirst(prefix.count).lowercased().exchanging(Ascii.underscore, for: Ascii.dash)
  }

  /// `http-socket` -> `NSGI_HTTP_SOCKET`.
  private static func variable(of option: String) -> String {
    prefix + option.uppercased().exchanging(Ascii.dash, for: Ascii.underscore)
  }
}
