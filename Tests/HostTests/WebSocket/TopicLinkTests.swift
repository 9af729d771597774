// A worker that is linked to another one, which is the test: what goes over, and what befalls the link.
import Config
import Foundation
import Support
import Testing

@testable import Host

extension WorkerSuites {
  @Suite struct TopicLinkTests {
    static let loops = [EventLoop.epoll, .auto]
    private static let title = "worker 2 (pid 4711)"

    private func bench(_ loop: EventLoop? = nil) throws -> WorkerBench {
      try WorkerBench(loop: loop, app: "websockets", isSupervised: true)
    }

    /// A client that has joined a topic.
    private func join(_ bench: WorkerBench, _ topic: String = "room") throws -> WebSocketClient {
      let client = try WebSocketClient(try bench.address())
      try client.send("join \(topic)")
      #expect(try client.next() == .text("joined"))
      return client
    }

    /// Stops the worker when its clients have gone.
    private func stop(_ bench: WorkerBench, _ clients: WebSocketClient...) throws {
      for client in clients { client.socket.close() }
      #expect(try bench.stop())
    }

    /// Another worker, once the bench has taken the link to it, as one of its clients sees.
    private func introduce(
      _ bench: WorkerBench, _ client: WebSocketClient, _ topic: String = "room"
    ) throws -> OtherWorker {
      let other = try bench.introduce(Self.title)
      try other.send(TopicText.bytes(topic, "hello"))
      #expect(try client.next() == .text("hello"))
      return other
    }

    @Test("what is published goes over, and what comes reaches those who have joined", arguments: loops)
    func both(loop: EventLoop) throws {
      let bench = try bench(loop)
      let (one, two, outside) = (try join(bench), try join(bench), try join(bench, "elsewhere"))
      let other = try introduce(bench, one)
      #expect(try two.next() == .text("hello"))
      try one.send("all room")
      // The socket that is left out is of this worker.
      #expect(try one.next() == .text("told 1") && two.next() == .text("all room"))
      #expect(try other.next() == "text room: all room")
      // What is for this worker alone stays here.
      try two.send("tell room")
      #expect(try two.next() == .text("told 1") && one.next() == .text("tell room"))
      try other.send(TopicText.bytes("elsewhere", "far away") + TopicText.bytes("nowhere", "lost"))
      #expect(try outside.next() == .text("far away"))
      // Nothing that comes is passed on: the next message there is the next one that is published here.
      try outside.send("shout room 7 1")
      #expect(try outside.next() == .text("shouted") && other.next() == "binary room: 7 bytes")
      #expect(try one.next() == .binary([UInt8](repeating: 0, count: 7)))
      try stop(bench, one, two, outside)
      #expect(try other.next() == nil)
    }

    @Test("a message that comes byte by byte is one, and many at once keep their order", arguments: loops)
    func pieces(loop: EventLoop) throws {
      let bench = try bench(loop)
      let client = try join(bench)
      let other = try introduce(bench, client)
      for byte in TopicText.bytes("room", "slowly") { try other.send([byte]) }
      #expect(try client.next() == .text("slowly"))
      // More than a link's share of a turn, several times.
      try other.send((0..<1000).flatMap { TopicText.bytes("room", "\($0)") })
      for number in 0..<1000 { #expect(try client.next() == .text("\(number)")) }
      try client.send("here")
      #expect(try client.next() == .text("here"))
      try stop(bench, client)
    }

    @Test("another worker that says nonsense loses its link, with a line, and this one goes on")
    func nonsense() throws {
      let bench = try bench()
      let client = try join(bench)
      let heads: [([UInt8], String)] = [
        ([0xff, 0xff, 0xff, 0xff, 4, 0, 1, 0], "a payload of 4294967295 bytes"),
        ([1, 0, 0, 0, 0, 0, 1, 0], "a topic of 0 bytes"), ([1, 0, 0, 0, 1, 2, 1, 0], "a topic of 513 bytes"),
        ([1, 0, 0, 0, 1, 0, 9, 0], "kind 9"), ([1, 0, 0, 0, 1, 0, 1, 1], "1 at the end of a head"),
        ([1, 0, 0, 0, 1, 0, 1, 0, 0x78, 0xff], "a text that is not UTF-8"),
      ]
      for (head, words) in heads {
        let log = try capturingErrors {
          let other = try introduce(bench, client)
          // What was good before it counts.
          try other.send(TopicText.bytes("room", "good") + head + Array("xyz".utf8))
          #expect(try client.next() == .text("good"))
          #expect(try other.next() == nil)
        }
        let line = "\(Self.title) says what no worker says on its link to this one: \(words); messages of"
        #expect(log.contains(line), "\(log)")
      }
      // Links that come later are as good as ever.
      let other = try introduce(bench, client)
      try client.send("all room")
      #expect(try client.next() == .text("told 0") && other.next() == "text room: all room")
      try stop(bench, client)
    }

    @Test("another worker that ends, even in the middle of a message, takes nothing along", arguments: loops)
    func ends(loop: EventLoop) throws {
      let bench = try bench(loop)
      let client = try join(bench)
      for cut in [0, 5, 12] {
        let other = try introduce(bench, client)
        try other.send(TopicText.bytes("room", "last") + TopicText.bytes("room", "cut off")[..<cut])
        other.leave()
        #expect(try client.next() == .text("last"))
        // Whether this one has noticed or not: there is an answer, and nobody else gets the message.
        for _ in 0..<20 {
          try client.send("all room")
          #expect(try client.next() == .text("told 0"))
        }
      }
      try Deadline.usual.wait(for: "the ends of the links") { bench.worker.topicLinks.isEmpty ? () : nil }
      try stop(bench, client)
    }

    @Test("a worker that takes nothing misses what does not fit, which is counted; the rest comes in order")
    func overflow() throws {
      let bench = try bench()
      let (client, talker) = (try join(bench), try join(bench, "talk"))
      let other = try introduce(bench, client)
      let (all, bytes) = (120, 100_000)
      let log = try capturingErrors {
        try talker.send("shout far \(bytes) \(all)")
        #expect(try talker.next() == .text("shouted"))
      }
      let board = try #require(bench.worker.board)
      let dropped = board[.droppedMessages].count
      #expect(dropped > 0 && dropped < all)
      #expect(log.contains("\(Self.title) takes messages of topics too slowly: "), "\(log)")
      // What waits is bounded: four of twelve million bytes, besides what the socket holds.
      #expect((all - dropped) * bytes < Limits.topicQueueBytes + 2_000_000)
      for _ in 0..<(all - dropped) { #expect(try other.next() == "binary far: \(bytes) bytes") }
      try talker.send("all far")
      #expect(try talker.next() == .text("told 0") && other.next() == "text far: all far")
      try stop(bench, client, talker)
    }

    @Test("topics and messages have their lengths, whether there are other workers or not")
    func lengths() throws {
      let bench = try bench()
      let client = try join(bench)
      func measure(_ topic: Int, _ message: Int) throws -> String {
        try client.send("measure \(topic) \(message)")
        guard case .text(let text) = try client.next() else { return "" }
        return text
      }
      for _ in 0..<2 {
        #expect(try measure(0, 1) == "measured -3" && measure(257, 1) == "measured -3")
        #expect(try measure(256, 0) == "measured 0" && measure(1, 1 << 20) == "measured 0")
        #expect(try measure(1, 1 << 20 + 1) == "measured -4")
        // Nor is text that is none.
        try client.send("garble room")
        #expect(try client.next() == .text("garbled -3"))
        _ = try bench.introduce(Self.title)
      }
      try stop(bench, client)
    }
  }
}
