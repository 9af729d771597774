// Docs that hold: what they link to, name by its path or call by its name is there, and the site has them.
import Foundation
import Testing

@Suite struct DocsTests {
  private static let pages =
    SourceFile.all(in: ["docs", "apps", "templates", "Tests/Fixtures"], suffixes: [".md"])
    + ["README", "CONTRIBUTING", "SECURITY", "WORKAROUNDS"].compactMap { name in
      (try? String(contentsOfFile: "\(SourceFile.root)/\(name).md", encoding: .utf8))
        .map { SourceFile(path: "\(name).md", text: $0) }
    }
  /// Folders of the project: a word that begins with one of them is a path.
  private static let folders: Set<String> = [
    "Sources", "Plugins", "Tests", "apps", "bench", "docs", "scripts", "sdk", "templates", "packaging",
  ]

  /// Words between backquotes and targets of links, outside of blocks of code.
  private static func quoted(in page: SourceFile) -> [(line: Int, word: String, isLink: Bool)] {
    var found: [(Int, String, Bool)] = []
    var isCode = false
    for (number, line) in page.lines.enumerated() {
      if line.hasPrefix("```") { isCode.toggle() }
      guard !isCode else { continue }
      let pieces = line.split(separator: "`", omittingEmptySubsequences: false)
      for (index, piece) in pieces.enumerated() where index % 2 == 1 {
        found.append((number, String(piece), false))
      }
      var rest = line[...]
      while let start = rest.range(of: "]("), let end = rest[start.upperBound...].firstIndex(of: ")") {
        found.append((number, String(rest[start.upperBound..<end]), true))
        rest = rest[end...]
      }
    }
    return found
  }

  private static func exists(_ path: String) -> Bool {
    FileManager.default.fileExists(atPath: "\(SourceFile.root)/\(path)")
  }

  @Test("a link between pages leads somewhere")
  func links() {
    for page in Self.pages {
      let folder = page.path.split(separator: "/").dropLast().joined(separator: "/")
      for (line, target, isLink) in Self.quoted(in: page) where isLink && !target.contains("://") {
        let path = target.split(separator: "#", omittingEmptySubsequences: false)[0]
        guard !path.isEmpty, !Self.exists("\(folder)/\(path)") else { continue }
        Issue.record("\(page.finding(line, "there is no \(path): correct the link"))")
      }
    }
  }

  @Test("the site leads to every page, and to no other")
  func navigation() throws {
    let site = try String(contentsOfFile: "\(SourceFile.root)/mkdocs.yml", encoding: .utf8)
    let pages = SourceFile.all(in: ["docs"], suffixes: [".md"]).map { String($0.path.dropFirst(5)) }
    let named = site.split(separator: "\n").compactMap { line in
      line.hasSuffix(".md") ? line.split(separator: " ").last.map(String.init) : nil
    }
    for page in Set(pages).subtracting(named).sorted() {
      Issue.record("the nav of mkdocs.yml does not have \(page): add it")
    }
    for page in Set(named).subtracting(pages).sorted() {
      Issue.record("there is no docs/\(page): correct the nav of mkdocs.yml")
    }
    #expect(named.count == Set(named).count, "a page is in the nav of mkdocs.yml twice")
  }

  @Test("a path of the project that a page names is there")
  func paths() {
    for page in Self.pages {
      for (line, word, isLink) in Self.quoted(in: page) where !isLink {
        let path = word.split(separator: " ").first.map(String.init) ?? ""
        guard let folder = path.split(separator: "/").first, path.contains("/"),
          Self.folders.contains(String(folder)), !path.contains(where: "*{…<".contains),
          !path.split(separator: "/").contains(where: { $0.allSatisfy { $0.isUppercase || $0 == "." } })
        else { continue }
        let name = path.hasSuffix("/") ? String(path.dropLast()) : path
        guard !Self.exists(name) else { continue }
        Issue.record("\(page.finding(line, "there is no \(name): say where it is now"))")
      }
    }
  }

  @Test("a file of the code that a page names without its folder is somewhere")
  func fileNames() {
    let known = Set(
      SourceFile.all(in: ["Sources", "Plugins", "Tests", "apps"], suffixes: [".swift", ".c", ".h", ".py"])
        .map(\.name))
    for page in Self.pages where page.path.hasPrefix("docs/") || !page.path.contains("/") {
      for (line, word, isLink) in Self.quoted(in: page) where !isLink && word.hasSuffix(".swift") {
        guard !word.contains(where: "/ *…".contains), !known.contains(word),
          !Self.exists(word)
        else { continue }
        Issue.record("\(page.finding(line, "there is no \(word): correct the name"))")
      }
    }
  }

  @Test("a name of the code that a page about the code uses is in the code")
  func names() {
    let code = Set(
      SourceFile.all(
        in: ["Sources", "Plugins", "Tests", "apps", "sdk", "templates"],
        suffixes: [".swift", ".h", ".hpp", ".c", ".rs", ".py"]
      ).flatMap { $0.lines.flatMap(Self.words) })
    let pages = ["docs/ARCHITECTURE.md", "docs/LIFE_OF_A_REQUEST.md", "WORKAROUNDS.md", "CONTRIBUTING.md"]
    for page in Self.pages where pages.contains(page.path) || page.path.hasPrefix("docs/decisions/") {
      for (line, word, isLink) in Self.quoted(in: page) where !isLink && Self.isName(word) {
        for name in Self.words(word) where !code.contains(name) {
          Issue.record("\(page.finding(line, "\(name) is nowhere in the code: correct the name"))")
        }
      }
    }
  }

  /// A type, a member or a function of Swift, and nothing that a shell or a front end would read.
  private static func isName(_ word: String) -> Bool {
    guard let first = word.first, first.isLetter, !word.contains(where: " /-=<>$\"'".contains) else {
      return false
    }
    let hasHump = zip(word, word.dropFirst()).contains { $0.isLowercase && $1.isUppercase }
    return hasHump && word.allSatisfy { $0.isASCII && ($0.isLetter || $0.isNumber || "._():~".contains($0)) }
  }

  private static func words(_ text: String) -> [String] {
    text.split { !($0.isLetter || $0.isNumber || $0 == "_") }.map(String.init)
  }
}
