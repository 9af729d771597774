import Control
import Glibc

/// The lines of the error log, of whichever process: time (UTC), level, text. The text is escaped: nobody can
/// forge a line.
public enum LogLine {
  /// Writes one.
  public static func write(_ level: String, _ text: String) { show(self.text(level, Printable.text(text))) }

  /// Writes a text of the server's own, with its newline, as it stands.
  public static func show(_ text: String) {
    var text = text
    text.withUTF8 { LogSink.shared.write(UnsafeRawBufferPointer($0)) }
  }

  /// Tells the operator a sentence at the terminal.
  public static func announce(_ sentence: String) { show("server: \(Printable.sentence(sentence))\n") }

  /// A line of a text that is escaped already, with its newline.
  public static func text(_ level: String, _ text: String) -> String {
    stamp(Int64(time(nil))) + " \(level): \(text)\n"
  }

  /// A time in seconds of the calendar as logs have it: UTC, as in RFC 3339.
  public static func stamp(_ seconds: Int64) -> String {
    var time = time_t(seconds)
    var parts = tm()
    gmtime_r(&time, &parts)
    return withUnsafeTemporaryAllocation(of: CChar.self, capacity: 32) { stamp in
      let count = strftime(stamp.baseAddress!, stamp.count, "%Y-%m-%dT%H:%M:%SZ", &parts)
      let bytes = UnsafeRawBufferPointer(start: stamp.baseAddress, count: count)
      return String(decoding: bytes, as: UTF8.self)
    }
  }
}
