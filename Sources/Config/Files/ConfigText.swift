// The text of a configuration file -> its sections and their lines. Lines of an ini file are `key = value`,
// `key`, `[section]`, or comments that begin with `;` or `#`. Other formats arrive from their converter as
// lines of four fields between tabs: section, line number, key and value; `\t`, `\n` and `\\` stand for a
// tab, a line end and a backslash, and a key without a value has three fields.

import Control

/// The sections of a file, in their order.
struct ConfigText {
  struct Line {
    let number: Int
    let key: String
    let value: String?
  }

  struct Section {
    let name: String
    var lines: [Line] = []
  }

  private(set) var sections: [Section] = []
  /// Lines before the first section, in a form that may be shown.
  private(set) var strays: [(number: Int, text: String)] = []

  /// The first invalid line of a converter's output, from 1; nil for none.
  private(set) var brokenLine: Int?

  /// The size of the text in bytes.
  let bytes: Int

  private static let newline = UInt8(ascii: "\n")

  /// Reads an ini file.
  init(ini text: String, path: String) throws(ConfigError) {
    bytes = text.utf8.count
    var isFirst = true
    var number = 0
    for raw in text.utf8.split(separator: Self.newline, omittingEmptySubsequences: false) {
      number += 1
      var line = Substring(raw).trimmed
      if isFirst, line.utf8.starts(with: "\u{feff}".utf8) { line = line.dropFirst().trimmed }
      isFirst = false
      if line.isEmpty || line.hasPrefix(";") || line.hasPrefix("#") { continue }
      if line.hasPrefix("[") {
        guard let name = Self.sectionName(line) else {
          throw .iniSection(place: "\(path):\(number)", line: String(line))
        }
        sections.append(Section(name: name))
      } else if sections.isEmpty {
        strays.append((number, Self.shown(line)))
      } else {
        sections[sections.count - 1].lines.append(Self.line(number, line))
      }
    }
  }

  /// Reads a converter's output for a file; `brokenLine` says whether all of it could be read.
  init(converted text: String) {
    bytes = text.utf8.count
    for (index, raw) in text.utf8.split(separator: Self.newline).enumerated() {
      let fields = TabbedLine.decoded(Substring(raw))
      guard fields.count >= 3, let number = Int(fields[1]) else {
        brokenLine = brokenLine ?? index + 1
        continue
      }
      let line = Line(number: number, key: fields[2], value: fields.count > 3 ? fields[3] : nil)
      if sections.last?.name != fields[0] { sections.append(Section(name: fields[0])) }
      if !line.key.isEmpty { sections[sections.count - 1].lines.append(line) }
    }
  }

  /// The text in the brackets; a comment may follow them.
  private static func sectionName(_ line: Substring) -> String? {
    guard let end = line.utf8.firstIndex(of: Ascii.rightBracket) else { return nil }
    let rest = line[line.utf8.index(after: end)...].trimmed
    guard rest.isEmpty || rest.hasPrefix(";") || rest.hasPrefix("#") else { return nil }
    return String(line[line.utf8.index(after: line.startIndex)..<end].trimmed)
  }

  private static func shown(_ line: Substring) -> String {
    let entry = Self.line(0, line)
    guard let value = entry.value else { return String(line) }
    let shown = SecretValue.shown(value, of: entry.key)
    return shown == value ? String(line) : "\(entry.key) = \(shown)"
  }

  private static func line(_ number: Int, _ text: Substring) -> Line {
    guard let (key, value) = text.cut(at: Ascii.equals) else {
      return Line(number: number, key: String(text), value: nil)
    }
    return Line(number: number, key: String(key.trimmed), value: String(value.trimmed))
  }

  /// A value, written so that a section [server] reads it unchanged: without placeholders of the file or
  /// references.
  static func escaped(_ value: String) -> String {
    var bytes: [UInt8] = []
    var last: UInt8 = 0
    for byte in value.utf8 {
      let isReference = last == UInt8(ascii: "$") || last == UInt8(ascii: "@")
      if byte == UInt8(ascii: "("), isReference { bytes.append(last) }
      if byte == Ascii.percent { bytes.append(byte) }
      bytes.append(byte)
      last = byte
    }
    return String(decoding: bytes, as: UTF8.self)
  }
}
