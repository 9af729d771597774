import Glibc
import Wire

/// The other end of a connection, and its text for REMOTE_ADDR (RFC 3875 §4.1.8).
struct PeerAddress {
  enum Family: UInt8 { case none, v4, v6, local }
  private(set) var family = Family.none
  /// In host byte order; 0 for unix sockets.
  private(set) var port: UInt16 = 0
  private var bytes = InlineArray<16, UInt8>(repeating: 0)
  /// The text of an IPv4 address followed by a NUL, which each request of the connection shows; empty for the
  /// others.
  private var shortText = InlineArray<16, UInt8>(repeating: 0)
  private var shortCount: UInt8 = 0

  /// The socket is a TCP one, unless a PROXY header says otherwise.
  @inline(__always)
  var isInternet: Bool { family == .v4 || family == .v6 }

  init() {}

  /// The peer of a unix socket.
  static var local: PeerAddress {
    var peer = PeerAddress()
    peer.family = .local
    return peer
  }

  init(_ storage: sockaddr_storage) {
    withUnsafeBytes(of: storage) { raw in
      switch Int32(storage.ss_family) {
      case AF_INET:
        let address = raw.loadUnaligned(as: sockaddr_in.self)
        family = .v4
        port = UInt16(bigEndian: address.sin_port)
        for index in 0..<4 { bytes[index] = raw[4 + index] }
      case AF_INET6:
        let address = raw.loadUnaligned(as: sockaddr_in6.self)
        port = UInt16(bigEndian: address.sin6_port)
        // ::ffff:a.b.c.d is an IPv4 client on a socket for both.
        let isMapped = (0..<10).allSatisfy { raw[8 + $0] == 0 } && raw[18] == 0xff && raw[19] == 0xff
        family = isMapped ? .v4 : .v6
        for index in 0..<(isMapped ? 4 : 16) { bytes[index] = raw[(isMapped ? 20 : 8) + index] }
      case AF_UNIX: family = .local
      default: family = .none
      }
    }
    keepText()
  }

  /// Takes the client that a PROXY header names; a LOCAL one names none.
  mutating func replace(by header: ProxyHeader) {
    switch header.family {
    case .local, .unix: return
    case .ipv4: family = inet_pton(AF_INET, header.source.string, &bytes) == 1 ? .v4 : family
    case .ipv6: family = inet_pton(AF_INET6, header.source.string, &bytes) == 1 ? .v6 : family
    }
    port = header.sourcePort
    keepText()
  }

  private mutating func keepText() {
    guard family == .v4 else { return shortCount = 0 }
    let address = self
    shortCount = withUnsafeMutableBytes(of: &shortText) {
      UInt8(address.write(to: $0.baseAddress!.assumingMemoryBound(to: UInt8.self)))
    }
  }

  /// The address as text for a request: borrowed from the address, which stays in place, or in the arena
  /// (IPv6).
  @inline(__always)
  static func text(_ address: UnsafeMutablePointer<PeerAddress>, _ arena: inout Arena) -> Text {
    if address.pointee.family == .v6 { return longText(address, &arena) }
    // A record in its slab.
    let start = withUnsafePointer(to: &address.pointee.shortText) { UnsafeRawPointer($0) }
    return Text(start.assumingMemoryBound(to: UInt8.self), Int(address.pointee.shortCount))
  }

  @inline(never)
  private static func longText(_ address: UnsafePointer<PeerAddress>, _ arena: inout Arena) -> Text {
    let text = arena.allocate(textBytes).assumingMemoryBound(to: UInt8.self)
    return Text(text, address.pointee.write(to: text))
  }

  /// Bytes that `write` needs at most, NUL included.
  static let textBytes = 46

  /// Writes the address as text followed by a NUL and returns its length; 0 for a unix socket.
  func write(to text: UnsafeMutablePointer<UInt8>) -> Int {
    switch family {
    case .v4: return writeV4(to: text)
    case .v6:
      return withUnsafeBytes(of: bytes) { raw in
        text.withMemoryRebound(to: CChar.self, capacity: PeerAddress.textBytes) { out in
          inet_ntop(AF_INET6, raw.baseAddress, out, socklen_t(PeerAddress.textBytes)) == nil ? 0 : strlen(out)
        }
      }
    case .none, .local:
      text[0] = 0
      return 0
    }
  }

  /// The address as text; "" for a unix socket.
  var text: String {
    withUnsafeTemporaryAllocation(of: UInt8.self, capacity: PeerAddress.textBytes) { out in
      let count = write(to: out.baseAddress!)
      return String(decoding: out[..<count], as: UTF8.self)
    }
  }

  private func writeV4(to text: UnsafeMutablePointer<UInt8>) -> Int {
    var count = 0
    for index in 0..<4 {
      let value = bytes[index]
      if index > 0 {
        text[count] = UInt8(ascii: ".")
        count += 1
      }
      if value >= 100 {
        text[count] = 0x30 + value / 100
        count += 1
      }
      if value >= 10 {
        text[count] = 0x30 + value / 10 % 10
        count += 1
      }
      text[count] = 0x30 + value % 10
      count += 1
    }
    text[count] = 0
    return count
  }
}
