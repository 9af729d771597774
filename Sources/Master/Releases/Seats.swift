import Control

/// What is remembered about a seat: if its workers die often it gets a spare, if its builds never serve it
/// waits.
struct Seat {
  /// Monotonic nanoseconds of the last deaths.
  var deaths: [UInt64] = []
  /// Starts in a row that never served, and what they were to run: another build is counted anew.
  var failedStarts = 0
  var failedPlan: Plan?
  /// A worker that runs the plan and is ready, and when it will have proven that it can serve, in monotonic
  /// nanoseconds.
  var proving: (worker: Int, at: UInt64)?
  /// Monotonic nanoseconds of the first of them.
  var failingSince: UInt64 = 0
  /// No worker is started before this time, in monotonic nanoseconds.
  var pausedUntil: UInt64 = 0

  /// Deaths within `span` that make a seat hot.
  static let often = 2
  static let spanSeconds = 10.0
  /// Workers that a hot seat needs.
  static let mostNeeded = 2
  static let firstPause = 0.1
  /// A worker that has lived this long after it was ready, or has answered, counts as having served.
  static let provingSeconds = 1.0
  static let longestPause = 30.0
  /// The longest pause while nobody serves.
  static let lastSeatPause = 1.0
  /// Failed starts of a seat after which a build on probation is taken back.
  static let startsOnTrial = 5
  /// A server in which nobody serves ends after this many failed starts of a seat and this time.
  static let (starts, patience) = (10, 60.0)
}

extension Releases {
  func isHot(_ seat: Int) -> Bool {
    guard let deaths = seats[seat]?.deaths else { return false }
    return deaths.count { now &- $0 < UInt64(Seat.spanSeconds * 1e9) } >= Seat.often
  }

  func isPaused(_ seat: Int) -> Bool { now < seats[seat]?.pausedUntil ?? 0 }

  /// The pause applies only to the plan that has failed there.
  func isPaused(_ seat: Int, for plan: Plan) -> Bool { isPaused(seat) && seats[seat]?.failedPlan == plan }

  /// A worker that had served has died: the next one starts at once.
  mutating func died(_ seat: Int) {
    seats[seat, default: Seat()].deaths.append(now)
    seats[seat]!.deaths = seats[seat]!.deaths.suffix(Seat.often)
    lookAgain(at: seat)
  }

  /// Sets the alarm for the next change of a seat by time alone: its pause and its spare both end that way,
  /// and neither may take the other's alarm.
  mutating func lookAgain(at seat: Int) {
    if let (id, time) = seats[seat]?.proving, now >= time || workers[id]?.phase != .serving {
      seats[seat]!.proving = nil
      if workers[id]?.phase == .serving { seats[seat]!.failedStarts = 0 }
    }
    guard let known = seats[seat] else { return }
    var due: [UInt64] = []
    if let proving = known.proving { due.append(proving.at) }
    if isPaused(seat) { due.append(known.pausedUntil) }
    if isHot(seat), let first = known.deaths.first { due.append(first &+ UInt64(Seat.spanSeconds * 1e9)) }
    guard let next = due.min() else { return }
    act(.alarm(.seat(seat), seconds: Double(next &- now) / 1e9 + 0.001))
  }

  /// A worker has died before it served anything: the next one waits, longer each time, but not for long
  /// while no other seat serves. A server that permanently has nobody ends, and says why.
  ///
  /// - Parameter isTheBuilds: the builds that the worker was to run may be at fault.
  mutating func failedToServe(_ seat: Int, _ plan: Plan, _ reason: String, isTheBuilds: Bool = true) {
    if seats[seat]?.failedPlan != plan { seats[seat, default: Seat()].failedStarts = 0 }
    if seats[seat]!.failedStarts == 0 { seats[seat]!.failingSince = now }
    (seats[seat]!.failedPlan, seats[seat]!.proving) = (plan, nil)
    seats[seat]!.failedStarts += 1
    let failures = seats[seat]!.failedStarts
    // A seat that is to run the previous builds does not wait.
    if isTheBuilds, failures >= Seat.startsOnTrial,
      takesBack(plan, "its workers cannot start any more: \(reason)")
    {
      return
    }
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

  /// Whether builds on probation are taken back because no worker can be started with them.
  private mutating func takesBack(_ plan: Plan, _ reason: String) -> Bool {
    guard probation != nil, let number = current?.number, current?.plan == plan else { return false }
    withdraw(reason)
    return current?.number != number
  }

  /// A worker is ready. Earlier failures are forgotten when it has answered, or lived for a while: a build
  /// that dies as soon as it is ready never serves either.
  mutating func serves(_ id: Int, _ worker: Worker) {
    seats[worker.seat]?.pausedUntil = 0
    guard seats[worker.seat]?.failedPlan == worker.plan else { return }
    seats[worker.seat]!.proving = (id, now &+ UInt64(Seat.provingSeconds * 1e9))
    lookAgain(at: worker.seat)
  }

  /// A worker that ran this has served.
  mutating func hasProven(_ seat: Int, _ plan: Plan) {
    guard seats[seat]?.failedPlan == plan else { return }
    (seats[seat]!.failedStarts, seats[seat]!.proving) = (0, nil)
  }
}
