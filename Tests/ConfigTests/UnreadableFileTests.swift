import Testing

@testable import Config

/// Files that cannot be read, and words that mean something only in this server's own files.
@Suite struct UnreadableFileTests {
  @Test(
    "what `config_reader` says of a file is told with the file, the line and the fix",
    arguments: [
      ("line 3: it is no JSON; put quotes there", "f.ini:3: it is no JSON; put quotes there"),
      ("line 7: it is broken", "f.ini:7: it is broken; correct that line"),
      ("it is longer than 1 MiB; name another", "f.ini: it is longer than 1 MiB; name another"),
      ("No such file", "`--ini f.ini`: cannot read f.ini: No such file; check the path and its permissions"),
      ("line x: y", "`--ini f.ini`: cannot read f.ini: line x: y; check the path and its permissions"),
    ])
  func unreadable(_ printed: String, _ sentence: String) {
    let error = ConfigError.unreadable("`--ini f.ini`", "f.ini", UnreadableFile(printed: printed))
    #expect(error.description == sentence)
  }

  @Test("files that include each other in several ways are told of once")
  func circles() {
    let files = [
      "a.ini": "[uwsgi]\nini = b.ini\nini = a.ini\n", "b.ini": "[uwsgi]\ninclude = a.ini\ninclude = b.ini\n",
    ]
    let said = complaint("a.ini", files: files)
    #expect(said.contains("the files include each other") && !said.contains("\n"), "\(said)")
  }

  @Test("development is asked for in this server's own words: `debug` is a variable in those of uWSGI")
  func debug() throws {
    let file = "debug = true\nmodule = x\nhttp-socket = :1\n"
    let own = try served(try invoke(["a.ini"], files: ["a.ini": "[server]\n" + file]))
    #expect(own.supervision.isDevelopment && own.supervision.watchesApps && own.supervision.soakSeconds == 0)
    #expect(own.apps[0].options.contains(AppOption(key: "server.debug", value: "true")))
    #expect(own.warnings.contains { $0.hasPrefix("--debug is for development") })
    let foreign = try served(try invoke(["a.ini"], files: ["a.ini": "[uwsgi]\n" + file]))
    #expect(
      !foreign.supervision.isDevelopment
        && foreign.apps[0].options.contains(AppOption(key: "server.debug", value: "false")))
  }
}
