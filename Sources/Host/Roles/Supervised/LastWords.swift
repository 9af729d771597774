import CLinux
import Control
import Glibc

/// What a worker says when a fatal signal ends it: which request the thread was in. The backtrace follows
/// (CLinux/crash.c). Everything here runs in a signal handler: it only reads existing data, and writes into
/// memory that was set aside.
enum LastWords {
  nonisolated(unsafe) private static let text = UnsafeMutablePointer<CChar>.allocate(capacity: 1024)
  nonisolated(unsafe) private static var board: Scoreboard?

  /// Reports fatal signals from now on.
  static func watch() {
    text.initialize(repeating: 0, count: 1024)
    clinux_watch_crashes { signal in LastWords.note(signal) }
  }

  /// Where the slot of the crashed request is written for the master.
  static func use(_ board: Scoreboard) { self.board = board }

  private static func note(_ signal: Int32) -> UnsafePointer<CChar>? {
    var count = 0
    append("signal ", &count)
    append(number: Int(signal), &count)
    board?[.crashSignal].value = UInt64(signal)
    guard let current = clinux_get_current() else {
      append(" outside any request", &count)
      return UnsafePointer(text)
    }
    let exchange = current.assumingMemoryBound(to: Exchange.self)
    board?[.crashedSlot].value = UInt64(exchange.slot) + 1
    append(" in ", &count)
    append(exchange.meta.method.bytes, &count)
    append(" ", &count)
    append(exchange.meta.requestURI.bytes, &count)
    return UnsafePointer(text)
  }

  private static func append(_ words: StaticString, _ count: inout Int) {
    append(UnsafeRawBufferPointer(start: words.utf8Start, count: words.utf8CodeUnitCount), &count)
  }

  private static func append(_ bytes: UnsafeRawBufferPointer, _ count: inout Int) {
    Printable.field(bytes) { piece in
      for byte in piece where count < 1000 {
        text[count] = CChar(bitPattern: byte)
        count += 1
      }
    }
    text[count] = 0
  }

  private static func append(number: Int, _ count: inout Int) {
    if number >= 10 { append(number: number / 10, &count) }
    text[count] = CChar(0x30 + number % 10)
    count += 1
    text[count] = 0
  }
}
