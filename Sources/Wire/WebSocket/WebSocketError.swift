/// Errors of a client on an open WebSocket; the socket is closed with its code (RFC 6455 §7.1.7).
@frozen public enum WebSocketError: Error, Equatable, CustomStringConvertible {
  /// RSV bits that no agreed extension uses (§5.2).
  case reservedBits
  /// An opcode that is not defined (§5.2).
  case reservedOpcode(UInt8)
  /// A frame of a client without a mask (§5.1).
  case unmasked
  /// A control frame in fragments (§5.5).
  case controlFragmented
  /// A control frame above 125 bytes (§5.5).
  case controlTooLong
  /// A length in more bytes than it needs, or above 63 bits (§5.2).
  case lengthMalformed
  /// A continuation without a message in progress (§5.4).
  case continuationUnexpected
  /// A message begins in the middle of another (§5.4).
  case messageUnderWay
  /// Text that is not UTF-8 (§8.1).
  case textMalformed
  /// A close frame of one byte (§5.5.1).
  case closeTooShort
  /// A close code that must not be sent (§7.4).
  case closeCode(UInt16)
  /// Bytes of a compressed message that zlib cannot read (RFC 7692 §7.2.2).
  case deflateMalformed
  /// A message above the server's limit.
  case messageTooLarge
  /// A message in more fragments than the limit.
  case tooManyFragments

  /// The code to close with.
  public var code: UInt16 {
    switch self {
    case .textMalformed, .deflateMalformed: WebSocketGrammar.invalidPayload
    case .messageTooLarge: WebSocketGrammar.tooBig
    case .tooManyFragments: WebSocketGrammar.policy
    default: WebSocketGrammar.protocolError
    }
  }

  public var description: String {
    switch self {
    case .reservedBits: "frame with reserved bits that no extension uses"
    case .reservedOpcode(let opcode): "frame with the undefined opcode \(opcode)"
    case .unmasked: "frame without a mask"
    case .controlFragmented: "control frame in fragments"
    case .controlTooLong: "control frame above 125 bytes"
    case .lengthMalformed: "frame whose length is not in its shortest form"
    case .continuationUnexpected: "continuation without a message"
    case .messageUnderWay: "message in the middle of another"
    case .textMalformed: "text is not UTF-8"
    case .closeTooShort: "close frame of one byte"
    case .closeCode(let code): "close code \(code), which must not be sent"
    case .deflateMalformed: "compressed message cannot be read"
    case .messageTooLarge: "message is above the limit"
    case .tooManyFragments: "message has more fragments than the limit"
    }
  }
}
