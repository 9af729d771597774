// The timer wheel against what it promises: due in time, moved for free, never lost.
import Support
import Testing

@testable import Host

/// A wheel whose time a test moves; entries stand in memory of their own as those of connections do.
private final class WheelBench {
  var wheel: TimerWheel
  private let entries: UnsafeMutablePointer<TimerWheel.Entry>
  private let count: Int

  init(slots: Int = 64, at tick: UInt64 = 1000) {
    wheel = TimerWheel(now: tick << TimerWheel.tickShift)
    entries = .allocate(capacity: slots)
    entries.initialize(repeating: TimerWheel.Entry(), count: slots)
    count = slots
  }

  deinit {
    entries.deinitialize(count: count)
    entries.deallocate()
  }

  func entry(_ slot: UInt32) -> UnsafeMutablePointer<TimerWheel.Entry> { entries + Int(slot) }
  func set(_ slot: UInt32, _ tick: UInt64) { wheel.set(slot, tick, entry) }
  func cancel(_ slot: UInt32) { wheel.cancel(slot, entry) }

  /// Moves on and returns who is due, sorted.
  func advance(to tick: UInt64) -> [UInt32] {
    wheel.advance(to: tick << TimerWheel.tickShift, entry)
    var due: [UInt32] = []
    while let slot = wheel.nextExpired() { due.append(slot) }
    return due.sorted()
  }
}

@Suite struct TimerWheelTests {
  @Test("a tick is rounded up: nothing is due before its seconds are over")
  func ticks() {
    let tick = UInt64(1) << TimerWheel.tickShift
    #expect(TimerWheel.tick(0, seconds: 0) == 1)
    #expect(TimerWheel.tick(tick - 1, seconds: 0) == 1)
    for seconds in [0.001, 0.25, 1, 65] {
      for now in [UInt64(0), tick / 2, tick - 1, 12345 * tick + 7] {
        let due = TimerWheel.tick(now, seconds: seconds) << TimerWheel.tickShift
        #expect(due >= now + UInt64(seconds * 1e9))
        #expect(due <= now + UInt64(seconds * 1e9) + tick)
      }
    }
  }

  @Test func dueAtItsTickAndOnce() {
    let bench = WheelBench()
    bench.set(3, 1005)
    #expect(bench.advance(to: 1004).isEmpty)
    #expect(bench.advance(to: 1005) == [3])
    #expect(bench.wheel.count == 0)
    #expect(bench.advance(to: 5000).isEmpty)
  }

  @Test("a deadline that moves away does not move the entry, and holds")
  func lazyMove() {
    let bench = WheelBench()
    bench.set(1, 1005)
    bench.set(1, 1050)
    #expect(bench.entry(1).pointee.placed == 1005)
    #expect(bench.advance(to: 1049).isEmpty)
    #expect(bench.wheel.count == 1)
    #expect(bench.advance(to: 1050) == [1])
  }

  @Test func earlierDeadlineMovesTheEntry() {
    let bench = WheelBench()
    bench.set(1, 1050)
    bench.set(2, 1050)
    bench.set(1, 1003)
    #expect(bench.wheel.count == 2)
    #expect(bench.advance(to: 1003) == [1])
    #expect(bench.advance(to: 1050) == [2])
  }

  @Test("away and back again: the nearer deadline counts")
  func awayAndBack() {
    let bench = WheelBench()
    bench.set(1, 1010)
    bench.set(1, 1100)
    bench.set(1, 1020)
    #expect(bench.advance(to: 1019).isEmpty)
    #expect(bench.advance(to: 1020) == [1])
  }

  @Test func cancelled() {
    let bench = WheelBench()
    for slot in UInt32(0)..<8 { bench.set(slot, 1005) }
    for slot in [UInt32(0), 4, 7] { bench.cancel(slot) }
    bench.cancel(20)
    #expect(bench.wheel.count == 5)
    #expect(bench.advance(to: 1005) == [1, 2, 3, 5, 6])
    bench.cancel(1)
    bench.set(1, 1006)
    #expect(bench.advance(to: 1006) == [1])
  }

  @Test("a deadline in the past is due with the next tick")
  func past() {
    let bench = WheelBench()
    bench.set(1, 3)
    #expect(bench.advance(to: 1000).isEmpty)
    #expect(bench.advance(to: 1001) == [1])
  }

  @Test("more ticks at once than the wheel has places, and deadlines that share a place")
  func longJump() {
    let bench = WheelBench()
    bench.set(1, 1001)
    bench.set(2, 1001 + 1024)
    bench.set(3, 1001 + 2048)
    bench.set(4, 1001 + 500_000)
    #expect(bench.advance(to: 1001) == [1])
    #expect(bench.advance(to: 1001 + 1500) == [2])
    #expect(bench.advance(to: 400_000) == [3])
    #expect(bench.wheel.count == 1)
    #expect(bench.advance(to: 2_000_000) == [4])
  }

  @Test("an empty wheel skips the time that it was not looked at")
  func idleTime() {
    let bench = WheelBench()
    #expect(bench.advance(to: 1 << 33).isEmpty)
    #expect(bench.wheel.current == 1 << 33)
    bench.set(1, 1 << 33 + 4)
    #expect(bench.advance(to: 1 << 33 + 4) == [1])
  }

  @Test("time that stands still or goes back changes nothing")
  func timeGoesBack() {
    let bench = WheelBench()
    bench.set(1, 1002)
    #expect(bench.advance(to: 1000).isEmpty)
    #expect(bench.advance(to: 900).isEmpty)
    #expect(bench.advance(to: 1002) == [1])
  }

  @Test("thousands of random operations agree with a table", arguments: [1, 2, 3] as [UInt64])
  func againstAModel(seed: UInt64) {
    var random = SeededRandom(seed)
    let bench = WheelBench(slots: 64)
    var model: [UInt32: UInt64] = [:]
    var now: UInt64 = 1000
    for _ in 0..<20_000 {
      let slot = UInt32.random(in: 0..<64, using: &random)
      switch Int.random(in: 0..<10, using: &random) {
      case 0...5:
        let tick = now + 1 + UInt64.random(in: 0..<(Bool.random(using: &random) ? 20 : 3000), using: &random)
        bench.set(slot, tick)
        model[slot] = tick
      case 6:
        bench.cancel(slot)
        model[slot] = nil
      default:
        now += UInt64.random(in: 0..<(slot == 0 ? 2500 : 12), using: &random)
        let due = model.filter { $0.value <= now }.keys.sorted()
        for slot in due { model[slot] = nil }
        let found = bench.advance(to: now)
        #expect(found == due)
        if found != due { return }
      }
      #expect(bench.wheel.count == model.count)
    }
    #expect(bench.advance(to: now + 4000) == model.keys.sorted())
  }
}
