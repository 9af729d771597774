import Foundation
import Testing
import Wire

/// HTTP dates against the examples of RFC 9110 §5.6.7 and against another calendar.
@Suite struct HTTPDateTests {
  private func format(_ seconds: Int64) -> String {
    var bytes = [UInt8](repeating: 0x2a, count: HTTPDate.count + 1)
    bytes.withUnsafeMutableBytes { HTTPDate.format(seconds, to: $0.baseAddress!) }
    #expect(bytes.removeLast() == 0x2a, "29 bytes are written, no more")
    return String(decoding: bytes, as: UTF8.self)
  }

  private func parse(_ text: String, now: Int64 = 1_700_000_000) -> Int64? {
    Array(text.utf8).withUnsafeBytes { HTTPDate.parse($0, now: now) }
  }

  @Test func examples() {
    #expect(format(784_111_777) == "Sun, 06 Nov 1994 08:49:37 GMT")
    #expect(parse("Sun, 06 Nov 1994 08:49:37 GMT") == 784_111_777)
    #expect(parse("Sunday, 06-Nov-94 08:49:37 GMT") == 784_111_777)
    #expect(parse("Sun Nov  6 08:49:37 1994") == 784_111_777)
    #expect(parse("Wed Nov 16 08:49:37 1994") == 784_975_777)
  }

  @Test func edges() {
    #expect(format(0) == "Thu, 01 Jan 1970 00:00:00 GMT")
    #expect(format(-1) == "Wed, 31 Dec 1969 23:59:59 GMT")
    #expect(format(951_782_400) == "Tue, 29 Feb 2000 00:00:00 GMT")
    #expect(format(4_107_542_400) == "Mon, 01 Mar 2100 00:00:00 GMT")
    #expect(format(253_402_300_799) == "Fri, 31 Dec 9999 23:59:59 GMT")
    for seconds in [253_402_300_800, 6_600_000_000_000, Int64.max] {
      #expect(format(seconds) == "Fri, 31 Dec 9999 23:59:59 GMT")
    }
    for seconds in [-62_167_219_200, -62_167_219_201, -70_000_000_000, Int64.min] {
      #expect(format(seconds) == "Sat, 01 Jan 0000 00:00:00 GMT")
    }
  }

  @Test func agreesWithFoundation() throws {
    let formatter = DateFormatter()
    formatter.locale = Locale(identifier: "en_US_POSIX")
    formatter.timeZone = TimeZone(secondsFromGMT: 0)
    formatter.dateFormat = "EEE, dd MMM yyyy HH:mm:ss 'GMT'"
    for seconds in stride(from: -2_000_000_000, to: 8_000_000_000, by: 12_345_677) as StrideTo<Int64> {
      let text = format(seconds)
      #expect(text == formatter.string(from: Date(timeIntervalSince1970: Double(seconds))))
      #expect(parse(text) == seconds)
    }
  }

  @Test func everyDayOfFourCenturiesComesBack() {
    for day in 0..<146_097 as Range<Int64> where parse(format(day * 86400 + 1)) != day * 86400 + 1 {
      Issue.record("day \(day): \(format(day * 86400 + 1))")
    }
  }

  @Test func twoDigitYears() {
    // At most fifty years ahead of now, which is 2023.
    #expect(parse("Friday, 01-Jan-73 00:00:00 GMT") == 3_250_454_400)
    #expect(parse("Monday, 01-Jan-74 00:00:00 GMT") == 126_230_400)
    #expect(parse("Friday, 01-Jan-99 00:00:00 GMT") == 915_148_800)
    // In 1999, 05 is ahead and 60 is past.
    #expect(parse("Saturday, 01-Jan-05 00:00:00 GMT", now: 915_148_800) == 1_104_537_600)
    #expect(parse("Friday, 01-Jan-60 00:00:00 GMT", now: 915_148_800) == -315_619_200)
  }

  @Test(arguments: [
    "", "0", "Sun, 06 Nov 1994 08:49:37", "Sun, 06 Nov 1994 08:49:37 UTC", "Sun, 6 Nov 1994 08:49:37 GMT",
    "sun, 06 Nov 1994 08:49:37 GMT", "Sun, 06 nov 1994 08:49:37 GMT", "Sun, 31 Feb 1994 08:49:37 GMT",
    "Sun, 00 Nov 1994 08:49:37 GMT", "Sun, 06 Nov 1994 24:00:00 GMT", "Sun, 06 Nov 1994 08:60:00 GMT",
    "Sun, 06 Nov 1994 08:49:61 GMT", "Sun, 06 Nov 1994 08-49-37 GMT", "Sun, 06 Nov +994 08:49:37 GMT",
    "Sunday, 06-Nov-1994 08:49:37 GMT", "Sumday, 06-Nov-94 08:49:37 GMT", "Sunday, 06 Nov 94 08:49:37 GMT",
    "Sun Nov 6 08:49:37 1994", "Sun Nov  6 08:49:37 199x", "Sun, 29 Feb 2100 00:00:00 GMT",
    "Sun, 06 Nov 1994 08:49:37 GMT ", "xxxxxxxxxxxxxxxxxxxxxxxx", ",", "Sun,",
  ])
  func refused(_ text: String) {
    #expect(parse(text) == nil)
  }
}
