// Programs that run beside the server, on schedule, and at its steps.

/// The programs of an operator that the server starts.
public struct ProgramSettings: Sendable, Equatable {
  public var attached: [AttachedProgram] = []
  public var timed: [TimedProgram] = []
  public var steps: [StepProgram] = []

  /// No programs.
  public init() {}
}

/// A program that runs as long as the server does (uWSGI's attach-daemon).
public struct AttachedProgram: Sendable, Equatable {
  /// A line for /bin/sh.
  public var command: String
  /// The file with the number of its process: if that process is already running, the program is not started.
  public var pidFile: String?
  /// It leaves the shell that starts it, and reveals its process number only in `pidFile`.
  public var isInBackground = false
  /// The server stops when it ends.
  public var isVital = false
  /// The signal that ends it.
  public var stopSignal: Int32 = 15

  /// A program.
  public init(command: String) { self.command = command }
}

/// A program that runs at certain minutes (uWSGI's cron).
public struct TimedProgram: Sendable, Equatable {
  /// Minute, hour, day of the month, month, day of the week (0: Sunday): a number, -1 for any, -N for each
  /// multiple of N.
  public var fields: [Int]
  public var command: String
  /// It is not started while it still runs (nor is any other), but no log line says so.
  public var isUnique = false
  /// Seconds after which it is killed; 0: never.
  public var seconds = 0

  /// A program and its time.
  public init(fields: [Int], command: String) { (self.fields, self.command) = (fields, command) }

  /// The range of each field.
  static let bounds = [-59...59, -23...23, -31...31, -12...12, -7...7]
  /// The lowest value of each field in a calendar.
  static let first = [0, 0, 1, 1, 0]
  /// Their names.
  static let names = ["minute", "hour", "day", "month", "week"]

  /// Whether it runs at a time. As in cron: if both day and weekday are given, one of them is enough.
  public func matches(minute: Int, hour: Int, day: Int, month: Int, weekday: Int) -> Bool {
    func fits(_ field: Int, _ value: Int) -> Bool {
      field == -1 || (field < -1 ? value % -field == 0 : field == value)
    }
    guard fits(fields[0], minute), fits(fields[1], hour), fits(fields[3], month) else { return false }
    let (isDay, isWeekday) = (fits(fields[2], day), fits(fields[4] == 7 ? 0 : fields[4], weekday))
    if fields[2] == -1 || fields[4] == -1 { return isDay && isWeekday }
    return isDay || isWeekday
  }
}

/// A program that runs once at a point in the server's life; the server waits for it (uWSGI's exec-*).
public struct StepProgram: Sendable, Equatable {
  /// The point at which it runs.
  public enum Step: String, Sendable, Equatable, CaseIterable {
    /// Before the applications load, as the user that started the server.
    case beforeAll
    /// The same, as the user that applications run as.
    case beforeApps
    /// Once the server serves.
    case ready
    /// When it has stopped.
    case end
  }

  public var step: Step
  public var command: String
}
