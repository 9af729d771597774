import Glibc
import Synchronization

/// The terminal of `server top`: keys are read at once and without echo, and the previous contents of the
/// screen are restored afterwards, even after a signal.
struct Terminal {
  /// A typed key.
  enum Key {
    case bytes([UInt8])
    case none
    /// No more input comes, or a signal has come.
    case ended
  }

  private let before: termios?
  private static let isOver = Atomic<Bool>(false)

  /// Takes over the screen.
  init() {
    before = System.readKeys()
    for signal in [SIGINT, SIGTERM, SIGHUP] {
      System.onSignal(signal) { _ in Terminal.isOver.store(true, ordering: .relaxed) }
    }
    // Long lines do not wrap: letters can be two columns wide.
    System.write("\u{1b}[?1049h\u{1b}[?25l\u{1b}[?7l")
  }

  /// Gives it back.
  func leave() {
    System.write("\u{1b}[?7h\u{1b}[?25h\u{1b}[?1049l")
    if let before { System.restore(before) }
  }

  /// Columns and rows; 80 and 24 if unknown.
  var size: (columns: Int, rows: Int) { System.windowSize() ?? (80, 24) }

  /// Waits for the next key, at most this long.
  func key(milliseconds: Int32) -> Key {
    if Terminal.isOver.load(ordering: .relaxed) { return .ended }
    guard System.waitForInput(STDIN_FILENO, milliseconds: milliseconds) else {
      return Terminal.isOver.load(ordering: .relaxed) ? .ended : .none
    }
    let bytes = System.readInput()
    return bytes.isEmpty ? .ended : .bytes(bytes)
  }

  /// Draws the lines from the top, each in place of the previous one.
  func show(_ lines: [String]) {
    System.write("\u{1b}[H" + lines.map { $0 + "\u{1b}[K" }.joined(separator: "\r\n") + "\u{1b}[J")
  }
}
