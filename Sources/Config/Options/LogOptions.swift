// What is logged, and where.

let logOptions = OptionGroup(
  title: "Logging",
  options: [
    OptionSpec(
      "disable-logging", short: "L", "no line per request; errors are still logged",
      .flag { $0.settings.log.requests = !$1 }),
    OptionSpec(
      "logto", "log to this file instead of standard error",
      .value(placeholder: "FILE") { (draft, text) throws(ValueError) in
        draft.settings.log.file = try Value.text(text, example: "/var/log/server.log")
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
      "log-format", aliases: ["logformat"], "format of a request's line, with variables as in %(method)",
      .value(placeholder: "FORMAT") { (draft, text) throws(ValueError) in
        draft.settings.log.format = try Value.text(text, example: "'%(method) %(uri) %(status)'")
      }),
  ])
