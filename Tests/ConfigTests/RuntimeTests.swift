import Testing

@testable import Config

/// Options of language runtimes: which apps they make, and what those are told.
@Suite struct RuntimeTests {
  /// A command line and its apps, each as `MOUNT|RUNTIME|PATH|key=value|…` without the server's own facts.
  static let rows: [(String, [String])] = [
    ("--plugin python3 -w hello", ["|python3|hello|module=hello"]),
    ("--plugin python -w hello:app", ["|python3|hello:app|module=hello:app"]),
    ("-w hello", ["|python3|hello|module=hello"]),
    ("--module hello", ["|python3|hello|module=hello"]),
    ("--wsgi pkg.mod:make()", ["|python3|pkg.mod:make()|wsgi=pkg.mod:make()"]),
    ("--asgi pkg.mod:make()", ["|python3|pkg.mod:make()|asgi=pkg.mod:make()"]),
    ("-w a --interface asgi", ["|python3|a|interface=asgi|module=a"]),
    ("-w a --asgi-loop uvloop --asgi-tasks 9", ["|python3|a|asgi-loop=uvloop|asgi-tasks=9|module=a"]),
    ("--wsgi-file /srv/a.py", ["|python3|/srv/a.py|wsgi-file=/srv/a.py"]),
    ("--file a.py --callable app", ["|python3|a.py|callable=app|wsgi-file=a.py"]),
    ("-w a -w b", ["|python3|b|module=b"]),
    ("--plugins http,python3 -w a", ["|python3|a|module=a"]),
    ("--need-plugin python3 -w a", ["|python3|a|module=a"]),
    ("--plugin python3:a:app", ["|python3|a:app|module=a:app"]),
    (
      "-w a -H v --pythonpath x --pp y --env A=1 --env B= --venv w",
      ["|python3|a|pythonpath=x|pythonpath=y|env=A=1|env=B=|venv=w|module=a"]
    ),
    ("-w a --pyhome v --python-path x", ["|python3|a|venv=v|pythonpath=x|module=a"]),
    ("-w a --py-auto-reload 1", ["|python3|a|py-autoreload=1|module=a"]),
    ("-w a --python-autoreload 1", ["|python3|a|py-autoreload=1|module=a"]),
    ("-w a --python-auto-reload 1", ["|python3|a|py-autoreload=1|module=a"]),
    ("-w a --virtualenv v", ["|python3|a|venv=v|module=a"]),
    ("-w a --home v", ["|python3|a|venv=v|module=a"]),
    ("-w a --python p", ["|python3|a|python=p|module=a"]),
    ("-w a --py-autoreload 2 --pyargv x", ["|python3|a|py-autoreload=2|pyargv=x|module=a"]),
    ("-w a --catch-exceptions", ["|python3|a|catch-exceptions=true|module=a"]),
    ("-w a --embed", ["|python3|a|embed=true|module=a"]),
    ("-w a --app-option k=v", ["|python3|a|module=a|k=v"]),
    (
      "--mount /a=a.wsgi --mount /b=b.py:app",
      [
        "/a|python3|a.wsgi|wsgi-file=a.wsgi", "/b|python3|b.py:app|wsgi-file=b.py:app",
      ]
    ),
    ("--plugin python3 --mount /p=mod:app", ["/p|python3|mod:app|module=mod:app"]),
    ("--mount /p=mod:app --plugin python3", ["/p|python3|mod:app|module=mod:app"]),
    ("-w root --mount /p=mod:app", ["|python3|root|module=root", "/p|python3|mod:app|module=mod:app"]),
    (
      "-w root --mount /p=mod:make()",
      ["|python3|root|module=root", "/p|python3|mod:make()|module=mod:make()"]
    ),
    (
      "--mount /p=/srv/x.py:make('b:c')",
      ["/p|python3|/srv/x.py:make('b:c')|wsgi-file=/srv/x.py:make('b:c')"]
    ),
    ("-w root --mount /a=m.so:f()", ["|python3|root|module=root", "/a|ffi|m.so:f()|call=m.so:f()"]),
    ("--mount /p=mod:make()", ["/p|ffi|mod:make()|call=mod:make()"]),
    (
      "-w root --mount /p=mod:make('a:b.py',c=[1])",
      [
        "|python3|root|module=root",
        "/p|python3|mod:make('a:b.py',c=[1])|module=mod:make('a:b.py',c=[1])",
      ]
    ),
    (
      "--mount /p=/srv/a(1)/x.py:make('b:c')",
      ["/p|python3|/srv/a(1)/x.py:make('b:c')|wsgi-file=/srv/a(1)/x.py:make('b:c')"]
    ),
    ("--mount /p=mod:app", ["/p|python3|mod:app|module=mod:app"]),
    (
      "--mount /=site.wsgi:application",
      ["|python3|site.wsgi:application|module=site.wsgi:application"]
    ),
    ("--mount /=./site.wsgi:app", ["|python3|./site.wsgi:app|wsgi-file=./site.wsgi:app"]),
    ("--mount /=mod:app --pythonpath x", ["|python3|mod:app|pythonpath=x|module=mod:app"]),
    ("--mount /=mod --callable app", ["|python3|mod|callable=app|module=mod"]),
    ("--plugin python311 -w a", ["|python3|a|module=a"]),
    ("--plugins python3,router_static,http,ping,logfile -w a", ["|python3|a|module=a"]),
    ("--plugin cobol -w a", ["|python3|a|module=a"]),
    ("-w a --wsgi-file b.py", ["|python3|a|module=a"]),
    ("--need-plugins python -w a", ["|python3|a|module=a"]),
    ("--plugin python3 --mount /n=n.so -w a", ["/n||n.so", "|python3|a|module=a"]),
    ("--call m:f() --call-file a.sig", ["|ffi|m:f()|call=m:f()|call-file=a.sig"]),
    ("--plugin ffi --call /p=m:f()", ["|ffi|/p=m:f()|call=/p=m:f()"]),
    ("--call m:f() --mount /a=a.sig", ["|ffi|m:f()|call=m:f()", "/a|ffi|a.sig|call-file=a.sig"]),
    ("--mount /a=./m.so:f()", ["/a|ffi|./m.so:f()|call=./m.so:f()"]),
    ("--app ./m.so:f()", ["|ffi|./m.so:f()|entry=./m.so:f()"]),
    ("--app /a=/l/m.so:f()", ["/a|ffi|/l/m.so:f()|entry=/l/m.so:f()"]),
    ("--app /l/m.so:f()", ["|ffi|/l/m.so:f()|entry=/l/m.so:f()"]),
    ("--plugin ./lua_plugin.so --app-option k=v", ["|lua|lua|k=v"]),
    ("--plugin lua:main.lua", ["|lua|main.lua|target=main.lua"]),
  ]

  static func apps(_ line: String) throws -> [AppSettings] {
    try served(try invoke(words(line) + ["--http-socket", ":0"])).apps
  }

  @Test(arguments: rows.indices) func makesApps(_ row: Int) throws {
    let (line, wanted) = Self.rows[row]
    let described = try Self.apps(line).map { app in
      let own = app.options.filter { !$0.key.hasPrefix("server.") }.map { "\($0.key)=\($0.value)" }
      return ([app.mount, app.runtime?.name ?? "", app.path] + own).joined(separator: "|")
    }
    #expect(described == wanted)
  }

  @Test(arguments: [
    ("./x_plugin.so", "x"), ("/l/libpython3_plugin.so", "python3"), ("/l/python_plugin.so", "python3"),
    ("my.so", "my"),
  ])
  func aFileNamesThePlugin(_ path: String, _ name: String) throws {
    let line = name == "python3" ? "--plugin \(path) -w a" : "--plugin \(path)"
    #expect(try Self.apps(line).map(\.runtime) == [RuntimeReference(name: name, path: path)])
  }

  @Test func directoriesKeepTheirOrder() throws {
    let line = words("-w a --plugins-dir /a --plugin-dir /b --http-socket :0")
    #expect(try served(try invoke(line)).pluginDirectories == ["/a", "/b"])
  }

  @Test func runtimesHearFactsOfTheServer() throws {
    let facts = try Self.apps("-w a --threads 3")[0].options
    #expect(facts.contains(AppOption(key: "server.threads", value: "3")))
    #expect(facts.contains(AppOption(key: "server.once", value: "false")))
    let once = try served(try invoke(words("-w a --cgi"))).apps[0].options
    #expect(once.contains(AppOption(key: "server.threads", value: "1")))
    #expect(once.contains(AppOption(key: "server.once", value: "true")))
    #expect(try settings("").apps[0].options.isEmpty, "a shared library hears only its own options")
  }

  @Test(arguments: [
    ("--plugin python3", "the plugin python3 has nothing to serve; add -w MODULE"),
    ("--callable app", "`--callable` is for apps of the plugin python3, and there is none; add -w MODULE"),
    (
      "-w ./a.py",
      "`-w ./a.py`: \"./a.py\" is a path and no module; write --wsgi-file ./a.py, or the name that "
        + "Python imports it by"
    ),
    (
      "-w a --need-plugin cobol",
      "`--need-plugin cobol`: \"cobol\" is no plugin of this server; take it out, or name the file that "
        + "holds it, as in --plugin ./cobol_plugin.so"
    ),
    ("-w a --env X", "`--env …`: \"…\" has no name and value; write NAME=value"),
    ("--plugin ffi", "the plugin ffi has nothing to serve; add --call 'libm.so.6:cbrt(x: f64) -> f64'"),
    (
      "--call x",
      "`--call x`: \"x\" names no function of a library with its parameters; "
        + "write it as in /pow=libm.so.6:pow(x: f64, y: f64) -> f64"
    ),
    ("--plugin=", "`--plugin `: the value is empty; write it as in --plugin python3"),
    ("--mount /a=", "`--mount /a=`: the value is empty; write it as in --mount /blog=blog.wsgi"),
    (
      "-w a --mount /a//b=x.py",
      "`--mount /a//b=x.py`: \"/a//b\" is not a mount point; write it as in "
        + "/blog=PATH, without empty, . or .. parts"
    ),
  ])
  func isRefused(_ line: String, _ sentence: String) {
    #expect(complaint(line + " --http-socket :0") == sentence)
  }
}
