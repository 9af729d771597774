// More clients than the server takes, and none of the descriptors that another one needs: they wait in the
// backlog, and the log says so once.
import Config
import Foundation
import Support
import Testing

@testable import Host

extension WorkerSuites {
  @Suite struct BacklogTests {
    private static let gateways: [ListenerProtocol] = [.http1, .scgi, .uwsgi, .fastcgi]
    private static let names = ["http", "scgi", "uwsgi", "fastcgi"]

    private func bytes(_ index: Int) -> [UInt8] { GatewayRequest.bytes(Self.names[index], "/ok") }

    private func expectAnswer(_ socket: RawSocket, _ index: Int) throws {
      let reply = try GatewayRequest.reply(Self.names[index], try socket.receiveAll())
      #expect(reply.status == 200 && reply.text.hasSuffix("ok"), "\(Self.names[index]): \(reply)")
    }

    @Test(
      "clients beyond the most connections wait, on each socket, and are served when others leave",
      arguments: [false, true], [EventLoop.epoll, .auto])
    func waiting(onUnixSockets: Bool, loop: EventLoop) throws {
      let log = try capturingErrors {
        let bench = try WorkerBench(
          loop: loop, Self.gateways, onUnixSockets: onUnixSockets,
          settings: { $0.limits.connections = 4 })
        // Each has begun a request, so that it was accepted.
        let held = try (0..<4).map { index in
          let socket = try bench.connect(index)
          try socket.send(bytes(index).dropLast())
          return socket
        }
        try Deadline.usual.wait(for: "four connections") {
          bench.worker.connections.alive == 4 ? () : nil
        }
        let waiting = try (0..<12).map { number in
          let socket = try bench.connect(number % 4)
          try socket.send(bytes(number % 4))
          return socket
        }
        usleep(300_000)
        #expect(bench.worker.connections.alive == 4)
        for (index, socket) in held.enumerated() {
          try socket.send(bytes(index).suffix(1))
          try expectAnswer(socket, index)
        }
        for (number, socket) in waiting.enumerated() { try expectAnswer(socket, number % 4) }
        #expect(try bench.isWell())
        #expect(try bench.stop())
      }
      let lines = log.components(separatedBy: "wait in the backlog").count - 1
      #expect(1...5 ~= lines, "\(log)")
      #expect(log.contains("4 connections are open") && log.contains("--max-connections"))
    }

    @Test("one line a second, however many clients come and go at the bound")
    func oneLine() throws {
      let log = try capturingErrors {
        let bench = try WorkerBench(settings: { $0.limits.connections = 1 })
        for _ in 0..<200 { #expect(try bench.isWell()) }
        #expect(try bench.stop())
      }
      // However slow the machine, it is not a line a client.
      #expect(log.components(separatedBy: "wait in the backlog").count - 1 < 40, "\(log)")
    }

    @Test(
      "without a descriptor or memory for a connection it waits and is served later",
      arguments: [EMFILE, ENFILE, ENOMEM, ENOBUFS], [false, true])
    func noDescriptor(code: Int32, onUnixSockets: Bool) throws {
      let log = try capturingErrors {
        let bench = try WorkerBench(loop: .epoll, onUnixSockets: onUnixSockets)
        let steps = Array(repeating: SystemScript.Step.fail(code), count: 3)
        let (isWell, left) = try playing(.accept, steps) { try bench.isWell() }
        #expect(isWell)
        #expect(left == 0)
        #expect(try bench.stop())
      }
      #expect(1...3 ~= log.components(separatedBy: "wait in the backlog").count - 1, "\(log)")
    }

    @Test("at a stop, one connection that is gone does not strand those behind it in the backlog")
    func oneIsGoneAtAStop() throws {
      let bench = try WorkerBench(loop: .epoll)
      let (reply, left) = try playing(.accept, [.fail(EMFILE), .fail(ECONNABORTED), .fail(EPERM)]) {
        let socket = try bench.connect()
        try socket.send(get("/ok"))
        try Deadline.usual.wait(for: "the client to be left in the backlog") {
          bench.worker.acceptor.admission == .short ? () : nil
        }
        bench.send(SIGTERM)
        return try socket.receiveReply()
      }
      #expect(reply.text == "ok")
      #expect(left == 0)
      #expect(try bench.waitForEnd())
    }

    @Test("what befell one connection before it was accepted does not hold up the next")
    func oneIsGone() throws {
      let log = try capturingErrors {
        let bench = try WorkerBench(loop: .epoll)
        let steps = [ECONNABORTED, EPROTO, ENETDOWN, EPERM].map { SystemScript.Step.fail($0) }
        let (isWell, left) = try playing(.accept, steps) { try bench.isWell() }
        #expect(isWell)
        #expect(left == 0)
        #expect(try bench.stop())
      }
      #expect(!log.contains("backlog"), "\(log)")
    }
  }
}
