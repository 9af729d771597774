// When it is the turn of a WebSocket of a replaced version to be closed: not of all at once.
import Config
import Testing

@testable import Host

@Suite struct SocketTurnTests {
  @Test("turns fill the time evenly, however many sockets there are", arguments: [1, 6, 100, 10_000])
  func even(count: Int) {
    let spread: UInt64 = 2_000_000_000
    let turns = (0..<UInt32(count)).map { Departure.turn($0, of: spread) }.sorted()
    #expect(turns[0] == 0 && turns[count - 1] < spread)
    // Of each tenth of the time, no more than twice its share.
    var tenths = [Int](repeating: 0, count: 10)
    for turn in turns { tenths[Int(turn * 10 / spread)] += 1 }
    #expect(tenths.allSatisfy { $0 <= count / 5 + 1 }, "\(tenths)")
    #expect((0..<100).allSatisfy { Departure.turn($0, of: 0) == 0 })
    #expect(Departure.turn(.max, of: .max) < .max)
  }

  @Test("a worker that leaves has closed all of them two seconds before its time is over")
  func inTime() {
    for (mercy, drain) in [(60.0, 0.0), (60, 10), (60, 57), (60, 100), (3, 0), (2, 5), (0, 5)] {
      var limits = Limits()
      (limits.gracefulSeconds, limits.webSocketDrainSeconds) = (mercy, drain)
      var departure = Departure()
      departure.retire()
      departure.begin(at: 0, limits)
      let last = Double(departure.socketsUntil + departure.socketsSpread) / 1e9
      #expect(last <= max(0, mercy - 2) + 0.001, "\(mercy), \(drain): \(last)")
      #expect(departure.socketsSpread > 0 || drain >= mercy - 2, "\(mercy), \(drain)")
      departure.hurry(at: 5, limits)
      #expect(departure.socketsUntil <= 5 && departure.socketsSpread == 0)
    }
    // One that stops tells all of them at once.
    var departure = Departure()
    departure.begin(at: 7, Limits())
    #expect(departure.socketsUntil == 7 && departure.socketsSpread == 0)
  }
}
