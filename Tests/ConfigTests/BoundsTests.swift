import Testing

@testable import Config

/// What is short to write and would never end, or take all of the stack, is refused in one sentence.
@Suite(.timeLimit(.minutes(5))) struct BoundsTests {
  private func refusal(of lines: String) -> String {
    let problem = complaint("c.ini", files: ["c.ini": "[server]\n" + lines + "\n"])
    return String(problem.prefix { $0 != "\n" })
  }

  @Test("patterns in patterns", arguments: [65, 1000, 60_000, 500_000])
  func deepPattern(depth: Int) {
    let open = String(repeating: "(", count: depth)
    for pattern in [
      open, open + String(repeating: ")", count: depth), "a" + String(repeating: "*", count: depth),
    ] {
      #expect(throws: ValueError.self) { try Pattern(pattern) }
    }
    let sentence = refusal(of: "check-static = /x\nroute = \(open) last:")
    #expect(sentence.hasPrefix("c.ini:3: `route = ((") && sentence.utf8.count < 1500, "\(sentence)")
  }

  @Test("patterns that are deep enough, and long enough, are good")
  func goodPatterns() throws {
    func nested(_ depth: Int) -> String {
      String(repeating: "(?:", count: depth) + "a" + String(repeating: ")", count: depth)
    }
    for pattern in [
      nested(64), nested(20) + "{255}", "(?:(?:a{10}){10}){10}", String(repeating: "a|", count: 900),
    ] {
      #expect(try Pattern(pattern).text == pattern)
    }
  }

  @Test(
    "repetitions of repetitions, also of nothing",
    arguments: ["a", "", "(?:)", "a?", "a*", "(b)", "a|b"], [3, 12, 60])
  func longPattern(inner: String, depth: Int) {
    let pattern =
      String(repeating: "(?:", count: depth) + inner + String(repeating: "){255}", count: depth)
    #expect(throws: ValueError.self) { try Pattern(pattern) }
  }

  @Test("references to references")
  func references() {
    var lines = "a0 = x\n"
    for number in 1...20 {
      lines += "a\(number) = " + String(repeating: "%(a\(number - 1))", count: 4) + "\n"
    }
    let sentence = refusal(of: lines + "http-socket = :8080")
    #expect(
      sentence.hasPrefix("c.ini:") && sentence.contains("comes to more than 20000 keys or 8 MiB"),
      "\(sentence)")
    let nothing = refusal(of: lines.replacing("a0 = x", with: "a0 ="))
    #expect(nothing.contains("comes to more than 20000 keys or 8 MiB"), "\(nothing)")
  }

  @Test("loops in loops")
  func loops() {
    let loops = String(repeating: "for = a b c d e f g h i j\n", count: 8)
    let ends = String(repeating: "endfor =\n", count: 8)
    let sentence = refusal(of: loops + "env = A=%(_)\n" + ends)
    #expect(sentence.hasPrefix("c.ini:10: `env`: from here on"), "\(sentence)")
    let word = String(repeating: "w", count: 100_000)
    let wide = refusal(of: "for = \(word)\nenv = A=" + String(repeating: "%(_)", count: 1000) + "\nendfor =")
    #expect(wide.hasPrefix("c.ini:3: `env`: from here on"), "\(wide)")
    // Loops that turn often and in which little stands are nobody's harm.
    #expect(!refusal(of: "for-times = 10000\nset = a=1\nendfor =").contains("comes to more"))
  }

  @Test("files, placeholders, brackets and keys without an end")
  func others() throws {
    let file = String(repeating: "x", count: 100_000)
    let many = String(repeating: "@(f)", count: 1000)
    #expect(
      complaint("c.ini", files: ["c.ini": "[server]\nenv = A=\(many)", "f": file]).contains("comes to more"))
    let loop = "[server]\nfor-times = 5000\ninclude = d.ini\nendfor =\n"
    let included = complaint("c.ini", files: ["c.ini": loop, "d.ini": "[server]\n; \(file)\n"])
    #expect(included.contains("c.ini:3:") && included.contains("comes to more"), "\(included.prefix(500))")
    #expect(refusal(of: String(repeating: "x = 1\n", count: 100_000)).contains("c.ini:20002:"))
    for text in [
      String(repeating: "%(", count: 200_000) + String(repeating: ")", count: 200_000),
      String(repeating: "$(", count: 200_000), String(repeating: "%", count: 500_001),
    ] {
      _ = refusal(of: "env = A=\(text)")
    }
    let placeholders = try invokeProblem("env = A=" + String(repeating: "%p", count: 300_000))
    #expect(placeholders.contains("comes to more"))
  }

  private func invokeProblem(_ line: String) throws -> String {
    let path = "/" + String(repeating: "d", count: 200) + "/c.ini"
    return complaint(path, files: [path: "[server]\n\(line)\n"])
  }

  @Test(
    "a sign that is doubled before a bracket is text",
    arguments: [
      ("$$(HOME)", "$(HOME)"), ("$(HOME)", "/root"), ("$$$(HOME)", "$$(HOME)"), ("@@(f)", "@(f)"),
      ("@(f)", "text"),
      ("%%(x)", "%(x)"), ("%(x)", "1"), ("%%%(x)", "%1"), ("%%%%(x)", "%%(x)"), ("50%% (x)", "50% (x)"),
      ("a$$(", "a$("), ("$( $$(HOME", "$( $(HOME"), ("%%n", "%n"), ("$$x", "$$x"),
      ("$$(@@(%%(x)))", "$(@(%(x)))"),
    ])
  func signs(written: String, meant: String) throws {
    let text = "[server]\nx = 1\nmodule = a\nenv = A=%(x)\nenv = V=\(written)\nhttp-socket = :0\n"
    let settings = try served(
      try invoke(["c.ini"], environment: ["HOME": "/root"], files: ["c.ini": text, "f": "text\n"]))
    let values = settings.apps.flatMap(\.options).filter { $0.key == "env" }.map(\.value)
    #expect(values.last == "V=\(meant)", "\(values)")
  }

  @Test(
    "a command that needs a master is named as it was written",
    arguments: [
      ("--exec-asap", "x"), ("--exec-as-user", "x"), ("--exec-post-app", "x"), ("--cron", "1 1 1 1 1 x"),
      ("--attach-daemon", "x"), ("--smart-attach-daemon", "/p x"),
    ])
  func masterless(option: String, value: String) throws {
    let words = ["--no-master", "--app", "a.so", "--http-socket", ":0", option, value]
    #expect(throws: ConfigError.watchWithoutMaster(String(option.dropFirst(2)))) { try invoke(words) }
  }

  @Test(
    "addresses of those who watch, as they are there",
    arguments: [
      ("18403", "write :18403 for this machine alone, or *:18403 for all interfaces"),
      ("example.org:18403", "write :18403, or *:18403 for all interfaces"),
    ])
  func watchers(text: String, fix: String) {
    for option in ["--status-page", "--metrics", "--stats", "--agent-check"] {
      let sentence = complaint("\(option) \(text) --app a.so --http-socket :0")
      #expect(sentence.hasSuffix(fix), "\(sentence)")
    }
    #expect(throws: Never.self) {
      try settings("--status-page :18403 --metrics *:18404 --watch-host a.example")
    }
    #expect(
      complaint("--watch-host http://a.example/ --app a.so --http-socket :0").contains("without scheme"))
  }
}
