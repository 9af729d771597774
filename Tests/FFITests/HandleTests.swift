// Objects that clients hold: each has its share, and what nobody uses is given back.
import Synchronization
import Testing

@testable import FFICore

/// A clock that a test moves.
private final class Hands: Sendable {
  private let seconds = Mutex(1000.0)
  func move(_ by: Double) { seconds.withLock { $0 += by } }
  var now: Double { seconds.withLock { $0 } }
}

/// What `free` was called with. A C function knows nothing else.
private let freed = Mutex<[UInt]>([])

@Suite(.serialized) struct HandleTests {
  private let hands = Hands()
  private let oneAtATime = Lock()

  private func table(_ limits: HandleLimits) -> HandleTable {
    freed.withLock { $0 = [] }
    return HandleTable(limits) { [hands] in hands.now }
  }

  private func add(_ table: HandleTable, _ number: UInt, client: String = "192.0.2.1") throws -> String {
    let pointer = try #require(UnsafeMutableRawPointer(bitPattern: number))
    return try table.add(pointer, tag: "t", client: client) { pointer in
      freed.withLock { $0.append(UInt(bitPattern: pointer)) }
    }
  }

  @Test("what no call has used for its age is gone, and given back once")
  func age() throws {
    let table = table(HandleLimits(share: 0, age: 10))
    let (first, second) = (try add(table, 1), try add(table, 2))
    hands.move(8)
    #expect(table.find(first, tag: "t") != nil)
    #expect(table.find(first, tag: "other") == nil)
    hands.move(3)
    #expect(table.find(second, tag: "t") == nil, "even before it is given back")
    table.sweep(oneAtATime)
    #expect(freed.withLock { $0 } == [2])
    #expect(table.find(first, tag: "t") != nil)
    hands.move(11)
    table.sweep(oneAtATime)
    table.sweep(oneAtATime)
    table.removeAll()
    #expect(freed.withLock { $0 } == [2, 1])
  }

  @Test("one that a call holds is in use, however old it is")
  func inUse() throws {
    let table = table(HandleLimits(share: 0, age: 10))
    let handle = try #require(table.find(try add(table, 1), tag: "t"))
    handle.lock.lock()
    hands.move(100)
    table.sweep(oneAtATime)
    #expect(freed.withLock { $0 }.isEmpty)
    table.used(handle)
    handle.lock.unlock()
    hands.move(2)
    table.sweep(oneAtATime)
    #expect(freed.withLock { $0 }.isEmpty && table.find(handle.id, tag: "t") != nil)
  }

  @Test("without an age nothing grows old")
  func noAge() throws {
    let table = table(HandleLimits(share: 0, age: 0))
    let id = try add(table, 1)
    hands.move(1e9)
    table.sweep(oneAtATime)
    #expect(table.find(id, tag: "t") != nil)
  }

  @Test("a client that takes its share leaves the others theirs")
  func share() throws {
    let table = table(HandleLimits(share: 3, age: 0))
    let ids = try (1...3).map { try add(table, UInt($0)) }
    #expect(throws: HandleTable.Refusal.share) { try add(table, 4) }
    #expect(throws: HandleTable.Refusal.share) { try table.checkRoom(client: "192.0.2.1") }
    _ = try add(table, 5, client: "192.0.2.2")
    for number in 10..<20 { _ = try add(table, UInt(number), client: "") }
    table.remove(try #require(table.find(ids[0], tag: "t")))
    _ = try add(table, 6)
    #expect(throws: HandleTable.Refusal.share) { try add(table, 7) }
    #expect(freed.withLock { $0 }.isEmpty, "the caller keeps what was not taken")
  }

  @Test("no more than all may be open, whoever opens them")
  func most() throws {
    let table = table(HandleLimits(share: 0, age: 0))
    for number in 0..<HandleLimits.most {
      _ = try add(table, UInt(number + 1), client: "10.0.0.\(number % 200)")
    }
    #expect(throws: HandleTable.Refusal.full) { try add(table, 1, client: "192.0.2.9") }
  }

  @Test(
    "a client is an IPv4 address, or what one subscriber has of IPv6",
    arguments: [
      ("192.0.2.1", "192.0.2.1"), ("", ""), ("::1", "0:0:0:0"), ("::", "0:0:0:0"),
      ("::ffff:192.0.2.1", "192.0.2.1"), ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2"),
      ("2001:db8::5", "2001:db8:0:0"), ("2001:db8:1::", "2001:db8:1:0"), ("1:2:3:4:5::8", "1:2:3:4"),
      ("::3:4:5:6:7:8", "0:0:3:4"), ("1::5:6:7:8", "1:0:0:0"),
    ])
  func shares(address: String, name: String) { #expect(ClientShare.name(address) == name) }

  @Test("the options, and what is wrong with them")
  func options() throws {
    let call = (key: "call", value: "libm.so.6:cbrt(x: f64) -> f64")
    #expect(try Declarations([call]).handles == HandleLimits(share: 256, age: 3600))
    let given = try Declarations([call, ("handle-age", "1.5"), ("handle-share", "7")])
    #expect(given.handles == HandleLimits(share: 7, age: 1.5))
    let wrong = [("handle-age", "-1"), ("handle-age", "x"), ("handle-share", "9999"), ("handle-share", "")]
    for (key, value) in wrong {
      #expect(throws: Declarations.OptionError.self) { try Declarations([call, (key, value)]) }
    }
  }
}
