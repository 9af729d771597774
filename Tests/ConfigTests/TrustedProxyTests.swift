import Testing

@testable import Config

@Suite struct TrustedProxyTests {
  static let members: [(String, String, Bool)] = [
    ("10.0.0.0/8", "10.255.1.2", true), ("10.0.0.0/8", "11.0.0.0", false),
    ("127.0.0.1", "127.0.0.1", true), ("127.0.0.1", "127.0.0.2", false),
    ("0.0.0.0/0", "1.2.3.4", true), ("0.0.0.0/0", "::1", false),
    ("10.0.0.0/8", "::ffff:10.1.1.1", true),
    ("fd00::/8", "fdff::1", true), ("fd00::/8", "fe00::1", false),
    ("2001:db8::/64", "2001:db8::ffff:1", true), ("2001:db8::/64", "2001:db8:0:1::1", false),
    ("::1/128", "::1", true), ("::1", "::2", false), ("::/0", "1.2.3.4", true),
    ("2001:db8::8000:0:0:0/65", "2001:db8::8000:0:0:1", true),
    ("2001:db8::8000:0:0:0/65", "2001:db8::1", false),
    ("unix", "127.0.0.1", false),
  ]

  @Test(arguments: members.indices) func contains(_ row: Int) throws {
    let (network, text, expected) = Self.members[row]
    let address = try #require(IPAddress(parsing: text))
    #expect(try TrustedProxy(parsing: network).contains(address) == expected)
  }

  @Test(arguments: [
    ("example.com", "\"example.com\" is not an address or a network"),
    ("10.0.0.0/33", "\"33\" is not the length of a network prefix; write a number from 0 to 32"),
    ("::/129", "\"129\" is not the length of a network prefix; write a number from 0 to 128"),
    ("10.0.0.0/", "\"\" is not the length of a network prefix"),
    ("10.0.0.0/+8", "\"+8\" is not the length of a network prefix"),
    ("10.0.0.1/8", "10.0.0.1/8 has bits set beyond its prefix; write the network's first address"),
  ])
  func refuses(_ text: String, _ sentence: String) {
    #expect(complaint("--trusted-proxy \(text)").hasPrefix("`--trusted-proxy \(text)`: \(sentence)"))
  }
}
