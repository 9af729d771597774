// IPv4 and IPv6 addresses as text (RFC 4291 §2.2, RFC 6943 §3.1.1: strict dotted decimal) and as 128 bits.

/// An IP address as 128 bits in network order; IPv4 is held in its mapped form `::ffff:a.b.c.d` (RFC 4291
/// §2.5.5.2).
public struct IPAddress: Sendable, Equatable {
  /// The first eight bytes, most significant first.
  public var high: UInt64
  /// The last eight bytes, most significant first.
  public var low: UInt64

  /// An address of 128 bits.
  public init(high: UInt64, low: UInt64) {
    self.high = high
    self.low = low
  }

  /// An IPv4 address; 127.0.0.1 is 0x7f00_0001.
  public init(v4: UInt32) {
    self.init(high: 0, low: 0xffff_0000_0000 | UInt64(v4))
  }

  /// Reads dotted decimal or the IPv6 text forms; nil when the text is neither.
  public init?(parsing text: String) {
    if text.utf8.contains(Ascii.colon) {
      guard let address = Self.v6(text) else { return nil }
      self = address
    } else {
      guard let v4 = Self.v4(text.utf8[...]) else { return nil }
      self.init(v4: v4)
    }
  }

  /// Whether this is an IPv4 address in its mapped form.
  public var isV4: Bool { high == 0 && low >> 32 == 0xffff }

  /// Four decimal numbers; leading zeros are refused, since some readers treat them as octal.
  private static func v4(_ text: Substring.UTF8View) -> UInt32? {
    let parts = text.split(separator: Ascii.dot, omittingEmptySubsequences: false)
    guard parts.count == 4 else { return nil }
    var value: UInt32 = 0
    for part in parts {
      guard (1...3).contains(part.count), part.allSatisfy(Ascii.isDigit) else { return nil }
      guard part.count == 1 || part.first != Ascii.zero else { return nil }
      guard let byte = UInt8(Substring(part)) else { return nil }
      value = value << 8 | UInt32(byte)
    }
    return value
  }

  /// Eight groups of hexadecimal digits; `::` once stands for the missing ones, and the last two may be an
  /// IPv4 address.
  private static func v6(_ text: String) -> IPAddress? {
    guard let gap = text.range(ofBytes: "::") else {
      guard let groups = groups(text[...]), groups.count == 8 else { return nil }
      return IPAddress(groups: groups)
    }
    guard let front = groups(text[..<gap.lowerBound], v4Last: false),
      let back = groups(text[gap.upperBound...])
    else {
      return nil
    }
    guard front.count + back.count <= 7 else { return nil }
    return IPAddress(groups: front + Array(repeating: 0, count: 8 - front.count - back.count) + back)
  }

  private static func groups(_ text: Substring, v4Last: Bool = true) -> [UInt16]? {
    if text.isEmpty { return [] }
    let parts = text.utf8.split(separator: Ascii.colon, omittingEmptySubsequences: false)
    var groups: [UInt16] = []
    for (index, part) in parts.enumerated() {
      if v4Last, index == parts.count - 1, part.contains(Ascii.dot) {
        guard let tail = v4(part) else { return nil }
        groups += [UInt16(tail >> 16), UInt16(truncatingIfNeeded: tail)]
      } else {
        guard (1...4).contains(part.count), part.allSatisfy(Ascii.isHexDigit) else { return nil }
        guard let group = UInt16(Substring(part), radix: 16) else { return nil }
        groups.append(group)
      }
    }
    return groups
  }

  private init(groups: [UInt16]) {
    self.init(
      high: groups[..<4].reduce(0) { $0 << 16 | UInt64($1) },
      low: groups[4...].reduce(0) { $0 << 16 | UInt64($1) })
  }
}
