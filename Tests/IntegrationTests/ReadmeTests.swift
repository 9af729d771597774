// The commands in the README of each example app are run as they stand: `Run:` starts a server, every
// `Test:` after it is a command, and the lines below it are what it prints.
import Foundation
import Support
import Testing

/// What a README promises.
struct Recipe: Sendable, CustomTestStringConvertible {
  var folder: String
  /// The command behind `Run:`; empty when there is none.
  var run = ""
  /// The commands behind `Test:`, each with the output that follows it.
  var tests: [(command: String, output: [String])] = []

  var testDescription: String { folder }

  /// Reads `Run:` and `Test:` lines: the command on the same line in backquotes, or indented below.
  init(folder: String, text: String) {
    self.folder = folder
    var expectsOutput = false
    for line in text.split(separator: "\n", omittingEmptySubsequences: false) {
      if line.hasPrefix("Run:") {
        run = Self.command(line.dropFirst(4))
        expectsOutput = false
      } else if line.hasPrefix("Test:") {
        tests.append((Self.command(line.dropFirst(5)), []))
        expectsOutput = true
      } else if line.hasPrefix("    "), expectsOutput {
        tests[tests.count - 1].output.append(String(line.dropFirst(4)))
      } else if !line.isEmpty {
        expectsOutput = false
      }
    }
  }

  private static func command(_ text: Substring) -> String {
    text.trimmingCharacters(in: CharacterSet(charactersIn: " `"))
  }

  /// Every example app.
  static let all: [Recipe] = Repository.files(under: "apps", suffixes: ["/README.md"]).compactMap { path in
    (try? Repository.text(path)).map { Recipe(folder: String(path.dropLast("/README.md".count)), text: $0) }
  }
}

@Suite struct ReadmeTests {
  @Test("every example app has a README")
  func readmes() {
    #expect(Recipe.all.count >= 3)
  }

  @Test("the README's commands do what it says", arguments: Recipe.all)
  func commands(recipe: Recipe) throws {
    try #require(!recipe.run.isEmpty, "\(recipe.folder)/README.md has no Run: line")
    try #require(!recipe.tests.isEmpty, "\(recipe.folder)/README.md has no Test: line")
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
      let lines = output.split(separator: "\n", omittingEmptySubsequences: false).map(String.init)
      for line in test.output { #expect(lines.contains(line), "\(test.command) printed:\n\(output)") }
    }
    #expect(try process.stop() == .status(0), "\(process.output)")
  }
}
