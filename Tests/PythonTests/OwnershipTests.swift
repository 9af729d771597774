// Objects of the application that go, and requests that end, while the plugin is at work with them. Under a
// sanitizer (make asan) a look at what is gone is a report; without one, a wrong answer or the end of the
// server.
import Foundation
import Support
import Testing

@Suite struct OwnershipTests {
  @Test("a block is held while it is sent, though the list that it is from has another by then")
  func replacedBlock() throws {
    try Python.run("ownership", ["--threads", "4"]) { (server) throws in
      for round in 0..<8 {
        let slow = try server.connect(receiveBuffer: 4096)
        try slow.send(GatewayRequest.bytes("http", "/page"))
        _ = try slow.receive(until: "\r\n\r\n")
        #expect(try server.get("/replace?\(round + 1)").text == "replaced")
        let body = try slow.receiveAll()
        let block = [UInt8](repeating: UInt8(0x30 + round % 10), count: 8_000_000)
        #expect(body == block, "round \(round)")
      }
    }
  }

  @Test("a thread that goes on after the end of its request is refused", arguments: ["reads", "writes"])
  func lateThreads(what: String) throws {
    try Python.run("ownership", ["--threads", "4"]) { (server) throws in
      for _ in 0..<20 {
        _ = try server.post("/\(what)_late", TestBody.bytes(900_000))
        // The next request has the same records, if they are free.
        #expect(try server.get("/status").text == "status")
        let late = try server.get("/late").text
        let wanted =
          what == "reads" ? ["end", "ValueError"] : ["AssertionError", "ConnectionAbortedError"]
        #expect(wanted.contains(late), "\(late)")
      }
    }
  }

  @Test("a request may end while an argument of read() is looked at")
  func lateSize() throws {
    try Python.run("ownership", ["--threads", "4"]) { (server) throws in
      let body = TestBody.bytes(2_000_000)
      #expect(try server.post("/size_late", body).text == "over")
      #expect(try server.get("/over").text == "ValueError")
    }
  }

  @Test("names and values that run Python when they go or are shown do no harm")
  func destructors() throws {
    try Python.run("ownership") { (server) throws in
      for _ in 0..<5 {
        let reply = try server.get("/destructors")
        #expect(reply.status == 200 && reply.text == "refused", "\(reply)")
        #expect(try server.get("/shown").text == "the name of a header is a token: 'no token '")
        #expect(try server.get("/status").reason == "Mine")
      }
    }
  }

  @Test("an exception may be described in any way")
  func noWords() throws {
    let output = try Python.run("ownership") { (server) throws in
      for kind in ["number", "none", "one", "list", "numbers"] {
        #expect(try server.get("/without_words?\(kind)").status == 500, "\(kind)")
        #expect(try server.get("/status").text == "status")
      }
    }
    let told = output.components(separatedBy: "error: an exception that cannot be described").count - 1
    #expect(told == 4, "\(output)")
  }

  @Test("the plugin's own module outlives sys.modules")
  func emptiedModules() throws {
    let output = try Python.run("ownership") { (server) throws in
      for _ in 0..<3 { #expect(try server.get("/without_modules").status == 500) }
      #expect(try server.get("/status").text == "status")
    }
    #expect(output.contains("RuntimeError: no modules"))
  }
}
