// Clients that go away in the middle, over every protocol: nobody else must notice.
import Support
import Testing

@Suite struct VanishingTests {
  private static let cases = GatewayRequest.gateways.flatMap { gateway in
    [false, true].map { (gateway: gateway, resets: $0) }
  }

  /// A server on which `times` clients do `leave`, and then one client is served.
  private func serves(
    _ gateway: String, app: String, _ target: String, _ leave: (RawSocket) throws -> Void
  ) throws {
    let server = try ServerProcess(app: app, ["--\(gateway)-socket", "127.0.0.1:0"])
    for _ in 0..<20 { try leave(try server.connect(gateway, receiveBuffer: 4096)) }
    let socket = try server.connect(gateway)
    let reply = try socket.exchange(gateway, target, body: TestBody.bytes(10))
    #expect(reply.status == 200)
    socket.close()
    #expect(try server.stop() == .status(0), "\(server.process.output)")
  }

  @Test("while the head is on its way", arguments: cases)
  func inHead(gateway: String, resets: Bool) throws {
    try serves(gateway, app: Repository.app("environ"), "/") { socket in
      let request = GatewayRequest.bytes(gateway, "/")
      try socket.send(request.prefix(request.count / 2))
      if resets { socket.resetOnClose() }
    }
  }

  @Test("while the body is on its way", arguments: cases)
  func inBody(gateway: String, resets: Bool) throws {
    try serves(gateway, app: Repository.app("environ"), "/") { socket in
      let request = GatewayRequest.bytes(gateway, "/", body: TestBody.bytes(100_000))
      try socket.send(request.prefix(request.count / 2))
      if resets { socket.resetOnClose() }
    }
  }

  @Test("while the response is on its way", arguments: cases)
  func inResponse(gateway: String, resets: Bool) throws {
    try serves(gateway, app: try FixtureApp.path("conformance"), "/unread") { socket in
      try socket.send(GatewayRequest.bytes(gateway, "/big"))
      _ = try socket.receive(1000)
      if resets { socket.resetOnClose() }
    }
  }
}
