// Random choices that can be repeated: a failure prints its seed, ready to be pasted.

/// SplitMix64.
public struct SeededRandom: RandomNumberGenerator, Sendable {
  private var state: UInt64

  public init(_ seed: UInt64) { state = seed }

  public mutating func next() -> UInt64 {
    state &+= 0x9e37_79b9_7f4a_7c15
    var mixed = state
    mixed = (mixed ^ (mixed >> 30)) &* 0xbf58_476d_1ce4_e5b9
    mixed = (mixed ^ (mixed >> 27)) &* 0x94d0_49bb_1331_11eb
    return mixed ^ (mixed >> 31)
  }

  /// Sizes of pieces, mostly small, that make up `count` bytes.
  public mutating func pieces(of count: Int) -> [Int] {
    var pieces: [Int] = []
    var left = count
    while left > 0 {
      let piece = min(left, Int.random(in: 1...(Bool.random(using: &self) ? 4 : 64), using: &self))
      pieces.append(piece)
      left -= piece
    }
    return pieces
  }
}

extension SeededRandom {
  /// Any byte.
  public mutating func byte() -> UInt8 { UInt8(truncatingIfNeeded: next()) }
}
