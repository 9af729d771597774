/// The agreed compression (RFC 7692 §7): permessage-deflate.
public struct WebSocketDeflate: Equatable, Sendable, BitwiseCopyable {
  /// Bits of a window: zlib takes all of the RFC's 8 … 15 except 8.
  private static let windows = 9...15
  private static let allWindows = 8...15

  /// A message is compressed with the context of the previous one (§7.1.1): the server's, the client's.
  public var serverKeepsContext: Bool
  public var clientKeepsContext: Bool
  /// Bits of the windows, 9 … 15.
  public var serverWindow = 15
  public var clientWindow = 15
  /// The client has said that it can limit its window, so it may be told to.
  private var clientTakesWindow = false
  /// The client has bounded the server's window: only an answer that names a bound accepts that (§7.1.2.1).
  private var namesServerWindow = false

  /// - Parameter keepsContext: windows for each socket, in both directions.
  public init(keepsContext: Bool) { (serverKeepsContext, clientKeepsContext) = (keepsContext, keepsContext) }

  /// Agrees to the first of a client's offers that can be met, on the server's own terms; nil if there is
  /// none.
  ///
  /// - Parameter extensions: the value of Sec-WebSocket-Extensions.
  public static func agree(
    _ extensions: UnsafeRawBufferPointer, keepsContext: Bool
  ) -> WebSocketDeflate? {
    var position = 0
    while let offer = MessageRules.member(extensions, &position) {
      if let agreed = WebSocketDeflate(keepsContext: keepsContext).taking(offer) { return agreed }
    }
    return nil
  }

  /// The terms combined with those of an offer; nil if the offer is for another extension, or cannot be met.
  private func taking(_ offer: UnsafeRawBufferPointer) -> WebSocketDeflate? {
    var (terms, position, seen) = (self, 0, Parameter())
    guard let name = WebSocketDeflate.part(offer, &position), Ascii.matches(name, "permessage-deflate") else {
      return nil
    }
    while let text = WebSocketDeflate.part(offer, &position) {
      guard let parameter = terms.take(text), seen.insert(parameter).inserted else { return nil }
    }
    return terms
  }

  /// Which parameters an offer has already named (§7.1: none twice).
  private struct Parameter: OptionSet {
    let rawValue: UInt8
    static let serverContext = Parameter(rawValue: 1)
    static let clientContext = Parameter(rawValue: 2)
    static let serverWindow = Parameter(rawValue: 4)
    static let clientWindow = Parameter(rawValue: 8)
  }

  private mutating func take(_ text: UnsafeRawBufferPointer) -> Parameter? {
    let equals = text.firstIndex(of: 0x3d)
    let name = FieldLine.trimmed(text[..<(equals ?? text.count)])
    let value = equals.map { FieldLine.trimmed(text[($0 + 1)...]) }
    if Ascii.matches(name, "server_no_context_takeover"), value == nil {
      serverKeepsContext = false
      return .serverContext
    }
    if Ascii.matches(name, "client_no_context_takeover"), value == nil {
      clientKeepsContext = false
      return .clientContext
    }
    if Ascii.matches(name, "server_max_window_bits"), let value {
      guard let bits = WebSocketDeflate.bits(value, WebSocketDeflate.windows) else { return nil }
      (serverWindow, namesServerWindow) = (bits, true)
      return .serverWindow
    }
    guard Ascii.matches(name, "client_max_window_bits") else { return nil }
    if let value {
      guard let bits = WebSocketDeflate.bits(value, WebSocketDeflate.allWindows) else { return nil }
      // A client with the smallest needs not be told, and can be read with any.
      if WebSocketDeflate.windows.contains(bits) { clientWindow = bits }
    }
    clientTakesWindow = true
    return .clientWindow
  }

  /// The value of Sec-WebSocket-Extensions in the answer (§7.1). A client's context is forbidden whether or
  /// not it has offered that (§7.1.1.2).
  public var text: String {
    var text = "permessage-deflate"
    if !serverKeepsContext { text += "; server_no_context_takeover" }
    if !clientKeepsContext { text += "; client_no_context_takeover" }
    if namesServerWindow { text += "; server_max_window_bits=\(serverWindow)" }
    if clientTakesWindow, clientWindow < 15 { text += "; client_max_window_bits=\(clientWindow)" }
    return text
  }

  /// One of `windows`, perhaps in quotes (§7.1.2.1).
  private static func bits(_ value: UnsafeRawBufferPointer, _ windows: ClosedRange<Int>) -> Int? {
    let digits = unquoted(value)
    guard digits.count <= 2, digits.first != 0x30, let bits = Ascii.decimal(digits).map({ Int($0) }) else {
      return nil
    }
    return windows.contains(bits) ? bits : nil
  }

  /// A value without the quotes around it.
  private static func unquoted(_ value: UnsafeRawBufferPointer) -> UnsafeRawBufferPointer {
    guard value.count >= 2, value[0] == 0x22, value[value.count - 1] == 0x22 else { return value }
    return UnsafeRawBufferPointer(rebasing: value[1..<(value.count - 1)])
  }

  /// Whether Sec-WebSocket-Extensions is well-formed (RFC 6455 §9.1), whatever it offers. A value in quotes
  /// has to be a token as well, so that commas and semicolons separate wherever they stand.
  static func isList(_ extensions: UnsafeRawBufferPointer) -> Bool {
    var position = 0
    while let offer = MessageRules.member(extensions, &position) {
      // Empty members are ignored (RFC 9110 §5.6.1.2).
      guard offer.isEmpty || isOffer(offer) else { return false }
    }
    return true
  }

  private static func isOffer(_ offer: UnsafeRawBufferPointer) -> Bool {
    var position = 0
    guard let name = part(offer, &position), Ascii.isToken(name) else { return false }
    while let text = part(offer, &position) {
      let equals = text.firstIndex(of: 0x3d)
      guard Ascii.isToken(FieldLine.trimmed(text[..<(equals ?? text.count)])) else { return false }
      if let equals, !Ascii.isToken(unquoted(FieldLine.trimmed(text[(equals + 1)...]))) { return false }
    }
    return true
  }

  /// The next part between semicolons, without white space around it; nil after the last.
  private static func part(
    _ text: UnsafeRawBufferPointer, _ position: inout Int
  ) -> UnsafeRawBufferPointer? {
    guard position <= text.count else { return nil }
    let end = text[position...].firstIndex(of: 0x3b) ?? text.count
    defer { position = end + 1 }
    return FieldLine.trimmed(text[position..<end])
  }
}
