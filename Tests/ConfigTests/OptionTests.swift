import Testing

@testable import Config

/// What one option does to the settings.
struct Effect: Sendable, CustomTestStringConvertible {
  let line: String
  let holds: @Sendable (Settings) -> Bool

  init(_ line: String, _ holds: @escaping @Sendable (Settings) -> Bool) {
    self.line = line
    self.holds = holds
  }

  var testDescription: String { line }
}

private func listens(_ gateway: ListenerProtocol, _ port: UInt16 = 1) -> @Sendable (Settings) -> Bool {
  { $0.listeners.first == ListenerSettings(address: .inet(host: "", port: port), gateway: gateway) }
}

@Suite struct OptionTests {
  static let sockets: [Effect] = [
    Effect("--http-socket :1", listens(.http1)), Effect("--http :1", listens(.http1)),
    Effect("--http11-socket :1", listens(.http1)), Effect("--http-socket=:1", listens(.http1)),
    Effect("--scgi-socket :1", listens(.scgi)), Effect("--uwsgi-socket :1", listens(.uwsgi)),
    Effect("--fastcgi-socket :1", listens(.fastcgi)), Effect("--socket :1", listens(.auto)),
    Effect("-s :1", listens(.auto)), Effect("-s:1", listens(.auto)),
    Effect("-s :1 --protocol http", listens(.http1)), Effect("--protocol scgi -s :1", listens(.scgi)),
    Effect("-s :1 --protocol=uwsgi", listens(.uwsgi)), Effect("-s :1 --protocol fastcgi", listens(.fastcgi)),
    Effect("--scgi-socket :1 --protocol http", listens(.scgi)),
    Effect("--fix-root-scriptname") { $0.fixesRootScriptName }, Effect("") { !$0.fixesRootScriptName },
    Effect("--protocol scgi") { $0.inheritedProtocol == .scgi },
    Effect("") { $0.inheritedProtocol == .auto && !$0.isCGI && $0.listeners.count == 1 },
    Effect("--http :1 --http :2 --scgi-socket @x") { $0.listeners.count == 4 },
    Effect("-l 128") { $0.limits.backlog == 128 }, Effect("-l128") { $0.limits.backlog == 128 },
    Effect("--listen 65535") { $0.limits.backlog == 65535 },
    Effect("--chmod-socket") { $0.socketFiles.mode == 0o666 },
    Effect("--chmod-socket -L") { $0.socketFiles.mode == 0o666 && !$0.log.requests },
    Effect("--chmod-socket 660") { $0.socketFiles.mode == 0o660 },
    Effect("--chmod-socket=0770") { $0.socketFiles.mode == 0o770 },
    Effect("--chown-socket www-data:adm") { $0.socketFiles.owner == Owner(user: "www-data", group: "adm") },
    Effect("--chown-socket www-data") { $0.socketFiles.owner == Owner(user: "www-data", group: nil) },
    Effect("--chown-socket :adm") { $0.socketFiles.owner == Owner(user: nil, group: "adm") },
    Effect("--server-header off") { !$0.namesServer }, Effect("--server-header on") { $0.namesServer },
    Effect("--trusted-proxy unix --trusted-proxy ::1") { $0.trustedProxies.count == 2 },
  ]

  static let limits: [Effect] = [
    Effect("") { $0.limits == Limits() },
    Effect("-b 32768") { $0.limits.headBytes == 32768 },
    Effect("--buffer-size 32k") { $0.limits.headBytes == 32768 },
    Effect("--response-head-size 256k") { $0.limits.responseHeadBytes == 256 << 10 },
    Effect("-v 100") { $0.limits.headerFields == 100 },
    Effect("--max-vars 65535") { $0.limits.headerFields == 65535 },
    Effect("--limit-post 10M") { $0.limits.bodyBytes == 10 << 20 },
    Effect("--limit-post 5g") { $0.limits.bodyBytes == 5 << 30 },
    Effect("--limit-post 0") { $0.limits.bodyBytes == .max },
    Effect("--post-buffering 0") { $0.limits.bodyMemoryBytes == 0 },
    Effect("--spool-dir /s") { $0.spoolDirectory == "/s" }, Effect("") { $0.spoolDirectory == nil },
    Effect("--spool-max 1g") { $0.limits.spoolBytes == 1 << 30 },
    Effect("--spool-max 0") { $0.limits.spoolBytes == .max },
    Effect("--max-connections 7") { $0.limits.connections == 7 },
    Effect("--threads 3") { $0.limits.threads == 3 },
    Effect("-z 7") {
      $0.limits.headerTimeoutSeconds == 7 && $0.limits.bodyTimeoutSeconds == 7
        && $0.limits.writeTimeoutSeconds == 7 && $0.limits.keepAliveTimeoutSeconds == 65
    },
    Effect("--socket-timeout 7 --body-timeout 2") {
      $0.limits.bodyTimeoutSeconds == 2 && $0.limits.writeTimeoutSeconds == 7
    },
    Effect("--header-timeout 0.25") { $0.limits.headerTimeoutSeconds == 0.25 },
    Effect("--write-timeout 9") { $0.limits.writeTimeoutSeconds == 9 },
    Effect("--body-min-rate 1k") { $0.limits.bodyMinRate == 1024 },
    Effect("--body-min-rate 0") { $0.limits.bodyMinRate == 0 },
    Effect("--write-min-rate 50") { $0.limits.writeMinRate == 50 },
    Effect("--min-rate-grace 5.5") { $0.limits.minRateGraceSeconds == 5.5 },
    Effect("--keep-alive-timeout 0") { $0.limits.keepAliveTimeoutSeconds == 0 },
    Effect("--harakiri 30") { $0.limits.requestTimeoutSeconds == 30 },
    Effect("-t 2.5") { $0.limits.requestTimeoutSeconds == 2.5 },
    Effect("--worker-reload-mercy 8") { $0.limits.gracefulSeconds == 8 },
    Effect("--reload-mercy 8") { $0.limits.gracefulSeconds == 8 },
  ]

  static let others: [Effect] = [
    Effect("") { $0.log == LogSettings() && $0.process == ProcessSettings() },
    Effect("-L") { !$0.log.requests }, Effect("--disable-logging") { !$0.log.requests },
    Effect("--disable-logging=no") { $0.log.requests },
    Effect("--logto /tmp/x.log") { $0.log.file == "/tmp/x.log" },
    Effect("--log-4xx") { $0.log.clientErrors && !$0.log.serverErrors },
    Effect("--log-5xx") { $0.log.serverErrors && !$0.log.clientErrors },
    Effect("--log-slow 500") { $0.log.slowMilliseconds == 500 },
    Effect("--fastcgi-stderr") { $0.log.fastCGIStderr },
    Effect("--log-format %(uri)") { $0.log.format == "%(uri)" },
    Effect("--logformat x") { $0.log.format == "x" },
    Effect("--mount /a=x.so") { $0.apps[0].mount == "/a" && $0.apps[0].path == "x.so" },
    Effect("-M") { $0.process.hasMaster }, Effect("--master") { $0.process.hasMaster },
    Effect("--no-master") { !$0.process.hasMaster }, Effect("--master=false") { !$0.process.hasMaster },
    Effect("") { $0.process.hasMaster && $0.process.workers == nil },
    Effect("-p 4") { $0.process.workers == 4 }, Effect("--processes 1") { $0.process.workers == 1 },
    Effect("-d /l") { $0.process.daemonLog == "/l" }, Effect("--daemonize l") { $0.process.daemonLog == "l" },
    Effect("--max-fd 4096") { $0.process.maxDescriptors == 4096 },
    Effect("--cpu-affinity 1") { $0.process.processorsPerWorker == 1 },
    Effect("--workers 1") { $0.process.workers == 1 },
    Effect("-LMp1") { !$0.log.requests && $0.process.hasMaster && $0.process.workers == 1 },
    Effect("--chdir /srv") { $0.process.directory == "/srv" },
    Effect("--pidfile p") { $0.process.pidFile == "p" },
    Effect("--uid www-data --gid 33") { $0.process.user == "www-data" && $0.process.group == "33" },
    Effect("--no-new-privs") { $0.process.forbidsPrivileges }, Effect("") { !$0.process.forbidsPrivileges },
    Effect("--umask 027") { $0.process.umask == 0o27 },
    Effect("--sendfile-root /srv") { $0.sendfileRoot == "/srv" },
    Effect("--enable-threads -T --need-app --strict --lazy-apps --lazy --vacuum --die-on-term") {
      $0.process == ProcessSettings()
    },
    Effect("--no-orphans --single-interpreter -i --thunder-lock") { $0.limits == Limits() },
  ]

  static let supervision: [Effect] = [
    Effect("") { $0.supervision == SupervisionSettings() },
    Effect("--max-requests 100") { $0.supervision.maxRequests == 100 },
    Effect("--max-requests-delta 7") { $0.supervision.maxRequestsDelta == 7 },
    Effect("--max-worker-lifetime 60") { $0.supervision.maxLifetimeSeconds == 60 },
    Effect("--reload-on-rss 200") { $0.supervision.maxResidentBytes == 200 << 20 },
    Effect("--control-socket /c") { $0.supervision.controlSocket == "/c" },
    Effect("--swap in-place") { $0.supervision.swap == .inPlace },
    Effect("--swap inplace") { $0.supervision.swap == .inPlace },
    Effect("--swap rolling") { $0.supervision.swap == .rolling },
    Effect("--swap-timeout 5") { $0.supervision.startSeconds == 5 },
    Effect("--swap-soak 0") { $0.supervision.soakSeconds == 0 },
    Effect("--swap-probation 2.5") { $0.supervision.probationSeconds == 2.5 },
    Effect("--touch-reload /a --touch-reload /b") { $0.supervision.touchFiles == ["/a", "/b"] },
    Effect("--io epoll") { $0.eventLoop == .epoll }, Effect("--io io_uring") { $0.eventLoop == .ioUring },
    Effect("--watch") { $0.supervision.watchesApps },
  ]

  @Test(arguments: sockets + limits + others + supervision) func takesEffect(_ effect: Effect) throws {
    let settings = try settings(effect.line)
    #expect(effect.holds(settings), "\(settings)")
  }

  /// Whoever adds an option adds a row above.
  @Test func everyNameHasARow() {
    let elsewhere = ["--app --app-option --cgi --plugins-dir --plugin-dir"] + RuntimeTests.rows.map(\.0)
    let lines = (Self.sockets + Self.limits + Self.others + Self.supervision).map(\.line) + elsewhere
    let used = Set(lines.flatMap(words).map { String($0.split(separator: "=")[0]) })
    for option in OptionTable.all {
      switch option.shape {
      case .configuration, .action: continue
      default: break
      }
      for name in [option.name] + option.aliases { #expect(used.contains("--" + name), "--\(name)") }
      if let short = option.short {
        #expect(used.contains { $0.hasPrefix("-\(short)") || $0.hasPrefix("-L\(short)") }, "-\(short)")
      }
    }
  }

  @Test func namesAreDistinct() {
    let names = OptionTable.all.flatMap { [$0.name] + $0.aliases + ($0.short.map { [String($0)] } ?? []) }
    #expect(names.count == Set(names).count)
  }
}
