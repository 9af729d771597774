// A file of the project as the house rules see it: numbered lines, and the place where it stands.
import Foundation

/// One source file.
struct SourceFile: Sendable {
  /// Path below the project's root.
  let path: String
  let lines: [String]

  /// The module that a file of Sources or Plugins belongs to.
  var module: String { String(path.split(separator: "/")[1]) }
  var name: String { String(path.split(separator: "/").last ?? "") }

  /// The project's root.
  static let root: String = {
    var url = URL(fileURLWithPath: #filePath)
    for _ in 0..<3 { url.deleteLastPathComponent() }
    return url.path
  }()

  /// Files below `folders` whose names end in one of `suffixes`, in the order of their paths.
  static func all(in folders: [String], suffixes: [String]) -> [SourceFile] {
    folders.flatMap { folder -> [SourceFile] in
      let paths = FileManager.default.enumerator(atPath: "\(root)/\(folder)")
      var files: [SourceFile] = []
      while let path = paths?.nextObject() as? String {
        guard suffixes.contains(where: path.hasSuffix), !path.contains(".build/"),
          let text = try? String(contentsOfFile: "\(root)/\(folder)/\(path)", encoding: .utf8)
        else { continue }
        files.append(SourceFile(path: "\(folder)/\(path)", text: text))
      }
      return files.sorted { $0.path < $1.path }
    }
  }

  init(path: String, text: String) {
    self.path = path
    lines = text.split(separator: "\n", omittingEmptySubsequences: false).map(String.init)
  }

  /// The Swift sources that ship.
  static let sources = all(in: ["Sources", "Plugins"], suffixes: [".swift"])
  /// Everything that is written by hand.
  static let everything = all(
    in: ["Sources", "Plugins", "apps", "Tests", "bench", "scripts"],
    suffixes: [".swift", ".c", ".h", ".sh", ".py"])

  /// A finding, as a compiler would print it.
  func finding(_ line: Int, _ message: String) -> String { "\(path):\(line + 1): \(message)" }

  /// Each line without comments and the contents of string literals, so that words in them are not code.
  var code: [String] {
    // A string of several lines ends with the delimiter that it began with: a raw one may hold others.
    var end: String?
    return lines.map { line in
      let trimmed = line.trimmingCharacters(in: .whitespaces)
      if let delimiter = end {
        if trimmed.hasPrefix(delimiter) { end = nil }
        return ""
      }
      if trimmed.hasSuffix("\"\"\"") {
        end = "\"\"\"" + (trimmed.hasSuffix("#\"\"\"") ? "#" : "")
        return ""
      }
      if trimmed.hasPrefix("//") { return "" }
      return Self.withoutStrings(line)
    }
  }

  private static func withoutStrings(_ line: String) -> String {
    var result = ""
    var isInString = false
    var previous: Character = " "
    for character in line {
      if character == "\"", previous != "\\" {
        isInString.toggle()
      } else if character == "/", previous == "/", !isInString {
        return String(result.dropLast())
      }
      if !isInString { result.append(character) }
      previous = character
    }
    return result
  }
}
