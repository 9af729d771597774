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
    Effect("--http2 off") { !$0.http2 },
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
    Effect("--websocket-max-message 1m") { $0.limits.webSocketMessageBytes == 1 << 20 },
    Effect("--websocket-queue 64k") { $0.limits.webSocketQueueBytes == 65536 },
    Effect("--websocket-ping 0") { $0.limits.webSocketPingSeconds == 0 },
    Effect("--websocket-drain 8") { $0.limits.webSocketDrainSeconds == 8 },
    Effect("--websocket-max 500") { $0.limits.webSockets == 500 },
    Effect("--http-websockets") { $0.limits.offersSocketsAtHome },
    Effect("--websocket-origin self --websocket-origin https://A.example") {
      $0.limits.webSocketOrigins == [.own, .exactly(Array("https://a.example".utf8))]
    },
    Effect("--websocket-compression dedicated") { $0.limits.webSocketDeflate == .dedicated },
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
    Effect("--log-format %(uri)") { $0.log.format?.pieces == [.value(.plain(.uri))] },
    Effect("--logformat x") { $0.log.format?.pieces == [.text([0x78])] },
    Effect("--log-format combined") { $0.log.format == nil },
    Effect("--log-date=%Y") { $0.log.dateFormat == "%Y" }, Effect("--logdate") { $0.log.dateFormat != nil },
    Effect("--request-id") { $0.log.namesRequests }, Effect("") { !$0.log.namesRequests },
    Effect("--log-format %(id)") { $0.log.namesRequests },
    Effect("--attach-daemon x") { $0.programs.attached == [AttachedProgram(command: "x")] },
    Effect("--attach-control-daemon x") { $0.programs.attached[0].isVital },
    Effect("--attach-daemon2 cmd=x,stopsignal=2,pidfile=/p") {
      $0.programs.attached[0].stopSignal == 2 && $0.programs.attached[0].pidFile == "/p"
    },
    Effect("--exec-asap x --exec-pre-jail y") { $0.programs.steps.map(\.step) == [.beforeAll, .beforeAll] },
    Effect("--exec-in-jail x --exec-post-jail y --exec-as-root z") { $0.programs.steps.count == 3 },
    Effect("--exec-as-user x --exec-pre-app y") {
      $0.programs.steps.map(\.step) == [.beforeApps, .beforeApps]
    },
    Effect("--exec-post-app x") { $0.programs.steps[0].step == .ready },
    Effect("--exec-as-user-atexit x") { $0.programs.steps[0].step == .end },
    Effect("") { $0.supervision.cheaper == nil && $0.process.addressSpaceBytes == 0 },
    Effect("--cheaper 2") { $0.supervision.cheaper?.least == 2 },
    Effect("--cheaper-initial 3") { $0.supervision.cheaper?.initial == 3 },
    Effect("--cheaper-step 2") { $0.supervision.cheaper?.step == 2 },
    Effect("--cheaper-algo busyness") { $0.supervision.cheaper?.algorithm == .busyness },
    Effect("--cheaper-overload 9") { $0.supervision.cheaper?.overload == 9 },
    Effect("--cheaper-busyness-max 60") { $0.supervision.cheaper?.busynessMost == 60 },
    Effect("--cheaper-busyness-min 20") { $0.supervision.cheaper?.busynessLeast == 20 },
    Effect("--cheaper-busyness-multiplier 5") { $0.supervision.cheaper?.busynessMultiplier == 5 },
    Effect("--cheaper-busyness-penalty 5") { $0.supervision.cheaper?.busynessPenalty == 5 },
    Effect("--cheaper-busyness-backlog-nonzero 5") { $0.supervision.cheaper?.backlogSeconds == 5 },
    Effect("--cheaper-busyness-backlog-step 5") { $0.supervision.cheaper?.backlogStep == 5 },
    Effect("--cheaper-rss-limit-soft 1m") { $0.supervision.cheaper?.softBytes == 1 << 20 },
    Effect("--cheaper-rss-limit-hard 1m") { $0.supervision.cheaper?.hardBytes == 1 << 20 },
    Effect("--idle 60") { $0.supervision.cheaper?.idleSeconds == 60 },
    Effect("--reload-on-as 5") { $0.supervision.maxVirtualBytes == 5 << 20 },
    Effect("--reload-on-uss 5") { $0.supervision.maxOwnBytes == 5 << 20 },
    Effect("--evil-reload-on-rss 5") { $0.supervision.killResidentBytes == 5 << 20 },
    Effect("--evil-reload-on-as 5") { $0.supervision.killVirtualBytes == 5 << 20 },
    Effect("--limit-as 5") { $0.process.addressSpaceBytes == 5 << 20 },
    Effect("--max-worker-lifetime-delta 5") { $0.supervision.lifetimeDeltaSeconds == 5 },
    Effect("--logger file:/l") {
      $0.log.routing.destinations.first?.place == .file(path: "/l", maxBytes: 0, backup: nil)
    },
    Effect("--req-logger stdio") { $0.log.routing.requestDestinations.first?.place == .standard },
    Effect("--logger-req syslog:x") { $0.log.routing.requestDestinations.count == 1 },
    Effect("--log-encoder json") { $0.log.routing.encoders == [.json] },
    Effect("--log-req-encoder nl") { $0.log.routing.requestEncoders.count == 1 },
    Effect("--log-json") { $0.log.routing.isJSON && $0.log.format?.text == "json" && $0.log.namesRequests },
    Effect("--log-maxsize 1m") { $0.log.routing.maxBytes == 1 << 20 },
    Effect("--log-backupname /b") { $0.log.routing.backup == "/b" },
    Effect("--touch-logreopen /t") { $0.log.reopenFiles == ["/t"] },
    Effect("--logto 127.0.0.1:99") { $0.log.file == nil && $0.log.routing.destinations.count == 1 },
    Effect("") { !$0.log.routing.isCollected },
    Effect("--log-x-forwarded-for") { $0.log.believesForwarded },
    Effect("--mount /a=x.so") { $0.apps[0].mount == "/a" && $0.apps[0].path == "x.so" },
    Effect("-M") { $0.process.hasMaster }, Effect("--master") { $0.process.hasMaster },
    Effect("--no-master") { !$0.process.hasMaster }, Effect("--master=false") { !$0.process.hasMaster },
    Effect("") { $0.process.hasMaster && $0.process.workers == nil },
    Effect("-p 4") { $0.process.workers == 4 }, Effect("--processes 1") { $0.process.workers == 1 },
    Effect("-d /l") { $0.process.daemonLog == "/l" }, Effect("--daemonize l") { $0.process.daemonLog == "l" },
    Effect("--max-fd 4096") { $0.process.maxDescriptors == 4096 },
    Effect("--auto-procname") { $0.process.title.text(.worker(0)) == "uWSGI worker 1" },
    Effect("--procname a --procname-prefix b --procname-append c") {
      $0.process.title.text(.master) == "bac"
    },
    Effect("--procname-master a --procname-prefix-spaced b") { $0.process.title.text(.master) == "b a" },
    Effect("--master-fifo /f") { $0.process.commandPipes == ["/f"] },
    Effect("--log-drain a --log-filter b --log-filter c") {
      $0.log.routing.drains.count == 1 && $0.log.routing.filters.count == 2
    },
    Effect("--cache 5 --cache-blocksize 64") { $0.shared.caches.first?.valueBytes == 64 },
    Effect("--cache2 name=a,items=5") { $0.shared.caches.first?.items == 5 && $0.shared.offersModule },
    Effect("--uwsgi-module") { $0.shared.offersModule }, Effect("") { !$0.shared.offersModule },
    Effect("--uwsgi-opt a=b") { $0.shared.options == ["a=b"] },
    Effect("--cpu-affinity 1") { $0.process.processorsPerWorker == 1 },
    Effect("--workers 1") { $0.process.workers == 1 },
    Effect("-LMp1") { !$0.log.requests && $0.process.hasMaster && $0.process.workers == 1 },
    Effect("--chdir /srv") { $0.process.directory == "/srv" },
    Effect("--runtime-dir p") { $0.process.runtimeDirectory == "p" },
    Effect("--pidfile p") { $0.process.pidFile == "p" },
    Effect("--uid www-data --gid 33") { $0.process.user == "www-data" && $0.process.group == "33" },
    Effect("--no-new-privs") { $0.process.forbidsPrivileges }, Effect("") { !$0.process.forbidsPrivileges },
    Effect("--umask 027") { $0.process.umask == 0o27 },
    Effect("--sendfile-root /srv") { $0.sendfileRoot == "/srv" },
    Effect("--enable-threads -T --need-app --strict --vacuum --die-on-term") {
      $0.process == ProcessSettings()
    },
    Effect("--no-orphans --single-interpreter -i --thunder-lock") { $0.limits == Limits() },
  ]

  static let supervision: [Effect] = [
    Effect("") { $0.supervision == SupervisionSettings() },
    Effect("--preload") { $0.supervision.preloading == .wanted },
    Effect("--preload=false") { $0.supervision.preloading == .never },
    Effect("--preload --lazy-apps") { $0.supervision.preloading == .never },
    Effect("--lazy") { $0.supervision.preloading == .never },
    Effect("--lazy-apps=false") { $0.supervision.preloading == .wherePossible },
    Effect("--max-requests 100") { $0.supervision.maxRequests == 100 },
    Effect("--max-requests-delta 7") { $0.supervision.maxRequestsDelta == 7 },
    Effect("--max-worker-lifetime 60") { $0.supervision.maxLifetimeSeconds == 60 },
    Effect("--reload-on-rss 200") { $0.supervision.maxResidentBytes == 200 << 20 },
    Effect("--control-socket /c") { $0.supervision.controlSocket == "/c" },
    Effect("--swap in-place") { $0.supervision.swap == .inPlace },
    Effect("--swap inplace") { $0.supervision.swap == .inPlace },
    Effect("--swap rolling") { $0.supervision.swap == .rolling },
    Effect("--worker-timeout 5") { $0.supervision.silenceSeconds == 5 },
    Effect("--swap-timeout 5") { $0.supervision.startSeconds == 5 },
    Effect("") { $0.supervision.gate == nil && $0.supervision.appKey == nil },
    Effect("--swap-gate on") { $0.supervision.gate == SwapGate() },
    Effect("--swap-gate off") { $0.supervision.gate == nil },
    Effect("--swap-gate errors=4.5,rss=0,requests=50") {
      $0.supervision.gate?.factor(.errors) == 4.5 && $0.supervision.gate?.factor(.rss) == nil
        && $0.supervision.gate?.factor(.p99) == 3 && $0.supervision.gate?.requests == 50
    },
    Effect("") { $0.supervision.replay == ReplaySettings() && $0.supervision.replay.requests == 0 },
    Effect("--swap-replay 200") { $0.supervision.replay.requests == 200 },
    Effect("--replay-credentials") { $0.supervision.replay.keepsCredentials },
    Effect("--replay-gate all") { $0.supervision.replay.gate.kinds.count == 5 },
    Effect("--replay-gate off") { $0.supervision.replay.gate == ReplayGate() },
    Effect("--replay-gate body,time=5") {
      $0.supervision.replay.gate.kinds == [.body, .time] && $0.supervision.replay.gate.time == 5
        && $0.supervision.replay.gate.memory == 2
    },
    Effect("--app-key /etc/app.pub") { $0.supervision.appKey == "/etc/app.pub" },
    Effect("--swap-soak 0") { $0.supervision.soakSeconds == 0 },
    Effect("--swap-probation 2.5") { $0.supervision.probationSeconds == 2.5 },
    Effect("--touch-reload /a --touch-reload /b") { $0.supervision.touchFiles == ["/a", "/b"] },
    Effect("--io epoll") { $0.eventLoop == .epoll }, Effect("--io io_uring") { $0.eventLoop == .ioUring },
    Effect("--debug") { $0.supervision.isDevelopment && $0.supervision.watchesApps },
    Effect("--watch") { $0.supervision.watchesApps },
  ]

  static let watching: [Effect] = [
    Effect("") { $0.watch == WatchSettings() },
    Effect("--stats :1 --stats-server 127.0.0.1:2") { settings in
      settings.watch.listeners.map(\.address) == [
        .inet(host: "127.0.0.1", port: 1), .inet(host: "127.0.0.1", port: 2),
      ]
    },
    Effect("--metrics *:1") {
      $0.watch.listeners == [.init(kind: .metrics, address: .inet(host: "", port: 1))]
    },
    Effect("--status-page /s") {
      $0.watch.listeners == [.init(kind: .statusPage, address: .unix(path: "/s"))]
    },
    Effect("--agent-check :1") {
      $0.watch.listeners == [.init(kind: .agentCheck, address: .inet(host: "127.0.0.1", port: 1))]
    },
    Effect("--stats-http") { $0.watch.statsOverHTTP },
    Effect("--watch-host a.example --watch-host b") { $0.watch.names == ["a.example", "b"] },
    Effect("--stats-minified") { $0.watch.statsMinified }, Effect("--stats-min") { $0.watch.statsMinified },
    Effect("--health-path /h --ready-path /r") { $0.watch.healthPath == "/h" && $0.watch.readyPath == "/r" },
    Effect("--shutdown-delay 2.5") { $0.watch.shutdownDelaySeconds == 2.5 },
  ]

  @Test(arguments: sockets + limits + others + supervision + watching) func takesEffect(_ effect: Effect)
    throws
  {
    let settings = try settings(effect.line)
    #expect(effect.holds(settings), "\(settings)")
  }

  /// Whoever adds an option adds a row above.
  @Test func everyNameHasARow() {
    let elsewhere =
      ["--app --app-option --cgi --plugins-dir --plugin-dir --log-route --log-req-route"]
      + ["--cron --cron2 --unique-cron --smart-attach-daemon --smart-attach-daemon2"]
      + RuntimeTests.rows.map(\.0)
      + StaticOptionTests.rows.map { "--" + $0.name }
      + (RuleOptionTests.names + TLSOptionTests.names).map { "--" + $0 }
    let lines =
      (Self.sockets + Self.limits + Self.others + Self.supervision + Self.watching).map(\.line) + elsewhere
    let used = Set(lines.flatMap(words).map { String($0.split(separator: "=")[0]) })
    for option in OptionTable.all {
      switch option.shape {
      case .configuration, .variable, .action: continue
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
