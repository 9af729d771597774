import Testing

@testable import Config

/// Other servers' configurations in this server's words.
@Suite struct MigrationTests {
  @Test func uwsgi() throws {
    let text = """
      [uwsgi]
      base = /srv
      chdir = %(base)/shop
      http = :8080   
      wsgi = shop.wsgi
      workers = 3 # cores
      carbon = :9191
      chroot = /x
      vacuum = true

      """
    let migration = Migration.uwsgi("u.ini", environment: [:]) { _ in text }.text
    let expected = """
      ; made of u.ini by `server migrate`
      [server]
      ; TO DO u.ini:8: `chroot = /x`: uWSGI would shut the process off from the rest of the \
      machine, and nothing here does; use systemd's means (RootDirectory=, \
      CapabilityBoundingSet=, PrivateNetwork=) or \
      a container, and take the line out
      ; LOST u.ini:7: `carbon = :9191`: uWSGI would send statistics to a service, and nothing here \
      does; read `server ctl --json status` from the service's agent
      ; always so, or without meaning: vacuum
      lazy-apps = false
      threads = 1
      chdir = /srv/shop
      ; was u.ini:4: `http = :8080`
      http-socket = :8080
      wsgi = shop.wsgi
      ; was u.ini:6: `workers = 3`
      processes = 3
      uwsgi-opt = base=/srv
      uwsgi-opt = vacuum=true
      uwsgi-module = true

      """
    #expect(migration == expected)
    let again = try served(try invoke(["m.ini"], files: ["m.ini": migration]))
    let before = try served(
      try invoke(["u.ini"], files: ["u.ini": text.replacing("chroot", with: "vacuum")]))
    var (one, other) = (again, before)
    (one.warnings, other.warnings) = ([], [])
    // That of the line which was changed for this.
    other.shared.options.removeAll { $0 == "vacuum=/x" }
    #expect(one == other)
  }

  @Test("what an application finds in uwsgi.opt is there after the migration too")
  func keys() throws {
    let text = "[uwsgi]\nhome-page = 100%% $(HOME)\nflag\nmodule = m\nhttp-socket = :1\nenable-threads = 1\n"
    let files = ["u.ini": text]
    let migration = Migration.uwsgi("u.ini", environment: ["HOME": "/h"]) { files[$0]! }.text
    func options(_ file: String, _ text: String) throws -> [String] {
      try served(try invoke([file], environment: ["HOME": "/h"], files: [file: text])).shared.options
    }
    let before = try options("u.ini", text)
    #expect(before == ["home-page=100% /h", "flag", "enable-threads=1"])
    #expect(try options("m.ini", migration) == before, "\(migration)")
  }

  @Test("a file that cannot be read is no migration, and one that it names is something to do")
  func obstacles() {
    let broken = Migration.uwsgi("u.ini", environment: [:]) { _ in "[uwsgi\n" }
    #expect(broken.obstacle == "u.ini:1: `[uwsgi` has no closing bracket; write it as in [server]")
    let missing = Migration.uwsgi("u.ini", environment: [:]) { _ in throw NoSuchFile() }
    #expect(missing.obstacle?.contains("cannot read u.ini: no such file") == true)
    let files = ["u.ini": "[uwsgi]\nini = more.ini\n"]
    let part = Migration.uwsgi("u.ini", environment: [:]) { (path) throws in
      guard let text = files[path] else { throw NoSuchFile() }
      return text
    }
    #expect(part.obstacle == nil && part.text.contains("; TO DO u.ini:2: `ini = more.ini`: cannot read"))
  }

  @Test("Unit's defaults are written out, and the application is the one that requests are passed to")
  func unitsDefaults() {
    let text = Migration.unit(
      "c.json",
      converted: "unit\t1\tapplications\\nblog\\nmodule\tblog\n"
        + "unit\t2\tapplications\\nshop\\nmodule\tshop\n"
        + "unit\t3\tlisteners\\n*:80\\npass\tapplications/shop/site\n"
    ).text
    for line in ["module = shop\n", "processes = 1\n", "threads = 1\n", "disable-logging = true\n"] {
      #expect(text.contains(line), "\(line)\n\(text)")
    }
    #expect(text.contains("; TO DO the application blog needs a server of its own"), "\(text)")
  }

  @Test("a class in gunicorn's file is told of, where an option would be lost")
  func gunicornsClasses() {
    let text = Migration.gunicorn(
      [("logger_class", ["\u{1}"]), ("worker_class", ["\u{1}"]), ("helper", ["\u{1}"])], path: "g.py",
      source: "\nlogger_class = Quiet\n"
    ).text
    #expect(text.contains("; LOST g.py:2: `logger_class`: it is a class or function of the file; lines go"))
    #expect(text.contains("; LOST g.py: `worker_class`: ") && !text.contains("helper"), "\(text)")
  }

  @Test("Unit's least number of processes is ours, where it is below the most")
  func spare() {
    func migrate(_ spare: String) -> String {
      let names = ["max": "3", "spare": spare]
      let text = names.map { "unit\t1\tapplications\\ns\\nprocesses\\n\($0.key)\t\($0.value)\n" }.joined()
      return Migration.unit("c.json", converted: text).text
    }
    #expect(migrate("0").contains("cheaper = 1\n") && migrate("2").contains("cheaper = 2\n"))
    #expect(!migrate("3").contains("cheaper"))
  }

  @Test("a pattern of Unit's that is no prefix, and a fallback that is no application, are told of")
  func unitsRoutes() {
    func migrate(_ uri: String, _ rest: String) -> String {
      Migration.unit(
        "c.json",
        converted: "unit\t1\tapplications\\ns\\nmodule\ts\nunit\t2\troutes\\n0\\nmatch\\nuri\t\(uri)\n"
          + "unit\t3\troutes\\n0\\naction\\nshare\t/srv$uri\n"
          + "unit\t4\troutes\\n0\\naction\\nfallback\\n\(rest)\n"
      ).text
    }
    let plain = migrate("/static/*", "pass\tapplications/s")
    #expect(plain.contains("static-map2 = /static=/srv\n") && !plain.contains("LOST"), "\(plain)")
    for pattern in ["!/api/*", "*.css", "/a/*/b"] {
      let text = migrate(pattern, "pass\tapplications/s")
      #expect(text.contains("; LOST c.json:3: ") && text.contains("`\(pattern)`"), "\(text)")
      #expect(!text.contains("static-map2"), "\(text)")
    }
    #expect(migrate("/s/*", "share\t/other$uri").contains("; LOST c.json:4: `routes.0.action.fallback.share"))
  }

  /// The settings of gunicorn's manual, with values as files have them.
  static let gunicornSettings = """
    bind backlog workers worker_class threads worker_connections max_requests max_requests_jitter timeout
    graceful_timeout keepalive limit_request_line limit_request_fields limit_request_field_size reload
    reload_engine reload_extra_files spew check_config print_config preload_app sendfile reuse_port chdir
    daemon raw_env pidfile worker_tmp_dir user group umask initgroups tmp_upload_dir secure_scheme_headers
    forwarded_allow_ips accesslog disable_redirect_access_to_syslog access_log_format errorlog loglevel
    capture_output logger_class logconfig logconfig_dict logconfig_json syslog_addr syslog syslog_prefix
    syslog_facility enable_stdio_inheritance statsd_host dogstatsd_tags statsd_prefix proc_name
    default_proc_name pythonpath paste proxy_protocol proxy_allow_ips keyfile certfile ssl_version cert_reqs
    ca_certs suppress_ragged_eofs do_handshake_on_connect ciphers raw_paste_global_conf
    permit_obsolete_folding strip_header_spaces permit_unconventional_http_method
    permit_unconventional_http_version casefold_http_method forwarder_headers header_map
    """

  @Test("each of gunicorn's settings becomes a line that names it, is told of, or is named as needless")
  func everySetting() {
    for name in Self.gunicornSettings.split(whereSeparator: \.isWhitespace).map(String.init) {
      guard let option = GunicornOption.find(setting: name) else {
        Issue.record("\(name) is unknown")
        continue
      }
      // These say something together with others alone.
      if ["worker_class", "worker_connections", "accesslog", "errorlog"].contains(name) { continue }
      let value = option.takesValue ? "5" : "true"
      let text = Migration.gunicorn([(name, [value])], path: "g.py", source: "\(name) = x\n").text
      let isNamed = text.contains("g.py:1: \(name) =") || text.contains("meaning: \(name)\n")
      #expect(isNamed, "\(name)\n\(text)")
      #expect(!text.contains("\ncheck-config") && !text.contains("\nshow-config"), "\(text)")
    }
  }

  @Test func gunicorn() throws {
    let source =
      "import os\nbind = '0.0.0.0:8000'\nworkers = 3\nworker_class = 'gthread'\ndef post_fork(s, w): pass\n"
    let migration = Migration.gunicorn(
      [
        ("bind", ["0.0.0.0:8000"]), ("workers", ["3"]), ("worker_class", ["gthread"]),
        ("threads", ["4"]),
        ("timeout", ["90"]), ("preload_app", ["true"]), ("reload", ["false"]),
        ("raw_env", ["A=1", "B=%2"]),
        ("post_fork", ["\u{1}"]), ("helper", ["\u{1}"]), ("cores", ["8"]),
        ("wsgi_app", ["shop.wsgi"]),
      ], path: "g.py", source: source
    ).text
    for line in [
      "; LOST g.py:5: `post_fork`: nothing calls it", "module = shop.wsgi\n",
      "; was g.py:2: bind = …\n",
      "http-socket = 0.0.0.0:8000\n", "processes = 3\n", "threads = 4\n", "harakiri = 90\n",
      "env = A=1\n", "env = B=%%2\n",
      "preload = true\n", "disable-logging = true\n",
    ] { #expect(migration.contains(line), "\(line)\n\(migration)") }
    #expect(
      !migration.contains("helper") && !migration.contains("cores")
        && !migration.contains("autoreload"))
    let settings = try served(try invoke(["m.ini"], files: ["m.ini": migration]))
    #expect(settings.limits.threads == 4 && settings.process.workers == 3)
    #expect(settings.apps[0].options.contains(AppOption(key: "env", value: "B=%2")))
  }

  @Test("every value of Unit's comes out as it went in, or is to be done by hand")
  func values() throws {
    let values = [
      "a$(HOME)b", "@(/etc/hostname)", "%(x)", "%%(x)", "$$(HOME)", "100%", "%d/%p/%s/%n", "50%% (x)", "$(",
      "@@(f)",
      "%(a + b)", "a;b # c", "key=value", "ü…", "$(A:-$(B))", "%", "%%", "$", "@", "(", ")", "\\t\\n",
      "\"q\"",
    ]
    var rows = [
      "unit\t1\tlisteners\\n*:0\\npass\tapplications/shop",
      "unit\t1\tapplications\\nshop\\nmodule\tshop.wsgi",
    ]
    for (index, value) in values.enumerated() {
      let field = value.replacing("\\", with: "\\\\")
      rows.append("unit\t\(index + 2)\tapplications\\nshop\\nenvironment\\nV\(index)\t\(field)")
    }
    rows.append("unit\t90\tapplications\\nshop\\nenvironment\\nLINES\tone\\ntwo")
    rows.append("unit\t91\tapplications\\nshop\\nenvironment\\nBLANK\tone ")
    rows.append("unit\t92\tapplications\\nshop\\nworking_directory\t")
    let migration = Migration.unit("c.json", converted: rows.map { $0 + "\n" }.joined()).text
    let settings = try served(
      try invoke(
        ["m.ini"], environment: ["HOME": "/root"], files: ["m.ini": migration, "/etc/hostname": "host"]))
    let found = settings.apps.flatMap(\.options).filter { $0.key == "env" }.map(\.value)
    #expect(found == values.enumerated().map { "V\($0)=\($1)" })
    // What --show-config prints is read back as well.
    let shown = try invoke(["m.ini", "--show-config"], files: ["m.ini": migration])
    guard case .showConfig(let listing) = shown else { throw NotRun(invocation: shown) }
    let again = try served(
      try invoke(["s.ini"], environment: ["HOME": "/root"], files: ["s.ini": listing, "/etc/hostname": "x"]))
    #expect(again.apps.flatMap(\.options).filter { $0.key == "env" }.map(\.value) == found)
    for line in [
      "; TO DO `env` is lost: no line of an ini file has such a value (\"LINES=one\\ntwo\")",
      "; TO DO `env` is lost: no line of an ini file has such a value (\"BLANK=one \")",
      "; TO DO `chdir` is lost: no line of an ini file has such a value (\"\")",
    ] { #expect(migration.contains(line), "\(migration)") }
  }

  @Test func unit() throws {
    let rows: [([String], String)] = [
      (["listeners", "*:8080", "pass"], "routes"),
      (["listeners", "*:8080", "forwarded", "source"], "10.0.0.0/8"),
      (["routes", "0", "match", "uri"], "/static/*"),
      (["routes", "0", "action", "share"], "/srv/www$uri"),
      (["routes", "1", "match", "host"], "old.example"),
      (["routes", "1", "action", "return"], "301"),
      (["routes", "2", "action", "pass"], "applications/shop"),
      (["applications", "shop", "type"], "python 3.11"),
      (["applications", "shop", "path"], "/srv/shop"),
      (["applications", "shop", "module"], "shop.wsgi"),
      (["applications", "shop", "callable"], "app"),
      (["applications", "shop", "processes", "max"], "4"),
      (["applications", "shop", "processes", "spare"], "1"),
      (["applications", "shop", "environment", "STAGE"], "live"),
      (["applications", "shop", "limits", "timeout"], "20"),
      (["applications", "blog", "module"], "blog"), (["settings", "http", "server_version"], "false"),
      (["settings", "http", "max_body_size"], "1000"), (["access_log"], "/var/log/unit.log"),
    ]
    let text = rows.enumerated().map { index, row in
      "unit\t\(index + 1)\t\(row.0.joined(separator: "\\n"))\t\(row.1)\n"
    }.joined()
    let migration = Migration.unit("c.json", converted: text).text
    for line in [
      "http-socket = :8080\n", "trusted-proxy = 10.0.0.0/8\n", "static-map2 = /static=/srv/www\n",
      "module = shop.wsgi:app\n",
      "pythonpath = /srv/shop\n", "processes = 4\n", "env = STAGE=live\n", "harakiri = 20\n",
      "; LOST c.json:6:",
      "cheaper = 1\n", "; LOST c.json:17:", "; TO DO the application blog", "limit-post = 1000\n",
      "req-logger = file:/var/log/unit.log\n", "; Unit's default\nthreads = 1\n",
    ] { #expect(migration.contains(line), "\(line)\n\(migration)") }
    let settings = try served(try invoke(["m.ini"], files: ["m.ini": migration]))
    #expect(settings.process.workers == 4 && settings.files.roots.count == 1)
  }
}
