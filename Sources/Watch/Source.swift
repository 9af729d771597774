import Control

/// Where the figures come from: a stream to the master, which answers each line with records.
struct Source {
  /// How far an answer has come.
  private enum Progress { case whole, refused, late, ended }

  /// The stream; nobody else reads it.
  let descriptor: Int32
  /// Milliseconds that the master has for the next piece of an answer.
  var patience: Int32 = 2000
  /// The stream has ended, or is out of step for good: another process has to ask.
  private(set) var isGone = false
  private var last: (snapshot: Snapshot, at: UInt64)?
  private var answer: [UInt8] = []
  /// A question was asked whose answer is still incomplete.
  private var isOwed = false

  /// Milliseconds for which figures are good: however many watch, the master is asked at most ten times a
  /// second.
  private static let freshness: UInt64 = 100
  /// The last lines of an answer, and of a refusal.
  private static let (end, refusal) = (Array("exit 0\n".utf8), Array("exit 1\n".utf8))

  init(descriptor: Int32) { self.descriptor = descriptor }

  /// The server's figures; nil if the master does not answer now. While an answer is owed nobody waits for it
  /// again.
  mutating func snapshot() -> Snapshot? {
    let now = System.milliseconds()
    if let last, now - last.at < Source.freshness { return last.snapshot }
    // A late answer is out of date: reads and drops it.
    if isOwed {
      switch receive(milliseconds: 0) {
      case .whole, .refused: break
      case .late: return nil
      case .ended: return end()
      }
    }
    let question = Array("text snapshot\n".utf8)
    guard let count = System.send(descriptor, question[...]) else { return end() }
    if count == 0 { return nil }
    guard count == question.count else { return end() }
    (isOwed, answer) = (true, [])
    switch receive(milliseconds: patience) {
    case .whole:
      let lines = String(decoding: answer, as: UTF8.self).split(separator: "\n").dropLast()
      let snapshot = Snapshot(lines.lazy.map { Record(line: $0) })
      last = (snapshot, now)
      return snapshot
    case .refused, .late: return nil
    case .ended: return end()
    }
  }

  private mutating func end() -> Snapshot? {
    isGone = true
    return nil
  }

  /// Receives part of the owed answer.
  private mutating func receive(milliseconds: Int32) -> Progress {
    while true {
      guard System.waitForInput(descriptor, milliseconds: milliseconds) else { return .late }
      guard let bytes = System.receive(descriptor) else { continue }
      if bytes.isEmpty { return .ended }
      answer += bytes
      let tail = Array(answer.suffix(Source.end.count))
      guard tail == Source.end || tail == Source.refusal else { continue }
      isOwed = false
      return tail == Source.end ? .whole : .refused
    }
  }
}
