// What HAProxy's agent checks are told, by the load and the state of a server.
import Control
import Testing

@testable import Watch

@Suite struct AgentCheckTests {
  /// A server of two workers with four calls each, at so many milliseconds, that has been busy for so long.
  private func look(_ clock: Int, busy milliseconds: Int, _ state: String = "serving") -> Snapshot {
    var snapshot = Snapshot()
    (snapshot.clock, snapshot.busy, snapshot.capacity) = (clock, milliseconds * 1000, 8)
    for _ in 0..<2 {
      var worker = Snapshot.Worker()
      worker.state = state
      snapshot.workers.append(worker)
    }
    return snapshot
  }

  @Test("the first line promises all of the weight, and later ones what was free")
  func weight() {
    var agent = AgentCheck()
    #expect(agent.line(look(10_000, busy: 70_000)) == "up ready 100%\n")
    #expect(agent.line(look(12_000, busy: 74_000)) == "up ready 75%\n")
    // Whoever asks more often hears the same.
    #expect(agent.line(look(12_500, busy: 78_000)) == "up ready 75%\n")
    #expect(agent.line(look(14_000, busy: 82_000)) == "up ready 50%\n")
    #expect(agent.line(look(15_000, busy: 82_000)) == "up ready 100%\n")
  }

  @Test(
    "the weight stays between 1 and 100 %",
    arguments: [(9000, 1), (100_000_000, 1), (8000, 1), (7950, 1), (7840, 2), (0, 100), (-5000, 100)])
  func bounds(busy: Int, weight: Int) {
    var agent = AgentCheck()
    _ = agent.state(look(0, busy: 10_000))
    #expect(agent.state(look(1000, busy: 10_000 + busy)) == .up(weight: weight))
  }

  @Test("another master's clock, and a server without any call, are no end")
  func odd() {
    var agent = AgentCheck()
    _ = agent.state(look(5000, busy: 10))
    #expect(agent.state(look(1000, busy: 0)) == .up(weight: 100))
    var empty = look(9000, busy: 0)
    empty.capacity = 0
    #expect(agent.state(empty) == .up(weight: 100))
  }

  @Test("a server that is to stop drains, and one in which nobody serves has stopped")
  func states() {
    var agent = AgentCheck()
    var leaving = look(0, busy: 0)
    leaving.isLeaving = true
    #expect(agent.line(leaving) == "up drain\n")
    for state in ["starting", "retiring", "ended"] {
      #expect(agent.line(look(100, busy: 0, state)) == "stopped#no worker serves\n", "\(state)")
    }
    #expect(agent.line(look(200, busy: 0)) == "up ready 100%\n")
  }

  @Test(
    "a server whose sockets are closed is in maintenance, whoever still answers", arguments: [true, false])
  func closed(isAnswering: Bool) {
    var closed = look(0, busy: 0, "retiring")
    (closed.isLeaving, closed.hasClosed) = (true, true)
    if !isAnswering { closed.workers = [] }
    var agent = AgentCheck()
    #expect(agent.line(closed) == "maint\n")
    // The server that follows it has another agent, whose first line takes it back.
    var next = AgentCheck()
    #expect(next.line(look(0, busy: 0)) == "up ready 100%\n")
  }
}
