import Config

/// How much somebody says to the master. A worker says a handful of things in its life; one that says
/// thousands in a second is broken, or held by somebody else, and would keep the master from its work.
struct Hearing {
  private var second: UInt64 = 0
  private var heard = 0
  /// It has said something that nobody says; one line of the log is enough.
  private var hasMisspoken = false

  /// Something is said; false when that is too much.
  mutating func admits(at now: UInt64) -> Bool {
    if second != now / 1_000_000_000 { (second, heard) = (now / 1_000_000_000, 0) }
    heard += 1
    return heard <= Limits.messagesPerSecond
  }

  /// What was said is no report; true the first time.
  mutating func misspeaks() -> Bool {
    defer { hasMisspoken = true }
    return !hasMisspoken
  }
}
