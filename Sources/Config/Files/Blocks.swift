// `if-…`, `for…` and their ends: keys that decide about the keys after them, as in uWSGI. `%(_)` in a block
// is what its condition looked at, or the value of the loop's turn.

/// What an opening key tests or repeats.
enum BlockKind: String, CaseIterable {
  case ifEnv = "if-env"
  case ifNotEnv = "if-not-env"
  case ifExists = "if-exists"
  case ifNotExists = "if-not-exists"
  case ifFile = "if-file"
  case ifNotFile = "if-not-file"
  case ifDir = "if-dir"
  case ifNotDir = "if-not-dir"
  case ifOpt = "if-opt"
  case ifNotOpt = "if-not-opt"
  case ifPlugin = "if-plugin"
  case ifNotPlugin = "if-not-plugin"
  case ifHostname = "if-hostname"
  case ifNotHostname = "if-not-hostname"
  case ifReload = "if-reload"
  case ifNotReload = "if-not-reload"
  case loop = "for"
  case loopTimes = "for-times"
  case loopGlob = "for-glob"
  case loopLines = "for-readline"

  private static let others: [String: BlockKind] = [
    "ifenv": .ifEnv, "ifexists": .ifExists, "ifdir": .ifDir, "if-directory": .ifDir,
    "ifplugin": .ifPlugin,
  ]
  private static let ends: Set<String> = ["end", "endif", "end-if", "endfor", "end-for"]

  init?(key: String) {
    guard let kind = BlockKind(rawValue: key) ?? Self.others[key] else { return nil }
    self = kind
  }

  static func isEnd(_ key: String) -> Bool { ends.contains(key) }

  var isLoop: Bool { rawValue.hasPrefix("for") }
  /// The key that closes it.
  var end: String { isLoop ? "endfor" : "endif" }
}

/// An open block: its keys count once for each of `turns`, which replaces `%(_)`.
struct Block {
  let kind: BlockKind
  let origin: Origin
  let turns: [String]
  /// The turns are those of the blocks around it too, because what opens it has their `%(_)`.
  var standsForAll = false
}

/// The open blocks at one place of a file, the outermost first.
struct Blocks {
  /// The most turns of a loop. No precedent: uWSGI has no bound.
  static let turnsMaximum = 10_000

  private(set) var open: [Block] = []

  mutating func begin(_ block: Block) { open.append(block) }

  /// Whether there was one to end.
  mutating func end() -> Bool { open.popLast() != nil }

  /// Keys in the innermost block do not count: a condition does not hold, or a loop has no turn.
  var isSkipped: Bool { open.contains { $0.turns.isEmpty } }

  /// The values that a key in the innermost block gets: none if a condition does not hold.
  func values(
    of value: String?, _ budget: ReadingBudget, _ place: @autoclosure () -> String
  ) throws(ConfigError) -> [String?] {
    if isSkipped { return [] }
    var values = [value]
    for block in open.reversed() {
      try budget.check(keys: values.count * block.turns.count, bytes: 0, place())
      var next: [String?] = []
      var bytes = 0
      for turn in block.turns {
        for value in values {
          bytes += value.map { Self.size($0, turn) } ?? 0
          try budget.check(keys: 0, bytes: bytes, place())
          next.append(value.map { Self.replacing($0, turn) })
        }
      }
      values = next
      if block.standsForAll { break }
    }
    return values
  }

  fileprivate static let mark = "%(_)"

  /// Bytes of a value in this turn.
  private static func size(_ value: String, _ turn: String) -> Int {
    var (rest, count) = (value[...], 0)
    while let found = rest.range(ofBytes: mark) {
      count += 1
      rest = rest[found.upperBound...]
    }
    return value.utf8.count + count * turn.utf8.count
  }

  private static func replacing(_ value: String, _ turn: String) -> String {
    var result = ""
    var rest = value[...]
    while let found = rest.range(ofBytes: mark) {
      result += rest[..<found.lowerBound] + turn
      rest = rest[found.upperBound...]
    }
    return result + rest
  }
}

extension ConfigReader {
  /// The block that a key opens. If its value has `%(_)`, each turn of the blocks around it has turns of its
  /// own.
  func block(
    _ kind: BlockKind, _ value: String, in blocks: Blocks, _ origin: Origin, key: String
  ) throws(ConfigError) -> Block {
    let place = Occurrence.place(key, value, origin)
    if blocks.isSkipped { return Block(kind: kind, origin: origin, turns: []) }
    guard !blocks.open.isEmpty, value.holds(Blocks.mark) else {
      return Block(kind: kind, origin: origin, turns: try turns(of: kind, value, place: place))
    }
    var all: [String] = []
    var bytes = 0
    for condition in try blocks.values(of: value, needs.budget, origin.quote(key)) {
      let turns = try turns(of: kind, condition ?? "", place: place)
      bytes += turns.reduce(0) { $0 + $1.utf8.count }
      try needs.budget.check(keys: all.count + turns.count, bytes: bytes, origin.quote(key))
      all += turns
    }
    return Block(kind: kind, origin: origin, turns: all, standsForAll: true)
  }

  /// The turns of a block: one or none for a condition.
  func turns(of kind: BlockKind, _ value: String, place: String) throws(ConfigError) -> [String] {
    switch kind {
    case .loop: return value.split(separator: " ").map(String.init)
    case .loopTimes:
      let most = Blocks.turnsMaximum
      do { return (0..<(try Value.number(value, 0...most))).map { "\($0 + 1)" } } catch {
        throw .badValue(place: place, error)
      }
    case .loopGlob:
      let found = needs.surroundings.glob(value)
      guard found.count <= Blocks.turnsMaximum else {
        throw .badValue(
          place: place,
          .rule(
            value, problem: "stands for \(found.count) files, and \(Blocks.turnsMaximum) are the most",
            fix: "write a pattern that fewer files have"))
      }
      return found
    case .loopLines:
      do {
        let text = try needs.readOther(value)
        return text.utf8.split(separator: UInt8(ascii: "\n")).map { String(Substring($0).trimmed) }
      } catch { throw .unreadable(place, value, error) }
    default:
      let (holds, seen) = condition(kind, value)
      return holds ? [seen] : []
    }
  }

  /// Whether a condition holds, and what `%(_)` stands for if it does.
  private func condition(_ kind: BlockKind, _ value: String) -> (Bool, seen: String) {
    let isDirectory = needs.surroundings.isDirectory(value)
    switch kind {
    case .ifEnv: return compare(value) { needs.environment[$0] }
    case .ifNotEnv: return negated(compare(value) { needs.environment[$0] })
    case .ifOpt: return compare(value, option)
    case .ifNotOpt: return negated(compare(value, option))
    case .ifExists: return (isDirectory || needs.isFile(value), value)
    case .ifNotExists: return (!isDirectory && !needs.isFile(value), value)
    case .ifFile: return (needs.isFile(value), value)
    case .ifNotFile: return (!needs.isFile(value), value)
    case .ifDir: return (isDirectory, value)
    case .ifNotDir: return (!isDirectory, value)
    case .ifHostname: return (needs.surroundings.hostName() == value, value)
    case .ifNotHostname: return (needs.surroundings.hostName() != value, value)
    case .ifPlugin: return (RuntimeTable.isKnown(plugin: value), value)
    case .ifNotPlugin: return (!RuntimeTable.isKnown(plugin: value), value)
    case .ifReload: return (false, value)
    default: return (true, value)
    }
  }

  /// `NAME`, or `NAME=VALUE` for one that has this value.
  private func compare(_ text: String, _ value: (String) -> String?) -> (Bool, seen: String) {
    let (name, wanted) =
      text.cut(at: Ascii.equals).map { (String($0.0), String($0.1)) } ?? (text, nil)
    guard let found = value(name) else { return (false, "") }
    return (wanted == nil || wanted == found, found)
  }

  private func negated(_ result: (Bool, seen: String)) -> (Bool, seen: String) {
    (!result.0, result.seen)
  }

  /// The value of a key that has already been read.
  private func option(_ name: String) -> String? {
    entries.first { $0.key == name }.map { $0.value ?? "" }
  }
}
