/// Words of HTTP/1.1 as a server reads them (RFC 9112, RFC 9110).
///
///     request      = request-line *( field-line CRLF ) CRLF [ body ]          ; RFC 9112 §2.1
///     request-line = method SP request-target SP HTTP-version CRLF            ; §3
///     field-line   = field-name ":" OWS field-value OWS                       ; §5
///     HTTP-version = "HTTP" "/" DIGIT "." DIGIT                               ; §2.3
///     chunk        = chunk-size [ chunk-ext ] CRLF chunk-data CRLF            ; §7.1
///
/// Every line ends with CR LF; the liberties that §2.2, §3 and §5.2 permit are not taken.
enum HTTP1Grammar {
  static let tab: UInt8 = 0x09
  static let lineFeed: UInt8 = 0x0a
  static let carriageReturn: UInt8 = 0x0d
  static let space: UInt8 = 0x20
  static let colon = UInt8(ascii: ":")
  static let comma = UInt8(ascii: ",")
  static let semicolon = UInt8(ascii: ";")
  static let equals = UInt8(ascii: "=")
  static let quote = UInt8(ascii: "\"")
  static let backslash = UInt8(ascii: "\\")

  /// CR LF as a little-endian word.
  static let lineEnd: UInt16 = 0x0a0d
  /// `HTTP/1.0` and `HTTP/1.1` as little-endian words.
  static let version10: UInt64 = 0x302e_312f_5054_5448
  static let version11: UInt64 = 0x312e_312f_5054_5448

  /// Longest method: the longest registered one has 17 letters; longer ones are answered 501 (RFC 9112 §3).
  static let methodBytes = 32
  /// Empty lines before a request line that are skipped (RFC 9112 §2.2).
  static let emptyLines = 4
  /// Digits of a chunk size: 64 bits (RFC 9112 §7.1, "large hexadecimal numerals").
  static let chunkDigits = 16

  @inline(__always)
  static func byte(_ base: UnsafeRawPointer, _ position: Int) -> UInt8 {
    base.load(fromByteOffset: position, as: UInt8.self)
  }

  /// Whether CR LF stands at `position`; both bytes are there.
  @inline(__always)
  static func endsLine(_ base: UnsafeRawPointer, _ position: Int) -> Bool {
    UInt16(littleEndian: base.loadUnaligned(fromByteOffset: position, as: UInt16.self)) == lineEnd
  }

  @inline(__always)
  static func isBlank(_ byte: UInt8) -> Bool { byte == space || byte == tab }

  /// The first byte at or after `position` that is not visible ASCII, or is "#"; `end` without one.
  @inline(__always)
  static func endOfTarget(_ base: UnsafeRawPointer, _ start: Int, _ end: Int) -> Int {
    var position = start
    while position &+ 8 <= end {
      let word = Word.load(base, position)
      let found = Ascii.controls(word, below: 0x21) | Word.equal(word, to: 0x23) | word & Word.highs
      if found != 0 { return position &+ Word.index(found) }
      position &+= 8
    }
    while position < end {
      let byte = byte(base, position)
      if byte < 0x21 || byte >= 0x7f || byte == 0x23 { return position }
      position &+= 1
    }
    return end
  }
}
