/// HPACK encoder (RFC 7541 §6) of answers: indexed if the static table has the field, otherwise literal
/// without indexing, or never indexed (Set-Cookie). It has no state: no client has to keep a table for this
/// server, and any thread may encode (docs/decisions/011).
enum HPACKEncoder {
  /// A dynamic table size update (§6.3): to 0, since no answer uses the table.
  static let noTable: UInt8 = 0x20
  /// The place of Set-Cookie in the static table.
  private static let setCookie = 55

  /// Writes :status.
  static func status(_ status: Int, into out: inout ByteBuffer) {
    switch status {
    case 200: out.append(0x88)
    case 204: out.append(0x89)
    case 206: out.append(0x8a)
    case 304: out.append(0x8b)
    case 400: out.append(0x8c)
    case 404: out.append(0x8d)
    case 500: out.append(0x8e)
    default:
      out.append(0x08)
      out.append(3)
      out.append(decimal: Int64(status))
    }
  }

  /// Writes Content-Length.
  static func length(_ length: Int64, into out: inout ByteBuffer) {
    index(28, into: &out)
    let mark = out.count
    out.append(0)
    out.append(decimal: length)
    // No number has 128 digits.
    (out.base! + mark).storeBytes(of: UInt8(out.count - mark - 1), as: UInt8.self)
  }

  /// Writes Date and Server, as far as the app has not given them itself: their names need no look-up.
  static func own(_ fields: ServerFields, hasDate: Bool, hasServer: Bool, into out: inout ByteBuffer) {
    if !hasDate { short(33, fields.date, into: &out) }
    let server = fields.server
    if !hasServer, !server.isEmpty { short(54, server, into: &out) }
  }

  /// Writes a field whose name is an entry of the static table, and its value as it is.
  private static func short(_ name: Int, _ value: UnsafeRawBufferPointer, into out: inout ByteBuffer) {
    index(name, into: &out)
    integer(value.count, bits: 7, 0, into: &out)
    out.append(value)
  }

  /// Writes fields given as lines of HTTP/1.1, `Name: value CR LF` each.
  static func lines(_ lines: UnsafeRawBufferPointer, into out: inout ByteBuffer) {
    guard let base = lines.baseAddress else { return }
    var start = 0
    while start < lines.count {
      var colon = start
      while lines[colon] != HTTP1Grammar.colon { colon &+= 1 }
      var value = colon &+ 2
      var end = value
      while lines[end] != HTTP1Grammar.carriageReturn { end &+= 1 }
      let next = end &+ 2
      // In HTTP/1.1 no part of the value (RFC 9110 §5.5), here it would be malformed (RFC 9113 §8.2.1).
      while value < end, HTTP1Grammar.isBlank(lines[value]) { value &+= 1 }
      while end > value, HTTP1Grammar.isBlank(lines[end &- 1]) { end &-= 1 }
      field(
        UnsafeRawBufferPointer(start: base + start, count: colon &- start),
        UnsafeRawBufferPointer(start: base + value, count: end &- value), into: &out)
      start = next
    }
  }

  /// Writes a field; the name in lower case (RFC 9113 §8.2).
  static func field(
    _ name: UnsafeRawBufferPointer, _ value: UnsafeRawBufferPointer, into out: inout ByteBuffer
  ) {
    let known = fixedName(name)
    if known == setCookie {
      // Nobody on the way is to keep in a table what says who a client is (§7.1.3).
      integer(known, bits: 4, 0x10, into: &out)
    } else if known > 0 {
      index(known, into: &out)
    } else {
      out.append(0)
      integer(name.count, bits: 7, 0, into: &out)
      out.reserve(name.count)
      for byte in name { out.append(Ascii.lower(byte)) }
    }
    // Short values gain little, and cost least unchanged.
    if value.count > 32, case let count = HPACKHuffman.count(value), count < value.count {
      integer(count, bits: 7, 0x80, into: &out)
      HPACKHuffman.encode(value, into: &out)
    } else {
      integer(value.count, bits: 7, 0, into: &out)
      out.append(value)
    }
  }

  /// Begins a literal without indexing (§6.2.2) whose name is an entry's.
  private static func index(_ index: Int, into out: inout ByteBuffer) {
    integer(index, bits: 4, 0, into: &out)
  }

  /// Writes an integer with a prefix of this many bits (§5.1).
  static func integer(_ value: Int, bits: Int, _ first: UInt8, into out: inout ByteBuffer) {
    let mask = 1 << bits - 1
    if value < mask { return out.append(first | UInt8(value)) }
    out.append(first | UInt8(mask))
    var rest = value - mask
    while rest >= 128 {
      out.append(UInt8(rest & 0x7f) | 0x80)
      rest >>= 7
    }
    out.append(UInt8(rest))
  }

  /// The place of a name in the static table, among those that answers use; 0 for any other.
  private static func fixedName(_ name: UnsafeRawBufferPointer) -> Int {
    switch name.count {
    case 3: Ascii.matches(name, "age") ? 21 : Ascii.matches(name, "via") ? 60 : 0
    case 4:
      Ascii.matches(name, "date")
        ? 33
        : Ascii.matches(name, "etag")
          ? 34 : Ascii.matches(name, "vary") ? 59 : Ascii.matches(name, "link") ? 45 : 0
    case 5: Ascii.matches(name, "allow") ? 22 : 0
    case 6: Ascii.matches(name, "server") ? 54 : 0
    case 7: Ascii.matches(name, "expires") ? 36 : Ascii.matches(name, "refresh") ? 52 : 0
    case 8: Ascii.matches(name, "location") ? 46 : 0
    case 10: Ascii.matches(name, "set-cookie") ? setCookie : 0
    case 11: Ascii.matches(name, "retry-after") ? 53 : 0
    case 12: Ascii.matches(name, "content-type") ? 31 : 0
    case 13:
      Ascii.matches(name, "cache-control")
        ? 24
        : Ascii.matches(name, "last-modified")
          ? 44 : Ascii.matches(name, "content-range") ? 30 : Ascii.matches(name, "accept-ranges") ? 18 : 0
    case 16:
      Ascii.matches(name, "content-encoding")
        ? 26
        : Ascii.matches(name, "content-language")
          ? 27
          : Ascii.matches(name, "content-location")
            ? 29 : Ascii.matches(name, "www-authenticate") ? 61 : 0
    case 19: Ascii.matches(name, "content-disposition") ? 25 : 0
    case 25: Ascii.matches(name, "strict-transport-security") ? 56 : 0
    case 27: Ascii.matches(name, "access-control-allow-origin") ? 20 : 0
    default: 0
    }
  }
}
