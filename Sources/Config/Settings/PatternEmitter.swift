// The tree of a pattern -> the steps of its program.

/// Makes the steps, and stops when a pattern becomes too long: nested repetitions are short to write and
/// could be endless, even if they repeat nothing.
struct PatternEmitter {
  private let longest: Int
  private var steps: [Pattern.Step] = []
  /// Trees that may still be visited.
  private var visits: Int

  init(longest: Int) { (self.longest, visits) = (longest, 16 * longest) }

  /// The program; nil for one that is too long.
  var program: [Pattern.Step]? {
    visits < 0 || steps.count >= longest ? nil : steps + [.match]
  }

  mutating func emit(_ tree: Pattern.Tree) {
    visits -= 1
    // A pattern that is too long is refused at the end.
    if visits < 0 || steps.count > longest { return }
    switch tree {
    case .empty: break
    case .begin: steps.append(.begin)
    case .end: steps.append(.end)
    case .bytes(let set): steps.append(.bytes(set))
    case .all(let trees): for tree in trees { emit(tree) }
    case .any(let trees): emitAny(trees)
    case .group(let number, let tree):
      steps.append(.border(2 * number))
      emit(tree)
      steps.append(.border(2 * number + 1))
    case .times(let tree, let least, let most, let isLazy): emit(tree, least, most, isLazy)
    }
  }

  private mutating func emit(_ tree: Pattern.Tree, _ least: Int, _ most: Int?, _ isLazy: Bool) {
    for _ in 0..<least { emit(tree) }
    guard let most else {
      let start = steps.count
      steps.append(.match)
      emit(tree)
      steps.append(.either(start, start))
      return choose(start, isLazy)
    }
    var starts: [Int] = []
    for _ in least..<max(least, most) {
      starts.append(steps.count)
      steps.append(.match)
      emit(tree)
    }
    for start in starts { choose(start, isLazy) }
  }

  /// At this step either what follows it is tried, or what comes after all of it.
  private mutating func choose(_ start: Int, _ isLazy: Bool) {
    steps[start] = isLazy ? .either(steps.count, start + 1) : .either(start + 1, steps.count)
  }

  private mutating func emitAny(_ trees: [Pattern.Tree]) {
    var jumps: [Int] = []
    for tree in trees.dropLast() {
      let start = steps.count
      steps.append(.match)
      emit(tree)
      jumps.append(steps.count)
      steps.append(.match)
      steps[start] = .either(start + 1, steps.count)
      if visits < 0 || steps.count > longest { return }
    }
    if let last = trees.last { emit(last) }
    for jump in jumps { steps[jump] = .either(steps.count, steps.count) }
  }
}
