// How long a program that ends waits for its next start.
import Testing

@testable import Master

@Suite struct PatienceTests {
  @Test("longer each time it ends at once, and a moment again after it has run")
  func pauses() {
    var patience = Patience()
    #expect((0..<9).map { _ in patience.ended(after: 0.1) } == [0.5, 1, 2, 4, 8, 16, 32, 60, 60])
    for _ in 0..<100 { _ = patience.ended(after: 0) }
    #expect(patience.ended(after: 10) == 0.5 && patience.ended(after: 9.9) == 0.5)
    #expect(patience.ended(after: 0) == 1)
  }
}
