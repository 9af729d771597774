import Glibc
import Support
import Testing

/// asyncio's loop on the thread that leads (docs/ASGI.md, "How it runs").
@Suite struct LedLoopTests {
  @Test(
    "one application runs on the thread that has loaded it, and keeps what belongs to that",
    arguments: ["epoll", "auto"])
  func one(loop: String) throws {
    let output = try Python.run("asgi_led", ["--io", loop]) { (server) throws in
      #expect(try server.get("/thread").text == "MainThread")
      for _ in 0..<3 { #expect(try server.get("/kept").text == "7 1") }
      #expect(try server.get("/soon").text.hasPrefix("soon"))
      #expect(try server.get("/stop").text == "asked")
      #expect(try server.get("/thread").text == "MainThread")
    }
    #expect(output.contains("an application has stopped the event loop"), "\(output)")
    #expect(!output.contains("Traceback"), "\(output)")
  }

  @Test("several applications, and uvloop, have a thread of their own")
  func others() throws {
    let home = "\(Repository.root)/.build/frameworks"
    try Python.run("asgi_led", ["--asgi-loop", "uvloop", "-H", home]) { (server) throws in
      #expect(try server.get("/thread").text == "nsgi-asgi")
      #expect(try server.get("/kept").text == "7 1")
    }
    try Python.run("asgi_led", ["--mount", "/other=asgi_app:application"]) { (server) throws in
      #expect(try server.get("/thread").text == "nsgi-asgi")
    }
  }

  @Test(
    "a step that blocks holds up its own application only, whether it is the first or a later one",
    arguments: ["/blocks", "/blocks_later"])
  func blocks(path: String) throws {
    try Python.run("asgi_led", ["--health-path", "/health"]) { (server) throws in
      let blocking = try server.connect()
      try blocking.send("GET \(path)?1 HTTP/1.1\r\nHost: x\r\n\r\n")
      usleep(200_000)
      let waiting = try server.connect()
      try waiting.send("GET /kept HTTP/1.1\r\nHost: x\r\n\r\n")
      // The server itself answers meanwhile.
      #expect(try server.get("/health").status == 200)
      #expect(try blocking.receiveReply().text == (path == "/blocks" ? "blocked" : "blocked later"))
      #expect(try waiting.receiveReply().text == "7 1")
      #expect(try server.get("/soon").text.hasPrefix("soon"))
    }
  }

  @Test("steps that are slow, one behind the other, leave others their turns of the loop")
  func fairness() throws {
    try Python.run("asgi_led") { (server) throws in
      let (clients, each) = (8, 50)
      let sockets = try (0..<clients).map { _ in try server.connect() }
      let request = "GET /blocks?0.005 HTTP/1.1\r\nHost: x\r\n\r\n"
      for socket in sockets { try socket.send(String(repeating: request, count: each)) }
      let words = try server.get("/soon").text.split(separator: " ")
      let before = try #require(words.last.flatMap { Int($0) })
      #expect(before < clients * each, "it waited for all of them")
      for socket in sockets {
        for _ in 0..<each { #expect(try socket.receiveReply().text == "blocked") }
      }
    }
  }

  @Test("timers that requests cancel do not pile up")
  func timers() throws {
    try Python.run("asgi_led") { (server) throws in
      // A fast client may have 64 of them served in one turn.
      var sizes: [Int] = []
      for _ in 0..<400 { sizes.append(Int(try server.get("/timers").text) ?? .max) }
      #expect(sizes.allSatisfy { $0 < 10_000 }, "of 20,000: \(sizes)")
    }
  }
}
