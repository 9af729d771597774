// Which programs are due in a minute. Knows no clock: the caller says what time it is.
import Config

/// A minute by calendar and clock; months from 1, Sunday is 0.
struct Minute: Equatable {
  var minute: Int
  var hour: Int
  var day: Int
  var month: Int
  var weekday: Int

  /// The minute with a number that counts minutes of the machine's clock and calendar from 1970.
  init(number: Int64) { self = System.calendar(minute: number) }

  init(minute: Int, hour: Int, day: Int, month: Int, weekday: Int) {
    (self.minute, self.hour, self.day, self.month) = (minute, hour, day, month)
    self.weekday = weekday
  }
}

extension TimedProgram {
  /// Whether it runs in a minute of the machine's clock.
  fileprivate func matches(_ number: Int64) -> Bool {
    let at = Minute(number: number)
    return matches(minute: at.minute, hour: at.hour, day: at.day, month: at.month, weekday: at.weekday)
  }

  /// It runs within each hour, or every hour: setting the clock does not matter to it.
  fileprivate var isFrequent: Bool { fields[0] < 0 || fields[1] == -1 }
}

/// The minutes of a server by the machine's clock, which may be late, set, and subject to daylight saving.
/// As in cron(8) of Debian: up to five missed minutes are made up for at once; when the clock moves forward
/// or back by up to three hours, programs with a time of day run once where they were due, also between the
/// two times, and the others go by the clock; a larger change means that the clock was wrong before.
struct Minutes {
  /// What a minute has brought.
  struct Due: Equatable {
    /// The places of the programs that are due, each once.
    var places: [Int] = []
    /// Minutes since the last one; 1 unless the server was late or the clock was set.
    var step: Int64 = 1
  }

  /// The last minute that has come.
  private var last: Int64?
  /// The last minute whose programs with a time of day have run: after `last` if the clock was set back.
  private var reached: Int64?

  /// Missed minutes that are made up for, and minutes by which the clock may change without having been
  /// wrong.
  private static let (longestDelay, longestChange): (Int64, Int64) = (5, 180)

  /// What is due now; nothing in a minute that has come already, for example when an alarm rings early or the
  /// clock is corrected by some seconds.
  /// - Parameter now: the minute by the machine's clock, as for `Minute`.
  mutating func due(_ programs: [TimedProgram], at now: Int64) -> Due {
    let (before, done) = (last ?? now - 1, reached ?? now - 1)
    let (step, gap) = (now - before, now - done)
    guard step != 0, step != -1 else { return Due() }
    last = now
    let frequent = (1...Minutes.longestDelay).contains(step) ? before + 1...now : now...now
    var daily: ClosedRange<Int64>?
    if gap > Minutes.longestChange || gap <= -Minutes.longestChange {
      daily = now...now
    } else if gap > 0 {
      daily = done + 1...now
    }
    if daily != nil { reached = now }
    let places = programs.indices.filter { place in
      let range = programs[place].isFrequent ? frequent : daily
      return range?.contains { programs[place].matches($0) } ?? false
    }
    return Due(places: places, step: step)
  }

  /// Seconds until a moment after the next minute has begun.
  static func wait(at seconds: Int64) -> Double { Double(60 - seconds % 60) + 0.05 }
}
