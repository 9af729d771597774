// The parts of an option's value that an error or a log may show: more people read logs than configurations.

enum SecretValue {
  /// The replacement for a hidden part.
  static let mark = "…"

  /// Options whose value is `NAME=VALUE`, and may be any secret of an application.
  private static let variables: Set<String> = [
    "env", "ienv", "e", "raw-env", "app-option", "uwsgi-opt", "set", "set-placeholder", "set-ph",
  ]
  /// Words in the name of an option whose value is secret; not if the name ends in `-file`.
  private static let words = ["password", "passwd", "passphrase", "secret", "token", "api-key", "apikey"]
  /// Rules that name accounts, also misspelt.
  private static let guards = ["basicauth", "ldapauth", "radius", "auth:", "auth-next:"]

  /// The value in a form that may be shown.
  ///
  /// - Parameter written: the option's name as it was written: `--env`, `NSGI_ENV`, `env`.
  static func shown(_ value: String, of written: String) -> String {
    let name = plainName(written)
    if variables.contains(name) {
      return kept(value, upTo: value.utf8.firstIndex(of: Ascii.equals))
    }
    if words.contains(where: name.holds), !name.hasSuffix("-file") { return kept(value, upTo: nil) }
    if name.hasPrefix("route") || name.hasSuffix("-route") || name.holds("-route-") {
      for word in guards {
        guard let found = value.range(ofBytes: word) else { continue }
        let rest = value[found.lowerBound...]
        return kept(value, upTo: rest.utf8.firstIndex(of: Ascii.colon) ?? rest.utf8.firstIndex(of: 0x20))
      }
    }
    return withoutAccount(value)
  }

  /// Whether a part of the value is hidden.
  static func isHidden(_ value: String, of written: String) -> Bool { shown(value, of: written) != value }

  /// `--env`, `NSGI_ENV` and `UWSGI_ENV` become `env`.
  private static func plainName(_ written: String) -> String {
    let bare = written.utf8.drop { $0 == Ascii.dash }
    let name = Substring(bare).lowercased().exchanging(Ascii.underscore, for: Ascii.dash)
    for prefix in ["nsgi-", "uwsgi-"] where name.hasPrefix(prefix) && name != "uwsgi-opt" {
      return String(name.dropFirst(prefix.count))
    }
    return name
  }

  /// The value up to and including a place; nothing if the place is not found.
  private static func kept(_ value: String, upTo place: String.Index?) -> String {
    guard !value.isEmpty else { return value }
    guard let place else { return mark }
    let next = value.utf8.index(after: place)
    return next == value.endIndex ? value : String(value[..<next]) + mark
  }

  /// `scheme://user:password@host` without its password.
  private static func withoutAccount(_ value: String) -> String {
    guard let scheme = value.range(ofBytes: "://") else { return value }
    let rest = value[scheme.upperBound...]
    let authority = rest.utf8.prefix { $0 != Ascii.slash && !Ascii.isBlank($0) }
    guard let end = authority.lastIndex(of: UInt8(ascii: "@")),
      let colon = authority.firstIndex(of: Ascii.colon), colon < end
    else { return value }
    return String(value[...colon]) + mark + value[end...]
  }
}

extension ValueError {
  /// The same error, without the value concerned.
  var withoutValue: ValueError {
    let mark = SecretValue.mark
    return switch self {
    case .rule(_, let problem, let fix): .rule(mark, problem: problem, fix: fix)
    case .unknownWord(_, let known): .unknownWord(mark, known: known)
    case .optionWithoutEquals: .optionWithoutEquals(mark)
    case .variableWithoutEquals: .variableWithoutEquals(mark)
    case .programWithout(_, let shape): .programWithout(mark, shape)
    case .signatureIncomplete: .signatureIncomplete(mark)
    case .badMount: .badMount(mark)
    case .badSymbol: .badSymbol(mark)
    case .badPattern: .badPattern(mark)
    case .badStaticMap: .badStaticMap(mark)
    case .badOwnPath(_, let example): .badOwnPath(mark, example: example)
    case .badHostName: .badHostName(mark)
    case .colonInPath: .colonInPath(mark)
    case .moduleIsPath: .moduleIsPath(mark)
    case .notABoolean: .notABoolean(mark)
    case .notANumber(_, let example): .notANumber(mark, example: example)
    case .notOctal: .notOctal(mark)
    case .notANetwork: .notANetwork(mark)
    case .badPrefix(_, let widest): .badPrefix(mark, widest: widest)
    case .bitsBeyondPrefix: .bitsBeyondPrefix(mark)
    case .outOfRange(_, let lowest, let highest): .outOfRange(mark, lowest: lowest, highest: highest)
    case .unknownLogValue: .unknownLogValue(mark)
    case .openLogValue: .openLogValue(mark)
    case .routeWithoutPattern: .routeWithoutPattern(mark)
    case .openEncoderValue: .openEncoderValue(mark)
    case .unknownEncoderValue: .unknownEncoderValue(mark)
    case .address, .watchAddress, .empty, .notBuilt: self
    }
  }
}
