// The minutes of programs that run at times.
import Config
import Testing

@testable import Master

@Suite struct MinutesTests {
  private func at(_ number: Int64, _ minute: Int, _ hour: Int = 13, weekday: Int = 0) -> Minute {
    Minute(number: number, minute: minute, hour: hour, day: 29, month: 11, weekday: weekday)
  }

  private let programs = [
    TimedProgram(fields: [-1, -1, -1, -1, -1], command: "always"),
    TimedProgram(fields: [20, -1, -1, -1, -1], command: "at twenty past"),
    TimedProgram(fields: [-10, 13, -1, -1, 0], command: "every ten minutes on Sundays at one"),
    TimedProgram(fields: [-1, -1, 30, -1, 1], command: "on the 30th, or on Mondays"),
  ]

  @Test("a minute comes once, also when the clock is set back to it")
  func once() {
    var minutes = Minutes()
    #expect(minutes.due(programs, at: at(100, 20)) == [0, 1, 2])
    #expect(minutes.due(programs, at: at(100, 20)) == [])
    #expect(minutes.due(programs, at: at(101, 21)) == [0])
    #expect(minutes.due(programs, at: at(102, 22, weekday: 1)) == [0, 3])
    for number in Int64(90)...102 { #expect(minutes.due(programs, at: at(number, 10)) == []) }
    #expect(minutes.due(programs, at: at(103, 10)) == [0, 2])
    // So far back it was wrong before.
    #expect(minutes.due(programs, at: at(103 - 180, 11, 14)) == [])
    #expect(minutes.due(programs, at: at(103 - 181, 11, 14)) == [0])
    #expect(minutes.due(programs, at: at(103 - 181, 11, 14)) == [])
    #expect(minutes.due([], at: at(92, 12)) == [])
    // A step forward leaves out what it skips.
    #expect(minutes.due(programs, at: at(10_000, 20)) == [0, 1, 2])
  }

  @Test("it is waited for until a moment after its beginning")
  func wait() {
    for (second, seconds) in [(0, 60.05), (1, 59.05), (59, 1.05)] as [(Int64, Double)] {
      #expect(Minutes.wait(at: 600 + second) == seconds)
    }
  }

  @Test("a time is in its minute")
  func minute() {
    let found = System.minute(of: 1_700_000_000)
    #expect(found.number == 28_333_333 && (0...59).contains(found.minute))
    #expect(System.minute(of: 1_700_000_019) == found)
    #expect(System.minute(of: 1_700_000_041).number == found.number + 1)
  }
}
