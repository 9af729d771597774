import Control

/// `server top` at a terminal: draws periodically, and obeys keys.
public struct TopScreen {
  private var view = TopView()
  /// The look before the shown one.
  private var before: Snapshot?
  /// A filter is being typed.
  private var isTyping = false
  /// Lines that are scrolled off the top.
  private var offset = 0
  private let milliseconds: Int32

  private static let help = "q quit  s sort  r reverse  f filter  arrows scroll"

  /// - Parameter seconds: between two looks.
  public init(seconds: Double) { milliseconds = Int32(min(max(seconds, 0.1), 3600) * 1000) }

  /// Looks and draws until `q`, a signal or the end of the input.
  ///
  /// - Parameter look: a snapshot of the server; its error ends the screen.
  public mutating func run(_ look: () throws -> Snapshot) throws {
    let terminal = Terminal()
    defer { terminal.leave() }
    var (snapshot, seconds) = (try look(), 0.0)
    while true {
      draw(snapshot, seconds, terminal)
      let end = System.milliseconds() + UInt64(milliseconds)
      while true {
        let left = end > System.milliseconds() ? Int32(end - System.milliseconds()) : 0
        guard left > 0 else { break }
        switch terminal.key(milliseconds: left) {
        case .ended: return
        case .none: continue
        case .bytes(let bytes):
          guard heed(bytes) else { return }
          draw(snapshot, seconds, terminal)
        }
      }
      let next = try look()
      seconds = Double(System.milliseconds() - (end - UInt64(milliseconds))) / 1000
      (before, snapshot) = (snapshot, next)
    }
  }

  /// Obeys the keys that have come, which can be several at once; false to end.
  private mutating func heed(_ bytes: [UInt8]) -> Bool {
    var rest = bytes[...]
    while let byte = rest.popFirst() {
      // An arrow key comes in one piece.
      if byte == 27, rest.first == UInt8(ascii: "["), rest.count >= 2 {
        heedArrow(rest[rest.startIndex + 1])
        rest.removeFirst(2)
      } else if isTyping {
        type(byte)
      } else if !heed(byte) {
        return false
      }
    }
    return true
  }

  private mutating func heedArrow(_ letter: UInt8) {
    guard !isTyping else { return }
    switch letter {
    case UInt8(ascii: "A"): offset = max(0, offset - 1)
    case UInt8(ascii: "B"): offset += 1
    default: break
    }
  }

  private mutating func heed(_ key: UInt8) -> Bool {
    switch key {
    case UInt8(ascii: "q"), 3, 4: return false
    case UInt8(ascii: "s"):
      let all = TopView.Order.allCases
      view.order = all[(all.firstIndex(of: view.order)! + 1) % all.count]
    case UInt8(ascii: "r"): view.isReversed.toggle()
    case UInt8(ascii: "f"), UInt8(ascii: "/"): (isTyping, view.filter) = (true, "")
    case UInt8(ascii: "k"): offset = max(0, offset - 1)
    case UInt8(ascii: "j"): offset += 1
    default: break
    }
    return true
  }

  private mutating func type(_ byte: UInt8) {
    switch byte {
    case 13, 10: isTyping = false
    case 27: (isTyping, view.filter) = (false, "")
    case 8, 127: _ = view.filter.popLast()
    case 0x20..<0x7f: view.filter.append(Character(Unicode.Scalar(byte)))
    default: break
    }
  }

  private mutating func draw(_ snapshot: Snapshot, _ seconds: Double, _ terminal: Terminal) {
    let (columns, rows) = terminal.size
    let lines = view.lines(snapshot, since: before, seconds: max(seconds, 0.001), columns: columns)
    let room = max(1, rows - 1)
    offset = min(offset, max(0, lines.count - room))
    var status = "sorted by \(view.order.rawValue)\(view.isReversed ? ", reversed" : "")"
    if isTyping || !view.filter.isEmpty { status += "  filter: \(view.filter)\(isTyping ? "_" : "")" }
    let shown = Array(lines[offset...].prefix(room))
    let blank = Array(repeating: "", count: max(0, room - shown.count))
    terminal.show((shown + blank + ["\(status)  |  \(TopScreen.help)"]).map { String($0.prefix(columns)) })
  }
}
