// Which programs are due in a minute. Knows no clock: whoever asks says what time it is.
import Config

/// A minute by calendar and clock; months from 1, Sunday is 0.
struct Minute: Equatable {
  /// Since 1970, in UTC: no other minute has it.
  var number: Int64
  var minute: Int
  var hour: Int
  var day: Int
  var month: Int
  var weekday: Int
}

/// The minutes of a server, each of which comes once, also where the clock is set back by up to three hours;
/// beyond that it was wrong before. An hour that daylight saving time repeats comes twice: its minutes are
/// others.
struct Minutes {
  /// The last that has come.
  private var last: Int64 = .min

  /// As vixie cron's: what is more is a correction.
  private static let longestStepBack: Int64 = 180

  /// The places of programs that are due now; none in a minute that has come already, as when the clock is
  /// set back or an alarm rings early.
  mutating func due(_ programs: [TimedProgram], at now: Minute) -> [Int] {
    guard now.number > last || last - now.number > Minutes.longestStepBack else { return [] }
    last = now.number
    return programs.indices.filter { place in
      programs[place].matches(
        minute: now.minute, hour: now.hour, day: now.day, month: now.month, weekday: now.weekday)
    }
  }

  /// Seconds until a moment after the next minute has begun.
  static func wait(at seconds: Int64) -> Double { Double(60 - seconds % 60) + 0.05 }
}
