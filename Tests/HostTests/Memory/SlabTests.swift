// Records at fixed addresses, blocks that are used again, tokens that tell lives of a record apart.
import Support
import Testing
import Wire

@testable import Host

@Suite struct SlabTests {
  private struct Record: ~Copyable {
    let slot: UInt32
    var value = 0
    init(slot: UInt32) { self.slot = slot }
  }

  private func makeSlab() -> Slab<Record> {
    let slab = Slab<Record>(maximum: 20_000)
    slab.setMake { Record(slot: $0) }
    return slab
  }

  @Test("slots and addresses are each record's own and stay, across growth")
  func growth() {
    let slab = makeSlab()
    #expect(slab.capacity == 0)
    var taken: [UnsafeMutablePointer<Record>] = []
    for value in 0..<10_000 {
      let record = slab.take()
      record.pointee.value = value
      taken.append(record)
    }
    #expect(slab.alive == 10_000)
    #expect(slab.capacity >= 10_000)
    #expect(Set(taken.map { $0.pointee.slot }).count == 10_000)
    for (value, record) in taken.enumerated() {
      #expect(record.pointee.value == value)
      #expect(slab.record(record.pointee.slot) == record)
    }
    for record in taken { slab.give(record.pointee.slot) }
    #expect(slab.alive == 0)
  }

  @Test("the record that was given back last is the next one: it is in cache")
  func lastInFirstOut() {
    let slab = makeSlab()
    let first = slab.take()
    let second = slab.take()
    slab.give(first.pointee.slot)
    slab.give(second.pointee.slot)
    #expect(slab.take() == second)
    #expect(slab.take() == first)
  }

  @Test("the table follows the most records alive at once")
  func capacity() {
    let slab = makeSlab()
    for _ in 0..<5000 { slab.give(slab.take().pointee.slot) }
    #expect(slab.capacity == 8, "records are made a few at a time")
  }

  @Test("random takes and gives never hand a record out twice", arguments: [1, 2] as [UInt64])
  func random(seed: UInt64) {
    var random = SeededRandom(seed)
    let slab = makeSlab()
    var alive: [UInt32] = []
    for _ in 0..<20_000 {
      if alive.isEmpty || Int.random(in: 0..<100, using: &random) < 55 {
        let record = slab.take()
        #expect(record.pointee.value == 0, "slot \(record.pointee.slot) is out already")
        record.pointee.value = 1
        alive.append(record.pointee.slot)
      } else {
        let slot = alive.remove(at: Int.random(in: 0..<alive.count, using: &random))
        slab.record(slot).pointee.value = 0
        slab.give(slot)
      }
    }
    #expect(slab.alive == alive.count)
  }
}

@Suite struct BlockPoolTests {
  @Test func aBlockIsUsedAgain() {
    var pool = BlockPool(kept: 4)
    var buffer = ByteBuffer()
    pool.fill(&buffer)
    #expect(buffer.capacity == BlockPool.blockBytes)
    let block = buffer.block
    pool.fill(&buffer)
    #expect(buffer.block == block, "a buffer with a block keeps it")
    buffer.append("left over")
    pool.empty(&buffer)
    #expect(buffer.block == nil && buffer.isEmpty)
    pool.fill(&buffer)
    #expect(buffer.block == block && buffer.isEmpty)
    pool.empty(&buffer)
    pool.empty(&buffer)
  }

  @Test("a block that has grown does not enter the pool")
  func grownBlock() {
    var pool = BlockPool(kept: 4)
    var buffer = ByteBuffer()
    pool.fill(&buffer)
    buffer.reserve(BlockPool.blockBytes + 1)
    #expect(buffer.capacity > BlockPool.blockBytes)
    pool.empty(&buffer)
    pool.fill(&buffer)
    #expect(buffer.capacity == BlockPool.blockBytes)
    pool.empty(&buffer)
  }

  @Test("more blocks than are kept go back to the allocator and come again")
  func moreThanKept() {
    var pool = BlockPool(kept: 2)
    for _ in 0..<3 {
      var first = ByteBuffer()
      var second = ByteBuffer()
      var third = ByteBuffer()
      pool.fill(&first)
      pool.fill(&second)
      pool.fill(&third)
      #expect(Set([first.block, second.block, third.block]).count == 3)
      pool.empty(&first)
      pool.empty(&second)
      pool.empty(&third)
    }
  }
}

@Suite struct TokenTests {
  @Test func carriesItsParts() {
    for kind in [Token.Kind.connection, .listener, .signal, .inbox, .control, .answer, .ring, .topics] {
      for slot in [0, 1, 255, UInt32.max] {
        for generation in [UInt32(0), 1, 0xff_ffff] {
          let token = Token(kind, slot: slot, generation: generation)
          let back = Token(raw: token.raw)
          #expect(back == token)
          #expect(back.kind == kind && back.slot == slot && back.generation == generation)
        }
      }
    }
    #expect(Token(raw: 0).kind == .nobody)
    #expect(Token(raw: .max).kind == nil)
  }

  @Test("24 bits of the generation count, and no more of it reaches the kind")
  func generationIsCut() {
    let token = Token(.connection, slot: 7, generation: 0xffff_ffff)
    #expect(token.kind == .connection && token.slot == 7 && token.generation == 0xff_ffff)
    #expect(token == Token(.connection, slot: 7, generation: 0xff_ffff))
    #expect(token != Token(.connection, slot: 7, generation: 0))
  }

  @Test("a closed connection's token is not the next one's")
  func livesDiffer() {
    var connection = Connection(slot: 3, codec: Codec(.http1, limits: HeadLimits(.init())))
    let before = connection.token
    connection.generation &+= 1
    #expect(connection.token != before)
    connection.generation = .max
    let last = connection.token
    connection.generation &+= 1
    #expect(connection.token != last)
  }
}
