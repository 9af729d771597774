// The minutes of programs that run at times.
import Config
import Glibc
import Testing

@testable import Master

@Suite struct MinutesTests {
  /// Minutes since 1970 of a moment on Sunday, 2026-11-29.
  private func at(_ hour: Int64, _ minute: Int64, days: Int64 = 0) -> Int64 {
    (20_786 + days) * 1440 + hour * 60 + minute
  }

  private let programs = [
    TimedProgram(fields: [-1, -1, -1, -1, -1], command: "always"),
    TimedProgram(fields: [20, -1, -1, -1, -1], command: "at twenty past"),
    TimedProgram(fields: [-10, 13, -1, -1, 0], command: "every ten minutes on Sundays at one"),
    TimedProgram(fields: [-1, -1, 30, -1, 1], command: "on the 30th, or on Mondays"),
    TimedProgram(fields: [30, 2, -1, -1, -1], command: "at half past two"),
  ]

  @Test(
    "a number is a minute of the calendar",
    arguments: [-1_000_003, -1, 0, 1, 28_333_333, 56_000_000] as [Int64])
  func calendar(number: Int64) {
    var (seconds, parts) = (time_t(number * 60), tm())
    gmtime_r(&seconds, &parts)
    let minute = Minute(number: number)
    #expect(minute.minute == Int(parts.tm_min) && minute.hour == Int(parts.tm_hour))
    #expect(minute.day == Int(parts.tm_mday) && minute.month == Int(parts.tm_mon) + 1)
    #expect(minute.weekday == Int(parts.tm_wday))
  }

  @Test("each day of some years is a day of the calendar")
  func days() {
    for day in Int64(10_900)...12_500 {
      var (seconds, parts) = (time_t(day * 86_400), tm())
      gmtime_r(&seconds, &parts)
      let minute = Minute(number: day * 1440)
      #expect(minute.day == Int(parts.tm_mday) && minute.month == Int(parts.tm_mon) + 1)
    }
  }

  @Test("a minute comes once, also when the clock is put right by some seconds")
  func once() {
    var minutes = Minutes()
    #expect(minutes.due(programs, at: at(13, 20)).places == [0, 1, 2])
    #expect(minutes.due(programs, at: at(13, 20)).places == [])
    #expect(minutes.due(programs, at: at(13, 19)) == Minutes.Due())
    #expect(minutes.due(programs, at: at(13, 20)).places == [])
    #expect(minutes.due(programs, at: at(13, 21)) == .init(places: [0], step: 1))
    #expect(minutes.due(programs, at: at(13, 22, days: 1)).places == [0, 3])
  }

  @Test("minutes that the server was late for are made up for, once")
  func late() {
    var minutes = Minutes()
    #expect(minutes.due(programs, at: at(13, 18)).places == [0])
    #expect(minutes.due(programs, at: at(13, 23)) == .init(places: [0, 1, 2], step: 5))
    #expect(minutes.due(programs, at: at(13, 24)).places == [0])
    // After more than that those within the hour go on with the next.
    #expect(minutes.due(programs, at: at(13, 35)) == .init(places: [0], step: 11))
  }

  @Test("an hour that daylight saving time leaves out has its programs run at its end")
  func forward() {
    var minutes = Minutes()
    #expect(minutes.due(programs, at: at(1, 59)).places == [0])
    #expect(minutes.due(programs, at: at(3, 0)) == .init(places: [0, 4], step: 61))
    #expect(minutes.due(programs, at: at(3, 1)).places == [0])
  }

  @Test("an hour that daylight saving time repeats runs once what has a time of the day")
  func back() {
    var minutes = Minutes()
    var (runs, frequent) = (0, 0)
    for minute in Int64(20)...59 {
      let due = minutes.due(programs, at: at(2, minute))
      (runs, frequent) = (due.places.contains(4) ? runs + 1 : runs, frequent + due.places.count { $0 == 0 })
    }
    #expect(runs == 1 && frequent == 40)
    for minute in Int64(0)...70 {
      let due = minutes.due(programs, at: at(2, minute))
      (runs, frequent) = (due.places.contains(4) ? runs + 1 : runs, frequent + due.places.count { $0 == 0 })
    }
    // What runs within each hour goes by the clock.
    #expect(runs == 1 && frequent == 111)
  }

  @Test("a clock that is set by more than three hours was wrong before", arguments: [-1, 1] as [Int64])
  func set(sign: Int64) {
    var minutes = Minutes()
    #expect(minutes.due(programs, at: at(2, 30) - sign * 200).places.first == 0)
    #expect(minutes.due(programs, at: at(2, 30)) == .init(places: [0, 4], step: sign * 200))
    #expect(minutes.due([], at: at(2, 31)).places == [])
    #expect(minutes.due(programs, at: at(2, 32)).places == [0])
  }

  @Test("it is waited for until a moment after its beginning")
  func wait() {
    for (second, seconds) in [(0, 60.05), (1, 59.05), (59, 1.05)] as [(Int64, Double)] {
      #expect(Minutes.wait(at: 600 + second) == seconds)
    }
  }

  @Test("a time is in its minute")
  func minute() {
    // Time zones differ from each other by whole minutes.
    let found = System.minute(of: 1_700_000_000)
    #expect(abs(found - 28_333_333) <= 14 * 60)
    #expect(System.minute(of: 1_700_000_019) == found)
    #expect(System.minute(of: 1_700_000_041) == found + 1)
  }
}
