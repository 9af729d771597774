import Posix

/// The master's lines in the error log.
enum MasterLog {
  static func info(_ text: String) { LogLine.write("info", text) }
  static func warning(_ text: String) { LogLine.write("warning", text) }
  static func error(_ text: String) { LogLine.write("error", text) }

  /// A sentence for the operator at the terminal.
  static func announce(_ text: String) { LogLine.announce(text) }
}
