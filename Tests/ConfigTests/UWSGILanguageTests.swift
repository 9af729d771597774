import Testing

@testable import Config

/// What uWSGI's program makes of files in places where its manual says little.
@Suite struct UWSGILanguageTests {
  /// The value of `logto` in a file, and what it comes to.
  static let values: [(String, String)] = [
    ("$(EMPTY-other)x", "x"), ("$(EMPTY:-other)", "other"), ("$(NOPE-other)", "other"),
    ("$(NOPE:-/a:1-b)", "/a:1-b"), ("$(NOPE:-a-b)", "a-b"),
    ("%((%k * 2) + 1)", "9"), ("%(2 * (3 + (4 - 1)))", "12"), ("%(k (1 + 1))", "v2"),
  ]

  @Test(arguments: values.indices) func valuesComeTo(_ row: Int) throws {
    let (value, expected) = Self.values[row]
    let settings = try UWSGIFileTests.read("k = v\nlogto = \(value)\n", environment: ["EMPTY": ""])
    #expect(settings.log.file == expected)
  }

  @Test("brackets in a calculation are told of, since uWSGI has none, and unknown words in them refused")
  func brackets() {
    let said = UWSGIFileTests.said("listen = %((%k * 2) + 1)\n")
    #expect(said.count == 1 && said[0].contains("uWSGI has no brackets in calculations"), "\(said)")
    let unknown = UWSGIFileTests.said("logto = %((%k * two) + 1)\n")
    #expect(unknown.contains { $0.contains("no key is called two") }, "\(unknown)")
  }

  @Test("a file refers to options of the command line and to variables, known and unknown")
  func keysFromOutside() throws {
    let settings = try UWSGIFileTests.read(
      "if-opt = workers=2\nlogto = %(threads)-%(workers)-%(processes)-%(site)\nendif\n",
      environment: ["UWSGI_WORKERS": "2", "UWSGI_SITE": "shop"],
      arguments: ["/etc/app/site.ini", "--threads", "3"])
    #expect(settings.log.file == "3-2-2-shop")
    #expect(settings.warnings.isEmpty, "\(settings.warnings)")
  }

  @Test(
    "what opens a block in a block may say what the outer one is at",
    arguments: [
      ("for = a b\nfor = %(_)1 %(_)2", "endfor\nendfor", ["a1", "a2", "b1", "b2"]),
      ("for = a b\nfor = 1 2", "endfor\nendfor", ["1", "2", "1", "2"]),
      ("for = A B\nif-env = HAS_%(_)", "endif\nendfor", ["yes"]),
      ("for = A B\nif-not-env = HAS_%(_)\nfor = 1 2", "endfor\nendif\nendfor", ["1", "2"]),
      ("for-times = 2\nfor-times = %(_)", "endfor\nendfor", ["1", "1", "2"]),
    ])
  func nestedBlocks(_ begin: String, _ end: String, _ expected: [String]) throws {
    let settings = try UWSGIFileTests.read(
      "\(begin)\nenv = X=%(_)\n\(end)\n", environment: ["HAS_B": "yes"])
    let values = settings.apps[0].options.filter { $0.key == "env" }.map(\.value)
    #expect(values == expected.map { "X=" + $0 })
  }

  @Test("a variable that wins over a file of uWSGI's, as it would not there, is told of")
  func order() throws {
    let lines = "workers = 4\nthreads = 1\nmaster = true\nenv = A=1\n"
    let environment = ["UWSGI_WORKERS": "2", "UWSGI_MASTER": "1", "UWSGI_ENV": "A=2"]
    let settings = try UWSGIFileTests.read(lines, environment: environment)
    #expect(settings.process.workers == 2)
    #expect(
      settings.warnings == [
        "`UWSGI_WORKERS` in the environment counts, and /etc/app/site.ini:4: `workers = 4` does not; in "
          + "uWSGI the file's value would"
      ])
    let same = try UWSGIFileTests.read(lines, environment: ["UWSGI_WORKERS": "4"])
    #expect(same.warnings.isEmpty, "\(same.warnings)")
  }

  @Test(
    "parts of a path that name no directory are left out",
    arguments: [
      ("./site.ini", "/srv/app/|app|/srv/app/site.ini"), ("../site.ini", "/srv/|srv|/srv/site.ini"),
      ("./.././../x/./site.ini", "/x/|x|/x/site.ini"), ("/etc//./site.ini", "/etc/|etc|/etc/site.ini"),
      ("link/../site.ini", "/srv/app/link/../|..|/srv/app/link/../site.ini"),
    ])
  func paths(_ path: String, _ expected: String) throws {
    let text = "[uwsgi]\nmodule = m\nhttp = :1\nlogto = %d|%c|%p\n"
    let settings = try served(
      try invoke([path], files: [path: text], workingDirectory: "/srv/app"))
    #expect(settings.log.file == expected)
  }

  @Test("uWSGI's own plugins, named by their files, are those of this server")
  func plugins() throws {
    let settings = try UWSGIFileTests.read(
      "plugins = /usr/lib/uwsgi/python3,/usr/lib/uwsgi/plugins/router_static_plugin.so\n"
        + "plugin = /opt/uwsgi/python311_plugin.so\nplugins-dir = /usr/lib/uwsgi/plugins\n"
        + "plugin-dir = /opt/nsgi\nthreads = 1\nprocesses = 1\n")
    #expect(settings.apps.map(\.runtime) == [RuntimeReference(name: "python3")])
    #expect(settings.pluginDirectories == ["/opt/nsgi"])
    #expect(settings.warnings == ["always so here, or without meaning: plugins-dir"])
    let own = try UWSGIFileTests.read("plugin = ./python3_plugin.so\n")
    #expect(own.apps.map(\.runtime) == [RuntimeReference(name: "python3", path: "./python3_plugin.so")])
  }

  @Test("references in the address of a socket are told of once, and are bounded like any others")
  func sockets() {
    let said = UWSGIFileTests.said("uwsgi-socket = /run/$(NOPE).sock\n")
    #expect(said.count == 1 && said[0].contains("$(NOPE)"), "\(said)")
    let long = String(repeating: "x", count: 1 << 16)
    let much = UWSGIFileTests.said(
      "a = \(long)\nscgi-socket = " + String(repeating: "%(a)", count: 200) + "\n")
    #expect(much.contains { $0.contains("comes to more than") }, "\(much.map(\.count))")
  }

  @Test("a format of the command line leaves the options of a file what they are")
  func formats() throws {
    let settings = try UWSGIFileTests.read(
      "app = /x=/srv/x.so\n", arguments: ["/etc/app/site.ini", "--log-format", "%(app) %(uri)"])
    #expect(settings.apps.contains { $0.path == "/srv/x.so" })
  }

  /// Lines as they are in repositories, in the fourth line of a file, and what holds of the settings.
  static let lines: [(String, @Sendable (Settings) -> Bool)] = [
    (
      "socket = localhost:8080;",
      { $0.listeners[1].address == .inet(host: "localhost", port: 8080) && $0.warnings.count == 2 }
    ),
    (
      "shared-socket = 127.0.0.1:9\nshared-socket = :8\nsocket = =1",
      { $0.listeners.map(\.address.description) == [":1", ":8"] }
    ),
    (
      "http-socket = =0\nshared-socket = 127.0.0.1:9",
      { $0.listeners[1].address == .inet(host: "127.0.0.1", port: 9) }
    ),
    (
      "mount = /=other:app",
      { $0.apps.map(\.path) == ["m"] && $0.warnings.contains { $0.hasPrefix("m answers at /, and other") } }
    ),
    ("<<<<<<< HEAD\n=======\nthreads = 2\n>>>>>>> other", { $0.limits.threads == 2 }),
    (
      "gevent = 400  # one each",
      { $0.limits.threads == 400 && $0.warnings.contains { $0.hasSuffix("write threads = 400") } }
    ),
    ("http-headers-timeout = 7", { $0.limits.headerTimeoutSeconds == 7 }),
    ("threads=4", { $0.limits.threads == 4 }), ("\tthreads\t=\t4\t", { $0.limits.threads == 4 }),
    ("threads = 4\r", { $0.limits.threads == 4 }), ("threads = 2\nthreads = 3", { $0.limits.threads == 3 }),
    ("threads = 4# no blank", { $0.limits.threads == 4 }), ("threads = 4;", { $0.limits.threads == 4 }),
    ("disable-logging = NO", { $0.log.requests }), ("disable-logging = off ; why", { $0.log.requests }),
    ("disable-logging = 0", { $0.log.requests }), ("disable-logging = Yes", { !$0.log.requests }),
    ("logger = own fd:2", { $0.log.routing.destinations.map(\.place) == [.standard] }),
    ("log-date = true", { $0.log.dateFormat == "%a %b %e %H:%M:%S %Y" }),
    ("log-date = %%Y-%%m-%%d", { $0.log.dateFormat == "%Y-%m-%d" }),
    ("log-format = %(werr) %(rerr)", { $0.log.format != nil }),
    ("cron = 59\t2 -1  -1 -1 echo  two", { $0.programs.timed.map(\.command) == ["echo  two"] }),
    ("smart-attach-daemon = /run/x.pid\t  sleep 1", { $0.programs.attached.map(\.command) == ["sleep 1"] }),
  ]

  @Test(arguments: lines.indices) func linesAreRead(_ row: Int) throws {
    let (line, holds) = Self.lines[row]
    let settings = try UWSGIFileTests.read(line + "\n")
    #expect(holds(settings), "\(line): \(settings)")
  }
}
