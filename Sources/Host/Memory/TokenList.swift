/// Connections in the order in which they came, by their tokens. Plain memory, like the block pool's: an
/// array checks its uniqueness at each change, and is emptied by a general replacement.
struct TokenList: ~Copyable {
  private var tokens: UnsafeMutablePointer<Token>
  private var capacity = 64
  private(set) var count = 0

  init() { tokens = .allocate(capacity: capacity) }

  deinit { tokens.deallocate() }

  @inline(__always)
  var isEmpty: Bool { count == 0 }

  @inline(__always)
  var indices: Range<Int> { 0..<count }

  /// - Parameter index: one of `indices`.
  @inline(__always)
  subscript(index: Int) -> Token { tokens[index] }

  @inline(__always)
  mutating func append(_ token: Token) {
    if count == capacity { grow() }
    (tokens + count).initialize(to: token)
    count &+= 1
  }

  /// Forgets them all, and keeps the memory.
  @inline(__always)
  mutating func removeAll() { count = 0 }

  /// Forgets those for whose index `stays` is false.
  mutating func keep(_ stays: [Bool]) {
    var kept = 0
    for index in 0..<count where stays[index] {
      tokens[kept] = tokens[index]
      kept += 1
    }
    count = kept
  }

  @inline(never)
  private mutating func grow() {
    let more = UnsafeMutablePointer<Token>.allocate(capacity: capacity * 2)
    more.moveInitialize(from: tokens, count: count)
    tokens.deallocate()
    (tokens, capacity) = (more, capacity * 2)
  }
}
