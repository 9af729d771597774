// "Did you mean": the nearest option name, word by word, so that no option with another meaning is suggested:
// `log-master` is not `no-master`. Names that uWSGI knows have a row in its table instead. Only runs when the
// start has already failed.

enum Suggestion {
  /// The nearest option as it is written on the command line; a one-letter name has none.
  static func option(for word: Substring) -> String? {
    name(for: word).map { "--" + $0 }
  }

  /// The nearest long name or alias, without dashes.
  static func name(for word: Substring) -> String? {
    let wanted = normalised(word)
    if wanted.count < 2 { return nil }
    var best: (name: String, distance: Int)?
    for name in OptionTable.all.flatMap({ [$0.name] + $0.aliases }) {
      let candidate = Array(name.utf8)
      let isStart = wanted.count >= 4 && candidate.starts(with: wanted)
      guard let distance = isStart ? 1 : distance(wanted, candidate) else { continue }
      if distance < best?.distance ?? .max { best = (name, distance) }
    }
    return best?.name
  }

  /// The distance between two names with the same number of words; nil if a word has another root: another
  /// first letter, or more than one difference in five letters.
  private static func distance(_ a: [UInt8], _ b: [UInt8]) -> Int? {
    let words = (a.split(separator: Ascii.dash), b.split(separator: Ascii.dash))
    guard words.0.count == words.1.count else { return nil }
    var sum = 0
    for (one, other) in zip(words.0, words.1) {
      let distance = editDistance(Array(one), Array(other))
      let isTurned =
        one.count > 1 && other.count > 1 && one[one.startIndex] == other[other.startIndex + 1]
      guard distance <= max(1, min(one.count, other.count) / 5),
        one.first == other.first || isTurned,
        distance == 0 || min(one.count, other.count) > 2
      else { return nil }
      sum += distance
    }
    return sum
  }

  /// The nearest of these names.
  static func key(_ word: String, _ names: [String]) -> String? {
    let wanted = Array(word.utf8)
    let near = names.map { ($0, editDistance(wanted, Array($0.utf8))) }.min { $0.1 < $1.1 }
    return near.flatMap { $0.1 <= min(3, wanted.count / 3) ? $0.0 : nil }
  }

  /// Lower case, with dashes instead of underscores and none in front.
  private static func normalised(_ word: Substring) -> [UInt8] {
    Array(word.lowercased().exchanging(Ascii.underscore, for: Ascii.dash).utf8.drop { $0 == Ascii.dash })
  }

  /// Damerau-Levenshtein distance with adjacent transpositions (optimal string alignment).
  static func editDistance(_ a: [UInt8], _ b: [UInt8]) -> Int {
    var beforeLast: [Int] = []
    var last = Array(0...b.count)
    for i in a.indices {
      var row = [i + 1]
      for j in b.indices {
        var cost = min(last[j + 1] + 1, row[j] + 1, last[j] + (a[i] == b[j] ? 0 : 1))
        if i > 0, j > 0, a[i] == b[j - 1], a[i - 1] == b[j] { cost = min(cost, beforeLast[j - 1] + 1) }
        row.append(cost)
      }
      beforeLast = last
      last = row
    }
    return last[b.count]
  }
}
