/// Whether one of a few names came twice: "no" is certain, "perhaps" is worth a closer look. One word, in
/// which each name sets two bits.
struct NameFilter {
  private var bits: UInt64 = 0
  private(set) var mayRepeat = false

  /// Adds a name of at least eight bytes; ignores shorter ones, and names that begin with HTTP_.
  @inline(__always)
  mutating func add(_ name: UnsafeRawBufferPointer) {
    guard name.count >= 8, let base = name.baseAddress else {
      if !name.isEmpty { mayRepeat = true }
      return
    }
    let first = Word.load(base, 0)
    if first & 0xff_ffff_ffff == 0x5f_5054_5448 { return }
    let mixed = (first ^ Word.load(base, name.count &- 8) &* 3) &* 0x9e37_79b9_7f4a_7c15
    let two = 1 &<< (mixed &>> 58) | 1 &<< ((mixed &>> 52) & 63)
    if bits & two == two { mayRepeat = true }
    bits |= two
  }
}

/// Finds equal names among many in one pass: a hash table of places in a caller's list. A client chooses the
/// names, so the hash begins with a number that it cannot know.
@frozen public struct NameIndex {
  private let slots: UnsafeMutableBufferPointer<UInt32>

  /// Up to this many names are found faster by looking at each.
  public static let worthwhile = 48

  /// How many slots `count` names need: a power of two, at least half of them empty.
  public static func slots(for count: Int) -> Int {
    1 << (Int.bitWidth - (2 * Swift.max(count, 1) - 1).leadingZeroBitCount)
  }

  /// An empty index in memory that the caller keeps; `slots(for:)` says how much.
  public init(_ slots: UnsafeMutableBufferPointer<UInt32>) {
    slots.initialize(repeating: 0)
    self.slots = slots
  }

  private static let seed = UInt64.random(in: .min ... .max)
  private static let factor = UInt64.random(in: .min ... .max) | 1

  /// The place of an equal name that was added before; nil if there is none, and then adds `place`.
  ///
  /// - Parameter nameAt: the name at a place that was added.
  public func find(
    _ name: UnsafeRawBufferPointer, orAdd place: Int, nameAt: (Int) -> UnsafeRawBufferPointer
  ) -> Int? {
    var slot = slot(of: name)
    while slots[slot] != 0 {
      let earlier = Int(slots[slot] - 1)
      if NameIndex.same(nameAt(earlier), name) { return earlier }
      slot = (slot + 1) & (slots.count - 1)
    }
    slots[slot] = UInt32(place + 1)
    return nil
  }

  /// The place of an equal name, or nil.
  public func find(_ name: UnsafeRawBufferPointer, nameAt: (Int) -> UnsafeRawBufferPointer) -> Int? {
    var slot = slot(of: name)
    while slots[slot] != 0 {
      let earlier = Int(slots[slot] - 1)
      if NameIndex.same(nameAt(earlier), name) { return earlier }
      slot = (slot + 1) & (slots.count - 1)
    }
    return nil
  }

  /// Whether two names are the same bytes.
  public static func same(_ one: UnsafeRawBufferPointer, _ other: UnsafeRawBufferPointer) -> Bool {
    guard one.count == other.count else { return false }
    guard let first = one.baseAddress, let second = other.baseAddress else { return one.isEmpty }
    var position = 0
    while position &+ 8 <= one.count {
      if Word.load(first, position) != Word.load(second, position) { return false }
      position &+= 8
    }
    while position < one.count {
      if one[position] != other[position] { return false }
      position &+= 1
    }
    return true
  }

  private func slot(of name: UnsafeRawBufferPointer) -> Int {
    var hash = NameIndex.mix(NameIndex.seed ^ UInt64(name.count))
    if let base = name.baseAddress, !name.isEmpty {
      var position = 0
      while position &+ 8 < name.count {
        hash = NameIndex.mix(hash ^ Word.load(base, position))
        position &+= 8
      }
      hash = NameIndex.mix(hash ^ Word.loadFew(base + position, name.count - position))
    }
    return Int(truncatingIfNeeded: hash) & (slots.count - 1)
  }

  private static func mix(_ word: UInt64) -> UInt64 {
    let product = word.multipliedFullWidth(by: factor)
    return product.high ^ product.low
  }
}
