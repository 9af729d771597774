import Testing

@testable import Config

@Suite struct IniTests {
  private func read(
    _ text: String, path: String = "s.ini", environment: [String: String] = [:],
    workingDirectory: String = "",
    arguments: [String] = [], others: [String: String] = [:]
  ) throws -> Settings {
    let files = others.merging([path: text]) { $1 }
    let invocation = try invoke(
      ["--ini", path] + arguments, environment: environment, files: files, workingDirectory: workingDirectory)
    return try served(invocation)
  }

  @Test func keysAreLongNames() throws {
    let settings = try read(
      """
      ; a comment
      # another
      [server]
      app=a.so
      http-socket = :1
      http = :2
      scgi-socket=/run/s.sock
      master
      disable-logging = true
      log-4xx = false
      chmod-socket = true
      chown-socket = www-data:www-data
      """)
    #expect(settings.apps == [AppSettings(path: "a.so")])
    #expect(settings.listeners.map(\.address.description) == [":1", ":2", "/run/s.sock"])
    #expect(settings.process.hasMaster && !settings.log.requests && !settings.log.clientErrors)
    #expect(settings.socketFiles.mode == 0o666)
    #expect(settings.socketFiles.owner == Owner(user: "www-data", group: "www-data"))
  }

  @Test(arguments: [
    "[server]", "[nsgi]", "[uwsgi]", "[ server ]", "\u{feff}[server]", "[x]\nfoo = 1\n[server]",
  ])
  func sections(_ section: String) throws {
    let settings = try read("\(section)\napp = a.so\nhttp = :1\n")
    #expect(settings.listeners.count == 1)
  }

  @Test func linesMayEndInCRLF() throws {
    #expect(try read("[server]\r\napp = a.so\r\n\r\nhttp = :1\r\n").apps[0].path == "a.so")
  }

  @Test func uwsgiIsLeftToUWSGIWhenOurOwnSectionIsThere() throws {
    let settings = try read("[uwsgi]\nmodule = x\n[server]\napp = a.so\nhttp = :1\n")
    #expect(settings.apps.count == 1)
  }

  @Test func aSectionIsNamedAfterAColon() throws {
    let text = "[server]\napp = a.so\nhttp = :1\n[other]\napp = b.so\nhttp = :2\n"
    let settings = try served(try invoke(["--ini", "s.ini:other"], files: ["s.ini": text]))
    #expect(settings.apps[0].path == "b.so" && settings.listeners.count == 1)
  }

  @Test func aFileStandsAloneOnTheCommandLine() throws {
    let text = "[server]\napp = a.so\nhttp = :1\n"
    #expect(throws: Never.self) { try invoke(["s.ini"], files: ["s.ini": text]) }
  }

  @Test func filesInclude() throws {
    let settings = try read(
      "[server]\nini = more.ini\nthreads = 2\n",
      others: ["more.ini": "[server]\napp = a.so\nhttp = :1\nthreads = 9\n"])
    #expect(settings.limits.threads == 2)
  }

  static let replacements: [(String, String)] = [
    ("%p", "/etc/srv/a.b.ini"), ("%d", "/etc/srv/"), ("%s", "a.b.ini"), ("%n", "a.b"), ("100%%", "100%"),
    ("%(uri) %x %", "%(uri) %x %"), ("$(HOME)/x", "/root/x"), ("$HOME", "$HOME"), ("$(open", "$(open"),
    ("%d%n.log", "/etc/srv/a.b.log"),
  ]

  @Test(arguments: replacements.indices, ["/etc/srv/a.b.ini", "srv/a.b.ini"])
  func placeholders(_ row: Int, _ path: String) throws {
    let (value, expected) = Self.replacements[row]
    let settings = try read(
      "[server]\napp = a.so\nhttp = :1\nlog-format = \(value)\n", path: path, environment: ["HOME": "/root"],
      workingDirectory: "/etc")
    #expect(settings.log.format?.text == expected)
  }

  @Test func aRelativeFileHasARelativeDirectory() throws {
    #expect(try read("[server]\napp = %da.so\nhttp = :1\n").apps[0].path == "./a.so")
  }

  static let bad: [(String, String)] = [
    ("[server]\n\nhttp-soket = :1", "s.ini:3: `http-soket` is not an option; did you mean http-socket?"),
    ("[server]\nzzz = 1", "s.ini:2: `zzz` is not an option; see --help"),
    (
      "[server]\nhttp = 80",
      "s.ini:2: `http = 80`: a port alone is ambiguous; write 127.0.0.1:80, or :80 for all interfaces"
    ),
    ("[server]\nhttp =", "s.ini:2: `http = `: the value is missing; write http = ADDR"),
    ("[server]\nhttp", "s.ini:2: `http`: the value is missing; write http = ADDR"),
    ("[server]\nmaster = 2", "s.ini:2: `master = 2`: \"2\" is neither true nor false; write true or false"),
    (
      "[server]\nhelp = true",
      "s.ini:2: `help = true`: this option works on the command line only; take it out"
    ),
    (
      "[server]\napp = $(NOPE)",
      "s.ini:2: `app = $(NOPE)`: NOPE is not set in the environment; set it, or write the value in "
        + "place of $(NOPE)"
    ),
    ("http = :1", "s.ini:1: `http = :1` stands before any section; write [server] above it"),
    ("[server", "s.ini:1: `[server` has no closing bracket; write it as in [server]"),
    ("[x]\na = 1", "s.ini has no section [server]; put the keys below [server]"),
    ("", "s.ini has no section [server]; put the keys below [server]"),
    (
      "[server]\nini = s.ini",
      "s.ini:2: `ini = s.ini`: the files include each other; take one of the lines out by "
        + "which they do"
    ),
    (
      "[server]\nini = t.ini",
      "s.ini:2: `ini = t.ini`: cannot read t.ini: no such file; check the path and its permissions"
    ),
  ]

  @Test(arguments: bad.indices) func errorsNameTheLine(_ row: Int) {
    let (text, sentence) = Self.bad[row]
    #expect(complaint("--ini s.ini", files: ["s.ini": text]) == sentence)
  }

  @Test func aMissingSectionIsNamed() {
    #expect(
      complaint("--ini s.ini:x", files: ["s.ini": "[server]\n"])
        == "s.ini has no section [x]; put the keys below [x]")
  }
}
