import Support
import Testing
import Wire

@testable import Host

/// What an exchange that has ended holds on to, until another request needs it.
@Suite struct ExchangeMemoryTests {
  @Test("nothing of a head that was put together, as those of HTTP/2 are")
  func assembledHead() throws {
    let bench = try ExchangeBench(Array(get("/").utf8))
    let exchange = bench.exchange
    [UInt8](repeating: 0x61, count: 40_000).withUnsafeBytes { exchange.pointee.head.assembled.append($0) }
    let before = exchange.pointee.head.assembled.capacity
    #expect(before >= 40_000)
    bench.worker.give(exchange)
    let after = exchange.pointee.head.assembled.capacity
    #expect(after == 0)
  }
}
