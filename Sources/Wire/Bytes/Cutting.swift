// Bytes that are written in one piece, and sent in several pieces with a header each.

extension ByteBuffer {
  /// A piece of what was cut.
  struct Piece {
    let count: Int
    let isFirst: Bool
    let isLast: Bool
  }

  /// Cuts everything after `mark` into pieces of at most `most` bytes, each preceded by a header of its own.
  /// The first header has its place already; for the others the bytes move up, from the last piece to the
  /// first.
  ///
  /// - Parameter write: writes the header of a piece to its place.
  @inline(__always)
  mutating func cut(
    behind mark: Int, header: Int, most: Int, write: (Piece, UnsafeMutableRawPointer) -> Void
  ) {
    let size = count - mark - header
    let further = max(0, (size - 1) / most)
    if further > 0 {
      reserve(further * header)
      commit(further * header)
    }
    let first = base! + mark
    for piece in stride(from: further, through: 0, by: -1) {
      let count = min(size - piece * most, most)
      let place = first + piece * (most + header)
      if piece > 0 { (place + header).copyMemory(from: first + header + piece * most, byteCount: count) }
      write(Piece(count: count, isFirst: piece == 0, isLast: piece == further), place)
    }
  }
}
