/// One entry of X-Forwarded-For: the address of a client or proxy, perhaps with its port, in the forms of a
/// node in RFC 7239 §6: `192.0.2.7`, `192.0.2.7:4711`, `2001:db8::7`, `[2001:db8::7]`, `[2001:db8::7]:4711`.
public struct ForwardedNode {
  /// The address, without brackets.
  public let address: UnsafeRawBufferPointer
  /// The port in decimal digits; empty without one.
  public let port: UnsafeRawBufferPointer

  /// Reads an entry that has no white space around it; nil for one that names no address, such as `unknown`.
  public init?(_ text: UnsafeRawBufferPointer) {
    let colons = text.count { $0 == HTTP1Grammar.colon }
    var (host, rest) = (text[...], text[text.endIndex...])
    if text.first == UInt8(ascii: "[") {
      guard let end = text.firstIndex(of: UInt8(ascii: "]")) else { return nil }
      (host, rest) = (text[1..<end], text[(end + 1)...])
    } else if colons == 1, let colon = text.firstIndex(of: HTTP1Grammar.colon) {
      (host, rest) = (text[..<colon], text[colon...])
    }
    address = UnsafeRawBufferPointer(rebasing: host)
    port = UnsafeRawBufferPointer(rebasing: rest.dropFirst())
    if let mark = rest.first {
      guard mark == HTTP1Grammar.colon, let number = Ascii.decimal(port), number <= 65535 else { return nil }
    }
    let isV6 = text.first == UInt8(ascii: "[") || colons > 1
    guard isV6 ? AddressParser.ipv6(address) != nil : AddressParser.ipv4(address) != nil else { return nil }
  }
}

/// Lists of the X-Forwarded fields: members with commas between them, white space around each.
public enum ForwardedList {
  /// The member that ends at `end`, which moves before the comma in front of it; nil before the first one,
  /// when `end` is negative.
  public static func last(
    _ list: UnsafeRawBufferPointer, before end: inout Int
  ) -> UnsafeRawBufferPointer? {
    guard end >= 0 else { return nil }
    var start = end
    while start > 0, list[start - 1] != HTTP1Grammar.comma { start -= 1 }
    defer { end = start - 1 }
    guard let base = list.baseAddress else { return list }
    return FieldLine.trim(base, start, end).bytes(in: base)
  }

  /// Whether every scheme of the list is https, and there is one; empty members say nothing
  /// (RFC 9110 §5.6.1).
  public static func isSecure(_ list: UnsafeRawBufferPointer) -> Bool {
    var end = list.count
    var isFound = false
    while let member = last(list, before: &end) {
      if member.isEmpty { continue }
      guard Ascii.matches(member, "https") else { return false }
      isFound = true
    }
    return isFound
  }
}
