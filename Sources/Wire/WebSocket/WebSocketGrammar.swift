/// Numbers of RFC 6455.
public enum WebSocketGrammar {
  /// The text that is joined to a client's key (§1.3).
  static let magic = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
  /// The only version (§4.1).
  public static let version = 13
  /// The most bytes in a control frame's payload (§5.5).
  public static let controlBytes = 125
  /// The most bytes in the reason of a close frame.
  public static let reasonBytes = controlBytes - 2
  /// Bytes of a client's key in base64, which encode 16 (§4.1).
  static let keyBytes = 24

  // MARK: Close codes (§7.4.1 and IANA's registry)

  public static let normal: UInt16 = 1000
  public static let goingAway: UInt16 = 1001
  public static let protocolError: UInt16 = 1002
  /// A close frame without a code: never sent.
  public static let absent: UInt16 = 1005
  /// The connection broke without a close frame: never sent.
  public static let broken: UInt16 = 1006
  public static let invalidPayload: UInt16 = 1007
  public static let policy: UInt16 = 1008
  public static let tooBig: UInt16 = 1009
  public static let internalError: UInt16 = 1011
  public static let restart: UInt16 = 1012

  /// A code that a close frame may carry.
  public static func isSendable(_ code: UInt16) -> Bool {
    switch code {
    case 1000...1003, 1007...1014, 3000...4999: true
    default: false
    }
  }
}

/// What a frame carries (RFC 6455 §5.2).
@frozen public enum WebSocketOpcode: UInt8, Sendable {
  case continuation = 0
  case text = 1
  case binary = 2
  case close = 8
  case ping = 9
  case pong = 10

  /// Close, ping or pong (§5.5).
  @inlinable public var isControl: Bool { rawValue >= 8 }
}
