import Testing

@testable import Config

/// Origins of pages that may open WebSockets.
@Suite struct WebSocketOriginTests {
  static let rows: [(value: String, origin: String, host: String, holds: Bool)] = [
    ("self", "https://shop.example", "shop.example", true),
    ("self", "http://Shop.Example:8080", "shop.example:8080", true),
    ("self", "https://shop.example", "shop.example:8080", false),
    ("self", "https://shop.example.evil", "shop.example", false), ("self", "null", "null", false),
    ("self", "https://", "", false), ("self", "shop.example", "shop.example", false),
    // The requests came to port 8000.
    ("self", "http://shop.example:8000", "shop.example", true), ("self", "http://[::1]:8000", "[::1]", true),
    ("self", "http://shop.example:8001", "shop.example", false), ("self", "http://:8000", "", false),
    ("self", "http://shop.example:80:8000", "shop.example:80", false),
    ("https://a.example", "https://A.example", "", true),
    ("https://a.example", "http://a.example", "", false),
    ("https://a.example", "https://a.example.evil", "", false), ("https://a.example", "", "", false),
    ("https://a.example:8443", "https://a.example:8443", "", true),
    ("https://a.example:8443", "https://a.example", "", false),
    ("https://*.a.example", "https://x.a.example", "", true),
    ("https://*.a.example", "https://y.x.a.example", "", true),
    ("https://*.a.example", "https://a.example", "", false),
    ("https://*.a.example", "https://.a.example", "", false),
    ("https://*.a.example", "https://evila.example", "", false),
    ("https://*.a.example", "https://x.a.example.evil", "", false),
    ("http://[::1]:8080", "http://[::1]:8080", "", true),
  ]

  @Test(arguments: rows.indices) func holds(_ row: Int) throws {
    let (value, origin, host, holds) = Self.rows[row]
    let read = try WebSocketOrigin(parsing: value)
    Array(origin.utf8).withUnsafeBytes { origin in
      Array(host.utf8).withUnsafeBytes { host in
        let isHeld = Array("8000".utf8).withUnsafeBytes { port in
          read.holds(origin, host: host.isEmpty ? nil : host, port: port)
        }
        #expect(isHeld == holds, "\(Self.rows[row])")
      }
    }
  }

  @Test(
    "what is no origin is refused",
    arguments: [
      "", "a.example", "https://", "https://*.", "https://a.example/", "https://a*.example", "ftp://a", "*",
      "https://a.example:", "https://a b", "null",
    ])
  func refused(_ value: String) {
    #expect(throws: ValueError.self) { try WebSocketOrigin(parsing: value) }
  }
}
