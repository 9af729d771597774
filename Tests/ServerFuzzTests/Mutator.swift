// Spoils messages by chance: the ways in which hostile, broken and cut-off clients differ from good ones.
import Support

/// Changes messages; the same seed makes the same changes.
struct Mutator {
  var random: SeededRandom

  /// One way to spoil a message.
  enum Change: CaseIterable {
    case flip, replace, delete, repeatPart, insertToken, insertBytes, number, truncate, exchange
  }

  /// Pieces of the five protocols that matter to their readers.
  static let tokens: [[UInt8]] =
    [
      "\r\n", "\n", "\r", "\0", ":", " ", "\t", "%", "%00", "%2f", "%zz", "/", "//", "/../", "?", "#", "*",
      "http://h", "http://h/admin", "HTTP/1.0", "HTTP/2", "HEAD ", "OPTIONS * ", "Host: b\r\n", "Host:\r\n",
      "Content-Length: 5\r\n", "Content-Length: 0\r\n", "Transfer-Encoding: chunked\r\n", "0\r\n\r\n",
      "5;a=\"b\r\n", "Connection: close\r\n", "Connection: keep-alive\r\n", "Expect: 100-continue\r\n",
      "Upgrade: h2c\r\n", "X-Forwarded-For: 1 2.3.4.5\r\n", "X-Forwarded-Proto: https,http\r\n",
      "PROXY TCP4 1.2.3.4 5.6.7.8 9 10\r\n", "\r\n\r\n\0\r\nQUIT\n", "CONTENT_LENGTH\0", "SCGI\0001\0", ",",
      "HTTP_TRANSFER_ENCODING", "wsgi.input", "nsgi.id", "SCRIPT_NAME", "PATH_INFO", "UWSGI_SCHEME", "-1",
      "18446744073709551616", "9223372036854775807", "4294967296", "ffffffffffffffff",
    ].map { Array($0.utf8) } + [
      [1, 1, 0, 1], [1, 2, 0, 1, 0, 0, 0, 0], [1, 9, 0, 0, 0, 8, 0, 0], [0xff, 0xff, 0xff, 0xff],
      [0xc2, 0x85],
    ]

  /// `message` after one to four changes; `other` lends what is exchanged.
  mutating func spoil(_ message: [UInt8], with other: [UInt8]) -> [UInt8] {
    var bytes = message
    for _ in 0..<Int.random(in: 1...4, using: &random) {
      change(&bytes, Change.allCases.randomElement(using: &random) ?? .flip, other)
    }
    return bytes
  }

  private mutating func place(_ bytes: [UInt8]) -> Int { Int.random(in: 0...bytes.count, using: &random) }

  /// A part of `bytes`, mostly a short one.
  private mutating func part(_ bytes: [UInt8]) -> Range<Int> {
    let start = place(bytes)
    let longest = Int.random(in: 0..<8, using: &random) == 0 ? bytes.count : 12
    return start..<min(bytes.count, start + Int.random(in: 0...longest, using: &random))
  }

  private mutating func change(_ bytes: inout [UInt8], _ change: Change, _ other: [UInt8]) {
    switch change {
    case .flip:
      guard !bytes.isEmpty else { return }
      bytes[Int.random(in: 0..<bytes.count, using: &random)] ^= 1 << UInt8.random(in: 0..<8, using: &random)
    case .replace:
      guard !bytes.isEmpty else { return }
      bytes[Int.random(in: 0..<bytes.count, using: &random)] = random.byte()
    case .delete: bytes.removeSubrange(part(bytes))
    case .repeatPart:
      let range = part(bytes)
      bytes.insert(contentsOf: bytes[range], at: range.upperBound)
    case .insertToken:
      bytes.insert(contentsOf: Self.tokens.randomElement(using: &random) ?? [], at: place(bytes))
    case .insertBytes:
      bytes.insert(
        contentsOf: (0..<Int.random(in: 1...9, using: &random)).map { _ in random.byte() }, at: place(bytes))
    case .number: exchangeNumber(&bytes)
    case .truncate: bytes.removeSubrange(place(bytes)...)
    case .exchange: bytes.replaceSubrange(part(bytes), with: other[part(other)])
    }
  }

  /// Puts a number at the border of some type where the message has one.
  private mutating func exchangeNumber(_ bytes: inout [UInt8]) {
    let digits = bytes.indices.filter { bytes[$0] >= 48 && bytes[$0] <= 57 }
    guard let start = digits.randomElement(using: &random) else { return }
    let end = bytes[start...].firstIndex { $0 < 48 || $0 > 57 } ?? bytes.count
    let numbers = [
      "0", "1", "00", "-1", "+1", "65535", "65536", "2147483648", "4294967295", "9223372036854775808",
    ]
    bytes.replaceSubrange(start..<end, with: Array((numbers.randomElement(using: &random) ?? "0").utf8))
  }
}
