import Control

/// What is remembered of a seat: one whose workers die often gets a spare, one whose builds never serve
/// waits.
struct Seat {
  /// Monotonic nanoseconds of the last deaths.
  var deaths: [UInt64] = []
  /// Starts in a row that never served.
  var failedStarts = 0
  /// Monotonic nanoseconds of the first of them.
  var failingSince: UInt64 = 0
  /// No worker is started before; monotonic nanoseconds.
  var pausedUntil: UInt64 = 0

  /// Deaths in `span` that make a seat hot.
  static let often = 2
  static let spanSeconds = 10.0
  static let firstPause = 0.1
  static let longestPause = 30.0
  /// While nobody serves.
  static let lastSeatPause = 1.0
  /// A server in which nobody serves ends after so many failed starts of a seat and this time.
  static let (starts, patience) = (10, 60.0)
}

extension Releases {
  func isHot(_ seat: Int) -> Bool {
    guard let deaths = seats[seat]?.deaths else { return false }
    return deaths.count { now &- $0 < UInt64(Seat.spanSeconds * 1e9) } >= Seat.often
  }

  func isPaused(_ seat: Int) -> Bool { now < seats[seat]?.pausedUntil ?? 0 }

  /// A worker that had served has died: the next one starts at once.
  mutating func died(_ seat: Int) {
    seats[seat, default: Seat()].deaths.append(now)
    seats[seat]!.deaths = seats[seat]!.deaths.suffix(Seat.often)
    lookAgain(at: seat)
  }

  /// The alarm for what changes next of a seat by time alone: both its pause and its spare end so, and
  /// neither may take the other's alarm.
  mutating func lookAgain(at seat: Int) {
    guard let known = seats[seat] else { return }
    var due: [UInt64] = []
    if isPaused(seat) { due.append(known.pausedUntil) }
    if isHot(seat), let first = known.deaths.first { due.append(first &+ UInt64(Seat.spanSeconds * 1e9)) }
    guard let next = due.min() else { return }
    act(.alarm(.seat(seat), seconds: Double(next &- now) / 1e9 + 0.001))
  }

  /// A worker has died before it served anything: the next one waits, longer each time, but not for long
  /// while no other seat serves. A server that has nobody for good ends, and says why.
  mutating func failedToServe(_ seat: Int, _ reason: String) {
    if seats[seat]?.failedStarts ?? 0 == 0 { seats[seat, default: Seat()].failingSince = now }
    seats[seat]!.failedStarts += 1
    let failures = seats[seat]!.failedStarts
    var pause = Seat.firstPause
    for _ in 1..<max(1, failures) where pause < Seat.longestPause { pause *= 2 }
    pause = min(pause, Seat.longestPause)
    if !workers.values.contains(where: { $0.phase == .serving }) {
      pause = min(pause, Seat.lastSeatPause)
      let time = Double(now &- seats[seat]!.failingSince) / 1e9
      if failures >= Seat.starts, time >= Seat.patience {
        act(.announceFailure("no worker can start: \(reason)", code: 22))
        return stop(22)
      }
    }
    seats[seat]!.pausedUntil = now &+ UInt64(pause * 1e9)
    lookAgain(at: seat)
    act(.log(.warning, "place \(seat + 1) waits \(Int(pause * 1000)) ms for its next worker: \(reason)"))
  }

  /// A worker serves: what was before is forgotten.
  mutating func serves(_ seat: Int) {
    seats[seat]?.failedStarts = 0
    seats[seat]?.pausedUntil = 0
  }
}
