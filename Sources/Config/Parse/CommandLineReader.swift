// Arguments -> occurrences. GNU conventions: `--name value`, `--name=value`, `-n value`, `-nvalue`, `-LM`.

struct CommandLineReader {
  private let arguments: [String]
  private var next = 0
  private var occurrences: [Occurrence] = []

  /// Reads all arguments (without the program's name).
  static func read(_ arguments: [String]) throws(ConfigError) -> [Occurrence] {
    var reader = CommandLineReader(arguments)
    while reader.next < arguments.count { try reader.readArgument() }
    return reader.occurrences
  }

  private init(_ arguments: [String]) {
    self.arguments = arguments
  }

  private mutating func readArgument() throws(ConfigError) {
    let argument = arguments[next]
    next += 1
    if argument.hasPrefix("--"), argument.utf8.count > 2 {
      try readLong(argument)
    } else if argument.hasPrefix("-"), argument.utf8.count > 1, argument != "--" {
      try readCluster(argument)
    } else if argument.hasSuffix(".ini"), let ini = OptionTable.index(named: "ini") {
      add(ini, "--ini", argument)
    } else {
      throw .unexpectedArgument(argument)
    }
  }

  private mutating func readLong(_ argument: String) throws(ConfigError) {
    let body = argument.dropFirst(2)
    let (name, given) = body.cut(at: Ascii.equals).map { ($0.0, String($0.1)) } ?? (body, nil)
    let written = "--" + name
    guard let index = OptionTable.index(named: name) else {
      throw .unknownOption(place: "`\(written)`", suggestion: Suggestion.option(for: name))
    }
    switch OptionTable.all[index].shape {
    case .action where given != nil: throw .unwantedValue(place: "`\(argument)`", written: written)
    case .flag, .action: add(index, written, given)
    default: add(index, written, try value(of: index, written, given))
    }
  }

  private mutating func readCluster(_ argument: String) throws(ConfigError) {
    var letters = argument.dropFirst()
    if letters.utf8.count > 1, OptionTable.index(named: letters) != nil {
      throw .unknownOption(place: "`\(argument)`", suggestion: "--\(letters)")
    }
    while let letter = letters.popFirst() {
      let written = "-\(letter)"
      guard let index = OptionTable.index(short: letter) else {
        let suggestion = argument.utf8.count > 2 ? Suggestion.option(for: argument.dropFirst()) : nil
        throw .unknownOption(
          place: "`\(argument.utf8.count > 2 ? argument : written)`", suggestion: suggestion)
      }
      switch OptionTable.all[index].shape {
      case .flag, .action: add(index, written, nil)
      default:
        add(index, written, try value(of: index, written, letters.isEmpty ? nil : String(letters)))
        return
      }
    }
  }

  /// The value joined to the option, or the next argument unless that is an option itself.
  private mutating func value(
    of index: Int, _ written: String, _ joined: String?
  ) throws(ConfigError) -> String? {
    if let joined { return joined }
    if next < arguments.count, !Self.looksLikeOption(arguments[next]) {
      if case .optionalValue = OptionTable.all[index].shape, !Self.startsWithDigit(arguments[next]) {
        return nil
      }
      next += 1
      return arguments[next - 1]
    }
    if case .optionalValue = OptionTable.all[index].shape { return nil }
    throw .missingValue(
      place: "`\(written)`", written: written, OptionTable.all[index].placeholder ?? "VALUE")
  }

  private static func looksLikeOption(_ argument: String) -> Bool {
    argument.hasPrefix("-") && argument.utf8.count > 1
  }

  private static func startsWithDigit(_ argument: String) -> Bool {
    argument.utf8.first.map(Ascii.isDigit) ?? false
  }

  private mutating func add(_ index: Int, _ written: String, _ value: String?) {
    occurrences.append(Occurrence(index: index, written: written, value: value, origin: .commandLine))
  }
}
