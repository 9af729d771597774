/// A host and perhaps a port behind it, as Host, an authority or a front end's SERVER_NAME has them.
struct HostPort {
  /// The host, an IPv6 address in its brackets if it has some.
  let name: UnsafeRawBufferPointer
  /// What stands behind the colon; empty without one.
  let port: UnsafeRawBufferPointer

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

  /// An IPv6 address without brackets has more colons than one, and no port.
  @inline(__always)
  private static func isHost(_ text: UnsafeRawBufferPointer) -> Bool {
    if text.first == UInt8(ascii: "[") { return text.last == UInt8(ascii: "]") }
    return !text.hasWord { Word.equal($0, to: HTTP1Grammar.colon) }
  }

  /// Whether the text is a port that a client can have connected to.
  static func isPort(_ text: UnsafeRawBufferPointer) -> Bool {
    guard let base = text.baseAddress, text.count <= 5 else { return false }
    var (number, position) = (0, 0)
    while position < text.count {
      let digit = base.load(fromByteOffset: position, as: UInt8.self) &- 0x30
      guard digit < 10 else { return false }
      number = number &* 10 &+ Int(digit)
      position &+= 1
    }
    return number > 0 && number <= 65535
  }
}
