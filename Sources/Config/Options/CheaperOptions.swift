// How many workers serve, and how much memory one may have.

let cheaperOptions = OptionGroup(
  title: "Workers by demand (of -p N, so many as there is work for) and their memory",
  options: [
    number("cheaper", "keep so many workers at least, and start more when there is work", 1) {
      $0.least = $1
    },
    number("cheaper-initial", "start with so many", 1) { $0.initial = $1 },
    number("cheaper-step", "start so many at once (1)", 1) { $0.step = $1 },
    OptionSpec(
      "cheaper-algo", default: "spare",
      "what decides: spare, by the workers that are free, or busyness, by the time that requests take",
      .value(placeholder: "NAME") { (draft, text) throws(ValueError) in
        guard let algorithm = CheaperSettings.Algorithm(rawValue: text) else {
          throw .unknownWord(text, known: CheaperSettings.Algorithm.allCases.map(\.rawValue))
        }
        draft.cheaper.algorithm = algorithm
      }),
    number("cheaper-overload", "heed a want that has lasted so many seconds (3)", 1) { $0.overload = $1 },
    number("cheaper-busyness-max", "busyness: start workers above so many per cent (50)", 1) {
      $0.busynessMost = $1
    },
    number("cheaper-busyness-min", "busyness: stop one below so many per cent (25)", 0) {
      $0.busynessLeast = $1
    },
    number("cheaper-busyness-multiplier", "busyness: after so many intervals below (10)", 1) {
      $0.busynessMultiplier = $1
    },
    number("cheaper-busyness-penalty", "busyness: wait so many more where that was too early (2)", 0) {
      $0.busynessPenalty = $1
    },
    number(
      "cheaper-busyness-backlog-nonzero", "busyness: start workers when connections wait so long (60)", 0
    ) {
      $0.backlogSeconds = $1
    },
    number("cheaper-busyness-backlog-step", "busyness: so many then (1)", 1) { $0.backlogStep = $1 },
    bytes("cheaper-rss-limit-soft", "start none while all workers hold more bytes than this") {
      $0.softBytes = $1
    },
    bytes("cheaper-rss-limit-hard", "stop workers while all hold more bytes than this") { $0.hardBytes = $1 },
    number("idle", "keep only --cheaper workers (or 1) after so many seconds without a request", 1) {
      $0.idleSeconds = $1
    },
    mebibytes("reload-on-as", "replace a worker whose address space is above so many MiB") {
      $0.settings.supervision.maxVirtualBytes = $1
    },
    mebibytes("reload-on-uss", "replace a worker whose own memory, shared with nobody, is above so many MiB")
    {
      $0.settings.supervision.maxOwnBytes = $1
    },
    mebibytes("evil-reload-on-rss", "kill a worker whose resident memory is above so many MiB") {
      $0.settings.supervision.killResidentBytes = $1
    },
    mebibytes("evil-reload-on-as", "kill a worker whose address space is above so many MiB") {
      $0.settings.supervision.killVirtualBytes = $1
    },
    mebibytes("limit-as", "bound the address space of each worker to so many MiB") {
      $0.settings.process.addressSpaceBytes = $1
    },
    OptionSpec(
      "max-worker-lifetime-delta", default: "0",
      "add this to --max-worker-lifetime for each worker but the first, so that they do not go at once",
      .value(placeholder: "SECONDS") { (draft, text) throws(ValueError) in
        draft.settings.supervision.lifetimeDeltaSeconds = try Value.seconds(text, 0...31_536_000)
      }),
  ])

private func number(
  _ name: String, _ help: String, _ least: Int,
  _ set: @escaping @Sendable (inout CheaperSettings, Int) -> Void
) -> OptionSpec {
  OptionSpec(
    name, help,
    .value(placeholder: "N") { (draft, text) throws(ValueError) in
      set(&draft.cheaper, try Value.number(text, least...1_000_000))
    })
}

private func bytes(
  _ name: String, _ help: String, _ set: @escaping @Sendable (inout CheaperSettings, Int64) -> Void
) -> OptionSpec {
  OptionSpec(
    name, help,
    .value(placeholder: "BYTES") { (draft, text) throws(ValueError) in
      set(&draft.cheaper, try Value.bytes(text, 1...(1 << 50)))
    })
}

private func mebibytes(
  _ name: String, _ help: String, _ set: @escaping @Sendable (inout Draft, Int64) -> Void
) -> OptionSpec {
  OptionSpec(
    name, default: "0", help + "; 0: never",
    .value(placeholder: "MIB") { (draft, text) throws(ValueError) in
      set(&draft, Int64(try Value.number(text, 0...1 << 30)) << 20)
    })
}

extension Draft {
  /// The settings of the family, created by its first option.
  fileprivate var cheaper: CheaperSettings {
    get { settings.supervision.cheaper ?? CheaperSettings() }
    set { settings.supervision.cheaper = newValue }
  }

  /// Throws if the requested numbers are impossible.
  func checkCheaper() throws(ConfigError) {
    guard let cheaper = settings.supervision.cheaper else { return }
    guard settings.process.hasMaster else { throw .watchWithoutMaster("cheaper") }
    if let workers = settings.process.workers, let least = cheaper.least, least > workers {
      throw .cheaperAboveAll(least, workers)
    }
    if cheaper.busynessLeast >= cheaper.busynessMost {
      throw .busynessUpsideDown(cheaper.busynessLeast, cheaper.busynessMost)
    }
  }
}
