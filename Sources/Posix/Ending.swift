import Glibc

/// How a process ended.
public enum Ending: Equatable, Sendable {
  /// With this code, 0 to 255.
  case exited(Int32)
  /// By this signal.
  case killed(Int32)

  /// Reads what `waitpid` tells of a process that has ended.
  public init(status: Int32) {
    self = status & 0x7f == 0 ? .exited((status >> 8) & 0xff) : .killed(status & 0x7f)
  }

  /// "exit code 22", "SIGSEGV".
  public var description: String {
    switch self {
    case .exited(let code): "exit code \(code)"
    case .killed(let signal): SignalName.of(signal)
    }
  }
}

/// Signals by their names.
public enum SignalName {
  private static let names: [Int32: String] = [
    SIGSEGV: "SIGSEGV", SIGABRT: "SIGABRT", SIGBUS: "SIGBUS", SIGILL: "SIGILL", SIGFPE: "SIGFPE",
    SIGTRAP: "SIGTRAP", SIGKILL: "SIGKILL", SIGTERM: "SIGTERM", SIGALRM: "SIGALRM", SIGPIPE: "SIGPIPE",
    SIGSYS: "SIGSYS", SIGXCPU: "SIGXCPU", SIGINT: "SIGINT", SIGHUP: "SIGHUP", SIGQUIT: "SIGQUIT",
  ]

  /// "SIGSEGV"; "signal 64" for one that has no name here.
  public static func of(_ number: Int32) -> String { names[number] ?? "signal \(number)" }
}
