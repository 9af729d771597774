import Control
import Testing

@Suite struct TallyTests {
  @Test("a time is in the first bucket whose bound it does not exceed", arguments: Latency.bounds.indices)
  func bounds(index: Int) {
    let bound = Latency.bounds[index]
    #expect(Latency.bucket(bound) == index)
    #expect(Latency.bucket(bound + 1) == index + 1)
  }

  @Test("the bounds go 1, 2, 5 from ten microseconds to a hundred seconds")
  func series() {
    #expect(Latency.bounds.prefix(4) == [10, 20, 50, 100])
    #expect(Latency.bounds.last == 100_000_000)
    #expect(Latency.bounds == Latency.bounds.sorted())
    #expect(Latency.bucket(0) == 0)
    #expect(Latency.bucket(.max) == Latency.bounds.count)
  }

  @Test("percentiles are within the bucket that holds them")
  func percentiles() throws {
    var values = [UInt64](repeating: 0, count: Tally.cells)
    values[Tally.Cell.buckets + Latency.bucket(150)] = 90
    values[Tally.Cell.buckets + Latency.bucket(7000)] = 10
    let tally = Tally(values)
    #expect((100...200).contains(try #require(tally.percentile(0.5))))
    #expect((5000...10_000).contains(try #require(tally.percentile(0.99))))
    #expect(Tally().percentile(0.5) == nil)
  }

  @Test("what was gained since is the difference, and all of what began anew")
  func since() {
    let (old, new) = (Tally([5, 10]), Tally([7, 3]))
    #expect(new.since(old).values.prefix(2) == [2, 3])
  }

  @Test("a scoreboard counts answers where they belong, whatever it is told")
  func scoreboard() {
    let memory = UnsafeMutableRawPointer.allocate(byteCount: Scoreboard.bytes, alignment: 4096)
    memory.initializeMemory(as: UInt8.self, repeating: 0, count: Scoreboard.bytes)
    defer { memory.deallocate() }
    let board = Scoreboard(memory)
    board.count(app: 0, gateway: 0, status: 200, received: 3, sent: 5, microseconds: 30)
    board.count(app: 15, gateway: 3, status: 503, received: 0, sent: 7, microseconds: 1_000_000)
    board.count(app: 99, gateway: 99, status: 999, received: -1, sent: -1, microseconds: .max)
    board.count(app: nil, gateway: 1, status: 404, received: 0, sent: 0, microseconds: 0)
    #expect(board.tally(0).answers(2) == 1 && board.tally(0).received == 3 && board.tally(0).sent == 5)
    #expect(board.tally(15).answers(5) == 2 && board.tally(15).spoken(3) == 2 && board.tally(15).sent == 7)
    #expect(board.tally(Scoreboard.own).answers(4) == 1 && board.tally(Scoreboard.own).spoken(1) == 1)
    #expect(board.tally(1) == Tally() && board.tally(-1) == Tally() && board.tally(99) == Tally())
    for app in [0, 15, 99, nil] { board.countLate(app: app) }
    board.countFile()
    #expect(board.tally(0).late == 1 && board.tally(15).late == 2)
    let own = board.tally(Scoreboard.own)
    #expect(own.late == 1 && own.files == 1 && own.requests == 1 && own.buckets.reduce(0, +) == 1)
    #expect(board.entries.isEmpty)
    board.begin(
      0, at: 7, app: 0, generation: 1, UnsafeRawBufferPointer(start: nil, count: 0),
      UnsafeRawBufferPointer(start: nil, count: 0))
    #expect(board.tally(Scoreboard.own).requests == 1 && board.entries.count == 1)
  }
}
