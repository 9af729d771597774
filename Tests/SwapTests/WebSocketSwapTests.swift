// WebSockets over the swap of what serves them: their clients are told by 1012 when it is time, and come
// again to the new version; in place the old one serves its sockets until then.
import Foundation
import Support
import Testing

extension Swaps {
  @Suite struct WebSocketSwapTests {
    private func build(_ version: String) throws -> String {
      try FixtureApp.path("websockets", defines: ["VERSION=\"\(version)\""])
    }

    private func server(_ options: [String]) throws -> SupervisedServer {
      try SupervisedServer(
        try build("1"), workers: 2, ["--swap-soak", "0", "--swap-probation", "0"] + options)
    }

    private func version(_ client: WebSocketClient) throws -> WebSocketClient.Frame {
      try client.send("version")
      return try client.next()
    }

    private func version(_ socket: HTTP2Socket) throws -> WebSocketClient.Frame {
      try socket.send("version")
      return try socket.next()
    }

    @Test("sockets go on for the drain and are then closed with 1012", arguments: ["rolling", "in-place"])
    func drains(how: String) throws {
      let server = try server(["--swap", how, "--websocket-drain", "2"])
      let address = try server.server.address("http")
      let clients = try (0..<6).map { _ in try WebSocketClient(address) }
      for client in clients { #expect(try version(client) == .text("1")) }
      try server.install(try build("2"))
      let (exit, output) = try server.ctl("swap")
      #expect(exit == 0, "\(output)")
      let fresh = try WebSocketClient(address)
      #expect(fresh.head.contains("X-Build: 2"))
      for client in clients { #expect(try version(client) == .text("1")) }
      for client in clients {
        #expect(try client.next() == .close(1012, ""))
        try client.close(1012)
        #expect(try client.next() == .end)
      }
      #expect(try version(fresh) == .text("2"))
      try server.waitForLog("closed with 1012")
      server.server.process.send(SIGTERM)
      #expect(try fresh.next() == .close(1001, ""))
      try fresh.close(1001)
      #expect(try server.server.process.wait() == .status(0), "\(server.log)")
    }

    @Test("so do those on streams, whose connections end behind them", arguments: ["rolling", "in-place"])
    func drainsStreams(how: String) throws {
      let server = try server(["--swap", how, "--websocket-drain", "2"])
      let address = try server.server.address("http")
      let clients = try (0..<2).map { _ in try HTTP2Client(RawSocket(address)) }
      let sockets = try clients.flatMap { client in try (0..<3).map { _ in try HTTP2Socket(client) } }
      for socket in sockets { #expect(try version(socket) == .text("1")) }
      try server.install(try build("2"))
      let (exit, output) = try server.ctl("swap")
      #expect(exit == 0, "\(output)")
      let fresh = try HTTP2Socket(HTTP2Client(RawSocket(address)))
      #expect(fresh["x-build"] == "2")
      for socket in sockets { #expect(try version(socket) == .text("1")) }
      for socket in sockets {
        #expect(try socket.next() == .close(1012, ""))
        try socket.close(1012)
        #expect(try socket.next() == .end)
        #expect(socket.ending == .whole)
      }
      for client in clients {
        if how == "rolling" {
          try client.finish()
          #expect(client.goAways.last?.code == 0)
        } else {
          #expect(client.goAways.isEmpty)
        }
        client.socket.close()
      }
      #expect(try version(fresh) == .text("2"))
      try server.waitForLog("closed with 1012")
      server.server.process.send(SIGTERM)
      #expect(try fresh.next() == .close(1001, ""))
      try fresh.close(1001)
      #expect(try fresh.next() == .end)
      fresh.client.socket.close()
      #expect(try server.server.process.wait() == .status(0), "\(server.log)")
    }

    @Test("an upgrade of the server closes its sockets with 1012, too")
    func upgrades() throws {
      let server = try server([])
      let old = server.pid
      let client = try WebSocketClient(try server.server.address("http"))
      #expect(try version(client) == .text("1"))
      let (exit, output) = try server.ctl("upgrade")
      #expect(exit == 0, "\(output)")
      #expect(try client.next() == .close(1012, ""))
      try client.close(1012)
      #expect(try client.next() == .end)
      try server.waitForLog("closed with 1012")
      try Deadline.usual.wait(for: "the end of \(old)", output: { server.log }) {
        ProcessUsage.isAlive(old) ? nil : ()
      }
      #expect(try server.ctl("stop").exit == 0, "\(server.log)")
    }

    @Test("a crash in a handler is told with the path of the socket, and takes its worker alone")
    func crashes() throws {
      let server = try server([])
      let client = try WebSocketClient(try server.server.address("http"), "/the/path")
      try client.send("crash")
      #expect(throws: (any Error).self) { if try client.next() == .end { throw CancellationError() } }
      try server.waitForLog("while serving GET /the/path")
      let other = try WebSocketClient(try server.server.address("http"))
      #expect(try version(other) == .text("1"))
      #expect(try server.stop() == .status(0), "\(server.log)")
    }

    @Test("a handler that takes too long loses its socket, and the worker goes on")
    func harakiri() throws {
      let server = try server(["--harakiri", "1"])
      let address = try server.server.address("http")
      let client = try WebSocketClient(address)
      try client.send("sleep 2000")
      #expect(try client.next() == .end)
      try server.waitForLog("takes too long for a message of GET /")
      try server.waitForLog("closed with 1006")
      let other = try WebSocketClient(address)
      #expect(try version(other) == .text("1"))
      #expect(try server.stop() == .status(0), "\(server.log)")
    }
  }
}
