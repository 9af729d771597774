/// Writes into room that was made before, without checking the room for each piece: a response head is a
/// dozen of them.
struct Cursor {
  /// Where the next byte goes.
  private(set) var place: UnsafeMutableRawPointer

  /// Decimal digits of the largest number.
  static let digits = 20

  @inline(__always)
  init(_ place: UnsafeMutableRawPointer) { self.place = place }

  /// Writes a literal.
  @inline(__always)
  mutating func put(_ text: StaticString) {
    place.copyMemory(from: text.utf8Start, byteCount: text.utf8CodeUnitCount)
    place += text.utf8CodeUnitCount
  }

  /// Writes a copy of the bytes.
  @inline(__always)
  mutating func put(_ bytes: UnsafeRawBufferPointer) {
    guard let from = bytes.baseAddress else { return }
    place.copyShort(from: from, bytes.count)
    place += bytes.count
  }

  /// Bytes that `put(padded:)` copies at once.
  static let step = 16

  /// Writes a copy of bytes, usually a few dozen, in steps: up to `step` - 1 bytes after them are read and
  /// written too.
  @inline(__always)
  mutating func put(padded bytes: UnsafeRawBufferPointer) {
    guard let from = bytes.baseAddress else { return }
    var done = 0
    while done < bytes.count {
      let piece = from.loadUnaligned(fromByteOffset: done, as: SIMD16<UInt8>.self)
      place.storeBytes(of: piece, toByteOffset: done, as: SIMD16<UInt8>.self)
      done &+= Cursor.step
    }
    place += bytes.count
  }

  /// Writes eight bytes, the highest one first.
  @inline(__always)
  mutating func put(word: UInt64) {
    place.storeBytes(of: word.bigEndian, as: UInt64.self)
    place += 8
  }

  /// Skips this many bytes, which are written separately.
  @inline(__always)
  mutating func skip(_ count: Int) { place += count }

  /// Writes `step` zeros after the written bytes, so that they may be copied in steps.
  func putPadding() { place.storeBytes(of: SIMD16<UInt8>(repeating: 0), as: SIMD16<UInt8>.self) }

  /// Writes an IMF-fixdate.
  mutating func putDate(_ seconds: Int64) {
    HTTPDate.format(seconds, to: place)
    place += HTTPDate.count
  }

  /// Writes a number in decimal digits.
  @inline(__always)
  mutating func put(decimal value: UInt64) {
    guard value < 100_000_000 else { return putLarge(decimal: value) }
    let digits = Word.digits(value)
    // Keeps the last digit, even if it is 0.
    let leading = Word.index(digits | 1 << 56)
    let text = (digits | Word.ones &* 0x30) >> UInt64(truncatingIfNeeded: 8 &* leading)
    place.storeBytes(of: text.littleEndian, as: UInt64.self)
    place += 8 &- leading
  }

  @inline(never)
  private mutating func putLarge(decimal value: UInt64) {
    let out = place.assumingMemoryBound(to: UInt8.self)
    var digits = 1
    var bound: UInt64 = 10
    while value >= bound, digits < Cursor.digits - 1 { (bound, digits) = (bound &* 10, digits &+ 1) }
    // The bound of twenty digits would not fit.
    if digits == Cursor.digits - 1, value >= bound { digits = Cursor.digits }
    var left = value
    var position = digits
    repeat {
      position &-= 1
      let rest = left / 10
      out[position] = 0x30 &+ UInt8(truncatingIfNeeded: left &- rest &* 10)
      left = rest
    } while position > 0
    place += digits
  }

  /// Writes a status code and its reason phrase (RFC 9112 §4) and the line's end: up to 38 bytes beside the
  /// app's own phrase.
  @inline(__always)
  mutating func put(statusOf response: inout ResponseHead) {
    if response.status == 200, response.reason.isEmpty { return put("200 OK\r\n") }
    putUnusual(statusOf: &response)
  }

  @inline(never)
  private mutating func putUnusual(statusOf response: inout ResponseHead) {
    put(decimal: UInt64(response.status))
    put(" ")
    if response.reason.isEmpty {
      put(StatusPhrase.of(response.status))
    } else {
      put(response.reason.bytes)
    }
    put("\r\n")
  }

  /// Writes Content-Length if the plan has one: up to 38 bytes.
  @inline(__always)
  mutating func put(lengthOf plan: ResponsePlan) {
    guard plan.contentLength >= 0 else { return }
    put("Content-Length: ")
    put(decimal: UInt64(plan.contentLength))
    put("\r\n")
  }
}

extension ByteBuffer {
  /// Appends the bytes that `write` writes: `extra` at most.
  @inline(__always)
  mutating func append(atMost extra: Int, _ write: (inout Cursor) -> Void) {
    reserve(extra)
    var cursor = Cursor(tail)
    write(&cursor)
    commit(cursor.place - tail)
  }
}
