// Bodies that tell by their checksum whether a byte was lost, doubled or moved.
import Foundation

/// Test bodies and the checksum that apps/environ prints.
public enum TestBody {
  /// So many bytes, the same in each run, with no short period and every byte value in them.
  public static func bytes(_ count: Int) -> [UInt8] {
    [UInt8](unsafeUninitializedCapacity: count) { buffer, initialized in
      var state: UInt64 = 0x9e37_79b9_7f4a_7c15
      for index in 0..<count {
        state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
        buffer[index] = UInt8(truncatingIfNeeded: state >> 33)
      }
      initialized = count
    }
  }

  /// FNV-1a, 64 bits, in hexadecimal.
  public static func checksum(_ bytes: [UInt8]) -> String {
    var hash: UInt64 = 0xcbf2_9ce4_8422_2325
    for byte in bytes { hash = (hash ^ UInt64(byte)) &* 0x0000_0100_0000_01b3 }
    return String(hash, radix: 16)
  }
}
