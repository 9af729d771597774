// Facts about the server that a language runtime's load() cannot know from elsewhere: options whose keys
// begin with "server.". Plugins/python3/uwsgi has what Python makes of them.
import Config
import Control

extension AppSettings {
  /// The app with the facts for its runtime; unchanged if it has none.
  ///
  /// - Parameter orders: of a worker that has a master; nil in a process without one.
  func told(of settings: Settings, by orders: Orders? = nil) -> AppSettings {
    if orders?.isReplay ?? false { return toldOfTrial(settings).toldOfReplay }
    guard runtime?.name == "python3", settings.shared.offersModule else { return self }
    var app = self
    func tell(_ key: String, _ value: String) {
      app.options.append(AppOption(key: "server." + key, value: value))
    }
    // Only in a process that serves, not in one that tries a build: timers run, and signals come.
    if !settings.isCGI { tell("serves", "true") }
    tell("mercy", "\(settings.limits.gracefulSeconds)")
    if let orders {
      tell("master", "\(System.parent)")
      if let shared = orders.shared {
        tell("shared", "\(shared.memory)")
        tell("signals", "\(shared.reading),\(shared.writing)")
      }
    }
    app.options += AppSettings.facts(settings)
    return app
  }

  /// The app with the fact that requests are only replayed to it: for any load(), beside `NSGI_REPLAY` in the
  /// environment.
  private var toldOfReplay: AppSettings {
    var app = self
    app.options.append(AppOption(key: "server.replay", value: "1"))
    return app
  }

  /// Facts for a build on trial and for a zygote too, which has to know for how many workers it loads.
  func toldOfTrial(_ settings: Settings, workers: Int? = nil) -> AppSettings {
    guard runtime?.name == "python3", settings.shared.offersModule else { return self }
    var app = self
    if let workers {
      app.options.append(AppOption(key: "server.workers", value: "\(workers)"))
      app.options.append(AppOption(key: "server.master", value: "\(System.parent)"))
    }
    app.options += AppSettings.facts(settings)
    return app
  }

  private static func facts(_ settings: Settings) -> [AppOption] {
    let shared = settings.shared
    guard shared.offersModule else { return [] }
    return [
      AppOption(key: "server.uwsgi", value: "true"),
      AppOption(key: "server.sockets", value: "\(settings.limits.socketCalls)"),
    ]
      + shared.lines(behind: SharedMemory.fixedBytes).map { AppOption(key: "server.cache", value: $0) }
      + (shared.given + shared.options).map { AppOption(key: "server.opt", value: $0) }
  }
}

extension Limits {
  /// Calls of WSGI applications for WebSockets that may be under way at once: each has a thread of its own.
  /// 0: none may, since one thread makes all calls.
  fileprivate var socketCalls: Int {
    guard threads > 1 || offersSocketsAtHome else { return 0 }
    return webSockets == 0 ? Limits.webSocketCalls : webSockets
  }
}
