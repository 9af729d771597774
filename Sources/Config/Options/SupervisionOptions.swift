// When workers are replaced, and how a new build goes live.

private let defaults = SupervisionSettings()

let supervisionOptions = OptionGroup(
  title: "Workers and swaps (SECONDS: 30, 0.5)",
  options: [
    OptionSpec(
      "preload", "load Python applications once, and fork the workers from there",
      .flag { $0.settings.supervision.preloading = $1 ? .wanted : .never }),
    OptionSpec(
      "lazy-apps", aliases: ["lazy"], "each worker loads the applications itself; =false: as preload",
      .flag { $0.settings.supervision.preloading = $1 ? .never : .wherePossible }),
    OptionSpec(
      "max-requests", default: "0", "replace a worker after so many requests; 0: never",
      .value(placeholder: "N") { (draft, text) throws(ValueError) in
        draft.settings.supervision.maxRequests = try Value.number(text, 0...Int(Int32.max))
      }),
    OptionSpec(
      "max-requests-delta", default: "0", "add up to so many to it for each worker, by chance",
      .value(placeholder: "N") { (draft, text) throws(ValueError) in
        draft.settings.supervision.maxRequestsDelta = try Value.number(text, 0...Int(Int32.max))
      }),
    OptionSpec(
      "max-worker-lifetime", default: "0", "replace a worker after this time; 0: never",
      .value(placeholder: "SECONDS") { (draft, text) throws(ValueError) in
        draft.settings.supervision.maxLifetimeSeconds = try Value.seconds(text, 0...31_536_000)
      }),
    OptionSpec(
      "reload-on-rss", default: "0", "replace a worker whose resident memory is above so many MiB; 0: never",
      .value(placeholder: "MIB") { (draft, text) throws(ValueError) in
        draft.settings.supervision.maxResidentBytes = Int64(try Value.number(text, 0...1 << 30)) << 20
      }),
    OptionSpec(
      "control-socket", "where `server ctl` reaches the server",
      .value(placeholder: "PATH") { (draft, text) throws(ValueError) in
        draft.settings.supervision.controlSocket = try Value.text(text, example: "/run/server.ctl")
      }),
    OptionSpec(
      "swap", default: defaults.swap.rawValue, "how a new build goes live: rolling or in-place",
      .value(placeholder: "MODE") { (draft, text) throws(ValueError) in
        guard let mode = SupervisionSettings.SwapMode(rawValue: text == "inplace" ? "in-place" : text) else {
          throw .unknownWord(text, known: SupervisionSettings.SwapMode.allCases.map(\.rawValue))
        }
        draft.settings.supervision.swap = mode
      }),
    OptionSpec(
      "worker-timeout", default: Value.spell(defaults.silenceSeconds),
      "end a worker whose event loop has not turned for so long; 0: never",
      .value(placeholder: "SECONDS") { (draft, text) throws(ValueError) in
        draft.settings.supervision.silenceSeconds = try Value.seconds(text, 0...86_400)
      }),
    OptionSpec(
      "swap-timeout", default: Value.spell(defaults.startSeconds), "for a build to load and pass its probe",
      .value(placeholder: "SECONDS") { (draft, text) throws(ValueError) in
        draft.settings.supervision.startSeconds = try Value.seconds(text, 0.1...86_400)
      }),
    OptionSpec(
      "swap-soak", default: Value.spell(defaults.soakSeconds),
      "the first worker of a new build serves so long before the others follow",
      .value(placeholder: "SECONDS") { (draft, text) throws(ValueError) in
        draft.settings.supervision.soakSeconds = try Value.seconds(text, 0...86_400)
      }),
    OptionSpec(
      "swap-probation", default: Value.spell(defaults.probationSeconds),
      "crashes or failures in this time bring the previous build back; 0: never",
      .value(placeholder: "SECONDS") { (draft, text) throws(ValueError) in
        draft.settings.supervision.probationSeconds = try Value.seconds(text, 0...86_400)
      }),
    OptionSpec(
      "swap-gate",
      "take a new build back that is so many times worse than the one before in the same time: "
        + "errors=2,p50=3,p99=3,rss=2,fds=2,requests=200 or a part of it; on, off",
      .value(placeholder: "LIMITS") { (draft, text) throws(ValueError) in
        draft.settings.supervision.gate = text == "off" ? nil : try SwapGate(parsing: text)
      }),
    OptionSpec(
      "swap-replay", default: "0",
      "remember the last so many GET and HEAD requests of each app, and try a new build with them beside the "
        + "one before, with its network and its databases; 0: none",
      .value(placeholder: "N") { (draft, text) throws(ValueError) in
        draft.settings.supervision.replay.requests = try Value.number(text, ReplaySettings.requestBounds)
      }),
    OptionSpec(
      "replay-gate",
      "differences that refuse a new build, beside a worse class of status: "
        + "status,fields,body,time=3,memory=2 or some of them; all, off",
      .value(placeholder: "KINDS") { (draft, text) throws(ValueError) in
        draft.settings.supervision.replay.gate = try ReplayGate(parsing: text)
      }),
    OptionSpec(
      "replay-credentials", "remember requests with Cookie or Authorization too",
      .flag { $0.settings.supervision.replay.keepsCredentials = $1 }),
    OptionSpec(
      "app-key",
      "load only builds that this Ed25519 key has signed: FILE.sig by OpenSSL, or FILE.minisig by minisign",
      .value(placeholder: "FILE") { (draft, text) throws(ValueError) in
        draft.settings.supervision.appKey = try Value.text(text, example: "/etc/nsgi/app.pub")
      }),
    OptionSpec(
      "touch-reload", repeats: true, "swap every app and reread the configuration when this file changes",
      .value(placeholder: "FILE") { (draft, text) throws(ValueError) in
        draft.settings.supervision.touchFiles.append(try Value.text(text, example: "/srv/app/reload"))
      }),
    OptionSpec(
      "debug",
      "development: errors as a page in the browser, and a reload as soon as a file is saved; never in "
        + "production",
      .flag { $0.settings.supervision.isDevelopment = $1 }),
    OptionSpec(
      "watch", "swap a new build in as soon as it lies at its app's path",
      .flag { $0.settings.supervision.watchesApps = $1 }),
  ])
