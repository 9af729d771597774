// PROXY headers of both versions, field by field, and at every shorter length.
import Support
import Testing
import Wire

@Suite struct ProxyHeaderTests {
  private let signature: [UInt8] = [0x0d, 0x0a, 0x0d, 0x0a, 0x00, 0x0d, 0x0a, 0x51, 0x55, 0x49, 0x54, 0x0a]

  /// What is read, as one line; every shorter beginning must want more.
  private func read(_ bytes: [UInt8], limit: Int = 4096) throws -> String {
    switch try bytes.withUnsafeBytes({ try ProxyHeader.read($0, limit: limit) }) {
    case .needMore: return "more"
    case .absent: return "absent"
    case .header(let header, let count):
      let source = "\(header.source.string) \(header.sourcePort)"
      return "\(header.family) \(source) > \(header.destination.string) \(header.destinationPort), \(count)"
    }
  }

  private func readInParts(_ bytes: [UInt8]) throws -> String {
    let whole = try read(bytes)
    for count in 0..<bytes.count { #expect(try read(Array(bytes[..<count])) == "more", "\(count) bytes") }
    #expect(try read(bytes + Array("GET /".utf8)) == whole, "what follows is not looked at")
    return whole
  }

  @Test(arguments: [
    ("TCP4 192.168.0.1 10.0.0.255 56324 443", "ipv4 192.168.0.1 56324 > 10.0.0.255 443"),
    ("TCP4 255.255.255.255 0.0.0.0 65535 65535", "ipv4 255.255.255.255 65535 > 0.0.0.0 65535"),
    ("TCP6 2001:db8::1 ::1 0 65535", "ipv6 2001:db8::1 0 > ::1 65535"),
    ("TCP6 2001:DB8:0:0:0:0:0:1 0:0:0:0:0:0:0:0 1 2", "ipv6 2001:db8::1 1 > :: 2"),
    ("TCP6 ::ffff:1.2.3.4 1:0:0:2:0:0:0:3 1 2", "ipv6 ::ffff:1.2.3.4 1 > 1:0:0:2::3 2"),
    ("TCP6 1:2:3:4:5:6:7:: ::2:3:4:5:6:7:8 1 2", "ipv6 1:2:3:4:5:6:7:0 1 > 0:2:3:4:5:6:7:8 2"),
    ("TCP6 1:: 1:0:3:0:0:6:0:0 1 2", "ipv6 1:: 1 > 1:0:3::6:0:0 2"),
    ("UNKNOWN", "local  0 >  0"),
    ("UNKNOWN ffff:f...f:ffff what ever 1 2", "local  0 >  0"),
  ]) func version1(_ line: String, _ expected: String) throws {
    let bytes = Array("PROXY \(line)\r\n".utf8)
    #expect(try readInParts(bytes) == "\(expected), \(bytes.count)")
  }

  @Test func longestLineThereIs() throws {
    let longest = "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff"
    let line = Array("PROXY UNKNOWN \(longest) \(longest) 65535 65535\r\n".utf8)
    #expect(line.count == ProxyHeader.lineBytes)
    #expect(try readInParts(line) == "local  0 >  0, 107")
  }

  @Test(arguments: [
    ("TCP4 1.2.3.4 5.6.7.8 1 2 3\r\n", ProxyError.lineMalformed),
    ("TCP4 1.2.3.4 5.6.7.8 1\r\n", .lineMalformed),
    ("TCP4  1.2.3.4 5.6.7.8 1 2\r\n", .lineMalformed), ("TCP5 1.2.3.4 5.6.7.8 1 2\r\n", .lineMalformed),
    ("\r\n", .lineMalformed), ("TCP4 1.2.3 5.6.7.8 1 2\r\n", .addressMalformed),
    ("TCP4 1.2.3.256 5.6.7.8 1 2\r\n", .addressMalformed),
    ("TCP4 1.2.3.04 5.6.7.8 1 2\r\n", .addressMalformed),
    ("TCP4 1.2.3.4. 5.6.7.8 1 2\r\n", .addressMalformed), ("TCP4 ::1 ::1 1 2\r\n", .addressMalformed),
    ("TCP6 1.2.3.4 ::1 1 2\r\n", .addressMalformed), ("TCP6 1::2::3 ::1 1 2\r\n", .addressMalformed),
    ("TCP6 1:2:3:4:5:6:7:8:9 ::1 1 2\r\n", .addressMalformed), ("TCP6 1: ::1 1 2\r\n", .addressMalformed),
    ("TCP6 12345:: ::1 1 2\r\n", .addressMalformed), ("TCP6 fe80::1%eth0 ::1 1 2\r\n", .addressMalformed),
    ("TCP6 1:2:3:4:5:6:7:1.2.3.4 ::1 1 2\r\n", .addressMalformed),
    ("TCP6 :::: ::1 1 2\r\n", .addressMalformed),
    ("TCP4 1.2.3.4 5.6.7.8 65536 2\r\n", .portMalformed), ("TCP4 1.2.3.4 5.6.7.8 1 02\r\n", .portMalformed),
    ("TCP4 1.2.3.4 5.6.7.8 -1 2\r\n", .portMalformed), ("TCP4 1.2.3.4 5.6.7.8 1 2\r\r\n", .portMalformed),
    ("UNKNOWN " + String(repeating: "x", count: 92) + "\r\n", .lineTooLong),
    (String(repeating: "x", count: 500), .lineTooLong),
  ]) func version1Refused(_ line: String, _ error: ProxyError) {
    #expect(throws: error) { try read(Array("PROXY \(line)".utf8)) }
  }

  @Test func version2FieldByField() throws {
    // version 2 and PROXY, IPv4 and stream, twelve bytes; numbers with the high byte first.
    let header = signature + [0x21, 0x11, 0, 12, 10, 1, 2, 3, 10, 4, 5, 6, 0x12, 0x34, 0x01, 0xbb]
    #expect(try readInParts(header) == "ipv4 10.1.2.3 4660 > 10.4.5.6 443, 28")
  }

  @Test func version2IPv6WithExtensions() throws {
    var header = signature + [0x21, 0x21, 0, 36 + 7]
    header += [0x20, 0x01, 0x0d, 0xb8] + Array(repeating: 0, count: 11) + [1]
    header += Array(repeating: 0, count: 15) + [1] + [0, 80, 0xff, 0xff]
    header += [0x04, 0, 1, 0xee, 0xe0, 0, 0]
    #expect(try readInParts(header) == "ipv6 2001:db8::1 80 > ::1 65535, 59")
  }

  @Test func version2UnixPaths() throws {
    let path = Array("/run/client.sock".utf8)
    let full = Array(repeating: UInt8(ascii: "p"), count: 108)
    let header =
      signature + [0x21, 0x31, 0, 216] + path + Array(repeating: 0, count: 108 - path.count) + full
    let expected = "unix /run/client.sock 0 > \(String(repeating: "p", count: 108)) 0, 232"
    #expect(try readInParts(header) == expected)
  }

  @Test(
    arguments: [
      [0x20, 0x00, 0, 0], [0x20, 0x11, 0, 3, 9, 9, 9], [0x21, 0x00, 0, 2, 9, 9], [0x21, 0x41, 0, 1, 9],
    ] as [[UInt8]]) func version2WithoutAddresses(_ rest: [UInt8]) throws
  {
    let header = signature + rest
    #expect(try readInParts(header) == "local  0 >  0, \(header.count)")
  }

  @Test(
    arguments: [
      ([0x11, 0x11, 0, 0], ProxyError.versionUnsupported(1)), ([0x22, 0x11, 0, 0], .commandUnknown(2)),
      ([0x21, 0x11, 0, 11] + Array(repeating: 0, count: 11), .addressTruncated),
      ([0x21, 0x21, 0, 35] + Array(repeating: 0, count: 35), .addressTruncated),
      ([0x21, 0x11, 0x20, 0], .headerTooLarge(bytes: 0x2010)),
      ([0x21, 0x11, 0, 14] + Array(repeating: 0, count: 14), .extensionTruncated),
      ([0x21, 0x11, 0, 16] + Array(repeating: 0, count: 12) + [4, 0, 2, 1], .extensionTruncated),
    ] as [([UInt8], ProxyError)]) func version2Refused(_ rest: [UInt8], _ error: ProxyError)
  {
    #expect(throws: error) { try read(signature + rest) }
  }

  @Test(arguments: [
    "GET / HTTP/1.1", "POST / HTTP/1.1", "PRI *", "\r\nGET /", "\r\n\r\n\0\r\nQUIT\r", "24:", "\u{1}",
  ])
  func otherProtocolsAreLeftAlone(_ text: String) throws {
    #expect(try read(Array(text.utf8)) == "absent")
  }

  @Test func textGoesIntoABuffer() throws {
    let bytes = Array("PROXY TCP4 127.0.0.1 9.8.7.6 1 2\r\n".utf8)
    let verdict = try bytes.withUnsafeBytes { try ProxyHeader.read($0) }
    guard case .header(let header, _) = verdict else {
      Issue.record("no header")
      return
    }
    #expect(writtenText { header.source.append(to: &$0) } == "127.0.0.1")
    #expect(header.source.count == 9 && header.source[0] == UInt8(ascii: "1"))
  }
}
