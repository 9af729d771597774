/// Where in the extensions of a chunk-size line the next byte is (RFC 9112 §7.1.1). Only their form is
/// checked; nothing of them is kept.
///
///     chunk-ext     = *( BWS ";" BWS chunk-ext-name [ BWS "=" BWS chunk-ext-val ] )
///     chunk-ext-val = token / quoted-string
enum ChunkExtension: UInt8, Sendable {
  /// After white space that a `;` must follow.
  case end
  /// After `;`: white space, or the first byte of a name.
  case nameStart
  /// In a name.
  case name
  /// After white space following a name: `=` or `;`.
  case nameEnd
  /// After `=`: white space, or the first byte of a value.
  case valueStart
  /// In a value that is a token.
  case token
  /// In a quoted string.
  case quoted
  /// After a backslash in a quoted string.
  case escaped
  /// After a quoted string.
  case quotedEnd
  /// After the CR that ends the line.
  case lineEnd

  /// The state after `byte`; nil if that is not allowed here.
  func after(_ byte: UInt8) -> ChunkExtension? {
    let isBlank = HTTP1Grammar.isBlank(byte)
    switch self {
    case .end: return isBlank ? .end : byte == HTTP1Grammar.semicolon ? .nameStart : nil
    case .nameStart: return isBlank ? .nameStart : Ascii.isToken(byte) ? .name : nil
    case .name: return Ascii.isToken(byte) ? .name : isBlank ? .nameEnd : behindName(byte)
    case .nameEnd: return isBlank ? .nameEnd : byte == HTTP1Grammar.carriageReturn ? nil : behindName(byte)
    case .valueStart:
      if byte == HTTP1Grammar.quote { return .quoted }
      return isBlank ? .valueStart : Ascii.isToken(byte) ? .token : nil
    case .token: return Ascii.isToken(byte) ? .token : behindValue(byte)
    case .quoted:
      if byte == HTTP1Grammar.quote { return .quotedEnd }
      if byte == HTTP1Grammar.backslash { return .escaped }
      return Ascii.isFieldValue(byte) ? .quoted : nil
    case .escaped: return Ascii.isFieldValue(byte) ? .quoted : nil
    case .quotedEnd: return behindValue(byte)
    case .lineEnd: return nil
    }
  }

  private func behindName(_ byte: UInt8) -> ChunkExtension? {
    byte == HTTP1Grammar.equals ? .valueStart : behindExtension(byte)
  }

  private func behindValue(_ byte: UInt8) -> ChunkExtension? {
    HTTP1Grammar.isBlank(byte) ? .end : behindExtension(byte)
  }

  private func behindExtension(_ byte: UInt8) -> ChunkExtension? {
    byte == HTTP1Grammar.semicolon ? .nameStart : byte == HTTP1Grammar.carriageReturn ? .lineEnd : nil
  }
}
