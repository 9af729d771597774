/// How long the next start of a program that ends is delayed: a moment after it has run for some time, longer
/// each time it ends at once.
struct Patience {
  /// How often in a row it ended soon after its start.
  private(set) var failures = 0

  /// Seconds of a run after which an end counts on its own.
  static let steady = 10.0
  static let (shortest, longest) = (0.5, 60.0)

  /// It has run for this many seconds; returns the seconds until its next start.
  mutating func ended(after seconds: Double) -> Double {
    guard seconds < Patience.steady else {
      failures = 0
      return Patience.shortest
    }
    failures += 1
    var pause = Patience.shortest
    for _ in 1..<min(failures, 16) { pause *= 2 }
    return min(pause, Patience.longest)
  }
}
