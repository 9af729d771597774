/// The mask of a client's frames (RFC 6455 §5.3), removed word by word.
enum WebSocketMask {
  /// Applies `key`, whose lowest byte goes with the first of `bytes`, in place.
  ///
  /// - Returns: the key for the byte that follows.
  static func apply(_ key: UInt32, _ bytes: UnsafeMutableRawBufferPointer) -> UInt32 {
    guard let base = bytes.baseAddress, !bytes.isEmpty else { return key }
    let wide = UInt64(key) | UInt64(key) << 32
    var position = 0
    while position &+ 8 <= bytes.count {
      let word = Word.load(base, position) ^ wide
      base.storeBytes(of: word.littleEndian, toByteOffset: position, as: UInt64.self)
      position &+= 8
    }
    var rest = wide
    while position < bytes.count {
      let byte = base.load(fromByteOffset: position, as: UInt8.self) ^ UInt8(truncatingIfNeeded: rest)
      base.storeBytes(of: byte, toByteOffset: position, as: UInt8.self)
      rest >>= 8
      position &+= 1
    }
    let turn = UInt32(truncatingIfNeeded: bytes.count & 3) * 8
    return turn == 0 ? key : key >> turn | key << (32 - turn)
  }
}
