// What a worker on io_uring does that one on epoll need not: leave the ring when a call is handed off, with
// all that has come, and take one up again.
import Config
import Foundation
import Support
import Testing

@testable import Host

extension WorkerSuites {
  @Suite struct RingTests {
    private func bench(_ app: String, _ folder: TemporaryFolder, rest: Double = 0.2) throws -> WorkerBench {
      try WorkerBench(
        loop: .ioUring, app: app,
        options: app == "generations"
          ? [
            Generation.Option(key: "version", value: "1"),
            Generation.Option(key: "log", value: folder.file("log")),
          ] : [],
        settings: {
          $0.limits.ringRestSeconds = rest
          $0.limits.ringRestMostSeconds = rest
        })
    }

    private func awaitRing(_ bench: WorkerBench, isOpen: Bool) throws {
      try Deadline.usual.wait(for: isOpen ? "a ring" : "the ring's end") {
        bench.worker.ring.isOpen == isOpen ? () : nil
      }
    }

    @Test("a call that is handed off costs nobody an answer: idle, half-sent, pipelined, new")
    func handOff() throws {
      let folder = try TemporaryFolder()
      let bench = try bench("generations", folder)
      var others: [(socket: RawSocket, rest: String)] = []
      for rest in [get("/"), "Host: h\r\n\r\n", get("/") + get("/")] {
        let socket = try bench.connect()
        try socket.send(get("/"))
        #expect(try socket.receiveReply().text == "1")
        if rest.hasPrefix("Host") { try socket.send("GET / HTTP/1.1\r\n") }
        others.append((socket, rest))
      }
      try awaitRing(bench, isOpen: true)
      let slow = try bench.connect()
      try slow.send(get("/wait?\(folder.file("gate"))") + get("/"))
      try awaitRing(bench, isOpen: false)
      for (socket, rest) in others {
        try socket.send(rest)
        #expect(try socket.receiveReply().text == "1")
      }
      #expect(try others[2].socket.receiveReply().text == "1")
      #expect(try bench.isWell("/"))
      try folder.write("", to: "gate.open")
      for _ in 0..<2 { #expect(try slow.receiveReply().text == "1") }
      // Some rest, and a leader has one again, with the connections that wait.
      try Deadline.usual.wait(for: "a new ring") { () throws -> Void? in
        try others[0].socket.send(get("/"))
        guard try others[0].socket.receiveReply().text == "1" else { return nil }
        return bench.worker.ring.isOpen ? () : nil
      }
      for (socket, _) in others {
        try socket.send(get("/"))
        #expect(try socket.receiveReply().text == "1")
      }
      #expect(try bench.stop())
    }

    @Test("a call that is handed off in the middle of a turn keeps no answer of that turn back")
    func handOffs() throws {
      let folder = try TemporaryFolder()
      let bench = try bench("generations", folder, rest: 0)
      let sockets = try (0..<8).map { _ in try bench.connect() }
      for round in 0..<40 {
        // It has a ring only once it has had something to do.
        #expect(try bench.isWell("/"))
        try awaitRing(bench, isOpen: true)
        let slow = round % sockets.count
        for (index, socket) in sockets.enumerated() {
          try socket.send(get(index == slow ? "/wait?\(folder.file("g\(round)"))" : "/"))
        }
        for (index, socket) in sockets.enumerated() where index != slow {
          #expect(try socket.receiveReply().text == "1")
        }
        try folder.write("", to: "g\(round).open")
        #expect(try sockets[slow].receiveReply().text == "1")
      }
      #expect(try bench.stop())
    }

    @Test("more connections at once than there are blocks and places")
    func many() throws {
      let folder = try TemporaryFolder()
      let bench = try bench("conformance", folder)
      var sockets: [RawSocket] = []
      for _ in 0..<700 { sockets.append(try bench.connect()) }
      for _ in 0..<3 {
        for socket in sockets { try socket.send(get("/ok")) }
        for socket in sockets { #expect(try socket.receiveReply().status == 200) }
      }
      for socket in sockets { socket.close() }
      try Deadline.usual.wait(for: "the connections to be closed") {
        bench.worker.connections.alive == 0 ? () : nil
      }
      #expect(try bench.stop())
    }

    @Test("a client that sends requests without end and takes no answers is not read for ever")
    func flood() throws {
      let folder = try TemporaryFolder()
      let bench = try bench("conformance", folder)
      let socket = try bench.connect(receiveBuffer: 4096)
      let requests = String(repeating: get("/ok"), count: 2000)
      var sent = 0
      while sent < 200, (try? socket.send(requests, Deadline(seconds: 1))) == true { sent += 1 }
      #expect(sent < 200, "the client is made to wait")
      #expect(try bench.isWell())
      socket.close()
      #expect(try bench.stop())
    }

    @Test("long bodies leave the ring, and arrive whole")
    func longBodies() throws {
      let folder = try TemporaryFolder()
      let bench = try bench("conformance", folder)
      let socket = try bench.connect()
      for size in [1000, 100_000, 3_000_000, 10] {
        let body = TestBody.bytes(size)
        try socket.send(post("/echo", body))
        let reply = try socket.receiveReply()
        #expect(reply.body.count > size)
        #expect(TestBody.checksum(Array(reply.body.suffix(size))) == TestBody.checksum(body))
      }
      #expect(try bench.stop())
    }
  }
}
