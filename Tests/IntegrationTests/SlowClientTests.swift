// Slow clients of a whole server: what their answers hold, and that it is given back; clients beyond the
// most connections, with several workers.
import Foundation
import Support
import Testing

@Suite struct SlowClientTests {
  private func resident(_ server: ServerProcess) throws -> Int {
    try #require(ProcessUsage(server.process.pid)).resident
  }

  @Test(
    "eight clients that do not take 26 MB each: little of it is in memory, and that is given back",
    arguments: ["epoll", "auto"], ["/whole", "/write"])
  func heldAnswers(io: String, path: String) throws {
    let server = try ServerProcess(
      app: try FixtureApp.path("whole"),
      ["--no-master", "--io", io, "--http-socket", "DIR/h.sock", "--fastcgi-socket", "DIR/f.sock"])
    let (size, target) = (26_000_000, "\(path)?26000000")
    #expect(try server.connect().ask("\(path)?1").status == 200)
    let before = try resident(server)
    let readers = try (0..<8).map { number in
      let gateway = number % 2 == 0 ? "http" : "fastcgi"
      let socket = try server.connect(gateway)
      try socket.send(GatewayRequest.bytes(gateway, target))
      return (socket, gateway)
    }
    // Each has its head: what the app gave is on its way.
    for (socket, _) in readers { socket.putBack(try socket.receive(100)) }
    let state = { "\((try? resident(server)) ?? 0) KiB" }
    let isMeasured = !Repository.isAddressSanitized
    if path == "/whole", isMeasured {
      // The app frees its own bytes when its calls have returned.
      try Deadline.usual.wait(for: "little to be in memory for eight answers", output: state) {
        try resident(server) - before < 40 << 10 ? () : nil
      }
    }
    let expected = TestBody.bytes(size)
    for (socket, gateway) in readers {
      let reply =
        try gateway == "http" ? socket.receiveLastReply() : GatewayRequest.reply(gateway, socket.receiveAll())
      #expect(reply.body == expected)
      socket.close()
    }
    try Deadline.usual.wait(for: "the memory to be given back", output: state) {
      try !isMeasured || resident(server) - before < 48 << 10 ? () : nil
    }
    #expect(try server.stop() == .status(0), "\(server.process.output)")
  }

  @Test(
    "clients beyond the most connections of several workers wait for their turn",
    arguments: ["epoll", "auto"])
  func crowd(io: String) throws {
    let server = try ServerProcess(
      app: try FixtureApp.path("conformance"),
      [
        "-L", "-p", "2", "--io", io, "--max-connections", "3", "--http-socket", "127.0.0.1:0",
        "--scgi-socket", "DIR/s.sock",
      ])
    let held = try (0..<6).map { number in
      let socket = try server.connect(number % 2 == 0 ? "http" : "scgi")
      try socket.send(number % 2 == 0 ? "GET /ok HTTP/1.1\r\nHo" : "70:CONTENT_LENGTH")
      return socket
    }
    usleep(200_000)
    let waiting = try (0..<20).map { number in
      let gateway = number % 2 == 0 ? "http" : "scgi"
      let socket = try server.connect(gateway)
      try socket.send(GatewayRequest.bytes(gateway, "/ok"))
      return (socket, gateway)
    }
    usleep(300_000)
    for socket in held { socket.close() }
    for (socket, gateway) in waiting {
      let reply =
        try gateway == "http" ? socket.receiveLastReply() : GatewayRequest.reply(gateway, socket.receiveAll())
      #expect(reply.status == 200 && reply.text == "ok", "\(gateway)")
    }
    #expect(try server.stop() == .status(0))
    let lines = server.process.output.components(separatedBy: "wait in the backlog").count - 1
    #expect(lines < 10, "\(server.process.output)")
  }

  @Test("a server that runs out of descriptors serves those who wait when there are some again")
  func descriptors() throws {
    let server = try ServerProcess(
      app: try FixtureApp.path("conformance"),
      ["-L", "--no-master", "--max-fd", "100", "--http-socket", "127.0.0.1:0"])
    var held = try (0..<120).map { _ in
      let socket = try server.connect()
      try socket.send("GET /ok HTTP/1.1\r\nHo")
      return socket
    }
    try Deadline.usual.wait(for: "a line about it", output: { server.process.output }) {
      server.process.output.contains("wait in the backlog") ? () : nil
    }
    for socket in held.prefix(60) { socket.close() }
    held.removeFirst(60)
    for socket in held {
      try socket.send("st: h\r\nConnection: close\r\n\r\n")
      #expect(try socket.receiveLastReply().text == "ok")
    }
    #expect(try server.stop() == .status(0), "\(server.process.output)")
  }
}
