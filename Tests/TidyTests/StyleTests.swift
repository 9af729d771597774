// Sizes and comments: files that can be read in one go, lines that fit, public names that are explained.
import Foundation
import Testing

@Suite struct StyleTests {
  static let lineLength = 110
  static let functionLength = 70
  static let fileLength = 400

  @Test("no line is longer than 110 columns")
  func lineLengths() {
    for file in SourceFile.everything {
      for (number, line) in file.lines.enumerated() where line.count > Self.lineLength {
        Issue.record("\(file.finding(number, "\(line.count) columns; use at most \(Self.lineLength)"))")
      }
    }
  }

  @Test("a file above 400 lines says in its first lines why it is one file")
  func fileLengths() {
    for file in SourceFile.everything where file.lines.count - 1 > Self.fileLength {
      let top = file.lines.prefix(8).joined(separator: " ").lowercased()
      guard !top.contains("one file because") else { continue }
      let fix = "use two files, or begin with a comment that says \"one file because …\""
      Issue.record("\(file.finding(0, "\(file.lines.count - 1) lines; \(fix)"))")
    }
  }

  @Test("no function is longer than 70 lines")
  func functionLengths() {
    for file in SourceFile.everything where file.path.hasSuffix(".swift") {
      for (name, start, length) in Self.functions(of: file) where length > Self.functionLength {
        let message = "\(name) has \(length) lines; use at most \(Self.functionLength)"
        Issue.record("\(file.finding(start, message))")
      }
    }
  }

  /// Functions by indentation, which swift-format-like layout makes exact: from `func` to the `}` below it.
  static func functions(of file: SourceFile) -> [(name: String, start: Int, length: Int)] {
    var found: [(String, Int, Int)] = []
    let code = file.code
    for (number, line) in code.enumerated() {
      let words = line.split(separator: " ")
      guard let position = words.firstIndex(where: { $0 == "func" || $0.hasPrefix("init(") }),
        words[..<position].allSatisfy({ !$0.contains("=") && !$0.contains("(") || $0.hasPrefix("@") })
      else { continue }
      let indentation = String(line.prefix { $0 == " " })
      let name = words[position] == "func" ? String(words.dropFirst(position + 1).first ?? "") : "init"
      guard let end = code[number...].firstIndex(where: { $0 == indentation + "}" || isOneLine($0, line) })
      else { continue }
      found.append((String(name.prefix { $0 != "(" && $0 != "<" }), number, end - number + 1))
    }
    return found
  }

  private static func isOneLine(_ candidate: String, _ line: String) -> Bool {
    candidate == line && line.hasSuffix("}") && line.contains("{")
  }

  @Test("every public name has a comment")
  func publicNamesAreExplained() {
    let declarations = ["func ", "struct ", "class ", "enum ", "protocol ", "typealias ", "actor "]
    for file in SourceFile.sources {
      for (number, line) in file.code.enumerated() {
        let trimmed = line.trimmingCharacters(in: .whitespaces)
        guard trimmed.contains("public "), !trimmed.contains("func =="), !trimmed.contains("import "),
          declarations.contains(where: { trimmed.contains("public " + $0) || trimmed.contains(" " + $0) })
        else { continue }
        if !Self.isExplained(file, number) {
          let message = "public and unexplained: \(trimmed); use a /// comment above"
          Issue.record("\(file.finding(number, message))")
        }
      }
    }
  }

  /// Whether the nearest line above that is no attribute is a documentation comment.
  private static func isExplained(_ file: SourceFile, _ number: Int) -> Bool {
    var above = number - 1
    while above >= 0 {
      let line = file.lines[above].trimmingCharacters(in: .whitespaces)
      if line.hasPrefix("@") || line.hasPrefix("#if") {
        above -= 1
        continue
      }
      return line.hasPrefix("///") || line.hasSuffix("*/")
    }
    return false
  }

  @Test("a Swift file begins with what it is")
  func filesBeginWithAComment() {
    for file in SourceFile.everything where file.path.hasSuffix(".swift") {
      let code = file.lines.drop { $0.isEmpty || ImportTests.imported($0) != nil }
      guard let first = code.first, !first.hasPrefix("//"), !first.hasPrefix("@") else { continue }
      Issue.record("\(file.finding(0, "begins with code; use a comment of 1-4 lines that says what it is"))")
    }
  }

  @Test("nothing is left for later in a comment")
  func nothingLeftOver() {
    // Spelt in two parts, so that this file passes.
    let words = ["TO" + "DO", "FIX" + "ME", "XX" + "X"]
    for file in SourceFile.everything {
      for (number, line) in file.lines.enumerated() {
        guard let word = words.first(where: { Self.holds(line, word: $0) }) else { continue }
        Issue.record("\(file.finding(number, "\(word); use an issue, or do it"))")
      }
    }
  }

  private static func holds(_ line: String, word: String) -> Bool {
    line.split { !$0.isLetter && !$0.isNumber && $0 != "_" }.contains { $0 == word }
  }

  @Test("no try that crashes")
  func noForcedTry() {
    for file in SourceFile.everything where file.path.hasSuffix(".swift") {
      for (number, line) in file.code.enumerated() where line.contains("try" + "! ") {
        Issue.record("\(file.finding(number, "try that crashes; use try in a function that throws"))")
      }
    }
  }
}
