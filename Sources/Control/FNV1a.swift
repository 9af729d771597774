/// The FNV-1a hash of 64 bits: quick, and the same in every process. Against an adversary it is no use.
public enum FNV1a {
  /// Of nothing.
  public static let basis: UInt64 = 0xcbf2_9ce4_8422_2325

  /// Of the bytes; `start` is the hash of what came before them.
  @inlinable
  public static func hash(_ bytes: some Sequence<UInt8>, from start: UInt64 = basis) -> UInt64 {
    var hash = start
    for byte in bytes { hash = (hash ^ UInt64(byte)) &* 0x100_0000_01b3 }
    return hash
  }
}
