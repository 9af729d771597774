// From arguments, environment and ini files to the action.

/// What the command line asks for.
public enum Invocation: Sendable, Equatable {
  /// Serve.
  case run(Settings)
  /// Print the help and exit 0.
  case help(String)
  /// Print the version and exit 0.
  case version(String)
  /// Print the configuration as ini and exit 0.
  case showConfig(String)
  /// Print that the configuration is good and exit 0; its settings are available for further checks.
  case checkConfig(String, Settings)
}

extension Settings {
  /// The arguments of a process that come from its operator: the first line of a script, split into words,
  /// and none that a CGI front end may have made from a query.
  ///
  /// - Parameters:
  ///   - arguments: the command line without the program's name.
  ///   - environment: the process's environment.
  ///   - launch: how the process was started.
  public static func operatorArguments(
    _ arguments: [String], environment: [String: String], launch: Launch
  ) throws(ConfigError) -> [String] {
    try CGIArguments.own(arguments, environment, launch)
  }

  /// Reads the configuration: ini files first, then `NSGI_*` variables, then arguments; later ones win, and
  /// repeatable ones add up. Opens nothing but the ini files, through `readFile`; for other files it asks at
  /// most whether they exist, through `isFile`.
  ///
  /// - Parameters:
  ///   - arguments: the operator's (`operatorArguments`).
  ///   - environment: the process's environment.
  ///   - standardInputIsListening: descriptor 0 is a listening socket, as spawn-fcgi and lighttpd's
  ///     `bin-path` leave it.
  ///   - workingDirectory: the directory for relative ini files, for `%p` and `%d`.
  ///   - isFile: whether a path names something that exists and is not a directory.
  ///   - surroundings: the machine, as far as configuration files query it.
  ///   - readFile: the text of the file at a path; its error's description is shown.
  public static func parse(
    arguments: [String], environment: [String: String], standardInputIsListening: Bool = false,
    workingDirectory: String = "", isFile: @escaping @Sendable (String) -> Bool = { _ in false },
    surroundings: Surroundings = Surroundings(), readFile: (String) throws -> String
  ) throws(ConfigError) -> Invocation {
    let given = CommandLineReader.read(arguments, environment)
    for case .action(let action) in given.options.map(\.spec.shape) {
      if case .help = action { return .help(Help.long()) }
      if case .version = action { return .version("nsgi-server \(Program.version)") }
    }
    let variables = EnvironmentReader.read(environment)
    let isGateway = environment["GATEWAY_INTERFACE"] != nil
    let hasInheritedSockets = standardInputIsListening || environment["LISTEN_FDS"] != nil
    if arguments.isEmpty, variables.options.isEmpty, !isGateway, !hasInheritedSockets {
      throw .nothingAsked(help: Help.short())
    }

    let reading = withoutActuallyEscaping(readFile) {
      Reading(
        given, variables,
        Reading.Needs(
          environment: environment, workingDirectory: workingDirectory, surroundings: surroundings,
          isFile: isFile, readFile: $0))
    }
    var draft = Draft()
    draft.isFile = lookup(reading.options, isFile)
    var problems = reading.problems
    for option in reading.options {
      do throws(ConfigError) { try option.apply(to: &draft) } catch { problems.append(error) }
    }
    if !problems.isEmpty, !reading.isStrict {
      problems += Loss.sentences(reading.findings.losses).map { .alsoLost($0) }
    }
    if let error = ConfigError.of(problems) { throw error }
    if given.options.contains(action: .showConfig) {
      return .showConfig(ConfigListing.text(of: reading.options))
    }
    var settings = try draft.finish(hasInheritedSockets: hasInheritedSockets, isGateway: isGateway)
    settings.warnings = reading.warnings + settings.warnings
    settings.shared.given = reading.options.told
    if given.options.contains(action: .checkConfig) {
      return .checkConfig(ConfigListing.verdict(on: settings), settings)
    }
    return .run(settings)
  }

  /// The options in effect as arguments that give the same configuration wherever they are read again:
  /// ini files and variables are resolved. Throws what `parse` throws.
  public static func effectiveArguments(
    arguments: [String], environment: [String: String], workingDirectory: String = "",
    isFile: @escaping @Sendable (String) -> Bool = { _ in false },
    surroundings: Surroundings = Surroundings(), readFile: (String) throws -> String
  ) throws(ConfigError) -> [String] {
    let given = CommandLineReader.read(arguments, environment)
    let reading = withoutActuallyEscaping(readFile) {
      Reading(
        given, EnvironmentReader.read(environment),
        Reading.Needs(
          environment: environment, workingDirectory: workingDirectory, surroundings: surroundings,
          isFile: isFile, readFile: $0))
    }
    if let error = ConfigError.of(reading.problems) { throw error }
    let isFile = lookup(reading.options, isFile)
    return reading.options.compactMap { option in
      switch option.spec.shape {
      case .configuration, .variable, .action: nil
      default:
        plainApp(option, isFile) ?? "--\(option.spec.name)" + (option.value.map { "=" + $0 } ?? "")
      }
    }
  }

  /// Relative paths of applications start from the server's directory (`--chdir`).
  private static func lookup(
    _ options: [Occurrence], _ isFile: @escaping @Sendable (String) -> Bool
  ) -> @Sendable (String) -> Bool {
    let directory = options.last { $0.spec.name == "chdir" }?.value
    guard let directory else { return isFile }
    return { isFile($0.hasPrefix("/") ? $0 : "\(directory)/\($0)") }
  }

  /// The option for an application whose file decides how it is read, in a form that does not depend on the
  /// file; nil for any other.
  private static func plainApp(_ option: Occurrence, _ isFile: (String) -> Bool) -> String? {
    guard let text = option.value, ["app", "mount"].contains(option.spec.name),
      let found = try? AppSettings(parsing: text, isFile: isFile),
      option.spec.name == "app" || Draft.isLibrary(found.path[...], isFile), isFile(found.path),
      found != (try? AppSettings(parsing: text))
    else { return nil }
    return found.option
  }
}

extension [Occurrence] {
  /// The options in effect in the form of `uwsgi.opt`: names, with values behind an equals sign.
  fileprivate var told: [String] {
    indices.compactMap { place in
      let option = self[place]
      let isLast = !self[(place + 1)...].contains { $0.index == option.index }
      guard option.spec.repeats || isLast, option.spec.name != "uwsgi-opt" else { return nil }
      switch option.spec.shape {
      case .configuration, .variable, .action: return nil
      default: return option.spec.name + (option.value.map { "=" + $0 } ?? "")
      }
    }
  }

  func contains(action wanted: Action) -> Bool {
    contains {
      if case .action(let action) = $0.spec.shape { action == wanted } else { false }
    }
  }
}
