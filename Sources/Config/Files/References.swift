// References in values: $(NAME) and $(NAME:-other) from the environment, @(FILE) for the contents of a file,
// %(name) for the value of another key, and %(a + b) for a calculation with several. In this order, as in
// uWSGI. In [server] a doubled sign before the bracket stands for itself: $$(x) is $(x).

struct References {
  let entries: [Entry]
  let reader: ConfigReader
  /// Warnings about references that lead nowhere but are not errors.
  var warnings: [String] = []

  /// How deep brackets may be nested; anything deeper is not a reference.
  private static let bracketsMaximum = 64
  /// The first entry of each key, filled when one is first asked for.
  private var firsts: [String: Entry]?

  /// How deep references may be nested; deeper counts as a circle. No precedent: uWSGI replaces each once.
  private static let depthMaximum = 16
  /// Options whose own syntax has `%(name)`: names that are not keys belong to them.
  private static let formats = [
    "log-format", "logformat", "log-encoder", "log-req-encoder", "logger", "req-logger",
    "log-route",
    "log-req-route", "req-log-encoder", "hook-touch",
  ]

  init(entries: [Entry], reader: ConfigReader) { (self.entries, self.reader) = (entries, reader) }

  /// All names that `%(…)` refers to.
  var names: Set<String> {
    var names: Set<String> = []
    for entry in entries {
      guard let value = entry.value, value.utf8.contains(Ascii.percent) else { continue }
      // A format of the command line says nothing about the keys of files.
      if Self.formats.contains(entry.key), entry.origin == .commandLine || entry.origin == .environment {
        continue
      }
      var rest = value[...]
      while let found = rest.range(ofBytes: "%(") {
        rest = rest[found.upperBound...]
        guard let end = Self.closing(rest) else { continue }
        names.formUnion(rest[..<end].split(separator: " ").map(String.init))
      }
    }
    return names
  }

  /// The entry with its references replaced.
  mutating func resolve(_ entry: Entry) throws(ConfigError) -> Entry {
    guard let value = entry.value else { return entry }
    var result = entry
    result.value = try resolve(value, entry, depth: 0)
    return result
  }

  private mutating func resolve(_ value: String, _ entry: Entry, depth: Int) throws(ConfigError)
    -> String
  {
    let bytes = value.utf8
    guard bytes.contains(UInt8(ascii: "(")) else { return value }
    var text = value
    if bytes.contains(UInt8(ascii: "$")) {
      text = try replace("$(", in: text, entry) { (self, name) throws(ConfigError) in
        try self.variable(name, entry)
      }
    }
    if bytes.contains(UInt8(ascii: "@")) {
      text = try replace("@(", in: text, entry) { (self, name) throws(ConfigError) in
        try self.file(name, entry)
      }
    }
    guard text.utf8.contains(Ascii.percent) else { return text }
    if depth >= Self.depthMaximum { throw .referenceCircle(place: entry.place) }
    return try replace("%(", in: text, entry) { (self, name) throws(ConfigError) in
      try self.key(name, entry, depth)
    }
  }

  /// Replaces the text in brackets after `mark`; nil leaves it unchanged. An unclosed bracket is text.
  private mutating func replace(
    _ mark: String, in text: String, _ entry: Entry,
    _ value: (inout References, String) throws(ConfigError) -> String?
  ) throws(ConfigError) -> String {
    var result = ""
    var rest = text[...]
    while let found = rest.range(ofBytes: mark) {
      var before = rest[..<found.lowerBound]
      let after = rest[found.upperBound...]
      let isText = entry.dialect == .server && Self.takeSigns(of: mark, &before)
      if isText {
        result += before + mark
        rest = after
      } else if let end = Self.closing(after) {
        let replacement = try value(&self, String(after[..<end])) ?? String(rest[found.lowerBound...end])
        let bytes = replacement.utf8.count + ReadingBudget.step
        try reader.needs.budget.take(bytes: bytes, entry.origin.quote(entry.key))
        result += before + replacement
        rest = after[after.utf8.index(after: end)...]
      } else {
        result += before + mark
        rest = after
      }
    }
    return result + rest
  }

  /// Removes doubled signs before a bracket; returns whether no reference is left. Two percent signs count as
  /// one here, because the file doubles them everywhere; other signs are doubled only here.
  private static func takeSigns(of mark: String, _ before: inout Substring) -> Bool {
    let sign = mark.utf8.first!
    let count = before.utf8.reversed().prefix { $0 == sign }.count
    let taken = sign == Ascii.percent ? (count + 1) / 2 : min(count, 1)
    before = before.dropLast(taken)
    return sign == Ascii.percent ? count % 2 == 1 : count > 0
  }

  /// The bracket that closes the one before the text.
  private static func closing(_ text: Substring) -> Substring.Index? {
    var depth = 0
    for index in text.utf8.indices {
      switch text.utf8[index] {
      case UInt8(ascii: "(") where depth == bracketsMaximum: return nil
      case UInt8(ascii: "("): depth += 1
      case UInt8(ascii: ")") where depth == 0: return index
      case UInt8(ascii: ")"): depth -= 1
      default: break
      }
    }
    return nil
  }

  private mutating func variable(_ text: String, _ entry: Entry) throws(ConfigError) -> String? {
    if let value = reader.needs.environment[text] { return value }
    let (name, other, coversEmpty) = Self.fallback(text)
    if let value = reader.needs.environment[name], !value.isEmpty || !coversEmpty { return value }
    if let other { return other }
    let error = ConfigError.unsetVariable(place: entry.place, name: name)
    if entry.dialect == .server { throw error }
    warnings.append("\(error.sentence), and `$(\(text))` stays as it is, as in uWSGI; \(error.fix)")
    return nil
  }

  /// `NAME:-other`, which also covers an empty variable, or `NAME-other`; a name has no dash.
  private static func fallback(_ text: String) -> (name: String, other: String?, coversEmpty: Bool) {
    guard let dash = text.utf8.firstIndex(of: Ascii.dash) else { return (text, nil, false) }
    let name = text[..<dash]
    let other = String(text[text.utf8.index(after: dash)...])
    let coversEmpty = name.hasSuffix(":")
    return (String(coversEmpty ? name.dropLast() : name), other, coversEmpty)
  }

  private func file(_ path: String, _ entry: Entry) throws(ConfigError) -> String? {
    do {
      let lines = try reader.needs.readOther(path).utf8.reversed().drop { $0 == 0x0a || Ascii.isBlank($0) }
      return String(decoding: lines.reversed(), as: UTF8.self)
    } catch { throw .unreadable(entry.place, path, error) }
  }

  private mutating func key(_ name: String, _ entry: Entry, _ depth: Int) throws(ConfigError)
    -> String?
  {
    if firsts == nil { firsts = Dictionary(entries.map { ($0.key, $0) }) { first, _ in first } }
    if let other = firsts?[name] {
      return try resolve(other.value ?? "", entry, depth: depth + 1)
    }
    if name.utf8.contains(0x20) {
      if name.utf8.contains(UInt8(ascii: "(")), entry.dialect == .uwsgi {
        warnings.append(
          "\(entry.place): uWSGI has no brackets in calculations, and takes the words beside them for 0; "
            + "here what is in brackets is calculated first")
      }
      return try calculate(name, entry, depth)
    }
    if Self.formats.contains(entry.key) { return nil }
    throw .unknownReference(
      place: entry.place, name: name, suggestion: Suggestion.key(name, entries.prefix(1000).map(\.key)))
  }

  /// Evaluates words from left to right: numbers, keys, and `+ - * / ++ --` between them. Words without an
  /// operator between them are concatenated.
  private mutating func calculate(_ text: String, _ entry: Entry, _ depth: Int) throws(ConfigError)
    -> String
  {
    let text = try withoutBrackets(text, entry, depth)
    var result = ""
    var sign: Substring?
    for word in text.split(separator: " ") {
      if word == "++" || word == "--" {
        let number = try number(result, text, entry)
        result = "\(number &+ (word == "++" ? 1 : -1))"
      } else if ["+", "-", "*", "/"].contains(word) {
        sign = word
      } else {
        let value = Int64(word) != nil ? String(word) : try key(String(word), entry, depth) ?? ""
        if let sign {
          result = try apply(sign, number(result, text, entry), number(value, text, entry), text, entry)
        } else {
          result += value
        }
        sign = nil
      }
    }
    return result
  }

  /// Replaces what is in brackets by its result.
  private mutating func withoutBrackets(_ text: String, _ entry: Entry, _ depth: Int) throws(ConfigError)
    -> String
  {
    var text = text
    while let open = text.utf8.firstIndex(of: UInt8(ascii: "(")) {
      let after = text[text.utf8.index(after: open)...]
      guard let end = Self.closing(after) else { break }
      try reader.needs.budget.take(bytes: text.utf8.count, entry.origin.quote(entry.key))
      let inner = try calculate(String(after[..<end]), entry, depth)
      text = "\(text[..<open])\(inner)\(after[after.utf8.index(after: end)...])"
    }
    return text
  }

  /// The operand of an operator; an empty one, as before the first word, is 0. uWSGI reads any other text as
  /// 0 too, and serves with a number that nobody meant.
  private func number(_ value: String, _ text: String, _ entry: Entry) throws(ConfigError) -> Int64 {
    if value.isEmpty { return 0 }
    if let number = Int64(value) { return number }
    throw .badValue(
      place: entry.place,
      .rule(
        "%(\(text))", problem: "calculates with what is no number",
        fix: "give its keys numbers, or leave the signs out to join texts"))
  }

  private func apply(
    _ sign: Substring, _ left: Int64, _ right: Int64, _ text: String, _ entry: Entry
  ) throws(ConfigError) -> String {
    switch sign {
    case "+": return "\(left &+ right)"
    case "-": return "\(left &- right)"
    case "*": return "\(left &* right)"
    default:
      if right == 0 {
        throw .badValue(
          place: entry.place,
          .rule("%(\(text))", problem: "divides by zero", fix: "divide by another number"))
      }
      return right == -1 ? "\(0 &- left)" : "\(left / right)"
    }
  }
}
