// The pages of docs/guides are followed from top to bottom: what they write into files, start, ask and say is
// what happens (Tests/Guides/run.py).
import Support
import Testing

@Suite struct GuideTests {
  private static let pages = Repository.files(under: "docs/guides", suffixes: [".md"])
  /// Needs compilers that `make test-languages` installs, and is followed there.
  private static let apart = "docs/guides/swift-go-zig.md"
  private static let followed = pages.filter { $0 != apart }

  @Test("there are guides, and the site leads to each")
  func isReachable() throws {
    #expect(Self.pages.count >= 12 && Self.pages.contains(Self.apart))
    let site = try Repository.text("mkdocs.yml")
    for page in Self.pages { #expect(site.contains(": \(page.dropFirst("docs/".count))\n"), "\(page)") }
  }

  @Test("the commands and the files of a guide do what it says", arguments: followed)
  func commands(page: String) throws {
    let (exit, output) = try ChildProcess.run(
      try Repository.python("python"), ["\(Repository.root)/Tests/Guides/run.py", page],
      environment: ["SERVER_UNDER_TEST": Repository.server], directory: Repository.root,
      deadline: Deadline(seconds: 300))
    #expect(exit == .status(0), "\(output)")
  }
}
