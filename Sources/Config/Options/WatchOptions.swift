// Where the server's figures can be read, and what it tells load balancers.

let watchOptions = OptionGroup(
  title: "Watching (ADDR as above, but :PORT means 127.0.0.1, and *:PORT all interfaces)",
  options: [
    OptionSpec(
      "stats", aliases: ["stats-server"], repeats: true,
      "tell whoever connects there how the workers do, as JSON that uwsgitop reads",
      .value(placeholder: "ADDR") { (draft, text) throws(ValueError) in try draft.watch(text, .stats) }),
    OptionSpec("stats-http", "the same over HTTP", .flag { $0.settings.watch.statsOverHTTP = $1 }),
    OptionSpec(
      "stats-minified", aliases: ["stats-min"], "the same without blanks",
      .flag { $0.settings.watch.statsMinified = $1 }),
    OptionSpec(
      "metrics", repeats: true, "serve metrics there in Prometheus's text format",
      .value(placeholder: "ADDR") { (draft, text) throws(ValueError) in try draft.watch(text, .metrics) }),
    OptionSpec(
      "status-page", repeats: true, "serve a page there that shows how the server does",
      .value(placeholder: "ADDR") { (draft, text) throws(ValueError) in try draft.watch(text, .statusPage) }),
    OptionSpec(
      "agent-check", repeats: true,
      "tell HAProxy's agent checks there whether the server is up, and how busy its workers are",
      .value(placeholder: "ADDR") { (draft, text) throws(ValueError) in try draft.watch(text, .agentCheck) }),
    OptionSpec(
      "watch-host", repeats: true,
      "a name by which clients may call the server there, beside addresses and localhost",
      .value(placeholder: "NAME") { (draft, text) throws(ValueError) in
        draft.settings.watch.names.append(try Draft.hostName(text))
      }),
    OptionSpec(
      "health-path", "answer this path with 200 as long as the worker serves",
      .value(placeholder: "/PATH") { (draft, text) throws(ValueError) in
        draft.settings.watch.healthPath = try Draft.ownPath(text, example: "/healthz")
      }),
    OptionSpec(
      "ready-path", "answer this path with 200, and with 503 once the server is to stop",
      .value(placeholder: "/PATH") { (draft, text) throws(ValueError) in
        draft.settings.watch.readyPath = try Draft.ownPath(text, example: "/readyz")
      }),
    OptionSpec(
      "shutdown-delay", default: "0",
      "serve on for so long after the signal to stop, while --ready-path says 503",
      .value(placeholder: "SECONDS") { (draft, text) throws(ValueError) in
        draft.settings.watch.shutdownDelaySeconds = try Value.seconds(text, 0...86_400)
      }),
  ])

extension Draft {
  /// Adds a socket for watchers. Only this machine is meant unless a host is given.
  mutating func watch(_ text: String, _ kind: WatchSettings.Kind) throws(ValueError) {
    do {
      var address = try Address(parsing: text)
      if case .inet("", let port) = address, !text.hasPrefix("*") {
        address = .inet(host: "127.0.0.1", port: port)
      }
      settings.watch.listeners.append(.init(kind: kind, address: address))
    } catch {
      throw .watchAddress(error)
    }
  }

  /// A host's name, without a port.
  fileprivate static func hostName(_ text: String) throws(ValueError) -> String {
    let name = try Value.text(text, example: "status.example.org")
    let isName = name.utf8.allSatisfy {
      Ascii.isLetter($0) || Ascii.isDigit($0) || $0 == Ascii.dash || $0 == Ascii.dot || $0 == Ascii.underscore
    }
    guard isName else { throw .badHostName(text) }
    return name
  }

  /// A path that the server answers itself: it begins with a slash and is written as clients send it.
  fileprivate static func ownPath(_ text: String, example: String) throws(ValueError) -> String {
    let path = try Value.text(text, example: example)
    guard path.utf8.first == Ascii.slash, path.utf8.allSatisfy({ $0 > 0x20 && $0 < 0x7f && $0 != 0x3f })
    else {
      throw .badOwnPath(text, example: example)
    }
    return path
  }
}
