/// What two sequences have in common, in order, with as few changes as possible (Myers, "An O(ND) Difference
/// Algorithm and Its Variations", 1986).
enum Alignment {
  /// The places of equal elements, in order; nil if more than `most` elements are left out of both together.
  static func pairs(_ one: [UInt64], _ other: [UInt64], most: Int) -> [(Int, Int)]? {
    var start = 0
    while start < one.count, start < other.count, one[start] == other[start] { start += 1 }
    var same = 0
    while same < one.count - start, same < other.count - start,
      one[one.count - 1 - same] == other[other.count - 1 - same]
    {
      same += 1
    }
    let (first, second) = (one[start..<(one.count - same)], other[start..<(other.count - same)])
    guard let middle = between(Array(first), Array(second), most: most) else { return nil }
    var all: [(Int, Int)] = []
    for place in 0..<start { all.append((place, place)) }
    for (place, otherPlace) in middle { all.append((place + start, otherPlace + start)) }
    for place in 0..<same { all.append((one.count - same + place, other.count - same + place)) }
    return all
  }

  private static func between(_ one: [UInt64], _ other: [UInt64], most: Int) -> [(Int, Int)]? {
    if one.isEmpty || other.isEmpty { return one.count + other.count <= most ? [] : nil }
    let middle = most + 1
    // The furthest place in `one` on each diagonal, after so many changes.
    var furthest = [Int](repeating: 0, count: 2 * most + 3)
    var trace: [[Int]] = []
    for changes in 0...most {
      trace.append(furthest)
      for diagonal in stride(from: -changes, through: changes, by: 2) {
        let before = next(diagonal, changes, furthest, middle)
        var place = furthest[middle + before] + (before < diagonal ? 1 : 0)
        var otherPlace = place - diagonal
        while place < one.count, otherPlace < other.count, one[place] == other[otherPlace] {
          place += 1
          otherPlace += 1
        }
        furthest[middle + diagonal] = place
        if place >= one.count, otherPlace >= other.count {
          return path(trace, one.count, other.count, middle)
        }
      }
    }
    return nil
  }

  /// The diagonal that one comes from: the one above it, or the one below.
  private static func next(_ diagonal: Int, _ changes: Int, _ furthest: [Int], _ middle: Int) -> Int {
    let isFromAbove =
      diagonal == -changes
      || diagonal != changes && furthest[middle + diagonal - 1] < furthest[middle + diagonal + 1]
    return isFromAbove ? diagonal + 1 : diagonal - 1
  }

  /// Goes back from the end.
  private static func path(
    _ trace: [[Int]], _ count: Int, _ otherCount: Int, _ middle: Int
  ) -> [(Int, Int)] {
    var pairs: [(Int, Int)] = []
    var (place, otherPlace) = (count, otherCount)
    for changes in stride(from: trace.count - 1, through: 0, by: -1) {
      let furthest = trace[changes]
      let before = next(place - otherPlace, changes, furthest, middle)
      let start = furthest[middle + before]
      let otherStart = start - before
      while place > start, otherPlace > otherStart {
        place -= 1
        otherPlace -= 1
        pairs.append((place, otherPlace))
      }
      if changes > 0 { (place, otherPlace) = (start, otherStart) }
    }
    return pairs.reversed()
  }
}
