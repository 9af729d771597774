import Testing
import Wire

/// Filling, consuming, sliding and growing of a buffer.
@Suite struct ByteBufferTests {
  private func text(_ buffer: borrowing ByteBuffer) -> String { String(decoding: buffer.bytes, as: UTF8.self) }

  @Test func emptyWithoutABlock() {
    let buffer = ByteBuffer()
    #expect(buffer.isEmpty && buffer.count == 0 && buffer.capacity == 0)
    #expect(buffer.block == nil && buffer.base == nil)
    #expect(buffer.bytes.isEmpty)
  }

  @Test func appendsAndConsumes() {
    var buffer = ByteBuffer()
    buffer.append("abc" as StaticString)
    buffer.append(String("dé"))
    buffer.append(0x21)
    #expect(text(buffer) == "abcdé!")
    buffer.consume(3)
    #expect(text(buffer) == "dé!" && buffer.start == 3)
    buffer.truncate(to: 1)
    #expect(text(buffer) == "d")
    buffer.truncate(to: 5)
    #expect(text(buffer) == "d")
    buffer.consume(1)
    #expect(buffer.isEmpty && buffer.start == 0, "an empty buffer begins at the front again")
  }

  @Test func appendsNothing() {
    var buffer = ByteBuffer()
    buffer.append(UnsafeRawBufferPointer(start: nil, count: 0))
    buffer.append("")
    #expect(buffer.block == nil)
  }

  @Test func slidesBeforeItGrows() {
    var buffer = ByteBuffer()
    buffer.reserve(512)
    let (block, capacity) = (buffer.block, buffer.capacity)
    buffer.append(String(repeating: "x", count: capacity - 3))
    buffer.append("end" as StaticString)
    buffer.consume(capacity - 3)
    buffer.reserve(capacity - 3)
    #expect(buffer.block == block && buffer.capacity == capacity && buffer.start == 0)
    #expect(text(buffer) == "end")
    buffer.reserve(capacity)
    #expect(buffer.capacity > capacity && buffer.room >= capacity)
    #expect(text(buffer) == "end")
  }

  @Test func writtenAtItsTail() {
    var buffer = ByteBuffer()
    buffer.append(0x61)
    buffer.reserve(2)
    buffer.tail.storeBytes(of: 0x62, as: UInt8.self)
    buffer.commit(1)
    #expect(text(buffer) == "ab")
    buffer.removeAll()
    #expect(buffer.isEmpty && buffer.block != nil)
  }

  @Test func blocksChangeTheirOwner() throws {
    var first = ByteBuffer()
    #expect(first.release() == nil)
    first.append("kept" as StaticString)
    let (block, capacity) = try #require(first.release())
    #expect(first.block == nil && first.isEmpty && first.capacity == 0)
    var second = ByteBuffer()
    second.adopt(block, capacity: capacity)
    #expect(second.isEmpty && second.room == capacity)
    second.commit(4)
    #expect(text(second) == "kept")
  }

  @Test func decimalNumbers() {
    for value in [0, 1, 9, 10, 99, 100, 12345, Int64.max, -1, -10, Int64.min] {
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
