// From arguments, environment and ini files to what is to be done.

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
  /// Print that the configuration is good and exit 0; what it says is at hand for further checks.
  case checkConfig(String, Settings)
}

/// The program's name and version.
public enum Program {
  /// The version, by semver.org.
  public static let version = "0.1.0"
}

extension Settings {
  /// Those arguments of a process that are its operator's: the first line of a script in words, and none
  /// that a CGI front end may have made of a query.
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

  /// Reads the configuration: ini files first, then `NSGI_*` variables, then arguments; the later wins, and
  /// what can be repeated adds up. Opens nothing but the ini files, through `readFile`; of other files it
  /// asks at most whether they are there, through `isFile`.
  ///
  /// - Parameters:
  ///   - arguments: the operator's (`operatorArguments`).
  ///   - environment: the process's environment.
  ///   - standardInputIsListening: descriptor 0 is a listening socket, as spawn-fcgi and lighttpd's
  ///     `bin-path` leave it.
  ///   - workingDirectory: what relative ini files are relative to, for `%p` and `%d`.
  ///   - isFile: whether a path names something that is there and no directory.
  ///   - readFile: the text of the file at a path; its error's description is shown.
  public static func parse(
    arguments: [String], environment: [String: String], standardInputIsListening: Bool = false,
    workingDirectory: String = "", isFile: @escaping @Sendable (String) -> Bool = { _ in false },
    readFile: (String) throws -> String
  ) throws(ConfigError) -> Invocation {
    let given = try CommandLineReader.read(arguments)
    for case .action(let action) in given.map(\.spec.shape) {
      if case .help = action { return .help(Help.long()) }
      if case .version = action { return .version("nsgi-server \(Program.version)") }
    }
    let variables = EnvironmentReader.read(environment)
    let isGateway = environment["GATEWAY_INTERFACE"] != nil
    let hasInheritedSockets = standardInputIsListening || environment["LISTEN_FDS"] != nil
    if given.isEmpty, variables.options.isEmpty, !isGateway, !hasInheritedSockets {
      throw .nothingAsked(help: Help.short())
    }

    let options = try withFiles(variables.options + given, environment, workingDirectory, readFile)
    var draft = Draft()
    draft.isFile = lookup(options, isFile)
    for option in options { try option.apply(to: &draft) }
    if given.contains(action: .showConfig) { return .showConfig(ConfigListing.text(of: options)) }
    var settings = try draft.finish(hasInheritedSockets: hasInheritedSockets, isGateway: isGateway)
    settings.warnings = variables.warnings
    if given.contains(action: .checkConfig) {
      return .checkConfig(ConfigListing.verdict(on: settings), settings)
    }
    return .run(settings)
  }

  /// The options in effect as arguments that give the same configuration wherever they are read again:
  /// ini files and variables are resolved. Throws what `parse` throws.
  public static func effectiveArguments(
    arguments: [String], environment: [String: String], workingDirectory: String = "",
    isFile: @escaping @Sendable (String) -> Bool = { _ in false }, readFile: (String) throws -> String
  ) throws(ConfigError) -> [String] {
    let given = try CommandLineReader.read(arguments)
    let options = try withFiles(
      EnvironmentReader.read(environment).options + given, environment, workingDirectory, readFile)
    let isFile = lookup(options, isFile)
    return options.compactMap { option in
      switch option.spec.shape {
      case .configuration, .action: nil
      default: plainApp(option, isFile) ?? "--\(option.spec.name)" + (option.value.map { "=" + $0 } ?? "")
      }
    }
  }

  /// Relative paths of applications begin where the server goes (`--chdir`).
  private static func lookup(
    _ options: [Occurrence], _ isFile: @escaping @Sendable (String) -> Bool
  ) -> @Sendable (String) -> Bool {
    let directory = options.last { $0.spec.name == "chdir" }?.value
    guard let directory else { return isFile }
    return { isFile($0.hasPrefix("/") ? $0 : "\(directory)/\($0)") }
  }

  /// The option for an application whose file decides how it is read, in words that say it without the file;
  /// nil for any other.
  private static func plainApp(_ option: Occurrence, _ isFile: (String) -> Bool) -> String? {
    guard let text = option.value, ["app", "mount"].contains(option.spec.name),
      let found = try? AppSettings(parsing: text, isFile: isFile),
      option.spec.name == "app" || Draft.isLibrary(found.path[...], isFile), isFile(found.path),
      found != (try? AppSettings(parsing: text))
    else { return nil }
    return found.option
  }

  /// The options of the ini files named by `options`, in front of them.
  private static func withFiles(
    _ options: [Occurrence], _ environment: [String: String], _ workingDirectory: String,
    _ readFile: (String) throws -> String
  ) throws(ConfigError) -> [Occurrence] {
    var inFiles: [Occurrence] = []
    for option in options {
      guard case .configuration = option.spec.shape else { continue }
      inFiles += try withoutActuallyEscaping(readFile) { escapable throws(ConfigError) in
        let reader = IniReader(
          environment: environment, workingDirectory: workingDirectory, readFile: escapable)
        return try reader.read(option)
      }
    }
    return inFiles + options
  }
}

extension [Occurrence] {
  func contains(action wanted: Action) -> Bool {
    contains {
      if case .action(let action) = $0.spec.shape { action == wanted } else { false }
    }
  }
}
