// "Did you mean": the nearest option name by edit distance. Only runs when the start has failed already.

enum Suggestion {
  /// The nearest option as it is written on the command line; a name of one letter has none.
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
      let distance = isStart ? 1 : editDistance(wanted, candidate)
      let allowed = max(1, min(3, min(wanted.count, candidate.count) / 3))
      if distance <= allowed, distance < best?.distance ?? .max { best = (name, distance) }
    }
    return best?.name
  }

  /// Lower case, with dashes for underscores and none in front.
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
