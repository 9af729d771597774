/// A PROXY protocol header, version 1 or 2 (HAProxy, "The PROXY protocol", 2020/03/05): names the client for
/// whom a proxy in front speaks. Trust it only from trusted peers.
@frozen public struct ProxyHeader: Sendable {
  /// What the addresses are.
  @frozen public enum Family: Equatable, Sendable {
    /// The proxy speaks for itself (version 2, LOCAL) or does not know (UNKNOWN, UNSPEC): the connection's
    /// own addresses count.
    case local
    /// TCP or UDP over IPv4, over IPv6; unix sockets.
    case ipv4, ipv6, unix
  }

  /// What the bytes so far are.
  @frozen public enum Verdict: Sendable {
    /// The beginning of a header: call again with the same bytes and more.
    case needMore
    /// No PROXY header; the connection's first bytes are the protocol's own.
    case absent
    /// A header of `count` bytes; the protocol begins after it.
    case header(ProxyHeader, count: Int)
  }

  public var family = Family.local
  /// The client's address; empty for `.local` and for a client socket without a name.
  public var source = AddressText()
  /// The client's port; 0 for `.local` and `.unix`.
  public var sourcePort: UInt16 = 0
  /// The address that the client connected to.
  public var destination = AddressText()
  public var destinationPort: UInt16 = 0

  /// Version 1 in bytes at most, including CR LF (§2.1).
  public static let lineBytes = 107

  /// Looks at the beginning of a connection.
  ///
  /// - Parameter limit: bytes of a version 2 header at most, including extensions (TLVs, which are skipped).
  public static func read(
    _ bytes: UnsafeRawBufferPointer, limit: Int = 4096
  ) throws(ProxyError) -> Verdict {
    switch bytes.first {
    case nil: .needMore
    case 0x50: try ProxyLine.read(bytes)
    case 0x0d: try ProxyBinary.read(bytes, limit: limit)
    default: .absent
    }
  }

  /// Whether `bytes` begin with `signature`; nil while they are a prefix of it.
  static func begins(_ bytes: UnsafeRawBufferPointer, with signature: StaticString) -> Bool? {
    let length = signature.utf8CodeUnitCount
    for position in 0..<min(bytes.count, length) where bytes[position] != signature.utf8Start[position] {
      return false
    }
    return bytes.count < length ? nil : true
  }
}

/// Version 1 (§2.1).
///
///     line = "PROXY" SP ( "TCP4" / "TCP6" ) SP source SP destination SP port SP port CR LF
///          / "PROXY" SP "UNKNOWN" *any CR LF
enum ProxyLine {
  static func read(_ bytes: UnsafeRawBufferPointer) throws(ProxyError) -> ProxyHeader.Verdict {
    guard let isLine = ProxyHeader.begins(bytes, with: "PROXY ") else { return .needMore }
    guard isLine else { return .absent }
    var end = 6
    while end + 1 < bytes.count, bytes[end] != 0x0d || bytes[end + 1] != 0x0a {
      end += 1
      guard end + 2 <= ProxyHeader.lineBytes else { throw .lineTooLong }
    }
    guard end + 1 < bytes.count else { return .needMore }
    let words = UnsafeRawBufferPointer(rebasing: bytes[6..<end])
    return .header(try parse(words), count: end + 2)
  }

  private static func parse(_ line: UnsafeRawBufferPointer) throws(ProxyError) -> ProxyHeader {
    var rest = line
    let family = try word(&rest)
    if Ascii.equals(family, "UNKNOWN") { return ProxyHeader() }
    let isIPv4 = Ascii.equals(family, "TCP4")
    guard isIPv4 || Ascii.equals(family, "TCP6") else { throw .lineMalformed }
    var header = ProxyHeader()
    header.family = isIPv4 ? .ipv4 : .ipv6
    header.source = try address(word(&rest), isIPv4)
    header.destination = try address(word(&rest), isIPv4)
    header.sourcePort = try port(word(&rest))
    header.destinationPort = try port(word(&rest))
    guard rest.isEmpty else { throw .lineMalformed }
    return header
  }

  /// The next word; words are separated by one space.
  private static func word(
    _ rest: inout UnsafeRawBufferPointer
  ) throws(ProxyError) -> UnsafeRawBufferPointer {
    var end = 0
    while end < rest.count, rest[end] != 0x20 { end += 1 }
    guard end > 0 else { throw .lineMalformed }
    let word = UnsafeRawBufferPointer(rebasing: rest[..<end])
    rest = UnsafeRawBufferPointer(rebasing: rest[min(end + 1, rest.count)...])
    return word
  }

  private static func address(
    _ word: UnsafeRawBufferPointer, _ isIPv4: Bool
  ) throws(ProxyError) -> AddressText {
    if isIPv4 {
      guard let parts = AddressParser.ipv4(word) else { throw .addressMalformed }
      return withUnsafeBytes(of: parts) { AddressText.ipv4($0) }
    }
    guard let groups = AddressParser.ipv6(word) else { throw .addressMalformed }
    return AddressText.ipv6(groups)
  }

  private static func port(_ word: UnsafeRawBufferPointer) throws(ProxyError) -> UInt16 {
    guard word.count == 1 || word[0] != 0x30, let number = Ascii.decimal(word), number <= 65535 else {
      throw .portMalformed
    }
    return UInt16(number)
  }
}

/// Version 2 (§2.2): twelve signature bytes, version and command, family and transport, length, addresses,
/// TLVs.
enum ProxyBinary {
  private static let headerBytes = 16

  static func read(_ bytes: UnsafeRawBufferPointer, limit: Int) throws(ProxyError) -> ProxyHeader.Verdict {
    let isHeader = ProxyHeader.begins(bytes, with: "\r\n\r\n\0\r\nQUIT\n")
    guard let isHeader else { return .needMore }
    guard isHeader else { return .absent }
    guard bytes.count >= headerBytes else { return .needMore }
    let (version, command) = (bytes[12] >> 4, bytes[12] & 15)
    guard version == 2 else { throw .versionUnsupported(version) }
    guard command <= 1 else { throw .commandUnknown(command) }
    let size = headerBytes + number(bytes, at: 14)
    guard size <= limit else { throw .headerTooLarge(bytes: size) }
    guard bytes.count >= size else { return .needMore }
    if command == 0 { return .header(ProxyHeader(), count: size) }
    let whole = UnsafeRawBufferPointer(rebasing: bytes[..<size])
    return .header(try addresses(whole), count: size)
  }

  /// The addresses by family (upper half of byte 14: 1 IPv4, 2 IPv6, 3 unix) and what follows them.
  private static func addresses(_ bytes: UnsafeRawBufferPointer) throws(ProxyError) -> ProxyHeader {
    var header = ProxyHeader()
    let length: Int
    switch bytes[13] >> 4 {
    case 1: (header.family, length) = (.ipv4, 4)
    case 2: (header.family, length) = (.ipv6, 16)
    case 3: (header.family, length) = (.unix, AddressText.capacity)
    // UNSPEC, and families to come: "the receiver must ignore the address" (§2.2).
    default: return header
    }
    let ports = headerBytes + 2 * length
    let end = header.family == .unix ? ports : ports + 4
    guard bytes.count >= end else { throw .addressTruncated }
    header.source = text(bytes, at: headerBytes, header.family)
    header.destination = text(bytes, at: headerBytes + length, header.family)
    if header.family != .unix {
      header.sourcePort = UInt16(number(bytes, at: ports))
      header.destinationPort = UInt16(number(bytes, at: ports + 2))
    }
    try passExtensions(bytes, from: end)
    return header
  }

  private static func text(
    _ bytes: UnsafeRawBufferPointer, at offset: Int, _ family: ProxyHeader.Family
  ) -> AddressText {
    switch family {
    case .local: return AddressText()
    case .ipv4: return AddressText.ipv4(UnsafeRawBufferPointer(rebasing: bytes[offset..<offset + 4]))
    case .ipv6:
      var groups = InlineArray<8, UInt16>(repeating: 0)
      for index in 0..<8 { groups[index] = UInt16(number(bytes, at: offset + 2 * index)) }
      return AddressText.ipv6(groups)
    case .unix:
      var path = AddressText()
      for byte in bytes[offset..<offset + AddressText.capacity] {
        if byte == 0 { break }
        path.append(byte)
      }
      return path
    }
  }

  /// TLVs (§2.2.7): a type, a length of two bytes, and as many bytes.
  private static func passExtensions(
    _ bytes: UnsafeRawBufferPointer, from start: Int
  ) throws(ProxyError) {
    var position = start
    while position < bytes.count {
      guard bytes.count - position >= 3 else { throw .extensionTruncated }
      position += 3 + number(bytes, at: position + 1)
      guard position <= bytes.count else { throw .extensionTruncated }
    }
  }

  /// Two bytes, the high one first.
  private static func number(_ bytes: UnsafeRawBufferPointer, at offset: Int) -> Int {
    Int(bytes[offset]) << 8 | Int(bytes[offset + 1])
  }
}
