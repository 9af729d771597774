import Config

/// How a worker ends: what it waits for, and for how long.
struct Departure {
  enum Stage {
    case serving
    /// Nothing new is accepted; running requests are answered. Times are in monotonic nanoseconds.
    case leaving(deadline: UInt64)
    /// Nothing is waited for.
    case now
  }

  private(set) var stage = Stage.serving
  /// Others go on accepting on the same sockets: connections between two requests are served once more
  /// (Leaving.swift).
  private(set) var isRetired = false
  /// From this time on it no longer waits for idle connections.
  private(set) var lateFrom: UInt64 = .max
  /// From this time on it no longer waits for the end of a call before it tells the apps that no more calls
  /// come.
  private(set) var drainFrom: UInt64 = .max
  /// From this time on it closes WebSockets, and takes so many nanoseconds for all of them.
  private(set) var socketsUntil: UInt64 = .max
  private(set) var socketsSpread: UInt64 = 0
  /// It will come soon: load balancers are told.
  var isUnready = false
  /// The apps know that no call will come.
  var isDrained = false
  /// Calls that were cancelled but go on: nobody waits for them.
  var stuckCalls = 0
  /// No call of an application outlasts the loop: they may be unloaded.
  var isQuiet = true
  /// CGI: the only connection, with whose answer it ends.
  var cgi = CGIRun()

  @inline(__always)
  var isUnderWay: Bool {
    switch stage {
    case .serving: false
    case .leaving, .now: true
    }
  }

  /// A second signal has come, or the master has said so.
  var isAtOnce: Bool {
    switch stage {
    case .now: true
    case .serving, .leaving: false
    }
  }

  /// The loop ends: at `now`, with so many connections.
  @inline(__always)
  func isOver(at now: UInt64, _ connections: @autoclosure () -> Int) -> Bool {
    switch stage {
    case .serving: cgi.isOver
    case .now: true
    case .leaving(let deadline): connections() <= stuckCalls || now > deadline
    }
  }

  /// It stops, or retires and leaves its place to others.
  mutating func begin(at now: UInt64, _ limits: Limits) {
    let seconds = limits.gracefulSeconds
    stage = .leaving(deadline: now &+ UInt64(seconds * 1e9))
    // Idle connections hold it up for no longer than half of the available time.
    lateFrom = now &+ UInt64(seconds / 2 * 1e9)
    // Other workers take over a retiring one's WebSockets; their time here has to end before the worker does.
    let drain = isRetired ? min(limits.webSocketDrainSeconds, max(0, seconds - 2)) : 0
    socketsUntil = now &+ UInt64(drain * 1e9)
    let spread = isRetired ? min(Departure.spread(drain), max(0, seconds - 2 - drain)) : 0
    socketsSpread = UInt64(spread * 1e9)
    drainFrom = now &+ UInt64(min(limits.drainSeconds, seconds / 2) * 1e9)
  }

  /// Seconds over which the WebSockets of a version that was replaced are closed, after a drain.
  static func spread(_ drain: Double) -> Double {
    Limits.webSocketSpreadSeconds + drain * Limits.webSocketSpreadShare
  }

  /// When it is the turn of a record, in nanoseconds since that of the first: multiples of the golden ratio
  /// fill the time evenly, however many records there are.
  static func turn(_ slot: UInt32, of spread: UInt64) -> UInt64 {
    spread.multipliedFullWidth(by: UInt64(slot &* 0x9e37_79b9) << 32).high
  }

  mutating func retire() { isRetired = true }

  /// Connections that have been quiet for a while are closed.
  mutating func hurry(at now: UInt64, _ limits: Limits) {
    (socketsUntil, socketsSpread) = (min(socketsUntil, now), 0)
    lateFrom = min(lateFrom, now &+ UInt64(limits.quietSeconds * 1e9))
  }

  mutating func endNow() { stage = .now }
}
