// Arguments -> occurrences. GNU conventions: `--name value`, `--name=value`, `-n value`, `-nvalue`, `-LM`.

/// The options of a command line. uWSGI's options that do not exist here are replaced by their equivalents.
struct CommandLineOptions {
  var options: [Occurrence] = []
  var findings = Findings()
  /// uWSGI's options that change nothing here.
  var accepted: [String] = []
}

struct CommandLineReader {
  private let arguments: [String]
  private var next = 0
  private var occurrences: [Occurrence] = []
  private var translator = Translator(referenced: [])

  /// Reads all arguments (without the program's name). After a wrong one, goes on with the next option.
  static func read(
    _ arguments: [String], _ environment: [String: String] = [:]
  ) -> CommandLineOptions {
    // Words that a CGI front end has made from a query do not name an application.
    if environment["GATEWAY_INTERFACE"] != nil { return readOwn(arguments) }
    return GunicornReader.read(arguments, environment) ?? readOwn(arguments)
  }

  /// The same for this server's own words.
  static func readOwn(_ arguments: [String]) -> CommandLineOptions {
    var reader = CommandLineReader(arguments)
    var problems: [ConfigError] = []
    while reader.next < arguments.count {
      do throws(ConfigError) { try reader.readArgument() } catch {
        problems.append(error)
        while reader.next < arguments.count, !looksLikeOption(arguments[reader.next]) {
          reader.next += 1
        }
      }
    }
    var findings = reader.translator.findings
    findings.problems = problems + findings.problems
    return CommandLineOptions(
      options: reader.occurrences, findings: findings,
      accepted: reader.translator.accepted)
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
    } else if Self.isFile(argument), let file = OptionTable.index(named: "include") {
      add(file, "", argument)
    } else {
      throw .unexpectedArgument(argument)
    }
  }

  private mutating func readLong(_ argument: String) throws(ConfigError) {
    let body = argument.dropFirst(2)
    let (name, given) = body.cut(at: Ascii.equals).map { ($0.0, String($0.1)) } ?? (body, nil)
    let written = "--" + name
    guard let index = OptionTable.index(named: name) else {
      return try readForeign(name, written, given)
    }
    switch OptionTable.all[index].shape {
    case .action where given != nil: throw .unwantedValue(place: "`\(argument)`", written: written)
    case .flag, .action: add(index, written, given)
    default: add(index, written, try value(of: index, written, given))
    }
  }

  /// Reads an option of uWSGI that does not exist here.
  private mutating func readForeign(
    _ name: Substring, _ written: String, _ joined: String?
  ) throws(ConfigError) {
    guard let (_, known) = UWSGITable.find(name) else {
      throw .unknownOption(place: "`\(written)`", suggestion: Suggestion.option(for: name))
    }
    var value = joined
    if value == nil, known.value == .required {
      guard next < arguments.count, !Self.looksLikeOption(arguments[next]) else {
        throw .missingValue(place: "`\(written)`", written: written, "VALUE")
      }
      next += 1
      value = arguments[next - 1]
    }
    translator.take(Entry(key: String(name), value: value, origin: .commandLine, dialect: .uwsgi))
    occurrences += translator.options
    translator.options = []
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

  /// Whether it is a configuration file by its extension, which may be followed by a section.
  static func isFile(_ argument: String) -> Bool {
    let colon = argument.utf8.lastIndex(of: Ascii.colon) ?? argument.endIndex
    return ConfigFormat(ending: argument) != nil || ConfigFormat(ending: argument[..<colon]) != nil
  }

  /// A dash before a digit begins a value, such as the fields of `--cron`: no option is named by a digit.
  private static func looksLikeOption(_ argument: String) -> Bool {
    argument.hasPrefix("-") && argument.utf8.count > 1 && !startsWithDigit(argument.dropFirst())
  }

  private static func startsWithDigit(_ argument: some StringProtocol) -> Bool {
    argument.utf8.first.map(Ascii.isDigit) ?? false
  }

  private mutating func add(_ index: Int, _ written: String, _ value: String?) {
    occurrences.append(Occurrence(index: index, written: written, value: value, origin: .commandLine))
  }
}
