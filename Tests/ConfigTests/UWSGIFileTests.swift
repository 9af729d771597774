import Testing

@testable import Config

/// Files in uWSGI's language: what their lines come to, and what is said of them.
@Suite struct UWSGIFileTests {
  static let machine: Surroundings = {
    var machine = Surroundings()
    machine.hostName = { "box" }
    machine.processors = { 4 }
    machine.microseconds = { 1_700_000_000_123_456 }
    machine.inode = { _ in 77 }
    machine.isDirectory = { $0 == "/srv" }
    machine.glob = { $0 == "/p/*.conf" ? ["/p/a.conf", "/p/b.conf"] : [$0] }
    return machine
  }()

  /// The settings of a file with these lines, beside a module and a socket.
  static func read(
    _ lines: String, environment: [String: String] = [:], files: [String: String] = [:],
    arguments: [String] = ["/etc/app/site.ini"]
  ) throws -> Settings {
    let text = "[uwsgi]\nmodule = m\nhttp-socket = :1\n" + lines
    let files = files.merging(["/etc/app/site.ini": text]) { $1 }
    return try served(
      try invoke(
        arguments, environment: environment, files: files, workingDirectory: "/work",
        surroundings: machine))
  }

  /// What is said of a file with these lines: the errors, or the warnings.
  static func said(
    _ lines: String, environment: [String: String] = [:], files: [String: String] = [:]
  )
    -> [String]
  {
    do {
      return try read(
        "processes = 1\nthreads = 1\n" + lines, environment: environment, files: files
      ).warnings
    } catch let error as ConfigError {
      return error.all.map(\.description)
    } catch { return ["\(error)"] }
  }

  @Test func itsDefaultsAreOneOfEach() throws {
    let settings = try Self.read("")
    #expect(settings.process.workers == 1 && settings.limits.threads == 1)
    #expect(settings.warnings.count == 1)
    #expect(settings.warnings[0].hasPrefix("uWSGI's defaults hold where its words are used: "))
    #expect(settings.warnings[0].contains("processes = 1, threads = 1"))
    let own = try served(try invoke(["-w", "m", "--http", ":1"]))
    #expect(
      own.process.workers == nil && own.limits.threads == Limits().threads && own.warnings.isEmpty)
    let told = try Self.read("threads = 4\nworkers = 2\n")
    #expect(told.process.workers == 2 && told.limits.threads == 4 && told.warnings.isEmpty)
    #expect(settings.supervision.preloading == .wherePossible && own.supervision.preloading == .never)
    for line in ["lazy-apps = true", "lazy-apps", "lazy = 1", "preload = false"] {
      #expect(try Self.read(line + "\n").supervision.preloading == .never, "\(line)")
    }
    #expect(try Self.read("lazy-apps = false\n").supervision.preloading == .wherePossible)
    let byHand = try Self.read("", arguments: ["/etc/app/site.ini", "--threads", "8"])
    #expect(byHand.limits.threads == 8 && byHand.process.workers == 1)
  }

  /// `logto` takes any text: a value in the file, and what it comes to.
  static let values: [(String, String)] = [
    ("%p|%d|%s|%n|%c|%e", "/etc/app/site.ini|/etc/app/|site.ini|site|app|ini"),
    ("%k|%h|%t|%i|%v|%0|%1", "4|box|1700000000|77|/work|etc|app"), ("%(%k + 1)", "5"),
    ("%(%k * 2 - 1)", "7"),
    ("%(base)/log", "/srv/log"), ("%(deep)", "/srv/x/y"), ("%(http-socket)", ":1"),
    ("%(base other)", "/srvno"),
    ("$(HOME)/x", "/root/x"), ("$(NOPE:-/tmp)", "/tmp"), ("$(NOPE-/tmp)", "/tmp"),
    ("$(EMPTY:-e)", "e"),
    ("$(HOME:-x)", "/root"), ("@(/secret)", "word"), ("100%%", "100%"), ("%(later)", "l"),
    ("%(given)", "set"),
  ]

  @Test(arguments: values.indices) func valuesComeTo(_ row: Int) throws {
    let (value, expected) = Self.values[row]
    let lines = """
      base = /srv
      other = no
      deep = %(base)/x/%(name)
      name = y
      set = given=set
      logto = \(value)
      later = l

      """
    let settings = try Self.read(
      lines, environment: ["HOME": "/root", "EMPTY": ""], files: ["/secret": "word\n\n"])
    #expect(settings.log.file == expected)
  }

  @Test func theHashOfThePathIsUWSGIs() throws {
    let settings = try served(
      try invoke(["/a.ini"], files: ["/a.ini": "[uwsgi]\nmodule = m\nhttp = :1\nlogto = %j\n"]))
    // The number is 0xc6c09eeb; uWSGI writes its bytes as they lie in memory.
    #expect(settings.log.file == "EB9EC0C6")
  }

  /// Lines, and what `logto` is then; "" where it is not set.
  static let blocks: [(String, String)] = [
    ("if-env = HOME\nlogto = %(_)/l\nendif", "/root/l"), ("if-env = HOME=/x\nlogto = l\nendif", ""),
    ("if-env = HOME=/root\nlogto = l\nendif", "l"), ("if-not-env = NOPE\nlogto = l\nend-if", "l"),
    ("if-exists = /srv\nlogto = %(_)\nendif", "/srv"), ("if-file = /srv\nlogto = l\nendif", ""),
    ("if-dir = /srv\nlogto = l\nendif", "l"), ("if-not-dir = /nope\nlogto = l\nendif", "l"),
    ("if-file = /secret\nlogto = %(_)\nendif", "/secret"),
    ("if-not-exists = /nope\nlogto = l\nend", "l"),
    ("if-opt = module=m\nlogto = l\nendif", "l"), ("if-not-opt = module\nlogto = l\nendif", ""),
    ("if-hostname = box\nlogto = l\nendif", "l"), ("if-not-hostname = box\nlogto = l\nendif", ""),
    ("if-plugin = python3\nlogto = l\nendif", "l"), ("if-plugin = cobol\nlogto = l\nendif", ""),
    ("if-reload = \nlogto = l\nendif", ""), ("if-not-reload = 1\nlogto = l\nendif", "l"),
    ("for = a b\nlogto = %(_).log\nendfor", "b.log"), ("for-times = 3\nlogto = %(_)\nendfor", "3"),
    ("for-glob = /p/*.conf\nlogto = %(_)\nend-for", "/p/b.conf"),
    ("for-readline = /list\nlogto = %(_)\nendfor", "two"), ("for = \nlogto = l\nendfor", ""),
    ("if-env = NOPE\nif-env = HOME\nlogto = l\nendif\nlogto = m\nendif", ""),
    ("if-env = HOME\nif-dir = /srv\nlogto = %(_)\nendif\nendif", "/srv"),
  ]

  @Test(arguments: blocks.indices) func blocksDecide(_ row: Int) throws {
    let (lines, expected) = Self.blocks[row]
    let settings = try Self.read(
      lines + "\n", environment: ["HOME": "/root"],
      files: ["/secret": "word\n", "/list": "one\ntwo\n"])
    #expect(settings.log.file ?? "" == expected)
  }

  @Test func aLoopRepeatsAKey() throws {
    let settings = try Self.read("for = a b c\nenv = X_%(_)=1\nendfor\n")
    #expect(
      settings.apps[0].options.filter { $0.key == "env" }.map(\.value) == [
        "X_a=1", "X_b=1", "X_c=1",
      ])
  }

  @Test func filesAndSectionsNameOthers() throws {
    let text =
      "[uwsgi]\nini = :base\ninclude = more.ini\nhttp = :1\n[base]\nmodule = m\nthreads = 3\n"
    let settings = try served(
      try invoke(
        ["site.ini"],
        files: ["site.ini": text, "more.ini": "[uwsgi]\nprocesses = 2\nown = 1\nlogto = %(own)\n"]))
    #expect(
      settings.limits.threads == 3 && settings.process.workers == 2 && settings.log.file == "1")
    let dev = try served(
      try invoke(
        ["site.ini:dev"], files: ["site.ini": "[uwsgi]\n[dev]\nmodule = m\nhttp = :1\nvacuum\n"]))
    #expect(dev.limits.threads == 1, "a section beside [uwsgi] is in its words")
  }

  static let comments: [(String, @Sendable (Settings) -> Bool)] = [
    ("harakiri = 30 ; seconds", { $0.limits.requestTimeoutSeconds == 30 }),
    ("max-requests = 500\t# why", { $0.supervision.maxRequests == 500 }),
    ("disable-logging = true  # why", { !$0.log.requests }),
    ("disable-logging = false # why", { $0.log.requests }),
    ("disable-logging = 17", { !$0.log.requests }),
    ("disable-logging", { !$0.log.requests }),
    (
      "py-autoreload = true",
      { $0.apps[0].options.contains { $0 == AppOption(key: "py-autoreload", value: "1") } }
    ),
    ("logto = /a b # c", { $0.log.file == "/a b # c" }),
    ("chmod-socket = 660 # g", { $0.socketFiles.mode == 0o660 }),
    ("socket = app.sock", { $0.listeners[1].address == .unix(path: "app.sock") }),
    ("socket = /r/app.sock", { $0.listeners[1].address == .unix(path: "/r/app.sock") }),
    ("http-keepalive = 75", { $0.limits.keepAliveTimeoutSeconds == 75 }),
    (
      "http-keepalive = 1",
      { $0.limits.keepAliveTimeoutSeconds == Limits().keepAliveTimeoutSeconds }
    ),
    (
      "http-timeout = 90",
      { $0.limits.bodyTimeoutSeconds == 90 && $0.limits.writeTimeoutSeconds == 90 }
    ),
    (
      "python-path = /x",
      { $0.apps[0].options.contains { $0 == AppOption(key: "pythonpath", value: "/x") } }
    ),
    ("master = false", { $0.process.hasMaster }), ("master", { $0.process.hasMaster }),
    ("touch-chain-reload = /t", { $0.supervision.touchFiles == ["/t"] }),
    ("logger = file:/var/l", { $0.log.routing.destinations.count == 1 }),
    ("gevent = 50", { $0.limits.threads == 50 }),
    ("evil-reload-on-rss = 300", { $0.supervision.killResidentBytes == 300 << 20 }),
    ("listen = 100000", { $0.limits.backlog == 65_535 }),
    ("buffer-size = 512", { $0.limits.headBytes == 1024 }),
    ("harakiri = 30s", { $0.limits.requestTimeoutSeconds == 30 }),
    ("strict = false", { !$0.apps.isEmpty }),
    ("watch = x\nlogto = %(watch)", { $0.log.file == "x" && !$0.supervision.watchesApps }),
  ]

  @Test(arguments: comments.indices) func valuesAreReadAsUWSGIDoes(_ row: Int) throws {
    let (line, holds) = Self.comments[row]
    let settings = try Self.read(line + "\n")
    #expect(holds(settings), "\(line): \(settings)")
  }

  static let sentences: [(String, [String])] = [
    (
      "logto = %(nope)",
      [
        "/etc/app/site.ini:6: `logto = %(nope)`: no key is called nope; write `nope = VALUE`, or the "
          + "value in its place"
      ]
    ),
    (
      "base = /srv\nlogto = %(bsae)",
      [
        "/etc/app/site.ini:7: `logto = %(bsae)`: no key is called bsae; did you mean %(base)?",
        "/etc/app/site.ini:6: `base`: neither this server nor uWSGI has such an option, and nothing refers "
          + "to it; an application finds it in uwsgi.opt",
      ]
    ),
    (
      "a = %(b)\nb = %(a)\nlogto = %(a)",
      [6, 7, 8].map { line in
        let text = ["a = %(b)", "b = %(a)", "logto = %(a)"][line - 6]
        return
          "/etc/app/site.ini:\(line): `\(text)`: the keys refer to each other; write the value of one of "
          + "them out"
      }
    ),
    (
      "endif",
      [
        "/etc/app/site.ini:6: `endif`: nothing is open that it could end; take it out, or write the "
          + "`if-…` or `for…` before it"
      ]
    ),
    (
      "logto = $(NOPE)/x",
      [
        "/etc/app/site.ini:6: `logto = $(NOPE)/x`: NOPE is not set in the environment, and `$(NOPE)` "
          + "stays as it "
          + "is, as in uWSGI; set it, or write the value in place of $(NOPE)"
      ]
    ),
    (
      "harakiri = soon\nchmod-socket = rw\nini = site.ini:nowhere",
      [
        "/etc/app/site.ini:6: `harakiri = soon`: \"soon\" is not a number; write a number, as in 30 or 0.5",
        "/etc/app/site.ini:7: `chmod-socket = rw`: \"rw\" is not an octal mode; write three or four "
          + "digits from 0 "
          + "to 7, as in 660",
      ]
    ),
    (
      "if-env = X",
      ["/etc/app/site.ini:6: `if-env` has no `endif`, and goes to the end of the file"]
    ),
    (
      "listen = 70000",
      ["/etc/app/site.ini:6: `listen = 70000` is taken for 65535: that is the most here"]
    ),
    (
      "set = x", ["/etc/app/site.ini:6: `set = …`: \"…\" has no name and value; write NAME=value"]
    ),
    (
      "error-route = ^/admin break:403",
      [
        "/etc/app/site.ini:6: `error-route = ^/admin break:403`: it decides who may see what, and "
          + "nothing here does; "
          + "write the rule in the front end (nginx: deny, auth_basic), or in the application, and take "
          + "the line out"
      ]
    ),
    (
      "reload-on-pss = 1\nmem-collector-freq = 1",
      [
        "/etc/app/site.ini:6: `reload-on-pss = 1`, /etc/app/site.ini:7: `mem-collector-freq = 1`: uWSGI "
          + "would replace a worker by another measure of its memory, and nothing here does; "
          + "reload-on-uss = MIB"
      ]
    ),
    (
      "hook-master-start = unix_signal:15 gracefully_kill_them_all",
      ["always so here, or without meaning: hook-master-start"]
    ),
    ("env =", ["/etc/app/site.ini:6: `env = `: the value is empty, and the key is ignored"]),
    (
      "gevent = 9\nthreads = 9",
      [
        "/etc/app/site.ini:6: `gevent = 9`: as many requests at once have a thread each; write threads = 9"
      ]
    ),
    (
      "plugins = python3, cobol",
      [
        "the plugin cobol is none of this server's, and is left out; a library that makes applications "
          + "is named by "
          + "its file, as in --plugin ./cobol_plugin.so"
      ]
    ),
    (
      "wsgi-file = x.py",
      [
        "the module m answers at /, and x.py is not loaded; take one of module and wsgi-file out, or "
          + "mount the file, "
          + "as in --mount /other=x.py"
      ]
    ),
  ]

  @Test(arguments: sentences.indices) func everythingIsSaidAtOnce(_ row: Int) {
    let (lines, expected) = Self.sentences[row]
    var said = Self.said(lines + "\n")
    if lines.contains("nowhere") {
      #expect(said.contains { $0.contains("site.ini:nowhere") })
      said.removeAll { $0.contains("site.ini:nowhere") }
    }
    #expect(said == expected)
  }

  @Test func strictRefusesWhatWouldBeLost() {
    #expect(
      Self.said("strict = true\nown-key = 1\n")
        == [
          "/etc/app/site.ini:7: `own-key`: neither this server nor uWSGI has such an option, and nothing "
            + "refers to it; an application finds it in uwsgi.opt; take it out, or leave strict out"
        ])
  }

  @Test func optionsOfUWSGIsAreWhatTheTableSaysOnTheCommandLineToo() throws {
    let line = "-w m --http :1 --memory-report --carbon :9 --http-keepalive=9 --enable-threads --vacuum"
    let settings = try served(try invoke(words(line)))
    #expect(settings.limits.keepAliveTimeoutSeconds == 9 && settings.limits.threads == Limits().threads)
    #expect(
      settings.warnings == [
        "always so here, or without meaning: memory-report",
        "`--carbon :9`: uWSGI would send statistics to a service, and nothing here does; "
          + "read `server ctl --json status` from the service's agent",
      ])
    #expect(complaint(line + " --strict").contains("`--carbon :9`: uWSGI would send statistics to a service"))
    #expect(complaint("-w m --stats").contains("`--stats`: the value is missing"))
    #expect(
      complaint("-w m --http :1 --chroot /x --no-such 1 --harakiri soon").split(separator: "\n").count == 3)
  }

  @Test func circlesEnd() {
    let files = ["a.ini": "[uwsgi]\nini = b.ini\n", "b.ini": "[uwsgi]\ninclude = a.ini\n"]
    #expect(complaint("a.ini", files: files).contains("the files include each other"))
    let own = ["a.ini": "[uwsgi]\nini = :uwsgi\n"]
    #expect(
      complaint("a.ini", files: own).contains(
        "a.ini:2: `ini = :uwsgi`: the files include each other"))
  }

  @Test func variablesCountAsOptions() throws {
    let settings = try served(
      try invoke(
        [],
        environment: [
          "UWSGI_HTTP_SOCKET": ":2", "UWSGI_MODULE": "m", "UWSGI_THREADS": "3", "NSGI_THREADS": "4",
          "UWSGI_EMPEROR_FD": "3", "UWSGI_RELOADS": "1", "UWSGI_DISABLE_LOGGING": "1",
        ]))
    #expect(settings.limits.threads == 4 && settings.process.workers == 1 && !settings.log.requests)
    #expect(settings.apps.map(\.path) == ["m"] && settings.listeners.count == 1)
    let ini = try served(
      try invoke(
        [], environment: ["UWSGI_INI": "x.ini"], files: ["x.ini": "[uwsgi]\nwsgi = m\nhttp = :1\n"])
    )
    #expect(ini.apps.map(\.path) == ["m"])
  }
}

/// Files of other formats, as their converter hands them over.
@Suite struct ConvertedFileTests {
  private static func read(_ arguments: [String], _ text: String) throws -> Settings {
    var machine = Surroundings()
    machine.convert = { _, _ in text }
    return try served(try invoke(arguments, surroundings: machine))
  }

  @Test(
    arguments: [
      ["a.yaml"], ["a.yml"], ["a.xml"], ["a.json"], ["a.js"], ["-y", "a"], ["--yaml", "a"],
      ["-x", "a"],
      ["--xmlconfig", "a"], ["-j", "a"], ["--json=a"], ["a.yaml:uwsgi"], ["--config", "a.yaml"],
    ])
  func linesAreOptions(_ arguments: [String]) throws {
    let settings = try Self.read(
      arguments,
      "uwsgi\t1\t\nuwsgi\t2\thttp-socket\t:1\nuwsgi\t3\tmodule\tm\nuwsgi\t4\tmaster\n"
        + "uwsgi\t5\tlogto\ta\\tb\\\\c\\nd\n"
        + "uwsgi\t6\tenv\tA=%(x)\nuwsgi\t7\tenv\tB=2\nuwsgi\t8\tx\t9\n")
    #expect(settings.listeners.count == 1 && settings.apps.map(\.path) == ["m"])
    #expect(settings.log.file == "a\tb\\c\nd")
    #expect(settings.apps[0].options.filter { $0.key == "env" }.map(\.value) == ["A=9", "B=2"])
    #expect(settings.limits.threads == 1)
  }

  @Test func whatIsWrongNamesTheFileAndTheLine() {
    let error = #expect(throws: ConfigError.self) {
      try Self.read(["a.yaml"], "uwsgi\t1\t\nuwsgi\t7\tharakiri\tsoon\n")
    }
    #expect(error?.description.contains("a.yaml:7: `harakiri = soon`") == true)
    #expect(complaint("a.yaml").contains("cannot read a.yaml: nothing here reads yaml"))
  }
}
