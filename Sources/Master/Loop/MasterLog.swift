import Control
import Glibc

/// The master's lines in the error log: the form that workers use. What cannot be written at once is lost;
/// the master waits for nobody.
enum MasterLog {
  static func info(_ text: String) { line("info", text) }
  static func warning(_ text: String) { line("warning", text) }
  static func error(_ text: String) { line("error", text) }

  private static func line(_ level: String, _ text: String) {
    var now = time(nil)
    var parts = tm()
    gmtime_r(&now, &parts)
    var stamp = [CChar](repeating: 0, count: 32)
    let count = strftime(&stamp, stamp.count, "%Y-%m-%dT%H:%M:%SZ", &parts)
    System.writeLine(
      String(decoding: stamp[..<count].map(UInt8.init(bitPattern:)), as: UTF8.self)
        + " \(level): \(Printable.text(text))")
  }

  /// A sentence for the operator at the terminal.
  static func announce(_ text: String) { System.writeLine("server: \(Printable.paragraph(text))") }
}
