import Testing

@testable import Config

@Suite struct StaticOptionTests {
  private func files(_ words: String...) throws -> StaticSettings {
    try served(try invoke(["--app", "a.so", "--http", ":1"] + words)).files
  }

  @Test("where files are looked for") func roots() throws {
    let files = try files(
      "--static-map", "/static=/srv/s", "--static-map2", "/media=/srv", "--check-static", "/www",
      "--static-map", "/=/all", "--static-map", "/favicon.ico=/srv/f.ico")
    #expect(
      files.roots == [
        StaticRoot(prefix: "/static", directory: "/srv/s", kind: .map),
        StaticRoot(prefix: "/media", directory: "/srv", kind: .wholePath),
        StaticRoot(prefix: "", directory: "/www", kind: .check),
        StaticRoot(prefix: "", directory: "/all", kind: .map),
        StaticRoot(prefix: "/favicon.ico", directory: "/srv/f.ico", kind: .map),
      ])
  }

  @Test("how they are served") func others() throws {
    let files = try files(
      "--static-index", "index.html", "--static-skip-ext", ".php", "--static-safe", "/shared",
      "--mime-file", "/etc/mime.types", "--static-cache-paths", "3", "--offload-threads", "4",
      "--static-gzip-all", "--static-gzip-dir", "/srv", "--static-gzip-ext", ".css",
      "--static-expires-type", "Text/CSS=60", "--static-expires-uri-mtime", "^/static/.*\\.css$ 3600")
    #expect(files.indexes == ["index.html"] && files.skippedEndings == [".php"])
    #expect(files.safeDirectories == ["/shared"] && files.typeFiles == ["/etc/mime.types"])
    #expect(files.cacheSeconds == 3 && files.coded == [.all, .below(Array("/srv".utf8)), .ending(".css")])
    #expect(
      files.expiries == [
        Expiry(subject: .type("text/css"), seconds: 60, isFromChange: false),
        Expiry(subject: .uri(try Pattern("^/static/.*\\.css$")), seconds: 3600, isFromChange: true),
      ])
  }

  /// What one option alone adds.
  struct Row: Sendable {
    let name: String
    let value: String?
    let holds: @Sendable (StaticSettings) -> Bool

    init(_ name: String, _ value: String?, _ holds: @escaping @Sendable (StaticSettings) -> Bool) {
      (self.name, self.value, self.holds) = (name, value, holds)
    }
  }

  static let rows: [Row] = roots + simple + coded + expiries

  private static let roots =
    [
      Row("static-map", "/a=/b") { $0.roots == [StaticRoot(prefix: "/a", directory: "/b", kind: .map)] },
      Row("static-map2", "/a=/b") {
        $0.roots == [StaticRoot(prefix: "/a", directory: "/b", kind: .wholePath)]
      },
    ]
    + ["check-static", "check-static-docroot"].map { name in
      Row(name, "/b") { $0.roots == [StaticRoot(prefix: "", directory: "/b", kind: .check)] }
    }

  private static let simple = [
    Row("static-index", "i.htm") { $0.indexes == ["i.htm"] },
    Row("static-skip-ext", ".php") { $0.skippedEndings == [".php"] },
    Row("static-safe", "/c") { $0.safeDirectories == ["/c"] },
    Row("mimefile", "/m") { $0.typeFiles == ["/m"] }, Row("mime-file", "/m") { $0.typeFiles == ["/m"] },
    Row("static-cache-paths", "7") { $0.cacheSeconds == 7 },
    Row("static-cache-paths-name", "x") { $0 == StaticSettings() },
    Row("offload-threads", "2") { $0 == StaticSettings() },
    Row("offload-thread", "2") { $0 == StaticSettings() },
  ]

  private static let coded =
    [Row("static-gzip-all", nil) { $0.coded == [.all] }]
    + ["static-gzip-dir", "static-gzip-prefix"].map { name in
      Row(name, "/d") { $0.coded == [.below(Array("/d".utf8))] }
    }
    + ["static-gzip-ext", "static-gzip-suffix"].map { Row($0, ".c") { $0.coded == [.ending(".c")] } }
    + [Row("static-gzip", "x+") { $0.coded == (try? Pattern("x+")).map { [.matching($0)] } }]

  private static let expiries: [Row] = [false, true].flatMap { isFromChange -> [Row] in
    let end = isFromChange ? "-mtime" : ""
    func row(_ name: String, _ value: String, _ subject: Expiry.Subject) -> Row {
      Row(name + end, value) {
        $0.expiries == [Expiry(subject: subject, seconds: 60, isFromChange: isFromChange)]
      }
    }
    guard let pattern = try? Pattern("a b$") else { return [] }
    return [
      row("static-expires", "a b$ 60", .path(pattern)), row("static-expires-uri", "a b$  60", .uri(pattern)),
      row("static-expires-path-info", "a b$ 60", .pathInfo(pattern)),
      row("static-expires-type", "text/css=60", .type("text/css")),
    ]
  }

  @Test("each option says one thing") func each() throws {
    for row in Self.rows {
      let words = ["--" + row.name] + (row.value.map { [$0] } ?? [])
      let settings = try served(try invoke(["--app", "a.so", "--http", ":1"] + words)).files
      #expect(row.holds(settings), "\(row.name): \(settings)")
    }
  }

  @Test(
    "what cannot be meant is refused",
    arguments: [
      ["--static-map", "/static"], ["--static-map", "static=/srv"], ["--static-map", "/static="],
      ["--static-map", "/a/../b=/srv"], ["--check-static", ""], ["--static-index", "a/b"],
      ["--static-expires", "css"], ["--static-expires", "( 60"], ["--static-expires", "a soon"],
      ["--static-expires-type", "text/css"], ["--static-gzip", "[a"], ["--static-cache-paths", "-1"],
    ])
  func refused(words: [String]) {
    #expect(throws: ConfigError.self) { try invoke(["--app", "a.so", "--http", ":1"] + words) }
  }

  static let patterns: [(String, [String], [String])] = [
    ("\\.css$", ["a.css", "/x/.css"], ["acss", "a.css2"]), ("^/a", ["/a", "/ab"], ["x/a", ""]),
    ("a|bc", ["xa", "abc"], ["b", "c"]), ("^(a|b)+c$", ["ac", "abbac"], ["c", "abd"]),
    ("\\.(css|js|png)$", ["a.js"], ["a.jsx"]), ("a{2,3}b", ["aab", "xaaab"], ["ab"]),
    ("^a{2}$", ["aa"], ["a", "aaa"]), ("^a{2,}$", ["aa", "aaaa"], ["a"]), ("^x?$", ["", "x"], ["xx"]),
    ("[a-c]\\d", ["b7"], ["d7", "bb"]), ("[^a-c]1", ["d1"], ["a1"]), ("^[]a]+$", ["]a"], ["b"]),
    ("(?i)\\.JPG$", ["a.jpg", "a.JpG"], ["a.png"]), ("(?:ab)*?c", ["c", "ababc"], ["ab"]),
    ("^a.c$", ["abc"], ["a\nc", "ac"]), ("\\w+-[0-9a-f]{8}\\.", ["main-0123abcd.js"], ["main-0123.js"]),
    ("", ["", "a"], []), ("(a*)*b", ["aab"], [String(repeating: "a", count: 5000)]),
  ]

  @Test("a pattern matches a part of a text", arguments: patterns)
  func pattern(text: String, fits: [String], others: [String]) throws {
    let pattern = try Pattern(text)
    for (texts, wanted) in [(fits, true), (others, false)] {
      for var text in texts {
        #expect(
          text.withUTF8 { pattern.matches(UnsafeRawBufferPointer($0)) } == wanted, "\(pattern.text): \(text)")
      }
    }
  }

  @Test(
    "what a pattern cannot say here is refused",
    arguments: ["(", ")", "a)", "[a", "*a", "a{x}", "(?=a)", "\\1", "\\"])
  func badPattern(text: String) { #expect(throws: ValueError.self) { try Pattern(text) } }
}
