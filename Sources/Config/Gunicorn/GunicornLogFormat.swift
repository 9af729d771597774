// gunicorn's `--access-logformat` -> log-format: `%(h)s %(r)s` becomes `%(addr) %(method) %(uri) %(proto)`.

enum GunicornLogFormat {
  /// Its one-letter names. The text around them is gunicorn's own: it writes dates in square brackets and
  /// process numbers in angle brackets.
  private static let atoms = [
    "h": "%(addr)", "l": "-", "u": "%(user)", "t": "[%(ltime)]", "r": "%(method) %(uri) %(proto)",
    "m": "%(method)", "U": "%(path)", "q": "%(query)", "H": "%(proto)", "s": "%(status)", "B": "%(rsize)",
    "b": "%(rsize)", "f": "%(referer)", "a": "%(uagent)", "T": "%(secs)", "L": "%(secs)", "D": "%(micros)",
    "M": "%(msecs)", "p": "<%(pid)>",
  ]

  /// The format in this server's names, and the names that this server does not have.
  static func translated(_ text: String) -> (format: String, lost: [String]) {
    var (format, lost) = ("", [String]())
    var rest = text[...]
    while let found = rest.range(ofBytes: "%") {
      format += rest[..<found.lowerBound]
      rest = rest[found.upperBound...]
      if rest.utf8.first == Ascii.percent {
        rest = rest.dropFirst()
        format += rest.utf8.first == UInt8(ascii: "(") ? "%(%)" : "%"
        continue
      }
      // A name in braces may hold a bracket.
      let brace = rest.hasPrefix("({") ? rest.range(ofBytes: "}")?.upperBound : nil
      guard rest.utf8.first == UInt8(ascii: "("),
        let end = rest[(brace ?? rest.startIndex)...].range(ofBytes: ")"),
        case let behind = rest[end.upperBound...], let letter = behind.utf8.first, Ascii.isLetter(letter)
      else {
        format += "%"
        continue
      }
      let name = String(rest[..<end.lowerBound].dropFirst())
      rest = behind.dropFirst()
      if let own = value(name) {
        format += own
      } else {
        format += "-"
        if !lost.contains("%(\(name))s") { lost.append("%(\(name))s") }
      }
    }
    return (format + rest, lost)
  }

  private static func value(_ name: String) -> String? {
    if let known = atoms[name] { return known }
    guard name.hasPrefix("{"), let close = name.utf8.lastIndex(of: UInt8(ascii: "}")) else { return nil }
    let inner = name[..<close].dropFirst()
    // No name of ours can hold one.
    if inner.utf8.contains(UInt8(ascii: ")")) { return nil }
    switch name[close...] {
    case "}e": return inner.isEmpty ? nil : "%(var.\(inner))"
    case "}i":
      let variable = inner.uppercased().exchanging(Ascii.dash, for: Ascii.underscore)
      let isPlain = ["CONTENT_TYPE", "CONTENT_LENGTH"].contains(variable)
      return inner.isEmpty ? nil : "%(var.\(isPlain ? "" : "HTTP_")\(variable))"
    default: return nil
    }
  }
}
