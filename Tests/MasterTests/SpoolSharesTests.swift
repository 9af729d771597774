// The page in which workers say what they spool: whatever one of them writes there, it can be added up.
import Control
import Testing

@testable import Master

@Suite struct SpoolSharesTests {
  private func page() -> UnsafeMutableRawPointer {
    let page = UnsafeMutableRawPointer.allocate(byteCount: SpoolShares.bytes, alignment: 64)
    page.initializeMemory(as: UInt8.self, repeating: 0, count: SpoolShares.bytes)
    return page
  }

  @Test("shares add up, and a number beyond the page comes round")
  func sums() {
    let page = page()
    defer { page.deallocate() }
    let shares = SpoolShares(page)
    #expect(shares.total == 0)
    for share in 0..<SpoolShares.count { shares.add(2, to: share) }
    #expect(shares.total == 1024)
    shares.add(5, to: SpoolShares.count + 3)
    shares.add(-2, to: 3)
    #expect(shares.total == 1027)
    #expect(SpoolShares.offset(of: SpoolShares.count + 3) == 24)
  }

  @Test("no two workers that live have one number, and one is given again when its worker has ended")
  func numbers() {
    var numbers = SpoolNumbers()
    let first = numbers.take(for: 1)
    // As many as it takes to come round come and go beside it.
    for worker in 2..<2000 {
      let number = numbers.take(for: worker)
      #expect(number != first && number < SpoolShares.count)
      #expect(numbers.give(backOf: worker) == number)
    }
    #expect(numbers.give(backOf: 1) == first && numbers.give(backOf: 1) == nil)
    let all = Set((1...SpoolNumbers.common).map { numbers.take(for: $0) })
    #expect(all.count == SpoolNumbers.common && !all.contains(SpoolNumbers.common))
    // What is left for more is nobody's, and is never made zero.
    #expect(numbers.take(for: 3000) == SpoolNumbers.common && numbers.give(backOf: 3000) == nil)
  }

  @Test("nonsense counts as nothing, or as much as there can be")
  func nonsense() {
    let page = page()
    defer { page.deallocate() }
    let shares = SpoolShares(page)
    for (share, value) in [Int64.min, -1, .max, 7].enumerated() {
      page.storeBytes(of: value, toByteOffset: SpoolShares.offset(of: share), as: Int64.self)
    }
    #expect(shares.total == 1 << 52 + 7)
    for share in 0..<SpoolShares.count {
      page.storeBytes(of: Int64.max, toByteOffset: SpoolShares.offset(of: share), as: Int64.self)
    }
    #expect(shares.total > 0)
    shares.add(1, to: 0)
  }
}
