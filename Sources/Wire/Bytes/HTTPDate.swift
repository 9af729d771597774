/// HTTP dates (RFC 9110 §5.6.7): written as IMF-fixdate, read in all three forms. Pure arithmetic on the
/// proleptic Gregorian calendar.
public enum HTTPDate {
  /// Bytes of an IMF-fixdate: `Sun, 06 Nov 1994 08:49:37 GMT`.
  public static let count = 29

  private static let days: StaticString = "ThuFriSatSunMonTueWed"
  private static let months: StaticString = "JanFebMarAprMayJunJulAugSepOctNovDec"
  private static let form: StaticString = "ddd, dd mmm yyyy hh:mm:ss GMT"

  /// The moments that have a date: in the years 0 to 9999.
  public static let range: ClosedRange<Int64> = -62_167_219_200...253_402_300_799

  /// Writes the date to the 29 bytes at `out`.
  ///
  /// - Parameter seconds: since 1970-01-01T00:00:00Z. The time of a file can be any number: what lies outside
  ///   of `range` is written as its nearest end.
  public static func format(_ seconds: Int64, to out: UnsafeMutableRawPointer) {
    let text = out.assumingMemoryBound(to: UInt8.self)
    let (day, second) = divide(min(max(seconds, range.lowerBound), range.upperBound), 86400)
    let date = civil(day)
    out.copyMemory(from: form.utf8Start, byteCount: count)
    out.copyMemory(from: days.utf8Start + 3 * Int(divide(day, 7).remainder), byteCount: 3)
    two(date.day, text + 5)
    (out + 8).copyMemory(from: months.utf8Start + 3 * Int(date.month - 1), byteCount: 3)
    two(date.year / 100, text + 12)
    two(date.year % 100, text + 14)
    two(second / 3600, text + 17)
    two(second / 60 % 60, text + 20)
    two(second % 60, text + 23)
  }

  /// Seconds since 1970-01-01T00:00:00Z of a date in one of the three forms; nil for anything else.
  ///
  /// The day's name is checked for its form, not against the date.
  /// - Parameter now: the present, in the same seconds: a two-digit year means the one that is at most
  ///   fifty years ahead of it.
  public static func parse(_ text: UnsafeRawBufferPointer, now: Int64) -> Int64? {
    if text.count == 24 { return parseAsctime(text) }
    guard let comma = text.firstIndex(of: UInt8(ascii: ",")) else { return nil }
    return comma == 3 ? parseFixdate(text) : parseRFC850(text, comma, now)
  }

  /// IMF-fixdate: `Sun, 06 Nov 1994 08:49:37 GMT`.
  private static func parseFixdate(_ text: UnsafeRawBufferPointer) -> Int64? {
    guard text.count == count, dayName(text, 0), text[4] == 0x20, text[7] == 0x20, text[11] == 0x20,
      text[16] == 0x20, let day = number(text, 5, 2), let month = month(text, 8),
      let year = number(text, 12, 4), let time = time(text, 17), isZone(text, 25)
    else { return nil }
    return seconds(year, month, day, time)
  }

  /// rfc850-date: `Sunday, 06-Nov-94 08:49:37 GMT`.
  private static func parseRFC850(_ text: UnsafeRawBufferPointer, _ comma: Int, _ now: Int64) -> Int64? {
    guard (6...9).contains(comma), text.count == comma + 24, longDayName(text, comma),
      text[comma + 1] == 0x20, text[comma + 4] == 0x2d, text[comma + 8] == 0x2d, text[comma + 11] == 0x20,
      let day = number(text, comma + 2, 2), let month = month(text, comma + 5),
      let short = number(text, comma + 9, 2), let time = time(text, comma + 12), isZone(text, comma + 20)
    else { return nil }
    let present = civil(divide(now, 86400).quotient).year
    var year = present - present % 100 + short
    if year > present + 50 { year -= 100 } else if year <= present - 50 { year += 100 }
    return seconds(year, month, day, time)
  }

  /// asctime-date: `Sun Nov  6 08:49:37 1994`.
  private static func parseAsctime(_ text: UnsafeRawBufferPointer) -> Int64? {
    guard dayName(text, 0), text[3] == 0x20, text[7] == 0x20, text[10] == 0x20, text[19] == 0x20,
      let month = month(text, 4), let time = time(text, 11), let year = number(text, 20, 4),
      let day = text[8] == 0x20 ? number(text, 9, 1) : number(text, 8, 2)
    else { return nil }
    return seconds(year, month, day, time)
  }

  private static func number(_ text: UnsafeRawBufferPointer, _ start: Int, _ count: Int) -> Int64? {
    Ascii.decimal(UnsafeRawBufferPointer(rebasing: text[start..<start + count]))
  }

  /// Seconds of the day of `08:49:37`; 60 is a leap second.
  private static func time(_ text: UnsafeRawBufferPointer, _ start: Int) -> Int64? {
    guard text[start + 2] == 0x3a, text[start + 5] == 0x3a, let hour = number(text, start, 2),
      let minute = number(text, start + 3, 2), let second = number(text, start + 6, 2),
      hour < 24, minute < 60, second <= 60
    else { return nil }
    return hour * 3600 + minute * 60 + second
  }

  private static func isZone(_ text: UnsafeRawBufferPointer, _ start: Int) -> Bool {
    Ascii.equals(UnsafeRawBufferPointer(rebasing: text[start..<start + 4]), " GMT")
  }

  /// The month, 1 … 12, whose name stands at `start`.
  private static func month(_ text: UnsafeRawBufferPointer, _ start: Int) -> Int64? {
    name(text, start, months).map { Int64($0) + 1 }
  }

  private static func dayName(_ text: UnsafeRawBufferPointer, _ start: Int) -> Bool {
    name(text, start, days) != nil
  }

  /// Which of the three-letter names in `names` stands at `start`.
  private static func name(_ text: UnsafeRawBufferPointer, _ start: Int, _ names: StaticString) -> Int? {
    for index in 0..<names.utf8CodeUnitCount / 3 {
      let name = names.utf8Start + 3 * index
      if text[start] == name[0], text[start + 1] == name[1], text[start + 2] == name[2] { return index }
    }
    return nil
  }

  private static func longDayName(_ text: UnsafeRawBufferPointer, _ count: Int) -> Bool {
    let name = UnsafeRawBufferPointer(rebasing: text[..<count])
    return switch count {
    case 6: Ascii.equals(name, "Sunday") || Ascii.equals(name, "Monday") || Ascii.equals(name, "Friday")
    case 7: Ascii.equals(name, "Tuesday")
    case 8: Ascii.equals(name, "Thursday") || Ascii.equals(name, "Saturday")
    default: Ascii.equals(name, "Wednesday")
    }
  }

  private static func two(_ value: Int64, _ out: UnsafeMutablePointer<UInt8>) {
    out[0] = 0x30 + UInt8(truncatingIfNeeded: value / 10)
    out[1] = 0x30 + UInt8(truncatingIfNeeded: value % 10)
  }

  /// Division that rounds down.
  private static func divide(_ value: Int64, _ by: Int64) -> (quotient: Int64, remainder: Int64) {
    let (quotient, remainder) = value.quotientAndRemainder(dividingBy: by)
    return remainder < 0 ? (quotient - 1, remainder + by) : (quotient, remainder)
  }

  /// The date of a day counted from 1970-01-01. Years begin in March here, so that the leap day is the last
  /// one; 146097 days make 400 years.
  private static func civil(_ day: Int64) -> (year: Int64, month: Int64, day: Int64) {
    let (era, dayOfEra) = divide(day + 719_468, 146_097)
    let yearOfEra = (dayOfEra - dayOfEra / 1460 + dayOfEra / 36524 - dayOfEra / 146_096) / 365
    let dayOfYear = dayOfEra - (365 * yearOfEra + yearOfEra / 4 - yearOfEra / 100)
    let shifted = (5 * dayOfYear + 2) / 153
    let month = shifted < 10 ? shifted + 3 : shifted - 9
    return (yearOfEra + era * 400 + (month <= 2 ? 1 : 0), month, dayOfYear - (153 * shifted + 2) / 5 + 1)
  }

  /// The opposite of `civil`; nil for a day that the month does not have.
  private static func seconds(_ year: Int64, _ month: Int64, _ day: Int64, _ time: Int64) -> Int64? {
    let shifted = month > 2 ? year : year - 1
    let (era, yearOfEra) = divide(shifted, 400)
    let dayOfYear = (153 * (month > 2 ? month - 3 : month + 9) + 2) / 5 + day - 1
    let number = era * 146_097 + yearOfEra * 365 + yearOfEra / 4 - yearOfEra / 100 + dayOfYear - 719_468
    let back = civil(number)
    guard back.year == year, back.month == month, back.day == day else { return nil }
    return number * 86400 + time
  }
}

extension ByteBuffer {
  /// Appends a date; `seconds` as for `HTTPDate.format`.
  public mutating func append(date seconds: Int64) {
    withUnsafeTemporaryAllocation(byteCount: HTTPDate.count, alignment: 1) { room in
      HTTPDate.format(seconds, to: room.baseAddress!)
      append(UnsafeRawBufferPointer(room))
    }
  }
}
