// Bounds the length of a snapshot: it counts what it leaves out.
extension Snapshot {
  /// The most bytes of the lines about running requests. A server with many workers has megabytes of stacks,
  /// which nobody reads, but everybody would wait for.
  public static let servingBytes = 512 * 1024

  /// Leaves out surplus data about running requests: first the stacks of the youngest, then the youngest
  /// themselves; `omitted` and `omittedStacks` count them.
  /// - Parameter bytes: for their lines, ends included; 0 leaves all of them out.
  public mutating func shorten(to bytes: Int = Snapshot.servingBytes) {
    var room = bytes
    let eldest = serving.indices.sorted {
      (serving[$1].milliseconds, $0) < (serving[$0].milliseconds, $1)
    }
    // That a request exists says more than the stack of another one.
    let stacks = serving.map(\.stack)
    for index in serving.indices { serving[index].stack = "" }
    var kept: [Int] = []
    for index in eldest {
      room -= Snapshot.bytes(serving[index])
      if room < 0 { break }
      kept.append(index)
    }
    room = max(0, room)
    for index in kept where !stacks[index].isEmpty {
      room -= PercentWord.encoded(stacks[index]).utf8.count
      if room < 0 { break }
      serving[index].stack = stacks[index]
    }
    omitted += serving.count - kept.count
    omittedStacks += serving.indices.count { !stacks[$0].isEmpty && serving[$0].stack.isEmpty }
    serving = kept.sorted().map { serving[$0] }
  }

  private static func bytes(_ request: Serving) -> Int { record(request).line.utf8.count + 1 }
}
