// The commands in the README of each example app are run as they stand: the last line below `## Run:`
// starts a server, what stands below `## Test:` is run against it, and below `## Answer:` is what that
// prints.
import Foundation
import Support
import Testing

/// What a README promises.
struct Recipe: Sendable, CustomTestStringConvertible {
  var folder: String
  /// The command that starts the server; empty when there is none.
  var run = ""
  /// The commands to try, each with the output that it has.
  var tests: [(command: String, answer: String)] = []

  var testDescription: String { folder }

  /// Reads the fenced blocks below the headings.
  init(folder: String, text: String) {
    self.folder = folder
    var heading = ""
    var block: [String]?
    for line in text.split(separator: "\n", omittingEmptySubsequences: false).map(String.init) {
      if let lines = block {
        guard line == "```" else {
          block = lines + [line]
          continue
        }
        take(lines, below: heading)
        block = nil
      } else if line.hasPrefix("```") {
        block = []
      } else if line.hasPrefix("## ") {
        heading = line
      }
    }
  }

  private mutating func take(_ lines: [String], below heading: String) {
    switch heading {
    // The lines before the last build what the test run has built already.
    case "## Run:": run = lines.last ?? ""
    case "## Test:": tests.append((lines.joined(separator: "\n"), ""))
    case "## Answer:" where !tests.isEmpty:
      tests[tests.count - 1].answer = lines.map { $0 + "\n" }.joined()
    default: break
    }
  }

  /// Every example app, but for those whose compilers `make test-languages` installs: it runs theirs.
  static let all: [Recipe] = Repository.files(under: "apps", suffixes: ["/README.md"]).compactMap { path in
    let folder = String(path.dropLast("/README.md".count))
    guard !elsewhere.contains(folder) else { return nil }
    return (try? Repository.text(path)).map { Recipe(folder: folder, text: $0) }
  }

  /// The folders of the list `LANGUAGES` of apps/languages.mk; and that of tiny_host, which is a host.
  private static let elsewhere: Set<String> = {
    let lines = ((try? Repository.text("apps/languages.mk")) ?? "").split(separator: "\n")
    let list = lines.first { $0.hasPrefix("LANGUAGES := ") }?.split(separator: " ").dropFirst(2)
    return Set((list ?? []).map { "apps/hello_\($0)" } + ["apps/tiny_host"])
  }()
}

@Suite struct ReadmeTests {
  @Test("every example app has a README")
  func readmes() {
    #expect(Recipe.all.count >= 3)
  }

  @Test("the README's commands do what it says", arguments: Recipe.all)
  func commands(recipe: Recipe) throws {
    try #require(!recipe.run.isEmpty, "\(recipe.folder)/README.md has no command below ## Run:")
    try #require(!recipe.tests.isEmpty, "\(recipe.folder)/README.md has none below ## Test:")
    // Only the fixed ports of the text are replaced, so that two runs can go on at once.
    var ports: [String: String] = [:]
    func free(_ command: String) throws -> String {
      var text = command
      for fixed in ["8080", "8081", "8082", "8083"] where text.contains(":\(fixed)") {
        let port = try ports[fixed] ?? "\(FreePort.any())"
        ports[fixed] = port
        text = text.replacingOccurrences(of: ":\(fixed)", with: ":<\(fixed)>")
      }
      for (fixed, port) in ports { text = text.replacingOccurrences(of: "<\(fixed)>", with: port) }
      return text.replacingOccurrences(of: ".build/release/server", with: Repository.server)
    }
    let process = try ChildProcess("/bin/sh", ["-c", "exec " + free(recipe.run)], directory: Repository.root)
    _ = try process.waitForOutput("ready") { $0.contains(" ready\n") ? true : nil }
    for test in recipe.tests {
      let (exit, output) = try ChildProcess.run(
        "/bin/sh", ["-c", free(test.command)], directory: Repository.root)
      #expect(exit == .status(0), "\(test.command): \(output)")
      // An answer need not end with a line end; a block of text always does.
      #expect(output == test.answer || output + "\n" == test.answer, "\(test.command): \(output)")
    }
    #expect(try process.stop() == .status(0), "\(process.output)")
  }
}
