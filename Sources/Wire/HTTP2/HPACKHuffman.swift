/// The Huffman code of HPACK (RFC 7541 §5.2, appendix B). It is canonical: only the lengths of its codes have
/// to be written down.
enum HPACKHuffman {
  /// The length of the code of each symbol, the end of a string last: one letter each, "A" for 5 bits.
  private static let lengths: StaticString = """
    ISXXXXXXXTZXXZXXXXXXXXZXXXXXXXXXBFFHIBDGFFDGDBBBAAABBBBBBBCDKBHF\
    IBCCCCCCCCCCCCCCCCCCCCCCDCDIOIJBKABABABBBACCBBBABCBAABCCCCCKGJIX\
    PRPPRRRSRSSSSSTSTTRSTSSSSQRSRSSTRQPRRSSQSRRTQRSSQQRQSRSSPRRRSRRS\
    VVPORSRUVVVWWVTUOQVWWVWTQQVVXWWWPTPQRQQSRRUUTTVSVWVVWWWWWXWWWWWV\
    Z
    """
  private static let symbols = 257
  private static let endOfString = 256
  private static let longest = 30

  /// Tables that are computed once from the lengths.
  struct Tables {
    /// The code of each symbol, and its length in bits.
    let codes: UnsafePointer<(code: UInt32, length: UInt8)>
    /// For the next eight bits, the symbol whose code fits in them, with its length above it; 0 if there is
    /// none.
    let short: UnsafePointer<UInt16>
    /// All symbols by their codes.
    let order: UnsafePointer<UInt16>
    /// For each length the first code, and how many symbols come before it in `order`.
    let first: UnsafePointer<(code: UInt32, place: Int, count: Int)>
  }

  // Written once, read by anybody.
  nonisolated(unsafe) static let tables = make()

  private static func make() -> Tables {
    let codes = UnsafeMutablePointer<(code: UInt32, length: UInt8)>.allocate(capacity: symbols)
    let short = UnsafeMutablePointer<UInt16>.allocate(capacity: 256)
    let order = UnsafeMutablePointer<UInt16>.allocate(capacity: symbols)
    let first = UnsafeMutablePointer<(code: UInt32, place: Int, count: Int)>.allocate(capacity: longest + 1)
    short.initialize(repeating: 0, count: 256)
    var (code, place): (UInt32, Int) = (0, 0)
    for length in 0...longest {
      code <<= 1
      let start = (code: code, place: place)
      for symbol in 0..<symbols where Int(lengths.utf8Start[symbol]) - 0x41 + 5 == length {
        (codes + symbol).initialize(to: (code, UInt8(length)))
        (order + place).initialize(to: UInt16(symbol))
        if length <= 8 {
          let from = Int(code) << (8 - length)
          for index in from..<(from + 1 << (8 - length)) { short[index] = UInt16(length << 8 | symbol) }
        }
        code += 1
        place += 1
      }
      (first + length).initialize(to: (start.code, start.place, place - start.place))
    }
    return Tables(
      codes: UnsafePointer(codes), short: UnsafePointer(short), order: UnsafePointer(order),
      first: UnsafePointer(first))
  }

  /// Appends the decoded string; at most 8/5 of its bytes.
  ///
  /// - Throws: `.huffmanMalformed` for the end-of-string code in it, and for padding of more than seven bits
  ///   or with bits other than ones (§5.2).
  static func decode(
    _ text: UnsafeRawBufferPointer, _ tables: Tables, into out: inout ByteBuffer
  ) throws(HPACKError) {
    out.reserve(text.count &* 8 / 5 &+ 1)
    let start = out.tail.assumingMemoryBound(to: UInt8.self)
    var (bits, count, position, written): (UInt64, Int, Int, Int) = (0, 0, 0, 0)
    while true {
      while count <= 56, position < text.count {
        bits |= UInt64(text[position]) << UInt64(56 &- count)
        count &+= 8
        position &+= 1
      }
      if count == 0 { break }
      // Ones after the end, as in padding.
      let next = count < 64 ? bits | UInt64.max >> UInt64(count) : bits
      let found = tables.short[Int(next >> 56)]
      var (symbol, length) = (Int(found & 0xff), Int(found >> 8))
      if length == 0 { (symbol, length) = long(next, tables) }
      if length > count {
        guard position == text.count, count < 8, next == .max else { throw .huffmanMalformed }
        break
      }
      guard symbol != endOfString else { throw .huffmanMalformed }
      start[written] = UInt8(truncatingIfNeeded: symbol)
      written &+= 1
      bits <<= UInt64(length)
      count &-= length
    }
    out.commit(written)
  }

  /// The symbol whose code of more than eight bits comes next. Any bits give one.
  private static func long(_ bits: UInt64, _ tables: Tables) -> (symbol: Int, length: Int) {
    var length = 9
    while length < longest {
      let code = UInt32(truncatingIfNeeded: bits >> UInt64(64 &- length))
      let first = tables.first[length]
      if code >= first.code, Int(code - first.code) < first.count {
        return (Int(tables.order[first.place &+ Int(code - first.code)]), length)
      }
      length &+= 1
    }
    let first = tables.first[longest]
    let code = UInt32(truncatingIfNeeded: bits >> UInt64(64 &- longest))
    return (Int(tables.order[first.place &+ Int(code - first.code)]), longest)
  }

  /// The length of the coded string in bytes.
  static func count(_ text: UnsafeRawBufferPointer) -> Int {
    let codes = tables.codes
    var bits = 0
    for byte in text { bits &+= Int(codes[Int(byte)].length) }
    return (bits &+ 7) / 8
  }

  /// Appends the coded string.
  static func encode(_ text: UnsafeRawBufferPointer, into out: inout ByteBuffer) {
    let codes = tables.codes
    out.reserve(text.count &* 4 &+ 8)
    var (bits, count): (UInt64, Int) = (0, 0)
    for byte in text {
      let (code, length) = codes[Int(byte)]
      bits = bits << UInt64(length) | UInt64(code)
      count &+= Int(length)
      while count >= 8 {
        count &-= 8
        out.append(UInt8(truncatingIfNeeded: bits >> UInt64(count)))
      }
    }
    guard count > 0 else { return }
    out.append(UInt8(truncatingIfNeeded: bits << UInt64(8 &- count)) | UInt8(0xff) >> UInt8(count))
  }
}
