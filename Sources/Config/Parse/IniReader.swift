// ini files -> occurrences. Lines are `key = value`, `key`, `[section]`, or comments that begin with `;` or
// `#`. Keys are long option names; %d %p %n %s and $(VARIABLE) in values are as in uWSGI.

struct IniReader {
  let environment: [String: String]
  let workingDirectory: String
  let readFile: (String) throws -> String

  /// Files that include each other; deeper is taken for a circle. Precedent: OpenSSH `Include` 16.
  private static let depthMaximum = 16
  /// Sections read when none is named; `[uwsgi]` only in a file that has none of the others.
  private static let ownSections = ["server", "nsgi"]

  /// Reads the file that `occurrence` names (`FILE[:section]`), and those that it names in turn, in place.
  func read(_ occurrence: Occurrence, depth: Int = 0) throws(ConfigError) -> [Occurrence] {
    let (path, section) = Self.split(occurrence.value ?? "")
    if path.isEmpty { throw .badValue(place: occurrence.place, .empty(example: "server.ini")) }
    if depth >= Self.depthMaximum { throw .iniCircle(place: occurrence.place) }
    let text: String
    do {
      text = try readFile(path)
    } catch {
      throw .unreadable(place: occurrence.place, path: path, reason: "\(error)")
    }
    var found: [Occurrence] = []
    for line in try lines(of: text, path: path, section: section) {
      let next = try option(line, path: path)
      if case .configuration = next.spec.shape {
        found += try read(next, depth: depth + 1)
      } else {
        found.append(next)
      }
    }
    return found
  }

  private struct Line {
    let number: Int
    let key: String
    let value: String?
  }

  /// `FILE:section`, unless what follows the last colon is part of the path.
  private static func split(_ text: String) -> (path: String, section: String?) {
    guard let colon = text.utf8.lastIndex(of: Ascii.colon) else { return (text, nil) }
    let section = text[text.utf8.index(after: colon)...]
    if section.isEmpty || section.utf8.contains(Ascii.slash) { return (text, nil) }
    return (String(text[..<colon]), String(section))
  }

  /// The lines of the wanted section. One of another section is not looked at beyond its form.
  private func lines(of text: String, path: String, section wanted: String?) throws(ConfigError) -> [Line] {
    var sections: [(name: String, lines: [Line])] = []
    let newline = UInt8(ascii: "\n")
    for (index, raw) in text.utf8.split(separator: newline, omittingEmptySubsequences: false).enumerated() {
      var line = Substring(raw).trimmed
      if index == 0, line.utf8.starts(with: "\u{feff}".utf8) { line = line.dropFirst().trimmed }
      if line.isEmpty || line.hasPrefix(";") || line.hasPrefix("#") { continue }
      if line.hasPrefix("[") {
        guard line.hasSuffix("]") else {
          throw .iniSection(place: "\(path):\(index + 1)", line: String(line))
        }
        sections.append((String(line.dropFirst().dropLast().trimmed), []))
        continue
      }
      if sections.isEmpty { throw .iniWithoutSection(place: "\(path):\(index + 1)", line: String(line)) }
      sections[sections.count - 1].lines.append(Self.line(index + 1, line))
    }
    let names = sections.map(\.name)
    let accepted =
      wanted.map { [$0] } ?? (Self.ownSections.contains(where: names.contains) ? Self.ownSections : ["uwsgi"])
    guard accepted.contains(where: names.contains) else {
      throw .noSection(file: path, wanted: wanted ?? "server")
    }
    return sections.filter { accepted.contains($0.name) }.flatMap(\.lines)
  }

  private static func line(_ number: Int, _ text: Substring) -> Line {
    guard let (key, value) = text.cut(at: Ascii.equals) else {
      return Line(number: number, key: String(text), value: nil)
    }
    return Line(number: number, key: String(key.trimmed), value: String(value.trimmed))
  }

  private func option(_ line: Line, path: String) throws(ConfigError) -> Occurrence {
    let origin = Origin.ini(file: path, line: line.number)
    let place = Occurrence.place(line.key, line.value, origin)
    guard let index = OptionTable.index(named: line.key) else {
      throw .unknownOption(
        place: "\(path):\(line.number): `\(line.key)`", suggestion: Suggestion.name(for: line.key[...]))
    }
    let spec = OptionTable.all[index]
    var value = try line.value.map { text throws(ConfigError) in try expand(text, path: path, place: place) }
    switch spec.shape {
    case .action: throw .commandLineOnly(place: place)
    case .value, .configuration:
      guard let given = value, !given.isEmpty else {
        throw .missingValue(place: place, written: line.key + " =", spec.placeholder ?? "VALUE")
      }
    case .optionalValue:
      if value == "true" { value = nil }
    case .flag: break
    }
    return Occurrence(index: index, written: line.key, value: value, origin: origin)
  }
}
