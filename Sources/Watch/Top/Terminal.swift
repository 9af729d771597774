import Glibc
import Synchronization

/// The terminal of `server top`: keys come at once and unseen, and what was on the screen is there again
/// afterwards, also after a signal.
struct Terminal {
  /// What was typed.
  enum Key {
    case bytes([UInt8])
    case none
    /// No more comes, or a signal has.
    case ended
  }

  private let before: termios?
  private static let isOver = Atomic<Bool>(false)

  /// Takes the screen.
  init() {
    before = System.readKeys()
    for signal in [SIGINT, SIGTERM, SIGHUP] {
      System.onSignal(signal) { _ in Terminal.isOver.store(true, ordering: .relaxed) }
    }
    System.write("\u{1b}[?1049h\u{1b}[?25l")
  }

  /// Gives it back.
  func leave() {
    System.write("\u{1b}[?25h\u{1b}[?1049l")
    if let before { System.restore(before) }
  }

  /// Columns and rows; 80 and 24 where nobody knows.
  var size: (columns: Int, rows: Int) { System.windowSize() ?? (80, 24) }

  /// The next key, for so long at most.
  func key(milliseconds: Int32) -> Key {
    if Terminal.isOver.load(ordering: .relaxed) { return .ended }
    guard System.waitForInput(STDIN_FILENO, milliseconds: milliseconds) else {
      return Terminal.isOver.load(ordering: .relaxed) ? .ended : .none
    }
    let bytes = System.readInput()
    return bytes.isEmpty ? .ended : .bytes(bytes)
  }

  /// Draws the lines from the top, each in place of what stood there.
  func show(_ lines: [String]) {
    System.write("\u{1b}[H" + lines.map { $0 + "\u{1b}[K" }.joined(separator: "\r\n") + "\u{1b}[J")
  }
}
