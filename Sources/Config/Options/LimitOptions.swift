// The options that change the numbers of Limits.swift.
import Control

private let limits = Limits()
private let seconds = 0.001...86_400.0

let requestOptions = OptionGroup(
  title: "Requests (BYTES: 65536, 64k, 1m, 2g)",
  options: [
    OptionSpec(
      "buffer-size", short: "b", default: "\(limits.headBytes)",
      "largest head of a request; beyond it 431, or 414",
      .value(placeholder: "BYTES") { (draft, text) throws(ValueError) in
        draft.settings.limits.headBytes = Int(try Value.bytes(text, 1024...16 << 20))
      }),
    OptionSpec(
      "max-vars", short: "v", default: "\(limits.headerFields)",
      "most fields of a request's head; beyond it 431",
      .value(placeholder: "N") { (draft, text) throws(ValueError) in
        draft.settings.limits.headerFields = try Value.number(text, 1...65_535)
      }),
    OptionSpec(
      "response-head-size", default: "\(limits.responseHeadBytes)",
      "largest head of a response; beyond it 500",
      .value(placeholder: "BYTES") { (draft, text) throws(ValueError) in
        draft.settings.limits.responseHeadBytes = Int(try Value.bytes(text, 1024...16 << 20))
      }),
    OptionSpec(
      "limit-post", default: "\(limits.bodyBytes)", "largest body of a request; beyond it 413; 0: no limit",
      .value(placeholder: "BYTES") { (draft, text) throws(ValueError) in
        let bytes = try Value.bytes(text, 0...1 << 50)
        draft.settings.limits.bodyBytes = bytes == 0 ? .max : bytes
      }),
    OptionSpec(
      "post-buffering", default: "\(limits.bodyMemoryBytes)", "a longer body is spooled to a file",
      .value(placeholder: "BYTES") { (draft, text) throws(ValueError) in
        draft.settings.limits.bodyMemoryBytes = Int(try Value.bytes(text, 0...1 << 30))
      }),
    OptionSpec(
      "spool-dir", "where long bodies and waiting answers are spooled; without it TMPDIR, or /tmp",
      .value(placeholder: "DIR") { (draft, text) throws(ValueError) in
        draft.settings.spoolDirectory = try Value.text(text, example: "/var/spool/nsgi")
      }),
    OptionSpec(
      "spool-max", default: "\(limits.spoolBytes)",
      "most bytes of all spools together; beyond it 503; 0: no limit",
      .value(placeholder: "BYTES") { (draft, text) throws(ValueError) in
        let bytes = try Value.bytes(text, 0...1 << 50)
        draft.settings.limits.spoolBytes = bytes == 0 ? .max : bytes
      }),
    OptionSpec(
      "max-connections", default: "\(limits.connections)", "connections open at once",
      .value(placeholder: "N") { (draft, text) throws(ValueError) in
        draft.settings.limits.connections = try Value.number(text, 1...Limits.connectionsMaximum)
      }),
    OptionSpec(
      "threads", default: "\(limits.threads)", "calls under way at once in a thread-safe app",
      .value(placeholder: "N") { (draft, text) throws(ValueError) in
        draft.settings.limits.threads = try Value.number(text, 1...Message.mostCalls)
      }),
  ])

let timeOptions = OptionGroup(
  title: "Time (SECONDS: 30, 0.5)",
  options: [
    OptionSpec(
      "socket-timeout", short: "z", "sets the next three; a later option overrides one",
      .value(placeholder: "SECONDS") { (draft, text) throws(ValueError) in
        let value = try Value.seconds(text, seconds)
        draft.settings.limits.headerTimeoutSeconds = value
        draft.settings.limits.bodyTimeoutSeconds = value
        draft.settings.limits.writeTimeoutSeconds = value
      }),
    OptionSpec(
      "harakiri", short: "t", default: Value.spell(limits.requestTimeoutSeconds),
      "for an app to answer; beyond it the request is cancelled, 504 (0: as long as it likes)",
      .value(placeholder: "SECONDS") { (draft, text) throws(ValueError) in
        draft.settings.limits.requestTimeoutSeconds = try Value.seconds(text, 0...86_400)
      }),
    OptionSpec(
      "header-timeout", default: Value.spell(limits.headerTimeoutSeconds), "for a whole head; beyond it 408",
      .value(placeholder: "SECONDS") { (draft, text) throws(ValueError) in
        draft.settings.limits.headerTimeoutSeconds = try Value.seconds(text, seconds)
      }),
    OptionSpec(
      "body-timeout", default: Value.spell(limits.bodyTimeoutSeconds),
      "between two reads of a body; beyond it 408",
      .value(placeholder: "SECONDS") { (draft, text) throws(ValueError) in
        draft.settings.limits.bodyTimeoutSeconds = try Value.seconds(text, seconds)
      }),
    OptionSpec(
      "write-timeout", default: Value.spell(limits.writeTimeoutSeconds), "between two writes of a response",
      .value(placeholder: "SECONDS") { (draft, text) throws(ValueError) in
        draft.settings.limits.writeTimeoutSeconds = try Value.seconds(text, seconds)
      }),
    OptionSpec(
      "body-min-rate", default: "\(limits.bodyMinRate)",
      "least bytes a second of a body; slower ones get a 408; 0: any speed",
      .value(placeholder: "BYTES") { (draft, text) throws(ValueError) in
        draft.settings.limits.bodyMinRate = Int(try Value.bytes(text, 0...1 << 30))
      }),
    OptionSpec(
      "write-min-rate", default: "\(limits.writeMinRate)",
      "least bytes a second that a client takes of its answer; 0: any speed",
      .value(placeholder: "BYTES") { (draft, text) throws(ValueError) in
        draft.settings.limits.writeMinRate = Int(try Value.bytes(text, 0...1 << 30))
      }),
    OptionSpec(
      "min-rate-grace", default: Value.spell(limits.minRateGraceSeconds),
      "that a client may be behind these speeds",
      .value(placeholder: "SECONDS") { (draft, text) throws(ValueError) in
        draft.settings.limits.minRateGraceSeconds = try Value.seconds(text, 0...seconds.upperBound)
      }),
    OptionSpec(
      "keep-alive-timeout", default: Value.spell(limits.keepAliveTimeoutSeconds),
      "between two requests of a connection; 0: close after each",
      .value(placeholder: "SECONDS") { (draft, text) throws(ValueError) in
        draft.settings.limits.keepAliveTimeoutSeconds = try Value.seconds(text, 0...seconds.upperBound)
      }),
    OptionSpec(
      "worker-reload-mercy", aliases: ["reload-mercy"], default: Value.spell(limits.gracefulSeconds),
      "for the requests under way when the server stops",
      .value(placeholder: "SECONDS") { (draft, text) throws(ValueError) in
        draft.settings.limits.gracefulSeconds = try Value.seconds(text, 0...seconds.upperBound)
      }),
  ])
