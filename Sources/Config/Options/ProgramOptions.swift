// Programs that the server starts for the operator.

let programOptions = OptionGroup(
  title: "Programs beside the server (COMMAND: a line for /bin/sh, run as the user of the applications)",
  options: [
    attached("attach-daemon", "run a program as long as the server runs, and start it again when it ends") {
      AttachedProgram(command: $0)
    },
    attached("attach-control-daemon", "the same, and stop the server when it ends") {
      var program = AttachedProgram(command: $0)
      program.isVital = true
      return program
    },
    attached("attach-daemon2", placeholder: "cmd=COMMAND[,stopsignal=N][,pidfile=FILE]", "the same by keys") {
      (text) throws(ValueError) in try AttachedProgram(keys: text)
    },
    attached(
      "smart-attach-daemon", placeholder: "PIDFILE COMMAND",
      "the same, unless the process of this file runs already"
    ) { (text) throws(ValueError) in try AttachedProgram(pidFile: text, isInBackground: false) },
    attached(
      "smart-attach-daemon2", placeholder: "PIDFILE COMMAND",
      "the same for a program that goes into the background itself"
    ) { (text) throws(ValueError) in try AttachedProgram(pidFile: text, isInBackground: true) },
    timed("cron", "run a command at a minute, hour, day, month and weekday; -1 for any, -N for each Nth") {
      (text) throws(ValueError) in try TimedProgram(fieldsOf: text)
    },
    timed("unique-cron", "the same, but not while it still runs") { (text) throws(ValueError) in
      var program = try TimedProgram(fieldsOf: text)
      program.isUnique = true
      return program
    },
    timed(
      "cron2", placeholder: "minute=N,hour=N,day=N,month=N,week=N,unique=1,harakiri=N COMMAND",
      "the same by keys"
    ) {
      (text) throws(ValueError) in try TimedProgram(keysOf: text)
    },
    step(
      "exec-asap", aliases: ["exec-pre-jail", "exec-in-jail", "exec-post-jail", "exec-as-root"], .beforeAll,
      "run a command first, as whoever starts the server; if it fails, the start does"),
    step("exec-as-user", aliases: ["exec-pre-app"], .beforeApps, "the same as the user of the applications"),
    step("exec-post-app", .ready, "run a command once the server serves"),
    step("exec-as-user-atexit", .end, "run a command when the server has stopped"),
  ])

private func attached(
  _ name: String, placeholder: String = "COMMAND", _ help: String,
  _ read: @escaping @Sendable (String) throws(ValueError) -> AttachedProgram
) -> OptionSpec {
  OptionSpec(
    name, repeats: true, help,
    .value(placeholder: placeholder) { (draft, text) throws(ValueError) in
      draft.programOption = name
      draft.settings.programs.attached.append(
        try read(try Value.text(text, example: "memcached -l 127.0.0.1")))
    })
}

private func timed(
  _ name: String, placeholder: String = "M H D M W COMMAND", _ help: String,
  _ read: @escaping @Sendable (String) throws(ValueError) -> TimedProgram
) -> OptionSpec {
  OptionSpec(
    name, repeats: true, help,
    .value(placeholder: placeholder) { (draft, text) throws(ValueError) in
      draft.programOption = name
      draft.settings.programs.timed.append(try read(text))
    })
}

private func step(
  _ name: String, aliases: [String] = [], _ step: StepProgram.Step, _ help: String
) -> OptionSpec {
  OptionSpec(
    name, aliases: aliases, repeats: true, help,
    .value(placeholder: "COMMAND") { (draft, text) throws(ValueError) in
      draft.programOption = name
      let command = try Value.text(text, example: "python manage.py migrate")
      draft.settings.programs.steps.append(StepProgram(step: step, command: command))
    })
}

/// So many words between blanks at most; the last has all that follows.
private func words(_ text: String, _ count: Int) -> [String] {
  text.split(maxSplits: count - 1) { $0 == " " || $0 == "\t" }.map { String($0.trimmed) }
}

extension AttachedProgram {
  /// `PIDFILE COMMAND`.
  fileprivate init(pidFile text: String, isInBackground: Bool) throws(ValueError) {
    let parts = words(text, 2)
    guard parts.count == 2 else { throw .programWithout(text, "/run/x.pid COMMAND") }
    self.init(command: parts[1])
    (pidFile, self.isInBackground) = (parts[0], isInBackground)
  }

  /// uWSGI's keys, and what replaces them here.
  private static let elsewhere: [String: String] = [
    "freq": "leave it out: its end is noticed when it comes, and not looked for every so many seconds",
    "touch": "have the command watch the file, or end the program, which is started again",
    "reloadsignal": "leave it out: a reload of the server leaves its programs alone",
    "reload_signal": "leave it out: a reload of the server leaves its programs alone",
    "uid": "leave it out for the user of the applications, or write cmd=exec setpriv --reuid USER COMMAND",
    "gid": "leave it out for the group of the applications, or write cmd=exec setpriv --regid GROUP COMMAND",
    "ns_pid": "write cmd=exec unshare --pid --fork COMMAND",
    "chdir": "write cmd=cd DIR && exec COMMAND",
    "max_throttle": "leave it out: the pause before it is started again grows to a minute at most",
  ]

  /// `cmd=COMMAND,key=value`.
  fileprivate init(keys text: String) throws(ValueError) {
    var program = AttachedProgram(command: "")
    for word in text.split(separator: ",") {
      let parts = word.split(separator: "=", maxSplits: 1).map(String.init)
      switch (parts.first, parts.count) {
      case ("cmd", 2), ("command", 2), ("exec", 2): program.command = parts[1]
      case ("pidfile", 2): program.pidFile = parts[1]
      case ("daemonize", 2), ("daemon", 2): program.isInBackground = try Value.boolean(parts[1])
      case ("control", 2): program.isVital = try Value.boolean(parts[1])
      case ("stopsignal", 2), ("stop_signal", 2):
        program.stopSignal = Int32(try Value.number(parts[1], 1...64))
      case (let name?, _) where Self.elsewhere[name] != nil:
        throw .rule(
          String(word), problem: "is a key of uWSGI's that programs do not have here",
          fix: Self.elsewhere[name]!)
      default:
        throw .unknownWord(
          String(word), known: ["cmd=", "pidfile=", "daemonize=", "control=", "stopsignal="])
      }
    }
    if program.command.isEmpty { throw .programWithout(text, "cmd=COMMAND") }
    self = program
  }
}

extension TimedProgram {
  /// `MINUTE HOUR DAY MONTH WEEKDAY COMMAND`.
  fileprivate init(fieldsOf text: String) throws(ValueError) {
    let parts = words(text, 6)
    guard parts.count == 6 else { throw .programWithout(text, "-1 -1 -1 -1 -1 COMMAND") }
    var fields: [Int] = []
    for (place, part) in parts.prefix(5).enumerated() { fields.append(try Self.field(part, place)) }
    self.init(fields: fields, command: parts[5])
  }

  /// `key=value,… COMMAND`.
  fileprivate init(keysOf text: String) throws(ValueError) {
    let parts = words(text, 2)
    guard parts.count == 2 else { throw .programWithout(text, "minute=0 COMMAND") }
    self.init(fields: Array(repeating: -1, count: 5), command: parts[1])
    for word in parts[0].split(separator: ",") {
      let pair = word.split(separator: "=", maxSplits: 1).map(String.init)
      let name = pair.first == "weekday" ? "week" : pair.first ?? ""
      guard pair.count == 2 else { throw .unknownWord(String(word), known: Self.names.map { $0 + "=" }) }
      if let place = Self.names.firstIndex(of: name) {
        fields[place] = try Self.field(pair[1], place)
      } else if name == "unique" {
        isUnique = try Value.boolean(pair[1])
      } else if name == "harakiri" {
        seconds = try Value.number(pair[1], 0...31_536_000)
      } else {
        throw .unknownWord(String(word), known: Self.names.map { $0 + "=" } + ["unique=", "harakiri="])
      }
    }
  }

  private static func field(_ text: String, _ place: Int) throws(ValueError) -> Int {
    if text == "*" { return -1 }
    let bounds = bounds[place]
    guard let value = Int(text) else { throw .notANumber(text, example: "-1 for any") }
    if value == 0, TimedProgram.first[place] == 1 {
      throw .outOfRange(text, lowest: "1", highest: "\(bounds.upperBound)")
    }
    guard bounds.contains(value) else {
      throw .outOfRange(text, lowest: "\(bounds.lowerBound)", highest: "\(bounds.upperBound)")
    }
    return value
  }
}

extension Draft {
  /// Throws if nobody would start them.
  func checkPrograms() throws(ConfigError) {
    guard settings.programs != ProgramSettings(), !settings.process.hasMaster else { return }
    throw .watchWithoutMaster(programOption)
  }
}
