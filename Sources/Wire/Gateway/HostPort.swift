/// A host and perhaps a port behind it, as Host, an authority or a front end's SERVER_NAME has them.
struct HostPort {
  /// The host, an IPv6 address in its brackets if it has some.
  let name: UnsafeRawBufferPointer
  /// What stands behind the colon; empty without one.
  let port: UnsafeRawBufferPointer

  init(_ text: UnsafeRawBufferPointer) {
    var end = text.count
    while end > 0, Ascii.isDigit(text[end - 1]) { end -= 1 }
    guard end > 0, text[end - 1] == HTTP1Grammar.colon, HostPort.isHost(text[..<(end - 1)]) else {
      (name, port) = (text, .none)
      return
    }
    name = UnsafeRawBufferPointer(rebasing: text[..<(end - 1)])
    port = UnsafeRawBufferPointer(rebasing: text[end...])
  }

  /// An IPv6 address without brackets has more colons than one, and no port.
  private static func isHost(_ text: Slice<UnsafeRawBufferPointer>) -> Bool {
    if text.first == UInt8(ascii: "[") { return text.last == UInt8(ascii: "]") }
    return !text.contains(HTTP1Grammar.colon)
  }

  /// Whether the text is a port that a client can have connected to.
  static func isPort(_ text: UnsafeRawBufferPointer) -> Bool {
    guard text.count <= 5, let number = Ascii.decimal(text) else { return false }
    return (1...65535).contains(number)
  }
}
