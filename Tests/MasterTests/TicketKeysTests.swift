import Control
import Testing

@Suite struct TicketKeysTests {
  @Test("the newest comes first, two are kept behind it, and each is another")
  func renewal() throws {
    var keys = TicketKeys([])
    #expect(keys.keys.count == 1)
    let first = keys.keys[0]
    for _ in 0..<2 { keys.renew() }
    #expect(keys.keys.count == 3 && keys.keys[2] == first && Set(keys.keys).count == 3)
    keys.renew()
    #expect(keys.keys.count == 3 && !keys.keys.contains(first))
    #expect(keys.keys.allSatisfy { $0.utf8.count == 2 * TicketKeys.bytes })
    // As a worker reads it, and a master that follows.
    #expect(Message(keys.message.bytes)?.all("ticket") == keys.keys)
    #expect(TicketKeys(keys.keys).keys == keys.keys)
  }

  @Test("what is no key is not taken over")
  func inheritance() {
    #expect(TicketKeys(["00", ""]).keys.first?.utf8.count == 2 * TicketKeys.bytes)
  }

  @Test("files cross a control socket in pieces, and go with orders whole")
  func files() throws {
    let text = String(repeating: "0123456789abcdef\n", count: 10_000)
    let files = [HandedFile(path: "/a b.pem", text: text), HandedFile(path: "k=1", text: "")]
    var taken: [HandedFile] = []
    for piece in files.flatMap(\.pieces) {
      let message = Message(.configured, piece)
      #expect(message.bytes.count <= Message.packetBytes)
      taken.take([HandedFile](try #require(Message(message.bytes))))
    }
    #expect(taken == files)
    var orders = Orders(.worker)
    (orders.files, orders.tickets) = (files, ["aa", "bb"])
    let read = try #require(Message(orders.message.bytes).flatMap { Orders($0) })
    #expect(read.files == files && read.tickets == ["aa", "bb"])
  }
}
