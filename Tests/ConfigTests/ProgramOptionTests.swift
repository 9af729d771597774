import Testing

@testable import Config

/// Programs at their times, and what their options are written like.
@Suite struct ProgramOptionTests {
  private func programs(_ option: String, _ value: String) throws -> ProgramSettings {
    let invocation = try Settings.parse(
      arguments: ["--app", "a.so", "--http", ":1", "--\(option)", value], environment: [:],
      standardInputIsListening: false, readFile: { _ in "" })
    guard case .run(let settings) = invocation else { return ProgramSettings() }
    return settings.programs
  }

  static let good: [(option: String, value: String, timed: TimedProgram)] = [
    ("cron", "0 3 -1 -1 -1 backup --all", TimedProgram(fields: [0, 3, -1, -1, -1], command: "backup --all")),
    ("cron", "* -2 1 12 7 x", TimedProgram(fields: [-1, -2, 1, 12, 7], command: "x")),
    ("cron", "-1 -1 -1 -1 -1 x", TimedProgram(fields: [-1, -1, -1, -1, -1], command: "x")),
    ("cron2", "minute=5,week=1 x y", TimedProgram(fields: [5, -1, -1, -1, 1], command: "x y")),
  ]

  @Test(arguments: good.indices) func times(_ row: Int) throws {
    let (option, value, timed) = Self.good[row]
    #expect(try programs(option, value).timed == [timed])
  }

  @Test func keys() throws {
    let timed = try #require(try programs("cron2", "hour=1,unique=1,harakiri=9 x").timed.first)
    #expect(timed.isUnique && timed.seconds == 9 && timed.fields == [-1, 1, -1, -1, -1])
    #expect(try programs("unique-cron", "-5 1 1 1 1 x").timed[0].isUnique)
    let smart = try programs("smart-attach-daemon2", "/run/x.pid x -d").attached
    #expect(smart[0].pidFile == "/run/x.pid" && smart[0].command == "x -d" && smart[0].isInBackground)
  }

  static let bad = [
    ("cron", "1 1 1 1 x"), ("cron", "60 1 1 1 1 x"), ("cron", "1 1 0 1 1 x"), ("cron", "1 1 1 0 1 x"),
    ("cron2", "day=0 x"), ("cron", "a 1 1 1 1 x"), ("cron2", "x"),
    ("cron2", "minutes=1 x"), ("cron2", "minute x"), ("smart-attach-daemon", "/p"), ("attach-daemon", ""),
    ("attach-daemon2", "stopsignal=9"), ("attach-daemon2", "cmd=x,freq=1"),
  ]

  @Test(arguments: bad.indices) func refused(_ row: Int) {
    #expect(throws: ConfigError.self) { try programs(Self.bad[row].0, Self.bad[row].1) }
  }

  /// Every key of uWSGI's for --attach-daemon2, and whether it works here.
  static let daemonKeys = [
    ("cmd=x", true), ("command=x", true), ("exec=x", true), ("cmd=x,pidfile=/p", true),
    ("cmd=x,control=1", true), ("cmd=x,daemonize=1", true), ("cmd=x,daemon=true", true),
    ("cmd=x,stopsignal=2", true), ("cmd=x,stop_signal=15", true), ("cmd=x,freq=3", false),
    ("cmd=x,touch=/t", false), ("cmd=x,reloadsignal=1", false), ("cmd=x,reload_signal=1", false),
    ("cmd=x,uid=www-data", false), ("cmd=x,gid=www-data", false), ("cmd=x,ns_pid=1", false),
    ("cmd=x,chdir=/srv", false), ("cmd=x,max_throttle=60", false), ("cmd=x,touch", false),
  ]

  @Test("a key of uWSGI's works, or is refused with what does its work", arguments: daemonKeys.indices)
  func uwsgiKeys(_ row: Int) throws {
    let (value, works) = Self.daemonKeys[row]
    guard !works else {
      #expect(try programs("attach-daemon2", value).attached.map(\.command) == ["x"])
      return
    }
    let word = String(value.dropFirst(6))
    let error = #expect(throws: ConfigError.self) { try programs("attach-daemon2", value) }
    let sentence = "\(error.map { "\($0)" } ?? "")"
    #expect(sentence.contains(word) && sentence.contains("a key of uWSGI's that programs do not have here"))
    #expect(sentence.contains("leave it out") || sentence.contains("write cmd=") || word.hasPrefix("touch"))
  }

  /// Fields; minute, hour, day, month and weekday; whether it runs.
  static let matches: [([Int], (Int, Int, Int, Int, Int), Bool)] = [
    ([-1, -1, -1, -1, -1], (0, 0, 1, 1, 0), true), ([5, -1, -1, -1, -1], (5, 9, 9, 9, 3), true),
    ([5, -1, -1, -1, -1], (6, 9, 9, 9, 3), false), ([-15, -1, -1, -1, -1], (45, 9, 9, 9, 3), true),
    ([-15, -1, -1, -1, -1], (46, 9, 9, 9, 3), false), ([0, 3, -1, -1, 7], (0, 3, 8, 9, 0), true),
    ([0, 3, -1, -1, 7], (0, 3, 8, 9, 1), false), ([0, 3, 1, -1, 1], (0, 3, 8, 9, 1), true),
    ([0, 3, 1, -1, 1], (0, 3, 1, 9, 4), true), ([0, 3, 1, -1, 1], (0, 3, 2, 9, 4), false),
    ([0, 3, 1, 2, -1], (0, 3, 1, 3, 4), false),
  ]

  @Test(arguments: matches.indices) func runs(_ row: Int) {
    let (fields, now, expected) = Self.matches[row]
    let timed = TimedProgram(fields: fields, command: "x")
    #expect(
      timed.matches(minute: now.0, hour: now.1, day: now.2, month: now.3, weekday: now.4) == expected)
  }

  @Test func hooks() throws {
    let text = "[uwsgi]\nmodule = m\nhttp = :1\nhook-asap = exec:a\nhook-as-user-atexit = exec:b c\n"
    let invocation = try Settings.parse(
      arguments: ["/s.ini"], environment: [:], standardInputIsListening: false, readFile: { _ in text })
    guard case .run(let settings) = invocation else { return #expect(Bool(false)) }
    #expect(settings.programs.steps.map(\.command) == ["a", "b c"])
  }
}
