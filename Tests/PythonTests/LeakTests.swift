// Memory stays flat: objects of Python and pages of the process, over requests of every kind, exceptions and
// clients that leave included. LEAK_REQUESTS says over how many; `make leaks` takes a million.
import Foundation
import Support
import Testing

@Suite struct LeakTests {
  private static let requests =
    ProcessInfo.processInfo.environment["LEAK_REQUESTS"].flatMap(Int.init) ?? 8000

  /// Requests of one connection, one after the other without waiting.
  private static let batch: [String] = (0..<40).map { index in
    switch index % 10 {
    case 0: "GET /raises HTTP/1.1\r\nHost: x\r\n\r\n"
    case 1:
      "POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: 300\r\n\r\n" + String(repeating: "b", count: 300)
    case 2: "GET /in-next HTTP/1.1\r\nHost: x\r\nX-\(index): \(index)\r\n\r\n"
    case 3: "GET /text-blocks HTTP/1.1\r\nHost: x\r\n\r\n"
    case 4: "GET /file-of?length HTTP/1.1\r\nHost: x\r\n\r\n"
    case 5: "GET /writes HTTP/1.1\r\nHost: x\r\n\r\n"
    case 6: "GET /refusals HTTP/1.1\r\nHost: x\r\n\r\n"
    default: "GET /hello HTTP/1.1\r\nHost: x\r\nCookie: c=\(index)\r\n\r\n"
    }
  }

  /// As many requests, and now and then a client that leaves in the middle.
  private static func run(_ server: ServerProcess, _ count: Int) throws {
    for round in 0..<max(1, count / batch.count) {
      let socket = try server.connect()
      try socket.send(batch.joined())
      for _ in batch { _ = try socket.receiveReply() }
      socket.close()
      guard round % 10 == 0 else { continue }
      let leaver = try server.connect()
      try leaver.send("GET /closes?endless HTTP/1.1\r\nHost: x\r\n\r\n")
      _ = try leaver.receive(until: "\r\n\r\n")
      leaver.resetOnClose()
      leaver.close()
    }
  }

  @Test("objects and memory are flat over many requests")
  func flat() throws { try Self.compare(Self.requests, []) }

  /// The same with any Python, which `options` name.
  static func compare(_ requests: Int, _ options: [String]) throws {
    try Python.run("pep3333", options) { (server) throws in
      try run(server, requests / 2)
      // What is freed stays for a while with the sanitizer, at most a quarter of a gigabyte.
      let most = Repository.isSanitized ? 256 << 20 : 8 << 20
      var before = try server.object("/memory")
      var growths: [Int] = []
      // A busy machine has more threads at once than before, each with memory of its own: once. A leak goes
      // on.
      repeat {
        try run(server, requests)
        let after = try settled(server, before)
        growths.append(try #require(after["resident"] as? Int) - #require(before["resident"] as? Int))
        before = after
      } while growths.count < 3 && growths.last! >= most
      #expect(growths.last! < most, "\(growths) -> \(before)")
    }
  }

  /// The figures once the threads of clients that left are out.
  private static func settled(_ server: ServerProcess, _ before: [String: Any]) throws -> [String: Any] {
    try Deadline.usual.wait(for: "the end of the last calls") { () -> [String: Any]? in
      let now = try server.object("/memory")
      guard let old = before["blocks"] as? Int, let new = now["blocks"] as? Int else { return nil }
      return new - old < 400 ? now : nil
    }
  }
}
