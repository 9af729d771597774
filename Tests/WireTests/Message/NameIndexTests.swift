// The index of names agrees with a dictionary, whatever the names, and says where the first of each stands.
import Support
import Testing
import Wire

@Suite struct NameIndexTests {
  /// The place of the first equal name for each name, by the index.
  private func firsts(_ names: [[UInt8]]) -> [Int?] {
    withUnsafeTemporaryAllocation(of: UInt32.self, capacity: NameIndex.slots(for: names.count)) { slots in
      // What the memory held before must not matter.
      slots.initialize(repeating: 7)
      let index = NameIndex(slots)
      return names.indices.map { place in
        names[place].withUnsafeBytes { name in
          index.find(name, orAdd: place) { earlier in view(names[earlier]) }
        }
      }
    }
  }

  /// The bytes of an array that outlives the test's look at them.
  private func view(_ name: [UInt8]) -> UnsafeRawBufferPointer { name.withUnsafeBytes { $0 } }

  private func expected(_ names: [[UInt8]]) -> [Int?] {
    var seen: [[UInt8]: Int] = [:]
    return names.indices.map { place in
      if let earlier = seen[names[place]] { return earlier }
      seen[names[place]] = place
      return nil
    }
  }

  @Test func namesOfEveryLength() {
    let names = (0..<40).flatMap { [Array(repeating: UInt8(ascii: "n"), count: $0), [UInt8($0)]] }
    #expect(firsts(names + names) == expected(names + names))
    #expect(firsts([]) == [])
    #expect(firsts([[]]) == [nil])
  }

  @Test func namesThatDifferInOneByte() {
    var names: [[UInt8]] = []
    for length in [1, 7, 8, 9, 16, 17] {
      for place in 0..<length {
        var name = Array("abcdefghijklmnopq".utf8.prefix(length))
        name[place] ^= 0x20
        names.append(name)
      }
    }
    #expect(firsts(names + names) == expected(names + names))
  }

  @Test func randomNames() {
    let seed = UInt64.random(in: 1...UInt64.max)
    var random = SeededRandom(seed)
    for _ in 0..<50 {
      let names = (0..<Int.random(in: 1...300, using: &random)).map { _ in
        (0..<Int.random(in: 0...12, using: &random)).map { _ in UInt8.random(in: 65...67, using: &random) }
      }
      #expect(firsts(names) == expected(names), "SeededRandom(\(seed))")
    }
  }

  @Test func halfOfTheSlotsStayEmpty() {
    for count in [0, 1, 2, 3, 31, 32, 33, 65_535] {
      let slots = NameIndex.slots(for: count)
      #expect(slots & (slots - 1) == 0 && slots >= 2 * count && slots <= max(2, 4 * count))
    }
  }
}
