// What master, workers and staging children say to each other, as bytes and back.
import Control
import Testing

@Suite struct MessageTests {
  @Test("every verb is read as it was written", arguments: Message.Verb.allCases)
  func roundTrip(verb: Message.Verb) {
    let message = Message(verb, [.init("reason", "a=b\nc"), .init("app", "3"), .init("empty", "")])
    #expect(Message(message.bytes) == message)
    #expect(message.number("app") == 3 && message["empty"] == "" && message["none"] == nil)
  }

  @Test("what is no message is refused")
  func refuses() {
    #expect(Message(Array("nothing\0".utf8)) == nil)
    #expect(Message(Array("ready\0noequals\0".utf8)) == nil)
    #expect(Message([UInt8]()) == nil)
  }

  @Test("orders are read as they were written")
  func orders() {
    var orders = Orders(.worker)
    orders.worker = 3
    orders.workers = 4
    orders.arguments = ["--app=/a b/c.so", "--env=K=V"]
    orders.sockets = [
      .init(descriptor: 6, gateway: "http1", address: "127.0.0.1:80"),
      .init(descriptor: 7, gateway: "scgi", address: "/a b.sock"),
    ]
    orders.builds = [
      .init(app: 1, generation: 7, path: "/x y/z.so", current: "/c", state: 9, stateVersion: "1.2")
    ]
    orders.tries = true
    #expect(Orders(orders.message) == orders)
    #expect(Orders(Message(.ready)) == nil)
  }
}
