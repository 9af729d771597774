// An operator's regular expression, for the options that choose files and requests. The part of the common
// syntax that configurations use: . [] \d \w \s ^ $ | () (?:) (?i) * + ? {m,n} and *? +?. It is tried at
// every place of a text at once (Thompson; groups as Pike does it), so that no pattern takes longer than its
// length for each byte. docs/decisions/007-own-patterns.md says why.

/// A regular expression; it matches a text if it matches a part of it.
public struct Pattern: Sendable, Equatable {
  /// The text as written.
  public let text: String
  /// Groups in round brackets.
  public let groups: Int
  private let program: [Step]
  /// The only text that it matches, if there is just one: true for most patterns in configurations.
  private let literal: [UInt8]?

  enum Step: Sendable, Equatable {
    case bytes(Set256)
    /// The first one is tried first.
    case either(Int, Int)
    /// A group begins (2n) or ends (2n + 1).
    case border(Int)
    case begin, end, match
  }

  /// The most steps of a pattern: its cost per byte.
  private static let longest = 4096

  /// Reads a pattern. Throws `.badPattern`.
  public init(_ text: String) throws(ValueError) {
    self.text = text
    var reader = PatternReader(rest: Array(text.utf8)[...], text: text)
    let tree = try reader.alternatives()
    if !reader.rest.isEmpty { throw .badPattern(text) }
    groups = reader.groups
    var emitter = PatternEmitter(longest: Self.longest)
    emitter.emit(tree)
    guard let program = emitter.program else { throw .badPattern(text) }
    self.program = program
    literal = Pattern.literal(program)
  }

  /// The bytes of a pattern that consists only of these; nil for any other.
  private static func literal(_ program: [Step]) -> [UInt8]? {
    var bytes: [UInt8] = []
    for step in program {
      switch step {
      case .bytes(let set):
        guard let byte = set.only else { return nil }
        bytes.append(byte)
      case .border, .match: continue
      case .either, .begin, .end: return nil
      }
    }
    return bytes
  }

  /// Whether it matches a part of the text.
  public func matches(_ bytes: UnsafeRawBufferPointer) -> Bool {
    if let literal { return Pattern.contains(bytes, literal) }
    // Two lists of steps, where each was seen last, and steps to look at, each of which adds at most two.
    return withUnsafeTemporaryAllocation(of: Int32.self, capacity: 5 * program.count + 2) { room in
      room.initialize(repeating: -1)
      return program.withUnsafeBufferPointer { program in
        PatternScan(program, bytes, room).run()
      }
    }
  }

  private static func contains(_ bytes: UnsafeRawBufferPointer, _ literal: [UInt8]) -> Bool {
    guard let first = literal.first else { return true }
    guard bytes.count >= literal.count else { return false }
    return (0...(bytes.count - literal.count)).contains { place in
      bytes[place] == first && bytes[place..<(place + literal.count)].elementsEqual(literal)
    }
  }

  /// Where it first matches the text, as in Perl: the whole match, then each group, nil for one that had no
  /// part in it; nil for no match.
  public func match(_ bytes: UnsafeRawBufferPointer) -> [Range<Int>?]? {
    var search = PatternSearch(program, groups: groups, bytes)
    return search.run()
  }

  // MARK: Compiling

  indirect enum Tree {
    case empty, begin, end
    case bytes(Set256)
    case all([Tree])
    case any([Tree])
    case group(Int, Tree)
    case times(Tree, Int, Int?, isLazy: Bool)
  }
}

/// A search that only tells whether there is a match.
private struct PatternScan {
  private let program: UnsafeBufferPointer<Pattern.Step>
  private let bytes: UnsafeRawBufferPointer
  private let room: UnsafeMutableBufferPointer<Int32>
  /// Where each step was looked at last.
  private let seen: UnsafeMutablePointer<Int32>
  private let stack: UnsafeMutablePointer<Int32>

  /// Steps that wait for the byte at a place.
  private struct Steps {
    let base: UnsafeMutablePointer<Int32>
    var count = 0
  }

  init(
    _ program: UnsafeBufferPointer<Pattern.Step>, _ bytes: UnsafeRawBufferPointer,
    _ room: UnsafeMutableBufferPointer<Int32>
  ) {
    let (base, count) = (room.baseAddress!, program.count)
    (self.program, self.bytes, self.room) = (program, bytes, room)
    (seen, stack) = (base + 2 * count, base + 3 * count)
  }

  func run() -> Bool {
    let base = room.baseAddress!
    var (current, next) = (Steps(base: base), Steps(base: base + program.count))
    for place in 0...bytes.count {
      if add(0, at: place, &current) { return true }
      if place == bytes.count { return false }
      if current.count == 0, case .begin = program[0] { return false }
      next.count = 0
      for index in 0..<current.count {
        let step = Int(current.base[index])
        guard case .bytes(let set) = program[step], set.contains(bytes[place]) else { continue }
        if add(step + 1, at: place + 1, &next) { return true }
      }
      swap(&current, &next)
    }
    return false
  }

  /// Adds a step and what follows it without a byte; true if that is a match.
  private func add(_ start: Int, at place: Int, _ steps: inout Steps) -> Bool {
    var depth = 1
    stack[0] = Int32(start)
    while depth > 0 {
      depth -= 1
      let step = Int(stack[depth])
      if seen[step] == Int32(truncatingIfNeeded: place) { continue }
      seen[step] = Int32(truncatingIfNeeded: place)
      switch program[step] {
      case .match: return true
      case .either(let first, let second):
        (stack[depth], stack[depth + 1]) = (Int32(second), Int32(first))
        depth += 2
      case .border: push(step + 1, &depth)
      case .begin: if place == 0 { push(step + 1, &depth) }
      case .end: if place == bytes.count { push(step + 1, &depth) }
      case .bytes:
        steps.base[steps.count] = Int32(step)
        steps.count += 1
      }
    }
    return false
  }

  private func push(_ step: Int, _ depth: inout Int) {
    stack[depth] = Int32(step)
    depth += 1
  }
}

/// A search that records where groups begin and end: it keeps the ways in which a pattern may go on, in the
/// order in which Perl would try them, each with its borders.
private struct PatternSearch {
  private let program: [Pattern.Step]
  private let bytes: UnsafeRawBufferPointer
  /// Borders of a way: two for the whole match and two for each group; -1 if there is none.
  private let width: Int
  private var seen: [Int]
  /// The borders of the current way.
  private var borders: [Int]
  private var stack: [Task] = []

  private struct Ways {
    var steps: [Int] = []
    var borders: [Int] = []
  }

  private enum Task {
    case visit(Int)
    case restore(Int, Int)
  }

  init(_ program: [Pattern.Step], groups: Int, _ bytes: UnsafeRawBufferPointer) {
    (self.program, self.bytes, width) = (program, bytes, 2 * groups + 2)
    seen = [Int](repeating: -1, count: program.count)
    borders = [Int](repeating: -1, count: width)
  }

  mutating func run() -> [Range<Int>?]? {
    var found: [Int]?
    var (current, next) = (Ways(), Ways())
    for place in 0...bytes.count {
      if found == nil {
        for index in 0..<width { borders[index] = -1 }
        borders[0] = place
        add(0, at: place, &current)
      }
      if current.steps.isEmpty, found != nil || program[0] == .begin { break }
      next.steps.removeAll(keepingCapacity: true)
      next.borders.removeAll(keepingCapacity: true)
      ways: for (index, step) in current.steps.enumerated() {
        switch program[step] {
        case .match:
          found = Array(current.borders[(index * width)..<((index + 1) * width)])
          found?[1] = place
          // Those after it would have been tried later.
          break ways
        case .bytes(let set) where place < bytes.count && set.contains(bytes[place]):
          for border in 0..<width { borders[border] = current.borders[index * width + border] }
          add(step + 1, at: place + 1, &next)
        default: break
        }
      }
      swap(&current, &next)
    }
    guard let found else { return nil }
    return (0..<(width / 2)).map { found[2 * $0 + 1] < 0 ? nil : found[2 * $0]..<found[2 * $0 + 1] }
  }

  /// Adds a step and what follows it without a byte, in the order in which they are tried.
  private mutating func add(_ start: Int, at place: Int, _ ways: inout Ways) {
    stack.append(.visit(start))
    while let task = stack.popLast() {
      switch task {
      case .restore(let border, let value): borders[border] = value
      case .visit(let step):
        if seen[step] == place { continue }
        seen[step] = place
        switch program[step] {
        case .match, .bytes:
          ways.steps.append(step)
          ways.borders += borders
        case .either(let first, let second): stack += [.visit(second), .visit(first)]
        case .border(let border):
          stack += [.restore(border, borders[border]), .visit(step + 1)]
          borders[border] = place
        case .begin: if place == 0 { stack.append(.visit(step + 1)) }
        case .end: if place == bytes.count { stack.append(.visit(step + 1)) }
        }
      }
    }
  }
}
