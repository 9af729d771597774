import Control

/// Where the figures come from: a stream to the master, which answers a line with records.
struct Source {
  /// The stream; nobody else reads it.
  let descriptor: Int32
  private var last: (snapshot: Snapshot, at: UInt64)?

  /// Milliseconds for which figures are good: however many watch, the master is asked ten times a second.
  private static let freshness: UInt64 = 100
  /// Milliseconds that the master has for an answer.
  private static let patience: Int32 = 2000

  init(descriptor: Int32) { self.descriptor = descriptor }

  /// How the server does; nil when the master does not say: it is gone, or the stream is out of step.
  mutating func snapshot() -> Snapshot? {
    let now = System.milliseconds()
    if let last, now - last.at < Source.freshness { return last.snapshot }
    guard let lines = ask("text snapshot\n") else { return nil }
    let snapshot = Snapshot(lines.lazy.map { Record(line: $0) })
    last = (snapshot, now)
    return snapshot
  }

  private func ask(_ question: String) -> [Substring]? {
    guard System.send(descriptor, Array(question.utf8)[...]) == question.utf8.count else { return nil }
    var answer: [UInt8] = []
    let end = Array("exit 0\n".utf8)
    while !(answer.suffix(end.count) == end[...]) {
      guard System.waitForInput(descriptor, milliseconds: Source.patience) else { return nil }
      guard let bytes = System.receive(descriptor) else { continue }
      if bytes.isEmpty { return nil }
      answer += bytes
    }
    return String(decoding: answer, as: UTF8.self).split(separator: "\n").dropLast()
  }
}
