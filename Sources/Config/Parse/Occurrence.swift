// One option as it was given, and where: the unit that command line, environment and ini files are read
// into.

/// Where an option was given; it decides how an error quotes it.
enum Origin: Sendable, Equatable {
  case commandLine
  case environment
  case ini(file: String, line: Int)

  /// An unknown name as it is quoted.
  func quote(_ name: String) -> String {
    switch self {
    case .commandLine: "`\(name)`"
    case .environment: "`\(name)` in the environment"
    case .ini(let file, let line): "\(file):\(line): `\(name)`"
    }
  }
}

/// One option with its value, not yet applied.
struct Occurrence: Sendable {
  /// The row of `OptionTable.all`.
  let index: Int
  /// The name as written: `-s`, `--socket`, `NSGI_SOCKET`, `socket`.
  let written: String
  /// The value; nil for a flag without one.
  let value: String?
  let origin: Origin

  var spec: OptionSpec { OptionTable.all[index] }

  /// The option quoted as it was written, with its place in a file.
  var place: String { Self.place(written, value, origin) }

  /// Secrets are not quoted (`SecretValue`).
  ///
  /// - Parameter written: empty for a value without a name, such as a file on the command line.
  static func place(_ written: String, _ value: String?, _ origin: Origin) -> String {
    if written.isEmpty { return "`\((value ?? "").shortened)`" }
    let shown = value.map { SecretValue.shown($0, of: written).shortened }
    return switch origin {
    case .commandLine: "`\(written)\(shown.map { " " + $0 } ?? "")`"
    case .environment: "`\(written)=\(shown ?? "")`"
    case .ini(let file, let line): "\(file):\(line): `\(written)\(shown.map { " = " + $0 } ?? "")`"
    }
  }

  /// Lets the option take effect.
  func apply(to draft: inout Draft) throws(ConfigError) {
    do {
      switch spec.shape {
      case .flag(let effect):
        if let value { effect(&draft, try Value.boolean(value)) } else { effect(&draft, true) }
      case .value(_, let effect):
        guard let value else { return }
        try effect(&draft, value)
      case .optionalValue(_, let bare, let effect):
        try effect(&draft, value ?? bare)
      case .configuration, .variable, .action:
        break
      }
    } catch {
      let isSecret = value.map { SecretValue.isHidden($0, of: written) } ?? false
      throw .badValue(place: place, isSecret ? error.withoutValue : error)
    }
  }
}
