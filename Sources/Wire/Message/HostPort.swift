/// A host, perhaps followed by a port, as in Host, an authority or a front end's SERVER_NAME.
struct HostPort {
  /// The host, an IPv6 address in its brackets if it has some.
  let name: UnsafeRawBufferPointer
  /// The text after the colon; empty without one.
  let port: UnsafeRawBufferPointer

  /// Whether a text certainly has no port: it ends with a letter or a bracket.
  @inline(__always)
  static func isName(_ text: UnsafeRawBufferPointer) -> Bool {
    text.last.map { $0 > HTTP1Grammar.colon } ?? true
  }

  init(_ text: UnsafeRawBufferPointer) {
    var end = text.count
    while end > 0, Ascii.isDigit(text[end &- 1]) { end &-= 1 }
    let name = UnsafeRawBufferPointer(start: text.baseAddress, count: max(end &- 1, 0))
    guard end > 0, text[end &- 1] == HTTP1Grammar.colon, HostPort.isHost(name) else {
      (self.name, port) = (text, .none)
      return
    }
    self.name = name
    port = UnsafeRawBufferPointer(rebasing: text[end...])
  }

  /// An IPv6 address without brackets has more than one colon, and no port.
  @inline(__always)
  private static func isHost(_ text: UnsafeRawBufferPointer) -> Bool {
    if text.first == UInt8(ascii: "[") { return text.last == UInt8(ascii: "]") }
    return !text.hasWord { Word.equal($0, to: HTTP1Grammar.colon) }
  }

  /// Whether the text is a port that a client can have connected to.
  @inline(__always)
  static func isPort(_ text: UnsafeRawBufferPointer) -> Bool {
    guard let base = text.baseAddress, 1...5 ~= text.count else { return false }
    let word = Word.loadFew(base, text.count)
    guard Word.othersThanDigits(word) == 0, word != Word.ones &* 0x30 else { return false }
    return text.count < 5 || isBelowBound(base)
  }

  /// Whether five digits are at most 65535: texts of the same length compare as their numbers do.
  @inline(__always)
  private static func isBelowBound(_ base: UnsafeRawPointer) -> Bool {
    let first = UInt64(UInt32(bigEndian: base.loadUnaligned(as: UInt32.self)))
    return first << 8 | UInt64(base.load(fromByteOffset: 4, as: UInt8.self)) <= 0x36_3535_3335
  }
}
