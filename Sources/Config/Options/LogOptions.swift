// What is logged, and where.

let logOptions = OptionGroup(
  title: "Logging",
  options: [
    OptionSpec(
      "disable-logging", short: "L", "no line per request; errors are still logged",
      .flag { $0.settings.log.requests = !$1 }),
    OptionSpec(
      "logto", "log to this file instead of standard error, or to HOST:PORT over UDP",
      .value(placeholder: "FILE") { (draft, text) throws(ValueError) in
        try draft.logTo(text)
      }),
    OptionSpec(
      "log-4xx", "with -L: log requests answered with 4xx", .flag { $0.settings.log.clientErrors = $1 }),
    OptionSpec(
      "log-5xx", "with -L: log requests answered with 5xx", .flag { $0.settings.log.serverErrors = $1 }),
    OptionSpec(
      "log-slow", "with -L: log requests that took at least this many milliseconds",
      .value(placeholder: "MS") { (draft, text) throws(ValueError) in
        draft.settings.log.slowMilliseconds = try Value.number(text, 0...86_400_000)
      }),
    OptionSpec(
      "log-format", aliases: ["logformat"], default: "combined",
      "what a request's line has: combined, uwsgi, json, or a text with values as in %(method)",
      .value(placeholder: "FORMAT") { (draft, text) throws(ValueError) in
        let format = try Value.text(text, example: "'%(method) %(uri) %(status)'")
        draft.settings.log.format = try LogFormat.read(format)
      }),
    OptionSpec(
      "request-id",
      "give each request an id, or take that of a --trusted-proxy: for REQUEST_ID, %(id) and the error log",
      .flag { $0.settings.log.namesRequests = $1 }),
    OptionSpec(
      "log-date", aliases: ["logdate"], "how %(ftime) is written, as strftime does",
      .optionalValue(placeholder: "FORMAT", bare: "%a %b %e %H:%M:%S %Y") {
        (draft, text) throws(ValueError) in
        draft.settings.log.dateFormat = try Value.text(text, example: "%Y-%m-%d")
      }),
    OptionSpec(
      "log-x-forwarded-for",
      "the client of a line is what X-Forwarded-For says, which anybody may send (--trusted-proxy is safe)",
      .flag { $0.settings.log.believesForwarded = $1 }),
  ])

let logRouteOptions = OptionGroup(
  title: "Loggers (by a process of its own; nobody who writes a line waits for its reader)",
  options: [
    OptionSpec(
      "logger", repeats: true,
      "send lines there: file:PATH, stdio, syslog[:NAME[,FACILITY[,SOCKET]]], rsyslog:HOST[:PORT][,NAME], "
        + "socket:ADDR or systemd[:NAME]; with a name in front only those that a --log-route sends",
      .value(placeholder: "[NAME ]LOGGER") { (draft, text) throws(ValueError) in
        draft.settings.log.routing.destinations.append(try LogDestination(parsing: text))
      }),
    OptionSpec(
      "req-logger", aliases: ["logger-req"], repeats: true, "the same for the lines of requests alone",
      .value(placeholder: "[NAME ]LOGGER") { (draft, text) throws(ValueError) in
        draft.settings.log.routing.requestDestinations.append(try LogDestination(parsing: text))
      }),
    OptionSpec(
      "log-route", repeats: true, "send lines that match a regular expression to the logger of this name",
      .value(placeholder: "NAME REGEX") { (draft, text) throws(ValueError) in
        draft.settings.log.routing.routes.append(try LogRoute(parsing: text))
      }),
    OptionSpec(
      "log-req-route", repeats: true, "the same for the lines of requests alone",
      .value(placeholder: "NAME REGEX") { (draft, text) throws(ValueError) in
        draft.settings.log.routing.requestRoutes.append(try LogRoute(parsing: text))
      }),
    OptionSpec(
      "log-drain", repeats: true, "drop lines that match a regular expression",
      .value(placeholder: "REGEX") { (draft, text) throws(ValueError) in
        draft.settings.log.routing.drains.append(try Pattern(text))
      }),
    OptionSpec(
      "log-filter", repeats: true, "drop lines that match none of these regular expressions",
      .value(placeholder: "REGEX") { (draft, text) throws(ValueError) in
        draft.settings.log.routing.filters.append(try Pattern(text))
      }),
    OptionSpec(
      "log-encoder", repeats: true,
      "write lines as json, or in a text: json TEXT, format TEXT, prefix TEXT, suffix TEXT, with ${msg}, "
        + "${unix}, ${micros}, ${strftime:FORMAT}, ${level} or ${message} in it; KIND:NAME for one logger",
      .value(placeholder: "KIND[:NAME][ TEXT]") { (draft, text) throws(ValueError) in
        draft.settings.log.routing.encoders.append(try LogEncoder(parsing: text))
      }),
    OptionSpec(
      "log-req-encoder", repeats: true, "the same for the lines of requests alone",
      .value(placeholder: "KIND[:NAME][ TEXT]") { (draft, text) throws(ValueError) in
        draft.settings.log.routing.requestEncoders.append(try LogEncoder(parsing: text))
      }),
    OptionSpec(
      "log-json", "every line is a JSON object, those of requests in the format json",
      .flag { $0.settings.log.routing.isJSON = $1 }),
    OptionSpec(
      "log-maxsize", "rename a log file that has so many bytes (k, m, g), and begin another",
      .value(placeholder: "BYTES") { (draft, text) throws(ValueError) in
        draft.settings.log.routing.maxBytes = try Value.bytes(text, 1...(1 << 50))
      }),
    OptionSpec(
      "log-backupname", "what the file is called then; without it its name and the time",
      .value(placeholder: "FILE") { (draft, text) throws(ValueError) in
        draft.settings.log.routing.backup = try Value.text(text, example: "/var/log/server.log.1")
      }),
    OptionSpec(
      "touch-logreopen", repeats: true, "open the logs again when this file changes",
      .value(placeholder: "FILE") { (draft, text) throws(ValueError) in
        draft.settings.log.reopenFiles.append(try Value.text(text, example: "/run/server/reopen"))
      }),
  ])

extension Draft {
  /// A file, or as in uWSGI an address for datagrams.
  fileprivate mutating func logTo(_ text: String) throws(ValueError) {
    let text = try Value.text(text, example: "/var/log/server.log")
    if !text.holds("/"), case .inet(let host, let port) = try? Address(parsing: text), port > 0, !host.isEmpty
    {
      settings.log.routing.destinations.append(
        LogDestination(.socket(.inet(host: host, port: port)), text: text))
    } else {
      settings.log.file = text
    }
  }

  /// Combines several options about logs.
  mutating func finishLogs() throws(ConfigError) {
    if settings.log.routing.isJSON {
      if settings.log.format == nil { settings.log.format = try? LogFormat("json") }
      if settings.log.routing.encoders.isEmpty { settings.log.routing.encoders = [.json] }
    }
    if settings.log.format?.hasID ?? false { settings.log.namesRequests = true }
    if let name = settings.log.routing.strayRoute {
      settings.warnings.append(
        "a route leads to the logger \(name), and none has that name: its lines go where all others go; "
          + "write `logger = \(name) file:/var/log/\(name).log`, or correct the route")
    }
    guard settings.log.routing.isCollected, !settings.process.hasMaster || settings.isCGI else { return }
    throw .watchWithoutMaster(settings.log.routing.isJSON ? "log-json" : "logger")
  }
}
