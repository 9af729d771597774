// One row of the option table: the single place where an option's names, shape, help and effect are stated.
// Command line, environment, ini keys, help and "did you mean" are all read from it.

/// What an option takes and does.
enum OptionShape: Sendable {
  /// Takes nothing (`--name=false` revokes it).
  case flag(@Sendable (inout Draft, Bool) -> Void)
  /// Takes one value.
  case value(placeholder: String, @Sendable (inout Draft, String) throws(ValueError) -> Void)
  /// Takes a value, or stands for `bare` when none follows.
  case optionalValue(
    placeholder: String, bare: String, @Sendable (inout Draft, String) throws(ValueError) -> Void)
  /// Names a configuration file, read before anything else; nil: its format follows from its extension.
  case configuration(placeholder: String, format: ConfigFormat?)
  /// Gives a value to a name that configuration files may refer to.
  case variable(placeholder: String)
  /// Replaces serving; only on the command line.
  case action(Action)
}

/// The action that replaces serving.
enum Action: Sendable {
  case help, version, showConfig, checkConfig
}

/// One option.
struct OptionSpec: Sendable {
  /// Long name without dashes; also the ini key.
  let name: String
  let short: Character?
  /// Further long names with the same meaning.
  let aliases: [String]
  let help: String
  /// Shown by `--help` and `--show-config`; nil: no default.
  let defaultText: String?
  /// Repetitions add up; otherwise the last one counts.
  let repeats: Bool
  let shape: OptionShape

  init(
    _ name: String, short: Character? = nil, aliases: [String] = [], default defaultText: String? = nil,
    repeats: Bool = false, _ help: String, _ shape: OptionShape
  ) {
    self.name = name
    self.short = short
    self.aliases = aliases
    self.help = help
    self.defaultText = defaultText
    self.repeats = repeats
    self.shape = shape
  }

  /// The text after the name in help; nil for flags.
  var placeholder: String? {
    switch shape {
    case .flag, .action: nil
    case .value(let placeholder, _), .optionalValue(let placeholder, _, _),
      .configuration(let placeholder, _), .variable(let placeholder):
      placeholder
    }
  }
}

/// Options of one topic, under one heading of `--help`.
struct OptionGroup: Sendable {
  let title: String
  let options: [OptionSpec]
}

/// All options.
enum OptionTable {
  static let groups = [
    applicationOptions, pythonOptions, cacheOptions, ffiOptions, socketOptions, tlsOptions, requestOptions,
    timeOptions, webSocketOptions,
    staticOptions, ruleOptions, watchOptions, logOptions, logRouteOptions, processOptions, titleOptions,
    supervisionOptions, cheaperOptions, programOptions,
    configurationOptions, acceptedOptions,
  ]

  static let all: [OptionSpec] = groups.flatMap(\.options)

  /// The row of a long name or alias, without dashes.
  static func index(named name: some StringProtocol) -> Int? {
    all.firstIndex { $0.name == name || $0.aliases.contains { $0 == name } }
  }

  /// The format of the files that an option names (inner nil: that of their extension); nil for any other
  /// option.
  static func configuration(named name: String) -> ConfigFormat?? {
    guard let index = index(named: name), case .configuration(_, let format) = all[index].shape
    else {
      return nil
    }
    return .some(format)
  }

  /// The row of a one-letter name.
  static func index(short: Character) -> Int? {
    all.firstIndex { $0.short == short }
  }

  /// The row of a name with its dashes, `-s` or `--socket`.
  static func index(written: String) -> Int? {
    if written.hasPrefix("--") { return index(named: written.dropFirst(2)) }
    guard written.hasPrefix("-"), written.utf8.count == 2, let letter = written.last else { return nil }
    return index(short: letter)
  }
}
