// How long a place waits for its next worker.
import Testing

@testable import Master

@Suite struct BackoffTests {
  private let second: UInt64 = 1_000_000_000

  @Test("the first death waits for nothing, the next ones longer and longer, at most 30 s")
  func grows() {
    var backoff = Backoff()
    #expect(backoff.died(served: second) == 0)
    #expect(backoff.died(served: second) == second / 10)
    #expect(backoff.died(served: second) == second / 5)
    for _ in 0..<20 { _ = backoff.died(served: second) }
    #expect(backoff.died(served: second) == 30 * second)
  }

  @Test("a minute of service makes up for the deaths before")
  func heals() {
    var backoff = Backoff()
    for _ in 0..<5 { _ = backoff.died(served: second) }
    #expect(backoff.died(served: Backoff.healthyNanoseconds) == 0)
    #expect(backoff.died(served: second) == second / 10)
  }

  @Test("a place whose workers never become ready is given up")
  func givesUp() {
    var backoff = Backoff()
    for _ in 1..<Backoff.starts { #expect(backoff.died(served: 0) != nil) }
    #expect(backoff.died(served: 0) == nil)
  }

  @Test("one that became ready starts the count of failed starts anew")
  func readyCounts() {
    var backoff = Backoff()
    for _ in 1..<Backoff.starts { _ = backoff.died(served: 0) }
    backoff.becameReady()
    #expect(backoff.died(served: 0) != nil)
  }
}
