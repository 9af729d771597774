import CNSGI
import Wire

/// A list of pairs being built: finds a name again and joins the values of one name, in a time that grows
/// with the list alone, however many fields a client sends and however often it repeats one.
struct PairTable {
  /// The list; it has room for what is added.
  let list: UnsafeMutablePointer<nsgi_pair>
  private(set) var count: Int
  private let room: Int
  /// For a long list.
  private(set) var index: NameIndex?
  private var repeats: UnsafeMutablePointer<Repeat>?
  private var repeatCount = 0

  /// A value that has to be joined to that of a pair before it.
  private struct Repeat {
    var place: Int
    var value: Text
    var separator: StaticString
  }

  /// A table that begins with `count` pairs of different names, and gets at most `more`.
  init(_ list: UnsafeMutablePointer<nsgi_pair>, count: Int, more: Int, _ arena: inout Arena) {
    self.list = list
    self.count = count
    room = more
    guard more > NameIndex.worthwhile else { return }
    let slots = NameIndex.slots(for: count + more)
    let memory = arena.allocate(slots * MemoryLayout<UInt32>.stride).bindMemory(
      to: UInt32.self, capacity: slots)
    let index = NameIndex(UnsafeMutableBufferPointer(start: memory, count: slots))
    for place in 0..<count { _ = index.find(list[place].name.bytes, orAdd: place) { list[$0].name.bytes } }
    self.index = index
  }

  /// Adds a pair, unless one of that name is there; returns the place of that one.
  ///
  /// - Parameter start: no pair before it has such a name.
  @inline(__always)
  mutating func add(_ name: Text, _ value: Text, from start: Int = 0) -> Int? {
    if let index {
      let list = list
      if let place = index.find(name.bytes, orAdd: count, nameAt: { list[$0].name.bytes }) { return place }
    } else {
      var place = start
      while place < count {
        if Exchange.same(list[place].name, name) { return place }
        place &+= 1
      }
    }
    list[count] = nsgi_pair(name, value)
    count &+= 1
    return nil
  }

  /// Notes a value to be joined to that of the pair at `place`, by `join`.
  mutating func join(_ value: Text, to place: Int, isCookie: Bool, _ arena: inout Arena) {
    if repeats == nil {
      repeats = arena.allocate(room * MemoryLayout<Repeat>.stride).bindMemory(to: Repeat.self, capacity: room)
    }
    (repeats! + repeatCount).initialize(
      to: Repeat(place: place, value: value, separator: isCookie ? "; " : ", "))
    repeatCount += 1
  }

  /// Joins the noted values, in the order of arrival: each byte is copied once.
  mutating func join(_ arena: inout Arena) {
    guard let repeats, repeatCount > 0 else { return }
    let lengths = arena.allocate(count * MemoryLayout<Int>.stride).bindMemory(to: Int.self, capacity: count)
    lengths.initialize(repeating: 0, count: count)
    for piece in 0..<repeatCount {
      lengths[repeats[piece].place] += repeats[piece].separator.utf8CodeUnitCount + repeats[piece].value.count
    }
    for piece in 0..<repeatCount {
      let place = repeats[piece].place
      if lengths[place] > 0 {
        list[place].value = PairTable.widened(list[place].value, by: lengths[place], &arena)
        lengths[place] = 0
      }
      let separator = repeats[piece].separator
      let separatorBytes = UnsafeRawBufferPointer(
        start: separator.utf8Start, count: separator.utf8CodeUnitCount)
      PairTable.append(separatorBytes, to: &list[place].value)
      PairTable.append(repeats[piece].value.bytes, to: &list[place].value)
    }
  }

  /// A copy with room after it.
  private static func widened(_ value: nsgi_str, by more: Int, _ arena: inout Arena) -> nsgi_str {
    let out = arena.allocate(value.n + more + 1)
    if value.n > 0 { out.copyMemory(from: value.p, byteCount: value.n) }
    return nsgi_str(p: UnsafePointer(out.assumingMemoryBound(to: CChar.self)), n: value.n)
  }

  /// Appends to a widened value.
  private static func append(_ bytes: UnsafeRawBufferPointer, to value: inout nsgi_str) {
    let out = UnsafeMutableRawPointer(mutating: value.p!) + value.n
    if let from = bytes.baseAddress { out.copyMemory(from: from, byteCount: bytes.count) }
    value.n += bytes.count
    out.storeBytes(of: 0, toByteOffset: bytes.count, as: UInt8.self)
  }
}
