import Testing

@testable import Config

@Suite struct AddressTests {
  static let good: [(String, Address, String)] = [
    ("127.0.0.1:8080", .inet(host: "127.0.0.1", port: 8080), "127.0.0.1:8080"),
    ("0.0.0.0:1", .inet(host: "0.0.0.0", port: 1), "0.0.0.0:1"),
    (":8080", .inet(host: "", port: 8080), ":8080"),
    ("*:8080", .inet(host: "", port: 8080), ":8080"),
    ("localhost:80", .inet(host: "localhost", port: 80), "localhost:80"),
    ("127.0.0.1:0", .inet(host: "127.0.0.1", port: 0), "127.0.0.1:0"),
    (":65535", .inet(host: "", port: 65535), ":65535"),
    (":00080", .inet(host: "", port: 80), ":80"),
    ("[::1]:8080", .inet(host: "::1", port: 8080), "[::1]:8080"),
    ("[::]:0", .inet(host: "::", port: 0), "[::]:0"),
    ("[2001:db8::a:1]:443", .inet(host: "2001:db8::a:1", port: 443), "[2001:db8::a:1]:443"),
    ("[1:2:3:4:5:6:7:8]:9", .inet(host: "1:2:3:4:5:6:7:8", port: 9), "[1:2:3:4:5:6:7:8]:9"),
    ("/run/app.sock", .unix(path: "/run/app.sock"), "/run/app.sock"),
    ("./app.sock", .unix(path: "./app.sock"), "./app.sock"),
    ("run/app.sock", .unix(path: "run/app.sock"), "run/app.sock"),
    ("/run/a:b.sock", .unix(path: "/run/a:b.sock"), "/run/a:b.sock"),
    ("unix:/run/app.sock", .unix(path: "/run/app.sock"), "/run/app.sock"),
    ("unix:app.sock", .unix(path: "app.sock"), "./app.sock"),
    ("@app", .abstract(name: "app"), "@app"),
    ("@a/b:1", .abstract(name: "a/b:1"), "@a/b:1"),
    ("fd://0", .descriptor(0), "fd://0"),
    ("fd://17", .descriptor(17), "fd://17"),
  ]

  @Test(arguments: good.indices) func isRead(_ row: Int) throws {
    let (text, address, description) = Self.good[row]
    #expect(try Address(parsing: text) == address)
    #expect(address.description == description)
  }

  static let bad: [(String, String)] = [
    ("", "the address is empty; write 127.0.0.1:8080, :8080, [::1]:8080, /run/app.sock or @name"),
    ("fd://", "\"\" is not the number of a descriptor; write fd://0, or fd://3 for systemd's first"),
    ("fd://-1", "\"-1\" is not the number of a descriptor; write fd://0, or fd://3 for systemd's first"),
    (
      "fd://99999999999",
      "\"99999999999\" is not the number of a descriptor; write fd://0, or fd://3 for systemd's first"
    ),
    ("@", "the abstract name is empty; write @name"),
    ("127.0.0.1", "the port is missing; write 127.0.0.1:8080"),
    ("127.0.0.1:", "the port is missing; write 127.0.0.1:8080"),
    ("localhost", "the port is missing; write localhost:8080"),
    ("[::1]", "the port is missing; write [::1]:8080"),
    ("[::1]:", "the port is missing; write [::1]:8080"),
    ("[::1]8080", "the port is missing; write [::1]:8080"),
    ("8080", "a port alone is ambiguous; write 127.0.0.1:8080, or :8080 for all interfaces"),
    (":http", "\"http\" is not a port number; write a number from 0 to 65535 (0: any free port)"),
    (":-1", "\"-1\" is not a port number; write a number from 0 to 65535 (0: any free port)"),
    (":65536", "port 65536 is above 65535; choose one from 0 to 65535 (0: any free port)"),
    (":99999999999", "port 99999999999 is above 65535; choose one from 0 to 65535 (0: any free port)"),
    ("1.2.3:80", "\"1.2.3\" is not an IPv4 address; write four numbers from 0 to 255, as in 127.0.0.1:8080"),
    (
      "1.2.3.256:80",
      "\"1.2.3.256\" is not an IPv4 address; write four numbers from 0 to 255, as in 127.0.0.1:8080"
    ),
    (
      "010.0.0.1:80",
      "\"010.0.0.1\" is not an IPv4 address; write four numbers from 0 to 255, as in 127.0.0.1:8080"
    ),
    ("::1", "an IPv6 address stands in brackets; write [::1]:8080"),
    ("::1:8080:x", "an IPv6 address stands in brackets; write [::1]:8080"),
    ("[::1:8080", "the bracket is not closed; write [::1]:8080"),
    ("[1.2.3.4]:80", "\"1.2.3.4\" is not an IPv6 address; write it as in [::1]:8080"),
    ("[1::2::3]:80", "\"1::2::3\" is not an IPv6 address; write it as in [::1]:8080"),
    (
      "[fe80::1%eth0]:80",
      "an address with a zone (%) cannot be listened on; leave the zone out, or listen on all "
        + "interfaces with :8080"
    ),
    (
      "example.com:80",
      "\"example.com\" is a name, and a socket is bound to a numeric address; write 127.0.0.1:80, "
        + "or :80 for all interfaces"
    ),
    ("http://127.0.0.1:80/x", "an address is wanted here, not a URL; write 127.0.0.1:80"),
    ("http://example.com/", "an address is wanted here, not a URL; write 127.0.0.1:8080"),
    ("app.sock", "a unix socket is recognised by a slash in its path; write ./app.sock"),
    ("app", "the port is missing; write 127.0.0.1:8080, or ./app for a unix socket"),
    ("/run/", "/run/ is a directory; write /run/app.sock"),
    (
      "/run/a\0b",
      "an address cannot hold a NUL byte; write 127.0.0.1:8080, :8080, [::1]:8080, /run/app.sock or @name"
    ),
  ]

  @Test(arguments: bad.indices) func isRefused(_ row: Int) {
    let (text, sentence) = Self.bad[row]
    do {
      Issue.record("\(text) was read as \(try Address(parsing: text))")
    } catch {
      #expect(error.description == sentence)
    }
  }

  @Test func unixNamesEndAt107Bytes() throws {
    let longest = "/" + String(repeating: "x", count: 106)
    #expect(try Address(parsing: longest) == .unix(path: longest))
    #expect(throws: AddressError.pathTooLong(bytes: 108)) { try Address(parsing: longest + "x") }
    #expect(throws: AddressError.pathTooLong(bytes: 108)) {
      try Address(parsing: "@" + String(repeating: "x", count: 108))
    }
  }

  static let numbers: [(String, UInt64, UInt64)] = [
    ("0.0.0.0", 0, 0xffff_0000_0000),
    ("255.1.2.3", 0, 0xffff_ff01_0203),
    ("::", 0, 0),
    ("::1", 0, 1),
    ("1::", 1 << 48, 0),
    ("1:2:3:4:5:6:7:8", 0x0001_0002_0003_0004, 0x0005_0006_0007_0008),
    ("1:2:3:4:5:6:7::", 0x0001_0002_0003_0004, 0x0005_0006_0007_0000),
    ("FE80::aBc", 0xfe80 << 48, 0xabc),
    ("::ffff:127.0.0.1", 0, 0xffff_7f00_0001),
    ("64:ff9b::1.2.3.4", 0x0064_ff9b_0000_0000, 0x0102_0304),
  ]

  @Test(arguments: numbers.indices) func numericAddressesAreRead(_ row: Int) {
    let (text, high, low) = Self.numbers[row]
    #expect(IPAddress(parsing: text) == IPAddress(high: high, low: low))
  }

  @Test(arguments: [
    "", ".", "1.2.3.4.5", "1..2.3", "a.b.c.d", "1.2.3.+4", ":", ":::", "1:2:3:4:5:6:7", "1:2:3:4:5:6:7:8:9",
    "1:2:3:4::5:6:7:8", "12345::", "g::", "::1.2.3", "1.2.3.4::", "::1:", ":1::",
  ])
  func brokenNumericAddressesAreNot(_ text: String) {
    #expect(IPAddress(parsing: text) == nil)
  }
}
