/// A work list that the next leader continues after a hand-off: the thread that has handed off does not touch
/// it again.
struct Round<Element> {
  private var items: [Element] = []
  private var position = 0

  /// Nothing is left.
  @inline(__always)
  var isEmpty: Bool { position == items.count }

  /// The next one; nil when all are done.
  mutating func next() -> Element? {
    guard position < items.count else { return nil }
    position += 1
    return items[position - 1]
  }

  /// Begins a new round, when the last one is done, with the contents of `list`, which gets the memory of the
  /// empty one.
  mutating func begin(with list: inout [Element]) {
    precondition(isEmpty, "a round begins when the one before is done")
    items.removeAll(keepingCapacity: true)
    position = 0
    swap(&items, &list)
  }
}
