// How long a program that ends waits for its next start, and since when a worker has not turned.
import Testing

@testable import Master

@Suite struct TurnTests {
  @Test("a worker that has not turned its loop yet is as old as it is, whatever stands in its page")
  func turns() {
    #expect(Master.lastTurn(0, of: 1000, 1004) == 1000)
    #expect(Master.lastTurn(1002, of: 1000, 1004) == 1002)
    #expect(Master.lastTurn(.max, of: 1000, 1004) == 1004)
  }
}

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
