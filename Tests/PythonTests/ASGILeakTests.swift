// Memory stays flat under ASGI: objects of Python, tasks and pages of the process, over requests of every
// kind, exceptions, clients that leave, WebSockets that break, and requests cancelled at their deadline.
// LEAK_REQUESTS says over how many, and has uvloop tried too; `make leaks` takes a million.
import Foundation
import Support
import Testing

@Suite struct ASGILeakTests {
  private static let asked = ProcessInfo.processInfo.environment["LEAK_REQUESTS"].flatMap(Int.init)
  static let loops = asked == nil ? ["asyncio"] : ["asyncio", "uvloop"]

  private static func ask(_ target: String) -> String { "GET \(target) HTTP/1.1\r\nHost: x\r\n\r\n" }

  /// Requests of one connection, one after the other without waiting.
  private static let batch: [String] = (0..<40).map { index in
    switch index {
    case 0: ask("/fail")
    case 1: ask("/silent")
    case 2: ask("/bad_header")
    case 3: ask("/bad_value")
    case 4: ask("/polls")
    case 5: ask("/too_long")
    case _ where index % 5 == 0:
      "POST /mirror HTTP/1.1\r\nHost: x\r\nContent-Length: 300\r\n\r\n" + String(repeating: "b", count: 300)
    case _ where index % 5 == 1: ask("/file?/etc/hostname")
    case _ where index % 5 == 2: ask("/sleep?0")
    case _ where index % 5 == 3: ask("/views")
    default: ask("/headers")
    }
  }

  /// As many requests, now and then clients that leave in the middle, and some that are cancelled.
  private static func run(_ server: ServerProcess, _ count: Int) throws {
    var late: [RawSocket] = []
    for round in 0..<max(1, count / batch.count) {
      if round % 250 == 0 {
        try expectCancelled(&late)
        late = try (0..<10).map { _ in
          let socket = try server.connect()
          try socket.send(ask("/sleep?30"))
          return socket
        }
      }
      let socket = try server.connect()
      try socket.send(batch.joined())
      for _ in batch { _ = try socket.receiveReply() }
      socket.close()
      if round % 10 == 0 { try leave(server) }
    }
    try expectCancelled(&late)
  }

  private static func expectCancelled(_ sockets: inout [RawSocket]) throws {
    for socket in sockets { #expect(try socket.receiveReply().status == 504) }
    sockets = []
  }

  /// Clients that leave: before an answer, in the middle of one, of an upload, and of a WebSocket.
  private static func leave(_ server: ServerProcess) throws {
    let waiting = try server.connect()
    try waiting.send(ask("/wait"))
    waiting.close()
    let flooded = try server.connect(receiveBuffer: 4096)
    try flooded.send(ask("/flood"))
    _ = try flooded.receive(until: "\r\n\r\n")
    flooded.resetOnClose()
    flooded.close()
    let upload = try server.connect()
    try upload.send("POST /count HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\nhalf")
    upload.close()
    let socket = try WebSocketClient(try server.address("http"))
    try socket.send("x")
    #expect(try socket.next() == .text("x"))
    socket.socket.resetOnClose()
    socket.socket.close()
  }

  @Test("objects, tasks and memory are flat over many requests", arguments: loops)
  func flat(loop: String) throws {
    let requests = Self.asked ?? 1000
    let options = try Python.options(loop: loop) + ["--harakiri", "2"]
    try Python.run("asgi_app", options) { (server) throws in
      try Self.run(server, requests / 2)
      let most = Repository.isSanitized ? 256 << 20 : 8 << 20
      var before = try Self.settled(server, nil)
      var growths: [Int] = []
      // Buffers of a busy moment stay, once. A leak goes on.
      repeat {
        try Self.run(server, requests)
        let after = try Self.settled(server, before)
        growths.append(try #require(after["resident"] as? Int) - #require(before["resident"] as? Int))
        before = after
      } while growths.count < 3 && growths.last! >= most
      #expect(growths.last! < most, "\(growths) -> \(before)")
    }
  }

  /// The figures once there are no tasks but those of the lifespan and of the question, and no more objects
  /// than before.
  private static func settled(_ server: ServerProcess, _ before: [String: Any]?) throws -> [String: Any] {
    try Deadline.usual.wait(for: "the end of the last requests", output: { server.process.output }) {
      () -> [String: Any]? in
      let now = try server.object("/memory")
      guard now["tasks"] as? Int == 2, let new = now["blocks"] as? Int else { return nil }
      guard let old = before?["blocks"] as? Int else { return now }
      return new - old < 400 ? now : nil
    }
  }
}
