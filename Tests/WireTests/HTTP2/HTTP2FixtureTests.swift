import Support
import Testing

@testable import Wire

/// Every conversation of HTTP/2, fed in every way.
@Suite struct HTTP2FixtureTests {
  @Test(arguments: try HTTP2Script.all())
  func fixture(_ script: HTTP2Script) {
    let whole = HTTP2Transcript(script.steps) { [$0] }
    guard let expected = script.expected else {
      Issue.record("\(script.name).expect is missing; it is:\n\(whole.lines.joined(separator: "\n"))")
      return
    }
    #expect(whole.lines == expected, "\(whole.lines.joined(separator: "\n"))")
    // What is refused without having been told of shows in its reset.
    let hasError = whole.lines.contains { isFault($0) || !script.isValid && $0.hasPrefix("out RST_STREAM") }
    #expect(hasError != script.isValid)
    let size = script.steps.map { if case .bytes(let bytes) = $0 { bytes.count } else { 0 } }.max() ?? 0
    if size < 3000 {
      expectSame(script, whole, "byte by byte") { Array(repeating: 1, count: $0) }
    }
    // Of a long one not every point.
    for split in stride(from: 1, to: size, by: max(1, size / (whole.lines.count > 100 ? 10 : 300))) {
      expectSame(script, whole, "split at \(split)") { _ in [split] }
    }
    for seed in UInt64(1)...10 {
      expectSame(script, whole, "random pieces of seed \(seed)") {
        var random = SeededRandom(seed)
        return random.pieces(of: $0)
      }
    }
  }

  private func isFault(_ line: String) -> Bool {
    line.hasPrefix("error") || line.hasPrefix("refused")
      || line.hasPrefix("over") && !line.hasSuffix("by client")
  }

  private func expectSame(
    _ script: HTTP2Script, _ whole: HTTP2Transcript, _ name: String, _ pieces: (Int) -> [Int]
  ) {
    let other = HTTP2Transcript(script.steps, pieces: pieces)
    guard other != whole else { return }
    Issue.record("\(script.name), \(name):\n\(other.lines.joined(separator: "\n"))")
  }
}
