// Bodies that tell by their checksum whether a byte was lost, doubled or moved.
import Foundation

/// Test bodies and the checksum that apps/environ prints. Tests/Fixtures/apps/blob.c makes the same bytes.
public enum TestBody {
  private static let blockBytes = 1 << 20

  /// One MiB with every byte value in it and no short period.
  private static let block = [UInt8](unsafeUninitializedCapacity: blockBytes) { buffer, initialized in
    var state: UInt64 = 0x9e37_79b9_7f4a_7c15
    for index in 0..<blockBytes {
      state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
      buffer[index] = UInt8(truncatingIfNeeded: state >> 33)
    }
    initialized = blockBytes
  }

  /// The first `count` bytes of an endless body: the block again and again, its first eight bytes its
  /// number.
  public static func bytes(_ count: Int) -> [UInt8] {
    var all: [UInt8] = []
    all.reserveCapacity(count)
    var number: UInt64 = 0
    while all.count < count {
      let numbered = (0..<8).map { UInt8(truncatingIfNeeded: number >> (8 * UInt64($0))) } + block[8...]
      all += numbered.prefix(count - all.count)
      number += 1
    }
    return all
  }

  /// FNV-1a, 64 bits, in hexadecimal.
  public static func checksum(_ bytes: [UInt8]) -> String {
    var hash: UInt64 = 0xcbf2_9ce4_8422_2325
    bytes.withUnsafeBufferPointer { buffer in
      for byte in buffer { hash = (hash ^ UInt64(byte)) &* 0x0000_0100_0000_01b3 }
    }
    return String(hash, radix: 16)
  }
}
