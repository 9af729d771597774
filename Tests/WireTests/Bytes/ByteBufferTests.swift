import Testing
import Wire

/// Filling, consuming, sliding and growing of a buffer.
@Suite struct ByteBufferTests {
  /// What a buffer shows of itself.
  private struct View: Equatable {
    var text: String
    var (start, count, capacity, room) = (0, 0, 0, 0)
    var block: UnsafeMutableRawPointer?

    init(_ buffer: borrowing ByteBuffer) {
      text = String(decoding: buffer.bytes, as: UTF8.self)
      (start, count, capacity, room) = (buffer.start, buffer.count, buffer.capacity, buffer.room)
      block = buffer.block
    }
  }

  private func text(_ buffer: borrowing ByteBuffer) -> String { View(buffer).text }

  @Test func emptyWithoutABlock() {
    let view = View(ByteBuffer())
    #expect(view.text.isEmpty && view.count == 0 && view.capacity == 0 && view.block == nil)
  }

  @Test func appendsAndConsumes() {
    var buffer = ByteBuffer()
    buffer.append("abc" as StaticString)
    buffer.append(string: String("dé"))
    buffer.append(0x21)
    let whole = View(buffer)
    buffer.consume(3)
    let rest = View(buffer)
    buffer.truncate(to: 1)
    let first = View(buffer)
    buffer.truncate(to: 5)
    let same = View(buffer)
    buffer.consume(1)
    let empty = View(buffer)
    #expect(whole.text == "abcdé!" && whole.count == 7)
    #expect(rest.text == "dé!" && rest.start == 3)
    #expect(first.text == "d" && same == first)
    #expect(empty.count == 0 && empty.start == 0, "an empty buffer begins at the front again")
  }

  @Test func appendsNothing() {
    var buffer = ByteBuffer()
    buffer.append(UnsafeRawBufferPointer(start: nil, count: 0))
    buffer.append("")
    let view = View(buffer)
    #expect(view.block == nil)
  }

  @Test func slidesBeforeItGrows() {
    var buffer = ByteBuffer()
    buffer.reserve(512)
    let first = View(buffer)
    buffer.append(string: String(repeating: "x", count: first.capacity - 3))
    buffer.append("end" as StaticString)
    buffer.consume(first.capacity - 3)
    buffer.reserve(first.capacity - 3)
    let slid = View(buffer)
    buffer.reserve(first.capacity)
    let grown = View(buffer)
    #expect(slid.block == first.block && slid.capacity == first.capacity && slid.start == 0)
    #expect(slid.text == "end")
    #expect(grown.capacity > first.capacity && grown.room >= first.capacity)
    #expect(grown.text == "end")
  }

  @Test func writtenAtItsTail() {
    var buffer = ByteBuffer()
    buffer.append(0x61)
    buffer.reserve(2)
    buffer.tail.storeBytes(of: 0x62, as: UInt8.self)
    buffer.commit(1)
    let filled = View(buffer)
    buffer.removeAll()
    let empty = View(buffer)
    #expect(filled.text == "ab")
    #expect(empty.count == 0 && empty.block == filled.block)
  }

  @Test func blocksChangeTheirOwner() throws {
    var first = ByteBuffer()
    let nothing = first.release()
    #expect(nothing == nil)
    first.append("kept" as StaticString)
    let given = first.release()
    let (block, capacity) = try #require(given)
    let rest = View(first)
    #expect(rest.block == nil && rest.count == 0 && rest.capacity == 0)
    var second = ByteBuffer()
    second.adopt(block, capacity: capacity)
    let adopted = View(second)
    second.commit(4)
    let view = View(second)
    #expect(adopted.count == 0 && adopted.room == capacity)
    #expect(view.text == "kept")
  }

  @Test func decimalNumbers() {
    let round = (0...18).map { power in (0..<power).reduce(Int64(1)) { product, _ in product * 10 } }
    let numbers = round + round.map { $0 - 1 } + round.map { $0 * 9 } + (1000...1200)
    for value in numbers + [12345, 90_807_060, Int64.max, -1, -10, Int64.min] {
      var buffer = ByteBuffer()
      buffer.append(decimal: value)
      #expect(text(buffer) == String(value))
    }
  }

  @Test func hexadecimalNumbers() {
    for value in [0, 1, 9, 10, 15, 16, 255, 256, 0xabcdef, UInt64.max] as [UInt64] {
      var buffer = ByteBuffer()
      buffer.append(hex: value)
      #expect(text(buffer) == String(value, radix: 16))
    }
  }
}
