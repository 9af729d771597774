// Configuration files -> entries, in the order in which they count: handles sections, blocks, files that name
// others, and placeholders of the file. References to other keys or to the environment are replaced later
// (`References`).

struct ConfigReader {
  let needs: Reading.Needs
  /// The entries read, in order.
  var entries: [Entry] = []
  var findings = Findings()
  /// Files include each other. No further ones are opened: each way into the circle would be told of again,
  /// thousands of times where a file includes itself twice.
  var isCircular = false

  /// How deep files may include each other; deeper counts as a circle. Precedent: OpenSSH `Include` 16.
  private static let depthMaximum = 16
  /// Sections read when none is named; `[uwsgi]` only in a file that has none of the others.
  private static let ownSections = ["server", "nsgi"]

  /// One file that is being read.
  private struct Place {
    let path: String
    let section: String?
    let format: ConfigFormat
    let dialect: Dialect
    let depth: Int
    var blocks = Blocks()
  }

  /// Reads the file that an option names (`FILE[:section]`), and those that it names in turn, in place. Adds
  /// to `entries`, and errors to `findings`.
  mutating func read(_ value: String, format: ConfigFormat?, place: String) {
    open(value, format, place: place, from: nil)
  }

  private mutating func open(
    _ value: String, _ wanted: ConfigFormat?, place: String, from parent: Place?
  ) {
    if isCircular, parent != nil { return }
    do throws(ConfigError) {
      var (path, section) = Self.split(value)
      if path.isEmpty, section != nil, let parent { path = parent.path }
      if path.isEmpty { throw .badValue(place: place, .empty(example: "server.ini")) }
      let depth = parent.map { $0.depth + 1 } ?? 0
      if depth >= Self.depthMaximum { throw .iniCircle(place: place) }
      let format =
        path == parent?.path
        ? parent!.format : wanted ?? ConfigFormat(ending: path) ?? parent?.format ?? .ini
      let text = try text(path, format, place: place, mayBePipe: parent == nil)
      try needs.budget.take(bytes: text.bytes, place)
      let (dialect, sections) = try choose(text, path: path, section, format, parent?.dialect)
      if dialect == .uwsgi { findings.speaksUWSGI = true }
      note(text.strays, path: path, dialect)
      take(
        sections.flatMap(\.lines),
        Place(path: path, section: section, format: format, dialect: dialect, depth: depth))
    } catch {
      if case .iniCircle = error { isCircular = true }
      findings.problems.append(error)
    }
  }

  /// `FILE:section`, unless what follows the last colon is part of the path.
  private static func split(_ text: String) -> (path: String, section: String?) {
    guard let colon = text.utf8.lastIndex(of: Ascii.colon) else { return (text, nil) }
    let section = text[text.utf8.index(after: colon)...]
    if section.isEmpty || section.utf8.contains(Ascii.slash) { return (text, nil) }
    return (String(text[..<colon]), String(section))
  }

  private func text(
    _ path: String, _ format: ConfigFormat, place: String, mayBePipe: Bool
  ) throws(ConfigError) -> ConfigText {
    let text: String
    do {
      switch format {
      case .ini where mayBePipe: text = try needs.readFile(path)
      case .ini: text = try needs.readOther(path)
      default: text = try needs.surroundings.convert(format, path)
      }
    } catch {
      throw .unreadable(place, path, error)
    }
    if format == .ini { return try ConfigText(ini: text, path: path) }
    let converted = ConfigText(converted: text)
    if let line = converted.brokenLine {
      let problem = "config_reader has made a line of it (its \(line).) that is none of a configuration"
      throw .unreadable(
        place, path, UnreadableFile(problem, fix: "use the config_reader that came with this server"))
    }
    return converted
  }

  /// The sections that count, with their dialects: a section with a name of its own has that of the file, or
  /// of the file that asks for it.
  private func choose(
    _ text: ConfigText, path: String, _ wanted: String?, _ format: ConfigFormat, _ parent: Dialect?
  ) throws(ConfigError) -> (Dialect, [ConfigText.Section]) {
    let names = text.sections.map(\.name)
    let hasOwn = Self.ownSections.contains(where: names.contains)
    // In XML the first element counts, whatever its id.
    let first = format == .xml && !names.contains("uwsgi") ? names.first : nil
    let accepted = wanted.map { [$0] } ?? (hasOwn ? Self.ownSections : [first ?? "uwsgi"])
    guard accepted.contains(where: names.contains) else {
      if wanted == nil, let stray = text.strays.first {
        throw .iniWithoutSection(place: "\(path):\(stray.number)", line: stray.text)
      }
      let usual = format == .ini && parent != .uwsgi ? "server" : "uwsgi"
      throw .noSection(file: path, wanted: wanted ?? usual)
    }
    let sections = text.sections.filter { accepted.contains($0.name) }
    if accepted.contains("uwsgi") { return (.uwsgi, sections) }
    if Self.ownSections.contains(where: accepted.contains) { return (.server, sections) }
    let isForeign = format != .ini || names.contains("uwsgi")
    return (parent ?? (isForeign && !hasOwn ? .uwsgi : .server), sections)
  }

  /// uWSGI ignores lines before any section.
  private mutating func note(
    _ strays: [(number: Int, text: String)], path: String, _ dialect: Dialect
  ) {
    for stray in strays {
      let error = ConfigError.iniWithoutSection(place: "\(path):\(stray.number)", line: stray.text)
      if dialect == .server { findings.problems.append(error) } else { findings.warn(error) }
    }
  }

  private mutating func take(_ lines: [ConfigText.Line], _ place: Place) {
    var place = place
    let placeholders = FilePlaceholders(
      path: place.path, section: place.section, workingDirectory: needs.workingDirectory, needs.surroundings)
    for line in lines where !needs.budget.isSpent {
      let origin = Origin.ini(file: place.path, line: line.number)
      do throws(ConfigError) {
        let key = try expand(line.key, placeholders, place.dialect, origin.quote(line.key))
        let value =
          try line.value == nil
          ? nil : expand(line.value!, placeholders, place.dialect, origin.quote(line.key))
        try take(key, value, origin, &place)
      } catch {
        findings.problems.append(error)
      }
    }
    for block in place.blocks.open {
      let end = "`\(block.kind.end)`"
      findings.warnings.append(
        "\(Occurrence.place(block.kind.rawValue, nil, block.origin)) has no \(end), and goes to the end "
          + "of the file"
      )
    }
  }

  private func expand(
    _ text: String, _ placeholders: FilePlaceholders, _ dialect: Dialect, _ place: @autoclosure () -> String
  ) throws(ConfigError) -> String {
    if let expanded = placeholders.expand(text, dialect, most: Limits.configurationBytes) { return expanded }
    try needs.budget.take(bytes: .max, place())
    return ""
  }

  private mutating func take(
    _ key: String, _ value: String?, _ origin: Origin, _ place: inout Place
  ) throws(ConfigError) {
    let quoted = Occurrence.place(key, value, origin)
    if BlockKind.isEnd(key) {
      if !place.blocks.end() { throw .endWithoutBlock(place: quoted) }
      return
    }
    if let kind = BlockKind(key: key) {
      place.blocks.begin(try block(kind, value ?? "", in: place.blocks, origin, key: key))
      return
    }
    for value in try place.blocks.values(of: value, needs.budget, origin.quote(key)) {
      let bytes = key.utf8.count + (value ?? "").utf8.count
      try needs.budget.take(keys: 1, bytes: bytes, origin.quote(key))
      let entry = Entry(key: key, value: value, origin: origin, dialect: place.dialect)
      if let format = OptionTable.configuration(named: key) {
        var references = References(entries: entries, reader: self)
        let file = try references.resolve(entry).value ?? ""
        open(file, format, place: entry.place, from: place)
      } else if let variable = try Entry(setting: entry) {
        entries.append(variable)
      } else {
        entries.append(entry)
      }
    }
  }
}

extension Findings {
  /// Warns the operator of something that does not prevent the start.
  mutating func warn(_ error: ConfigError) { warnings.append("\(error.sentence), and is ignored") }
}

extension Entry {
  /// The variable defined by `set = NAME=VALUE`; nil for any other key.
  init?(setting entry: Entry) throws(ConfigError) {
    guard ["set", "set-placeholder", "set-ph"].contains(entry.key) else { return nil }
    guard let (name, value) = (entry.value ?? "").cut(at: Ascii.equals), !name.isEmpty else {
      throw .badValue(place: entry.place, .variableWithoutEquals(SecretValue.mark))
    }
    self.init(
      key: String(name), value: String(value), origin: entry.origin, dialect: entry.dialect)
  }
}
