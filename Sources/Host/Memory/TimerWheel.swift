/// Deadlines of connections: a hashed wheel of quarter-second ticks, intrusive lists, lazy.
///
/// Moving a deadline further away costs one store in the connection: the entry stays where it is and is
/// looked at again when its tick comes. Only an earlier deadline moves the entry.
struct TimerWheel: ~Copyable {
  /// The links that a connection carries.
  struct Entry {
    /// Tick at which the timer is due; 0 is none.
    var deadline: UInt64 = 0
    /// Tick under which the entry is in the wheel; 0 when it is not.
    var placed: UInt64 = 0
    var next: UInt32 = TimerWheel.end
    var previous: UInt32 = TimerWheel.end
  }

  static let end = UInt32.max
  /// A tick is 2^28 ns, about 0.27 s.
  static let tickShift: UInt64 = 28
  private static let slots = 1024
  private let heads: UnsafeMutablePointer<UInt32>
  /// Entries in the wheel.
  private(set) var count = 0
  private var expired: [UInt32] = []
  /// The last tick that was checked.
  private(set) var current: UInt64

  init(now: UInt64) {
    heads = .allocate(capacity: TimerWheel.slots)
    heads.initialize(repeating: TimerWheel.end, count: TimerWheel.slots)
    current = now >> TimerWheel.tickShift
  }

  deinit { heads.deallocate() }

  /// The tick at which `seconds` from now will have passed.
  @inline(__always)
  static func tick(_ now: UInt64, seconds: Double) -> UInt64 {
    tick(now, nanoseconds: UInt64(seconds * 1e9))
  }

  /// The tick at which `nanoseconds` from now will have passed.
  @inline(__always)
  static func tick(_ now: UInt64, nanoseconds: UInt64) -> UInt64 { (now &+ nanoseconds) >> tickShift + 1 }

  /// Sets the deadline of the entry of `slot`.
  @inline(__always)
  mutating func set(_ slot: UInt32, _ deadline: UInt64, _ entry: (UInt32) -> UnsafeMutablePointer<Entry>) {
    let own = entry(slot)
    own.pointee.deadline = deadline
    if own.pointee.placed != 0, own.pointee.placed <= deadline { return }
    if own.pointee.placed != 0 { unlink(slot, entry) }
    link(slot, deadline, entry)
  }

  /// Takes the entry out; for a connection that closes.
  mutating func cancel(_ slot: UInt32, _ entry: (UInt32) -> UnsafeMutablePointer<Entry>) {
    entry(slot).pointee.deadline = 0
    if entry(slot).pointee.placed != 0 { unlink(slot, entry) }
  }

  /// The next slot whose deadline has passed, as far as `advance` has come.
  mutating func nextExpired() -> UInt32? { expired.popLast() }

  /// Moves the wheel on to `now` and notes every entry whose deadline has passed; see `nextExpired`.
  mutating func advance(to now: UInt64, _ entry: (UInt32) -> UnsafeMutablePointer<Entry>) {
    let target = now >> TimerWheel.tickShift
    if count == 0 {
      current = max(current, target)
      return
    }
    while current < target {
      current += 1
      var slot = heads[Int(current) % TimerWheel.slots]
      while slot != TimerWheel.end {
        let own = entry(slot)
        let next = own.pointee.next
        if own.pointee.placed <= current {
          unlink(slot, entry)
          if own.pointee.deadline > current {
            link(slot, own.pointee.deadline, entry)
          } else if own.pointee.deadline != 0 {
            own.pointee.deadline = 0
            expired.append(slot)
          }
        }
        slot = next
      }
    }
  }

  private mutating func link(_ slot: UInt32, _ tick: UInt64, _ entry: (UInt32) -> UnsafeMutablePointer<Entry>)
  {
    let place = max(tick, current + 1)
    let head = heads + Int(place) % TimerWheel.slots
    entry(slot).pointee.placed = place
    entry(slot).pointee.previous = TimerWheel.end
    entry(slot).pointee.next = head.pointee
    if head.pointee != TimerWheel.end { entry(head.pointee).pointee.previous = slot }
    head.pointee = slot
    count += 1
  }

  private mutating func unlink(_ slot: UInt32, _ entry: (UInt32) -> UnsafeMutablePointer<Entry>) {
    let own = entry(slot).pointee
    if own.previous == TimerWheel.end {
      heads[Int(own.placed) % TimerWheel.slots] = own.next
    } else {
      entry(own.previous).pointee.next = own.next
    }
    if own.next != TimerWheel.end { entry(own.next).pointee.previous = own.previous }
    entry(slot).pointee.placed = 0
    count -= 1
  }
}
