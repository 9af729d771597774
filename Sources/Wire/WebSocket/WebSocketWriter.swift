/// Writes the frames of a server, which have no mask (RFC 6455 §5.1).
public enum WebSocketWriter {
  /// The most bytes of a head.
  public static let headBytes = 10

  /// Writes the head of a frame that is a message of its own, or a control frame.
  ///
  /// - Parameters:
  ///   - count: bytes of its payload.
  ///   - to: a place with room for `headBytes`.
  /// - Returns: bytes written.
  public static func head(
    _ opcode: WebSocketOpcode, isCompressed: Bool = false, _ count: Int, to: UnsafeMutableRawPointer
  ) -> Int {
    let first = 0x80 | (isCompressed ? 0x40 : 0) | opcode.rawValue
    to.storeBytes(of: first, as: UInt8.self)
    switch count {
    case ..<126:
      to.storeBytes(of: UInt8(count), toByteOffset: 1, as: UInt8.self)
      return 2
    case ...0xffff:
      to.storeBytes(of: 126, toByteOffset: 1, as: UInt8.self)
      to.storeBytes(of: UInt16(count).bigEndian, toByteOffset: 2, as: UInt16.self)
      return 4
    default:
      to.storeBytes(of: 127, toByteOffset: 1, as: UInt8.self)
      to.storeBytes(of: UInt64(count).bigEndian, toByteOffset: 2, as: UInt64.self)
      return 10
    }
  }

  /// Appends a frame.
  public static func write(
    _ opcode: WebSocketOpcode, isCompressed: Bool = false, _ payload: UnsafeRawBufferPointer,
    into out: inout ByteBuffer
  ) {
    out.reserve(headBytes + payload.count)
    out.commit(head(opcode, isCompressed: isCompressed, payload.count, to: out.tail))
    out.append(payload)
  }

  /// Appends a close frame: without a payload for a code that must not be sent (§7.4.1). Cuts a reason that
  /// is too long after a whole character.
  public static func close(_ code: UInt16, _ reason: UnsafeRawBufferPointer, into out: inout ByteBuffer) {
    guard WebSocketGrammar.isSendable(code) else { return write(.close, .none, into: &out) }
    var count = min(reason.count, WebSocketGrammar.reasonBytes)
    if count < reason.count { while count > 0, reason[count] & 0xc0 == 0x80 { count -= 1 } }
    out.reserve(headBytes + 2 + count)
    out.commit(head(.close, 2 + count, to: out.tail))
    out.append(UInt8(truncatingIfNeeded: code >> 8))
    out.append(UInt8(truncatingIfNeeded: code))
    out.append(UnsafeRawBufferPointer(rebasing: reason[..<count]))
  }
}
