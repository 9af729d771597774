// What apps may count on while others are slow: calls one at a time for those that want it, waits that delay
// nobody, and back-pressure both ways.
import Foundation
import Support
import Testing

@Suite struct DispatchTests {
  /// One process, so that what an app counts is in it.
  private func server(_ app: String, _ options: String...) throws -> ServerProcess {
    try ServerProcess(app: app, ["--no-master", "--http-socket", "127.0.0.1:0"] + options)
  }

  private func ask(_ server: ServerProcess, _ target: String) throws -> RawSocket {
    let socket = try server.connect()
    try socket.send("GET \(target) HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n")
    return socket
  }

  private func get(_ server: ServerProcess, _ target: String) throws -> String {
    try ask(server, target).receiveReply().text
  }

  /// What the app `pressure` has counted, by name.
  private func counts(_ server: ServerProcess) throws -> [String: Int] {
    let words = try get(server, "/counts").split(separator: " ")
    let places = stride(from: 0, to: words.count - 1, by: 2)
    return Dictionary(uniqueKeysWithValues: places.map { (String(words[$0]), Int(words[$0 + 1]) ?? -1) })
  }

  @Test("an app that is not thread-safe gets one call at a time, and others go on meanwhile")
  func oneAtATime() throws {
    let folder = try TemporaryFolder()
    let app = try FixtureApp.path("generations")
    // Two symbols of one library, one of them mounted by the alias.
    let server = try server(
      "/single=\(app):single_nsgi_entry", "--mount", "/=\(app)", "--app-option", "version=7",
      "--threads", "4")
    func isEntered(_ name: String) -> Bool { access(folder.file("\(name).entered"), F_OK) == 0 }
    func awaitCall(_ name: String) throws {
      try Deadline.usual.wait(for: "the call \(name)") { isEntered(name) ? () : nil }
    }
    let first = try ask(server, "/single/wait?\(folder.file("first"))")
    try awaitCall("first")
    let second = try ask(server, "/single/wait?\(folder.file("second"))")
    // Calls of the other app go side by side.
    let beside = try ["x", "y"].map { try ask(server, "/wait?\(folder.file($0))") }
    for name in ["x", "y"] { try awaitCall(name) }
    for _ in 0..<20 { #expect(try get(server, "/") == "7") }
    #expect(!isEntered("second"))
    for name in ["second", "first", "x", "y"] { try folder.write("", to: "\(name).open") }
    for socket in [first, second] + beside { #expect(try socket.receiveReply().text == "7") }
    #expect(try server.stop() == .status(0), "\(server.process.output)")
  }

  @Test("names that clash stay apart, in two libraries and in one that is loaded twice")
  func clashingNames() throws {
    let builds = try ["A", "B"].map { try FixtureApp.path("clash", defines: ["LETTER='\($0)'"]) }
    let server = try server(
      "/a=\(builds[0])", "--app", "/b=\(builds[1])", "--app", "/again=\(builds[0])",
      "--mount", "/=\(builds[1])")
    for round in 1...3 {
      for (mount, letter) in [("/a", "A"), ("/b/x", "B"), ("/again", "A"), ("/", "B")] {
        #expect(try get(server, mount) == "\(letter) \(round)")
      }
    }
    #expect(try server.stop() == .status(0), "\(server.process.output)")
  }

  @Test("thousands of asynchronous requests under way on one worker of two threads")
  func thousands() throws {
    let server = try server(try FixtureApp.path("pressure"), "--threads", "2", "--max-connections", "5000")
    let count = 3000
    allowDescriptors()
    let before = try threads(server)
    var sockets: [RawSocket] = []
    for _ in 0..<count { sockets.append(try ask(server, "/hold")) }
    try Deadline.usual.wait(for: "\(count) requests that hold") {
      try counts(server)["holding"] == count ? () : nil
    }
    #expect(try threads(server) <= before + 2)
    #expect(try get(server, "/release") == "releasing")
    for socket in sockets { #expect(try socket.receiveReply().text == "released") }
    sockets = []
    #expect(try server.stop() == .status(0), "\(server.process.output)")
  }

  /// As many descriptors as the machine lets this process have.
  private func allowDescriptors() {
    var limit = rlimit()
    getrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &limit)
    limit.rlim_cur = limit.rlim_max
    setrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &limit)
  }

  private func threads(_ server: ServerProcess) throws -> Int {
    try FileManager.default.contentsOfDirectory(atPath: "/proc/\(server.process.pid)/task").count
  }

  @Test("threads come when calls wait, as many as are allowed, and go when nobody needs them")
  func threadsComeAndGo() throws {
    let folder = try TemporaryFolder()
    let server = try server(try FixtureApp.path("generations"), "--threads", "5")
    _ = try get(server, "/")
    let before = try threads(server)
    let waiting = try (0..<8).map { try ask(server, "/wait?\(folder.file("\($0)"))") }
    func entered() throws -> Int {
      try FileManager.default.contentsOfDirectory(atPath: folder.path).count { $0.hasSuffix(".entered") }
    }
    try Deadline.usual.wait(for: "five calls at once") { try entered() == 5 ? () : nil }
    let during = try threads(server)
    #expect(during > before && during <= before + 5)
    for number in 0..<8 { try folder.write("", to: "\(number).open") }
    for socket in waiting { _ = try socket.receiveReply() }
    try Deadline.usual.wait(for: "the threads to go") { try threads(server) <= before ? () : nil }
    #expect(try server.stop() == .status(0), "\(server.process.output)")
  }

  // MARK: Back-pressure

  private static let large = 64 << 20

  /// A client that takes nothing holds the app up before all is written, and then gets every byte.
  private func holdsBack(_ app: String, _ path: String, _ check: ([String: Int]) -> Bool) throws {
    let server = try server(app)
    let socket = try server.connect(receiveBuffer: 4096)
    try socket.send("GET \(path)?\(Self.large) HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n")
    try Deadline.usual.wait(for: "the app to be held up") { try check(counts(server)) ? () : nil }
    for _ in 0..<50 { #expect(try get(server, "/ok") == "/ok") }
    // What the kernel's buffers hold, and a bounded rest in the server.
    #expect(try counts(server)["taken"] ?? 0 < Self.large / 2)
    let reply = try socket.receiveLastReply()
    #expect(reply.body.count == Self.large && reply.body.allSatisfy { $0 == UInt8(ascii: "p") })
    #expect(try counts(server)["taken"] == Self.large)
    #expect(try server.stop() == .status(0), "\(server.process.output)")
  }

  @Test("a response waits for its client: written and lent", arguments: ["/down", "/lend"])
  func responseWaits(path: String) throws {
    try holdsBack(try FixtureApp.path("pressure"), path) { $0["taken"] ?? 0 > 0 }
  }

  @Test("an app that never waits gets NSGI_AGAIN, and is told when there is room")
  func responseGetsAgain() throws {
    try holdsBack(try FixtureApp.path("pressure") + ":never_waits_nsgi_entry", "/pour") {
      $0["agains"] ?? 0 > 0
    }
  }

  @Test("what was lent is given back exactly once, whether its client stays, goes or is never slow")
  func lentAndReleased() throws {
    let server = try server(try FixtureApp.path("pressure"))
    #expect(try get(server, "/lend?1000000").utf8.count == 1_000_000)
    for resets in [false, true] {
      let socket = try server.connect(receiveBuffer: 4096)
      try socket.send("GET /lend?\(Self.large) HTTP/1.1\r\nHost: h\r\n\r\n")
      _ = try socket.receive(until: "ppp")
      if resets { socket.resetOnClose() }
      socket.close()
    }
    let head = try server.connect()
    try head.send("HEAD /lend?1000000 HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n")
    _ = try head.receiveLastReply(toHead: true)
    try Deadline.usual.wait(for: "every release") { () -> Void? in
      let counts = try counts(server)
      guard let lends = counts["lends"], let releases = counts["releases"] else { return nil }
      #expect(releases <= lends)
      return lends > 40 && lends == releases && counts["taken"] ?? 0 < 2 * Self.large ? () : nil
    }
    #expect(try server.stop() == .status(0), "\(server.process.output)")
  }

  @Test("a body waits for its app: the client can send no more than a bounded part ahead")
  func bodyWaits() throws {
    let folder = try TemporaryFolder()
    let server = try server(try FixtureApp.path("pressure"))
    let socket = try server.connect()
    let gate = folder.file("open")
    let head = "POST /up?\(gate) HTTP/1.1\r\nHost: h\r\nContent-Length: \(Self.large)\r\n\r\n"
    try socket.send(head)
    let block = [UInt8](repeating: 1, count: 1 << 16)
    var sent = 0
    // A socket that stays full while a hundred others are served is not read from.
    var served = 0
    while served < 100, sent < Self.large {
      let count = send(socket.descriptor, block, min(block.count, Self.large - sent), Int32(MSG_DONTWAIT))
      if count > 0 {
        sent += count
        served = 0
      } else {
        #expect(try get(server, "/ok") == "/ok")
        served += 1
      }
    }
    #expect(sent < Self.large / 2)
    try folder.write("", to: "open")
    while sent < Self.large {
      let count = min(block.count, Self.large - sent)
      try socket.send(block.prefix(count))
      sent += count
    }
    #expect(try socket.receiveReply().text == "\(Self.large), then 0")
    socket.close()
    #expect(try server.stop() == .status(0), "\(server.process.output)")
  }
}
