/// The FNV-1a hash of 64 bits: fast, and the same in every process. It is no use against an adversary.
public enum FNV1a {
  /// The hash of nothing.
  public static let basis: UInt64 = 0xcbf2_9ce4_8422_2325

  /// The hash of the bytes; `start` is the hash of those before them.
  @inlinable
  public static func hash(_ bytes: some Sequence<UInt8>, from start: UInt64 = basis) -> UInt64 {
    var hash = start
    for byte in bytes { hash = (hash ^ UInt64(byte)) &* 0x100_0000_01b3 }
    return hash
  }
}
