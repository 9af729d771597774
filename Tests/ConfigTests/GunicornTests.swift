import Testing

@testable import Config

/// gunicorn's command lines, and what they come to.
@Suite struct GunicornTests {
  private static func run(_ line: String, _ environment: [String: String] = [:]) throws -> Settings {
    try served(try invoke(words(line), environment: environment))
  }

  @Test func theWordsOfTheManual() throws {
    let settings = try Self.run(
      "shop.wsgi:application -b 127.0.0.1:9000 -b unix:/run/x.sock -w 3 -k gthread --threads 8 --timeout 60 "
        + "--graceful-timeout 20 --max-requests 1000 --max-requests-jitter 50 --access-logfile - "
        + "--error-logfile - --preload --chdir /srv")
    #expect(
      settings.apps.map(\.path) == ["shop.wsgi:application"]
        && settings.apps[0].runtime?.name == "python3")
    #expect(settings.listeners.map(\.address.description) == ["127.0.0.1:9000", "/run/x.sock"])
    #expect(settings.process.workers == 3 && settings.limits.threads == 8)
    #expect(settings.limits.requestTimeoutSeconds == 60 && settings.limits.gracefulSeconds == 20)
    #expect(settings.supervision.maxRequests == 1000 && settings.supervision.maxRequestsDelta == 50)
    #expect(
      settings.log.requests && settings.log.file == nil && settings.process.directory == "/srv")
    #expect(settings.supervision.preloading == .wanted)
    // The one line that changes its meaning.
    #expect(settings.warnings.count == 1 && settings.warnings[0].hasPrefix("`--timeout 60`: a request that"))
  }

  @Test func itsDefaultsHold() throws {
    let settings = try Self.run("shop:app")
    #expect(settings.listeners.map(\.address.description) == ["127.0.0.1:8000"])
    #expect(settings.process.workers == 1 && settings.limits.threads == 1)
    #expect(
      settings.limits.requestTimeoutSeconds == 30 && !settings.log.requests
        && settings.warnings.isEmpty)
    let host = try Self.run("shop:app", ["PORT": "5000", "WEB_CONCURRENCY": "4"])
    #expect(
      host.listeners.map(\.address.description) == ["0.0.0.0:5000"] && host.process.workers == 4)
    let told = try Self.run("shop:app -w 2 -b :1", ["PORT": "5000", "WEB_CONCURRENCY": "4"])
    #expect(told.listeners.map(\.address.description) == [":1"] && told.process.workers == 2)
    let link = try Self.run("shop:app", ["PORT": "tcp://10.0.0.1:80"])
    #expect(link.listeners.map(\.address.description) == ["127.0.0.1:8000"])
  }

  static let rows: [(String, @Sendable (Settings) -> Bool)] = [
    ("-w4 shop:app", { $0.process.workers == 4 }),
    ("--workers=4 shop:app", { $0.process.workers == 4 }),
    (
      "shop:app -k sync --threads 4",
      { $0.limits.threads == 4 && $0.limits.requestTimeoutSeconds == 0 }
    ),
    (
      "shop:app -k gevent --worker-connections 200",
      { $0.limits.threads == 200 && $0.warnings.count == 1 }
    ),
    (
      "shop:app --timeout 60 -w 1",
      { $0.limits.requestTimeoutSeconds == 60 && $0.warnings.isEmpty }
    ),
    (
      "shop:app -k gthread --threads 3 -t 0",
      { $0.limits.requestTimeoutSeconds == 0 && $0.warnings.isEmpty }
    ),
    ("-Rw4 shop:app", { $0.process.workers == 4 && $0.warnings.count == 1 }),
    ("shop:app -w=4", { $0.process.workers == 4 }),
    ("shop:app -k egg:gunicorn#gthread --threads 3", { $0.limits.threads == 3 && $0.warnings.isEmpty }),
    ("shop:app -kasgi", { $0.apps[0].options.contains(AppOption(key: "interface", value: "asgi")) }),
    ("shop:app -b unix:///run/x.sock", { $0.listeners[0].address == .unix(path: "/run/x.sock") }),
    (
      "shop:app -b tcp://127.0.0.1:9 -b [::1]",
      { $0.listeners.map(\.address.description) == ["127.0.0.1:9", "[::1]:8000"] }
    ),
    ("shop:app --protocol uwsgi", { $0.listeners.map(\.gateway) == [.uwsgi] }),
    (
      "shop:app --http-parser fast --permit-unconventional-http-method",
      { $0.warnings.count == 1 && $0.limits.threads == 1 }
    ),
    ("shop:app -b 0.0.0.0", { $0.listeners[0].address.description == "0.0.0.0:8000" }),
    (
      "shop:app --access-logfile /a",
      {
        $0.log.requests && $0.log.file == nil
          && $0.log.routing.requestDestinations.map(\.text) == ["file:/a"]
      }
    ),
    (
      "shop:app --error-logfile /e --access-logfile /a",
      { $0.log.file == "/e" && $0.log.routing.requestDestinations.count == 1 && $0.warnings.isEmpty }
    ),
    (
      "shop:app --error-logfile /e --access-logfile /e",
      { $0.log.file == "/e" && !$0.log.routing.isCollected && $0.warnings.isEmpty }
    ),
    (
      "shop:app --error-logfile /e --access-logfile -",
      { $0.log.requests && $0.log.file == "/e" && $0.warnings.count == 1 }
    ),
    (
      "shop:app --reload",
      { $0.apps[0].options.contains(AppOption(key: "py-autoreload", value: "1")) }
    ),
    ("shop:app -e A=1 -e B=2", { $0.apps[0].options.filter { $0.key == "env" }.count == 2 }),
    ("shop:app --forwarded-allow-ips *", { $0.trustedProxies.count == 3 }),
    ("shop:app -m 18", { $0.process.umask == 0o22 }),
    ("shop:app -m 0o27", { $0.process.umask == 0o27 }),
    (
      "shop:app -u www -g www -p /p --backlog 9",
      { $0.process.user == "www" && $0.process.pidFile == "/p" && $0.limits.backlog == 9 }
    ),
    (
      "shop:app --harakiri 9 --max-connections 7",
      { $0.limits.requestTimeoutSeconds == 9 && $0.limits.connections == 7 }
    ),
    ("shop:make() -b :1", { $0.apps[0].path == "shop:make()" }),
    (
      "shop:app --reuse-port --capture-output",
      { $0.warnings == ["always so here, or without meaning: --reuse-port, --capture-output"] }
    ),
  ]

  @Test(arguments: rows.indices) func optionsComeTo(_ row: Int) throws {
    let (line, holds) = Self.rows[row]
    let settings = try Self.run(line)
    #expect(holds(settings), "\(line): \(settings)")
  }

  @Test("what a variable says that is no number is an error, and no default takes its place")
  func variables() throws {
    let count = complaint("shop:app", environment: ["WEB_CONCURRENCY": "many"])
    #expect(count.hasPrefix("`WEB_CONCURRENCY=many`: \"many\" is not a number"), "\(count)")
    let port = complaint("shop:app", environment: ["PORT": "web"])
    #expect(port.hasPrefix("`PORT=0.0.0.0:web`: \"web\" is not a port number"), "\(port)")
    let empty = try Self.run("shop:app", ["PORT": "", "WEB_CONCURRENCY": ""])
    #expect(empty.listeners.map(\.address.description) == ["127.0.0.1:8000"] && empty.process.workers == 1)
    #expect(try Self.run("shop:app", ["FORWARDED_ALLOW_IPS": "*"]).trustedProxies.count == 3)
    let told = try Self.run("shop:app --forwarded-allow-ips 10.0.0.1", ["FORWARDED_ALLOW_IPS": "*"])
    #expect(told.trustedProxies.count == 1)
  }

  @Test func uvicornsWorkersServeASGI() throws {
    let settings = try Self.run("shop:app -k uvicorn.workers.UvicornWorker", [:])
    #expect(settings.apps[0].options.contains(AppOption(key: "interface", value: "asgi")))
    #expect(settings.apps[0].options.contains(AppOption(key: "module", value: "shop:app")))
  }

  @Test func argumentsOfTheEnvironmentCountBefore() throws {
    let settings = try Self.run(
      "shop:app --threads 2", ["GUNICORN_CMD_ARGS": "--bind '127.0.0.1:7' --threads 9 -w 5"])
    #expect(settings.listeners[0].address.description == "127.0.0.1:7")
    #expect(settings.limits.threads == 2 && settings.process.workers == 5)
  }

  @Test(arguments: [
    ("shop:app --certfile a", "write https-socket = ADDR,CERT,KEY"),
    ("shop:app -c gunicorn.conf.py", "`server migrate FILE` prints what it comes to"),
    ("shop:app -D", "add --daemonize FILE"), ("shop:app -w", "`-w`: the value is missing"),
    ("shop:app --preload=false", "`--preload=false`: this option takes no value"),
    ("shop:app -w many", "`-w many`: \"many\" is not a number"),
    ("shop:app --frobnicate", "is not an option"),
    ("shop:app x", "`x` is not expected here"),
  ])
  func isRefused(_ line: String, _ words: String) {
    #expect(complaint(line).contains(words), "\(complaint(line))")
  }

  @Test func aQueryNamesNoApplicationAndNoFile() {
    let gateway = ["GATEWAY_INTERFACE": "CGI/1.1"]
    #expect(complaint("--cgi --app a.so os:system", environment: gateway).contains("is not expected here"))
    #expect(complaint("os:system", environment: gateway).contains("is not expected here"))
  }

  @Test(arguments: [
    "--carbon shop:app -w x --http :1", "-w shop:app --http :1", "--mount /a=b:c -w x --http :1",
    "--plugin python3 -w shop:app -s :1",
  ])
  func ourOwnWordsStayOurs(_ line: String) throws {
    let settings = try Self.run(line)
    #expect(settings.process.workers == nil && settings.log.requests)
  }
}
