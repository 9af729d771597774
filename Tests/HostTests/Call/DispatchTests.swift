// Dispatch in one worker: who waits for whom, how long the queue of an app may be, and what one connection
// may take of the loop while others want it.
import Foundation
import Support
import Testing

@testable import Host

extension WorkerSuites {
  @Suite struct DispatchTests {
    /// Where calls of the app `generations` wait.
    private struct Gate {
      let folder: TemporaryFolder
      init() throws { folder = try TemporaryFolder() }
      var path: String { folder.file("gate") }
      func awaitCall() throws {
        try Deadline.usual.wait(for: "a call at the gate") {
          access(path + ".entered", F_OK) == 0 ? () : nil
        }
      }
      func open() throws { try folder.write("", to: "gate.open") }
    }

    @Test("beyond the bound of an app's queue: 503 with Retry-After; those in it are answered")
    func queueBound() throws {
      let gate = try Gate()
      let bench = try WorkerBench(
        app: "generations", symbol: "single_nsgi_entry",
        options: [Generation.Option(key: "version", value: "1")], settings: { $0.limits.queuedRequests = 2 })
      let first = try bench.connect()
      try first.send(get("/wait?\(gate.path)"))
      try gate.awaitCall()
      var waiting: [RawSocket] = []
      for count in 2...3 {
        let socket = try bench.connect()
        try socket.send(get("/"))
        try Deadline.usual.wait(for: "\(count) requests") { bench.worker.exchanges.alive == count ? () : nil }
        waiting.append(socket)
      }
      let refused = try bench.connect()
      try refused.send(get("/"))
      let reply = try refused.receiveReply()
      #expect(reply.status == 503)
      #expect(reply["retry-after"] == "1")
      try gate.open()
      for socket in [first] + waiting { #expect(try socket.receiveReply().text == "1") }
      #expect(try bench.isWell("/"))
      #expect(try bench.stop())
    }

    @Test("a slow call for whose place the system gives no thread holds others up only until it gives one")
    func noThread() throws {
      let gate = try Gate()
      let log = try capturingErrors {
        let bench = try WorkerBench(
          app: "generations", options: [Generation.Option(key: "version", value: "1")])
        #expect(try bench.isWell("/"))
        let slow = try bench.connect()
        let (reply, left) = try playing(.startThread, Array(repeating: .fail(EAGAIN), count: 5)) {
          try slow.send(get("/wait?\(gate.path)"))
          try gate.awaitCall()
          let other = try bench.connect()
          try other.send(get("/"))
          return try other.receiveReply()
        }
        #expect(reply.text == "1")
        #expect(left == 0)
        try gate.open()
        #expect(try slow.receiveReply().text == "1")
        #expect(try bench.stop())
      }
      #expect(log.components(separatedBy: "the system gives no thread").count == 2, "\(log)")
    }

    @Test("a client that leaves the queue is called for in its turn")
    func leavesTheQueue() throws {
      let gate = try Gate()
      let bench = try WorkerBench(
        app: "generations", symbol: "single_nsgi_entry",
        options: [Generation.Option(key: "version", value: "1")])
      let first = try bench.connect()
      try first.send(get("/wait?\(gate.path)"))
      try gate.awaitCall()
      let leaver = try bench.connect()
      let other = try Gate()
      try leaver.send(get("/wait?\(other.path)"))
      try Deadline.usual.wait(for: "two requests") { bench.worker.exchanges.alive == 2 ? () : nil }
      leaver.resetOnClose()
      leaver.close()
      // The loop goes on while the call waits: it sees the leaver go before the gate opens.
      let late = try bench.connect()
      try late.send(get("/"))
      try Deadline.usual.wait(for: "three requests") { bench.worker.exchanges.alive == 3 ? () : nil }
      try gate.open()
      #expect(try first.receiveReply().text == "1")
      try other.awaitCall()
      try other.open()
      #expect(try late.receiveReply().text == "1")
      #expect(try bench.stop())
    }

    @Test(
      "sendfile() goes behind what a full socket has left, whether the app waits or not",
      arguments: [
        nil, "never_waits_nsgi_entry",
      ])
    func fileBehindTheRest(symbol: String?) throws {
      let folder = try TemporaryFolder()
      let file = try folder.write("0123456789", to: "file")
      let bench = try WorkerBench(app: "pressure", symbol: symbol)
      let socket = try bench.connect()
      for steps in [[], [SystemScript.Step.fail(EAGAIN)], [.at(7), .fail(EAGAIN)]] {
        let (reply, left) = try playing(.send, steps) {
          try socket.send(get("/file?\(file)"))
          return try socket.receiveReply()
        }
        #expect(reply.text == "abc0123456789")
        #expect(left == 0)
      }
      #expect(try bench.stop())
    }

    @Test("a connection full of pipelined requests takes turns with the others")
    func fairness() throws {
      let bench = try WorkerBench(app: "clash", isStarted: false)
      let greedy = try bench.connect()
      let modest = try (0..<4).map { _ in try bench.connect() }
      let count = 2000
      // All of it is there before the worker looks for the first time.
      try greedy.send(String(repeating: get("/"), count: count))
      for socket in modest { try socket.send(get("/")) }
      bench.start()
      func number(_ socket: RawSocket) throws -> Int {
        Int(try socket.receiveReply().text.dropFirst(2)) ?? 0
      }
      var last = 0
      for _ in 0..<count { last = try number(greedy) }
      for socket in modest {
        // At the latest after a turn of the greedy one, which is a bounded number of requests.
        let place = try number(socket)
        #expect(place <= 2 * bench.worker.limits.pipelinedRequestsPerTurn + modest.count, "\(place)")
        #expect(place < last)
      }
      #expect(try bench.stop())
    }
  }
}
