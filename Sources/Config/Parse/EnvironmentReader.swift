// `NSGI_<OPTION>=value` -> occurrences. An empty variable is as good as none (containers pass such).

enum EnvironmentReader {
  static let prefix = "NSGI_"
  /// Where `server new` finds what it copies: no option of a server.
  private static let share = "NSGI_SHARE"

  static func read(_ environment: [String: String]) throws(ConfigError) -> [Occurrence] {
    var occurrences: [Occurrence] = []
    let names = environment.keys.filter { $0.utf8.starts(with: prefix.utf8) && $0 != share }
    for name in names.sorted() {
      guard let value = environment[name], !value.isEmpty else { continue }
      let option = optionName(of: name)
      guard let index = OptionTable.index(named: option) else {
        let suggestion = Suggestion.name(for: option[...]).map(variable(of:))
        throw .unknownOption(place: "`\(name)` in the environment", suggestion: suggestion)
      }
      let occurrence = Occurrence(index: index, written: name, value: value, origin: .environment)
      if case .action = occurrence.spec.shape { throw .commandLineOnly(place: occurrence.place) }
      occurrences.append(occurrence)
    }
    return occurrences
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
