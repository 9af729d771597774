/// How long a place waits for its next worker after one has died: not at all the first time, then longer
/// and longer; never for ever without a say.
struct Backoff {
  private var deaths = 0
  /// Starts in a row that never became ready.
  private(set) var failedStarts = 0

  /// A worker that served so long has made up for the deaths before.
  static let healthyNanoseconds: UInt64 = 60_000_000_000
  private static let first = 0.1
  private static let longest = 30.0
  /// Starts that may fail in a row before the place is given up.
  static let starts = 10

  /// A worker has died. Nanoseconds to wait; nil when the place is given up.
  ///
  /// - Parameter served: how long it had served; 0 if it never became ready.
  mutating func died(served: UInt64) -> UInt64? {
    if served >= Backoff.healthyNanoseconds { deaths = 0 }
    failedStarts = served == 0 ? failedStarts + 1 : 0
    if failedStarts >= Backoff.starts { return nil }
    deaths += 1
    if deaths == 1 { return 0 }
    var seconds = Backoff.first
    for _ in 2..<deaths where seconds < Backoff.longest { seconds *= 2 }
    return UInt64(min(seconds, Backoff.longest) * 1e9)
  }

  /// A worker of the place serves.
  mutating func becameReady() { failedStarts = 0 }
}
