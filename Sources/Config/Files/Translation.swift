// Entries -> options. A section of this server's own takes only options; in one of uWSGI's, a key may be an
// option of this server, one that means something else or nothing here, or a variable of the file.

/// Turns entries into options, one after the other.
struct Translator {
  /// Keys that `%(name)` refers to.
  let referenced: Set<String>
  /// Names of uWSGI's options that mean nothing here or always apply; each once.
  var accepted: [String] = []
  var findings = Findings()
  var options: [Occurrence] = []
  /// What else applications find in `uwsgi.opt`.
  var tellings: [Occurrence] = []
  var sharedSockets = SharedSockets()

  /// Adds the options that an entry stands for.
  mutating func take(_ entry: Entry) {
    switch entry.dialect {
    case .server: own(entry)
    case .uwsgi: foreign(entry)
    }
  }

  private mutating func own(_ entry: Entry) {
    guard let index = OptionTable.index(named: entry.key) else {
      if referenced.contains(entry.key) { return }
      findings.problems.append(
        .unknownOption(
          place: entry.origin.quote(entry.key), suggestion: Suggestion.name(for: entry.key[...])))
      return
    }
    do throws(ConfigError) { try add(index, entry) } catch { findings.problems.append(error) }
  }

  /// Options that a file in uWSGI's words cannot set, because there such a key is a variable: a name that was
  /// harmless there must not show tracebacks to everybody here.
  private static let ownWords: Set<String> = ["debug"]

  private mutating func foreign(_ given: Entry) {
    if sharedSockets.takes(given) { return accept(given.key) }
    let entry = sharedSockets.addressed(given)
    switch UWSGIMeaning(of: entry) {
    case .options(let pairs): add(pairs, entry)
    case .changed(let pairs, let sentence):
      findings.losses.append(Loss(place: entry.place, sentence: sentence))
      add(pairs, entry)
    case .accepted:
      accept(entry.key)
      tell(entry)
    case .off: break
    case .warned(let loss): findings.losses.append(Loss(place: entry.place, sentence: loss))
    case .refused(let reason, let fix):
      findings.problems.append(.refusedOption(place: entry.place, reason: reason, fix: fix))
    case .unknown:
      if let index = OptionTable.index(named: entry.key), !referenced.contains(entry.key),
        !Self.ownWords.contains(entry.key)
      {
        do throws(ConfigError) { try add(index, entry) } catch { findings.problems.append(error) }
      } else if referenced.contains(entry.key) {
        tell(entry)
      } else {
        tell(entry)
        let other = Self.ownWords.contains(entry.key) ? nil : Suggestion.name(for: entry.key[...])
        let suggestion = other.map { "; did you mean \($0)?" } ?? ""
        findings.losses.append(
          Loss(
            place: entry.origin.quote(entry.key),
            sentence:
              "neither this server nor uWSGI has such an option, and nothing refers to it; an application "
              + "finds it in uwsgi.opt"
              + suggestion))
      }
    }
  }

  /// Adds what an application finds in `uwsgi.opt`, although it is not an option here.
  private mutating func tell(_ entry: Entry) {
    guard let index = OptionTable.index(named: "uwsgi-opt") else { return }
    let text = entry.key + (entry.value.map { "=" + $0 } ?? "")
    tellings.append(Occurrence(index: index, written: entry.key, value: text, origin: entry.origin))
  }

  private mutating func accept(_ name: String) {
    if !accepted.contains(name) { accepted.append(name) }
  }

  private mutating func add(_ pairs: [(name: String, value: String?)], _ entry: Entry) {
    if !pairs.contains(where: { $0.name == entry.key }), OptionTable.index(named: entry.key) == nil {
      tell(entry)
    }
    for (name, value) in pairs {
      guard let index = OptionTable.index(named: name) else { continue }
      var entry = entry
      entry.value = value
      do throws(ConfigError) { try add(index, entry) } catch { findings.problems.append(error) }
    }
  }

  /// Adds the option of a row, with the value in the form in which the row takes it.
  private mutating func add(_ index: Int, _ entry: Entry) throws(ConfigError) {
    let spec = OptionTable.all[index]
    var value = entry.value
    switch spec.shape {
    case .action:
      if entry.dialect == .uwsgi { return accept(entry.key) }
      throw .commandLineOnly(place: entry.place)
    case .value, .configuration, .variable:
      guard let given = value, !given.isEmpty else {
        if entry.dialect == .uwsgi {
          findings.losses.append(
            Loss(place: entry.place, sentence: "the value is empty, and the key is ignored"))
          return
        }
        throw .missingValue(
          place: entry.place, written: entry.key + " =", spec.placeholder ?? "VALUE")
      }
    case .optionalValue:
      if value == "true" || value == "" { value = nil }
    case .flag:
      if entry.dialect == .uwsgi { value = value.map { UWSGIMeaning.isOff($0) ? "false" : "true" } }
    }
    options.append(
      settle(
        Occurrence(index: index, written: entry.key, value: value, origin: entry.origin),
        entry.dialect))
  }

  /// Normalizes an option's value as it was meant: without a comment after it, `true` for 1, and in a file of
  /// uWSGI's the nearest number that is allowed here. Leaves unreadable values for `apply` to report.
  private mutating func settle(_ option: Occurrence, _ dialect: Dialect) -> Occurrence {
    guard let text = option.value, let error = option.error() else { return option }
    if let bare = Self.withoutComment(text) {
      let option = option.with(bare)
      if option.error() == nil { return option }
      return dialect == .uwsgi ? settle(option, dialect) : option
    }
    guard dialect == .uwsgi else { return option }
    switch error {
    case .notANumber:
      if let flag = try? Value.boolean(text) {
        return settle(option.with(flag ? "1" : "0"), dialect)
      }
      let digits = text.utf8.prefix(while: Ascii.isDigit)
      guard !digits.isEmpty, !text.utf8.contains(Ascii.dot) else { return option }
      return told(option, Substring(digits), because: "uWSGI reads no further than its digits")
    case .outOfRange(let given, let lowest, let highest):
      guard let number = Double(given), let bound = Double(lowest) else { return option }
      let isLow = number < bound
      return told(
        option, isLow ? lowest[...] : highest[...],
        because: "that is the \(isLow ? "least" : "most") here")
    case .address where text.hasSuffix(";"):
      return told(option, text.dropLast(), because: "uWSGI reads no further than the digits of a port")
    default: return option
    }
  }

  private mutating func told(_ option: Occurrence, _ value: Substring, because reason: String)
    -> Occurrence
  {
    let changed = option.with(String(value))
    guard changed.error() == nil else { return option }
    findings.warnings.append("\(option.place) is taken for \(value): \(reason)")
    return changed
  }

  /// The text before ` #…` or ` ;…`; nil if there is neither.
  private static func withoutComment(_ text: String) -> String? {
    let bytes = text.utf8
    let mark = bytes.indices.dropFirst().first { index in
      (bytes[index] == UInt8(ascii: "#") || bytes[index] == UInt8(ascii: ";"))
        && Ascii.isBlank(bytes[bytes.index(before: index)])
    }
    return mark.map { String(text[..<$0].trimmed) }
  }
}

extension Translator {
  /// Sockets of uWSGI's that are bound first, and that other options name by their numbers: `http = =0`.
  struct SharedSockets {
    private var addresses: [String] = []
    private var named: Set<Int> = []
    /// How many have been met.
    private var met = 0

    /// Takes notice of an entry before any is translated.
    mutating func note(_ entry: Entry) {
      guard entry.dialect == .uwsgi, let value = entry.value else { return }
      if Self.isShared(entry.key) { addresses.append(value) }
      if let (number, _) = Self.number(value), Self.isSocket(entry.key) { named.insert(number) }
    }

    /// Whether it is a socket that another option names.
    mutating func takes(_ entry: Entry) -> Bool {
      guard Self.isShared(entry.key), entry.value != nil else { return false }
      met += 1
      return named.contains(met - 1)
    }

    /// The entry with the address of the socket that it names.
    func addressed(_ entry: Entry) -> Entry {
      guard let value = entry.value, let (number, rest) = Self.number(value), Self.isSocket(entry.key),
        addresses.indices.contains(number)
      else { return entry }
      var result = entry
      result.value = addresses[number] + rest
      return result
    }

    private static func isShared(_ key: String) -> Bool {
      key == "shared-socket" || key == "undeferred-shared-socket"
    }

    private static func isSocket(_ key: String) -> Bool {
      !isShared(key) && (key.hasSuffix("socket") || key.hasPrefix("http"))
    }

    /// `=0`, and what follows.
    private static func number(_ value: String) -> (Int, rest: Substring)? {
      guard value.hasPrefix("=") else { return nil }
      let digits = value.dropFirst().prefix { ("0"..."9").contains($0) }
      return Int(digits).map { ($0, value[digits.endIndex...]) }
    }
  }
}

extension Occurrence {
  /// The same option with another value.
  func with(_ value: String) -> Occurrence {
    Occurrence(index: index, written: written, value: value, origin: origin)
  }

  /// Why its value is refused, apart from all other options; nil for a good one.
  func error() -> ValueError? {
    var scratch = Draft()
    do throws(ConfigError) { try apply(to: &scratch) } catch {
      if case .badValue(_, let reason) = error { return reason }
    }
    return nil
  }
}
