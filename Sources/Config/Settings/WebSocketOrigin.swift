// The origins of pages that may open WebSockets (`--websocket-origin`).

/// An allowed origin (RFC 6454 §6.1), in lower case.
public enum WebSocketOrigin: Equatable, Sendable {
  /// The origin that the request itself goes to, by its Host field.
  case own
  /// "https://shop.example" or "https://shop.example:8443".
  case exactly([UInt8])
  /// "https://*.example": any name below one.
  case below(scheme: [UInt8], name: [UInt8])

  /// Whether an Origin field is that origin. A client that is not a browser can send anything there.
  ///
  /// - Parameters:
  ///   - host: the Host field of the request; nil if there is none.
  ///   - port: the port to which it came, as SERVER_PORT. nginx leaves it out of the Host field that it
  ///     passes to uwsgi and SCGI.
  public func holds(
    _ origin: UnsafeRawBufferPointer, host: UnsafeRawBufferPointer?, port: UnsafeRawBufferPointer
  ) -> Bool {
    let origin = origin.map(Ascii.lower)
    switch self {
    case .own:
      guard let host, !host.isEmpty, let place = WebSocketOrigin.authority(origin) else { return false }
      let (asked, name) = (origin[place...], host.map(Ascii.lower))
      return asked.elementsEqual(name)
        || !WebSocketOrigin.hasPort(name) && asked.elementsEqual(name + [Ascii.colon] + port)
    case .exactly(let text): return origin == text
    case .below(let scheme, let name):
      guard origin.starts(with: scheme), origin.count > scheme.count + name.count else { return false }
      return origin.suffix(name.count).elementsEqual(name)
        && origin[scheme.count] != UInt8(ascii: ".")
    }
  }

  /// Colons inside brackets are those of an address (RFC 3986 §3.2.2).
  private static func hasPort(_ host: [UInt8]) -> Bool {
    host.last != UInt8(ascii: "]") && host.contains(Ascii.colon)
  }

  /// Where the authority begins after "scheme://".
  private static func authority(_ origin: [UInt8]) -> Int? {
    guard let colon = origin.firstIndex(of: Ascii.colon), origin[colon...].starts(with: "://".utf8) else {
      return nil
    }
    return colon + 3
  }

  /// Reads `self`, `https://name[:port]` or `https://*.name[:port]`.
  init(parsing text: String) throws(ValueError) {
    if text == "self" {
      self = .own
      return
    }
    let bytes = text.utf8.map(Ascii.lower)
    guard let place = Self.authority(bytes),
      ["http://", "https://"].contains(
        String(decoding: bytes[..<place], as: UTF8.self))
    else { throw Self.bad(text) }
    let isBelow = bytes[place...].starts(with: "*.".utf8)
    let name = Array(bytes[(isBelow ? place + 1 : place)...])
    let isName = name.allSatisfy {
      Ascii.isLetter($0) || Ascii.isDigit($0) || ".-:[]".utf8.contains($0)
    }
    guard isName, name.count > (isBelow ? 1 : 0), name.last != Ascii.colon else { throw Self.bad(text) }
    self = isBelow ? .below(scheme: Array(bytes[..<place]), name: name) : .exactly(bytes)
  }

  private static func bad(_ text: String) -> ValueError {
    .rule(
      text, problem: "is no origin of pages",
      fix: "write self, https://shop.example, https://shop.example:8443 or https://*.shop.example")
  }
}
