// The glossary has a line for each type of the sources: the first sentence of the comment above it.
//
// Written anew with UPDATE_GLOSSARY in the environment.
import Foundation
import Testing

@Suite struct GlossaryTests {
  private static let modules = [
    "Posix", "Wire", "Config", "Control", "Host", "Check", "Replay", "Master", "server", "NSGI",
  ]
  private static let path = "docs/GLOSSARY.md"
  private static let mark = "<!-- types: written from the sources -->"

  /// A type that stands at the edge of its file, and what is said of it.
  private struct Entry {
    let name: String
    let sentence: String
    let file: SourceFile
    let line: Int
  }

  private static let kinds: Set<Substring> = ["struct", "class", "enum", "protocol", "actor"]

  private static func entries(of module: String) -> [Entry] {
    SourceFile.all(in: ["Sources/\(module)"], suffixes: [".swift"]).flatMap { file in
      file.lines.indices.compactMap { index in
        guard let name = name(file.lines[index]) else { return nil }
        return Entry(name: name, sentence: sentence(above: index, in: file), file: file, line: index)
      }
    }.sorted { ($0.name, $0.file.path) < ($1.name, $1.file.path) }
  }

  /// The name that a line declares, of a type that is visible beyond its file.
  private static func name(_ line: String) -> String? {
    guard let first = line.first, !first.isWhitespace, !line.hasPrefix("//") else { return nil }
    let words = line.split { !($0.isLetter || $0.isNumber || $0 == "_" || $0 == "@") }
    guard let kind = words.prefix(6).firstIndex(where: kinds.contains), kind + 1 < words.count,
      !words[..<kind].contains("private"), !words[..<kind].contains("extension")
    else { return nil }
    return String(words[kind + 1])
  }

  private static func sentence(above index: Int, in file: SourceFile) -> String {
    var lines: [String] = []
    var place = index - 1
    while place >= 0, file.lines[place].hasPrefix("@") { place -= 1 }
    while place >= 0, file.lines[place].hasPrefix("///") {
      lines.insert(file.lines[place].dropFirst(3).trimmingCharacters(in: .whitespaces), at: 0)
      place -= 1
    }
    // The only type of its file may leave that to the file's head.
    if lines.isEmpty {
      lines = file.lines.prefix { $0.hasPrefix("//") }
        .map { $0.dropFirst(2).trimmingCharacters(in: .whitespaces) }
    }
    let text = lines.prefix { !$0.isEmpty }.joined(separator: " ")
    let end = text.range(of: ". ")?.lowerBound ?? text.endIndex
    let sentence = text[..<end].trimmingCharacters(in: CharacterSet(charactersIn: ". "))
    return sentence.replacingOccurrences(of: "|", with: "\\|")
  }

  private static var lines: [String] {
    modules.flatMap { module in
      ["", "### \(module)", "", "| type | what it is |", "|---|---|"]
        + entries(of: module).map { "| \($0.name) | \($0.sentence) |" }
    }
  }

  @Test("each type has a comment that begins with a sentence of it")
  func comments() {
    for entry in Self.modules.flatMap(Self.entries) where entry.sentence.isEmpty {
      Issue.record("\(entry.file.finding(entry.line, "say in a comment what \(entry.name) is"))")
    }
  }

  @Test("the glossary has a line for each type")
  func glossary() throws {
    let path = "\(SourceFile.root)/\(Self.path)"
    let text = try String(contentsOfFile: path, encoding: .utf8)
    let page = text.split(separator: "\n", omittingEmptySubsequences: false).map(String.init)
    let mark = try #require(page.firstIndex(of: Self.mark), "\(Self.path) has no place for the types")
    if ProcessInfo.processInfo.environment["UPDATE_GLOSSARY"] != nil {
      let whole = page[...mark] + Self.lines + [""]
      return try whole.joined(separator: "\n").write(toFile: path, atomically: true, encoding: .utf8)
    }
    let (found, expected) = (Set(page[(mark + 1)...]), Set(Self.lines))
    let update = "use: UPDATE_GLOSSARY=1 make test FILTER=GlossaryTests"
    for line in Self.lines where !found.contains(line) {
      Issue.record("\(Self.path) lacks \(line); \(update)")
    }
    for line in page[(mark + 1)...] where !line.isEmpty && !expected.contains(line) {
      Issue.record("\(Self.path) has \(line), which the sources do not say; \(update)")
    }
  }
}
