// A call that waits for its body gives its permit to another after a while (Host/Call/CallPermit.swift): the
// body may come in just that moment.
import Foundation
import Support
import Testing

@Suite struct BodyWaitTests {
  /// How often each of them is tried: both threads have to wake together, which they do one time in ten.
  private static let rounds = 15
  /// Microseconds after which a call offers its permit, and some more.
  private static let patience: UInt32 = 60_000

  @Test(
    "a body that comes as its call stops counting on it is read at once", arguments: GatewayRequest.gateways,
    ["/pieces", "/whole"])
  func comesAsTheWaitEnds(gateway: String, path: String) throws {
    let server = try ServerProcess(
      app: try FixtureApp.path("streams"),
      ["--no-master", "-L", "--body-timeout", "100", "--\(gateway)-socket", "127.0.0.1:0"])
    let body = Array("hello".utf8)
    let request = GatewayRequest.bytes(gateway, path, body: body)
    // In FastCGI it is the end of the record of the body that is missing.
    let head = request.count - (gateway == "fastcgi" ? 12 : body.count)
    for round in 1...Self.rounds {
      let socket = try server.connect(gateway)
      try socket.send(Array(request[..<head]))
      usleep(20_000)
      kill(server.process.pid, SIGSTOP)
      try socket.send(Array(request[head...]))
      usleep(Self.patience)
      kill(server.process.pid, SIGCONT)
      let reply =
        try gateway == "http" ? socket.receiveLastReply() : GatewayRequest.reply(gateway, socket.receiveAll())
      #expect(reply.status == 200 && reply.text.hasPrefix("5"), "\(gateway), round \(round): \(reply)")
    }
    #expect(try server.stop() == .status(0), "\(server.process.output)")
  }
}
