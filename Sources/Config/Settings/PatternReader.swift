// The text of a pattern -> a tree.

/// Reads the text of a pattern.
struct PatternReader {
  var rest: ArraySlice<UInt8>
  let text: String
  /// How many groups have begun.
  var groups = 0
  private var ignoresCase = false
  /// Open brackets, and repetitions of repetitions.
  private var depth = 0

  /// How deep they may be nested. Precedent: PCRE2's default is 250; each takes a piece of the stack.
  private static let deepest = 64

  init(rest: ArraySlice<UInt8>, text: String) { (self.rest, self.text) = (rest, text) }

  private func bad() -> ValueError { .badPattern(text) }

  private mutating func take(_ byte: Character) -> Bool {
    guard rest.first == byte.asciiValue else { return false }
    rest.removeFirst()
    return true
  }

  mutating func alternatives() throws(ValueError) -> Pattern.Tree {
    var trees = [try sequence()]
    while take("|") { trees.append(try sequence()) }
    return .any(trees)
  }

  private mutating func sequence() throws(ValueError) -> Pattern.Tree {
    var trees: [Pattern.Tree] = []
    while let byte = rest.first, byte != 0x7c, byte != 0x29 {
      trees.append(try repeated(try atom()))
    }
    return .all(trees)
  }

  private mutating func repeated(_ tree: Pattern.Tree) throws(ValueError) -> Pattern.Tree {
    var tree = tree
    var repetitions = 0
    while let (least, most) = try repetition() {
      repetitions += 1
      if depth + repetitions > Self.deepest { throw bad() }
      tree = .times(tree, least, most, isLazy: take("?"))
    }
    return tree
  }

  /// How often the preceding element may occur; nil if no repetition is given.
  private mutating func repetition() throws(ValueError) -> (Int, Int?)? {
    if take("*") { return (0, nil) }
    if take("+") { return (1, nil) }
    if take("?") { return (0, 1) }
    guard rest.first == 0x7b else { return nil }
    guard let end = rest.firstIndex(of: 0x7d) else { throw bad() }
    let parts = rest[(rest.startIndex + 1)..<end].split(separator: 0x2c, omittingEmptySubsequences: false)
    rest = rest[(end + 1)...]
    let numbers = parts.map { Int(String(decoding: $0, as: UTF8.self)) }
    guard let least = numbers[0], (0...255).contains(least), numbers.count <= 2 else { throw bad() }
    if numbers.count == 1 { return (least, least) }
    if parts[1].isEmpty { return (least, nil) }
    guard let most = numbers[1], most >= least, most <= 255 else { throw bad() }
    return (least, most)
  }

  private mutating func atom() throws(ValueError) -> Pattern.Tree {
    switch rest.removeFirst() {
    case UInt8(ascii: "^"): return .begin
    case UInt8(ascii: "$"): return .end
    case UInt8(ascii: "."): return .bytes(Set256(0...9, 11...255))
    case UInt8(ascii: "["): return .bytes(try brackets())
    case UInt8(ascii: "("): return try group()
    case UInt8(ascii: "\\"): return .bytes(folded(try escaped()))
    case UInt8(ascii: "*"), UInt8(ascii: "+"), UInt8(ascii: "?"): throw bad()
    case let byte: return .bytes(folded(Set256(byte...byte)))
    }
  }

  private func folded(_ set: Set256) -> Set256 { ignoresCase ? set.foldingCase : set }

  private mutating func group() throws(ValueError) -> Pattern.Tree {
    guard take("?") else { return try numbered() }
    if take("i") {
      guard take(")") else { throw bad() }
      ignoresCase = true
      return .empty
    }
    if take(":") { return try closed() }
    // (?<name>…) and (?P<name>…) are ordinary groups; (?<=…) and (?<!…) look back.
    _ = take("P")
    guard take("<"), let end = rest.firstIndex(of: UInt8(ascii: ">")), end > rest.startIndex,
      rest[..<end].allSatisfy({ Ascii.isLetter($0) || Ascii.isDigit($0) || $0 == Ascii.underscore })
    else { throw bad() }
    rest = rest[(end + 1)...]
    return try numbered()
  }

  private mutating func numbered() throws(ValueError) -> Pattern.Tree {
    groups += 1
    let number = groups
    return .group(number, try closed())
  }

  private mutating func closed() throws(ValueError) -> Pattern.Tree {
    depth += 1
    guard depth <= Self.deepest else { throw bad() }
    let tree = try alternatives()
    guard take(")") else { throw bad() }
    depth -= 1
    return tree
  }

  private mutating func escaped() throws(ValueError) -> Set256 {
    guard let byte = rest.popFirst() else { throw bad() }
    let word = Set256(0x30...0x39, 0x41...0x5a, 0x61...0x7a, 0x5f...0x5f)
    switch byte {
    case UInt8(ascii: "d"): return Set256(0x30...0x39)
    case UInt8(ascii: "D"): return Set256(0x30...0x39).inverted
    case UInt8(ascii: "w"): return word
    case UInt8(ascii: "W"): return word.inverted
    case UInt8(ascii: "s"): return Set256(0x09...0x0d, 0x20...0x20)
    case UInt8(ascii: "S"): return Set256(0x09...0x0d, 0x20...0x20).inverted
    case UInt8(ascii: "t"): return Set256(0x09...0x09)
    case UInt8(ascii: "n"): return Set256(0x0a...0x0a)
    case UInt8(ascii: "r"): return Set256(0x0d...0x0d)
    // Other letters and digits mean something that is not supported: borders, back references.
    case 0x30...0x39, 0x41...0x5a, 0x61...0x7a: throw bad()
    default: return Set256(byte...byte)
    }
  }

  private mutating func brackets() throws(ValueError) -> Set256 {
    let isInverted = take("^")
    var set = Set256()
    var isFirst = true
    while let byte = rest.popFirst() {
      if byte == 0x5d, !isFirst { return isInverted ? folded(set).inverted : folded(set) }
      isFirst = false
      if byte == 0x5c {
        set.formUnion(try escaped())
        continue
      }
      // [:alpha:] and the like are not supported.
      if byte == 0x5b, [0x3a, 0x2e, 0x3d].contains(rest.first) { throw bad() }
      if rest.first == 0x2d, let last = rest.dropFirst().first, last != 0x5d {
        rest = rest.dropFirst(2)
        guard last >= byte else { throw bad() }
        set.insert(byte...last)
      } else {
        set.insert(byte...byte)
      }
    }
    throw bad()
  }
}

/// A set of bytes.
struct Set256: Sendable, Equatable {
  private var words = SIMD4<UInt64>()

  init(_ ranges: ClosedRange<UInt8>...) { for range in ranges { insert(range) } }

  mutating func insert(_ range: ClosedRange<UInt8>) {
    for byte in range { words[Int(byte >> 6)] |= 1 << UInt64(byte & 63) }
  }

  mutating func formUnion(_ other: Set256) { words |= other.words }

  /// All other bytes.
  var inverted: Set256 {
    var result = self
    result.words = ~words
    return result
  }

  func contains(_ byte: UInt8) -> Bool { words[Int(byte >> 6)] >> UInt64(byte & 63) & 1 == 1 }

  /// Its only byte; nil for none or several.
  var only: UInt8? {
    let all = (UInt8.min...UInt8.max).filter(contains)
    return all.count == 1 ? all[0] : nil
  }

  /// The set with both cases of its letters.
  var foldingCase: Set256 {
    var result = self
    for upper in UInt8(0x41)...0x5a where contains(upper) || contains(upper | 0x20) {
      result.insert(upper...upper)
      result.insert((upper | 0x20)...(upper | 0x20))
    }
    return result
  }
}
