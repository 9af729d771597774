// PEP 3333, "The start_response() Callable" and "The write() Callable": each test is a sentence of it.
import Foundation
import Support
import Testing

@Suite struct StartResponseTests {
  @Test("errors in a head are raised when it is given")
  func refusals() throws {
    try Python.run { (server) throws in
      let answers = try #require(try server.object("/refusals") as? [String: String])
      let types = ["status-int", "tuple", "list-item", "three", "bytes"]
      let values = [
        "status-word", "status-control", "status-joined", "name-space", "name-colon", "name-empty", "crlf",
        "nul",
        "wide", "length",
      ]
      for name in types { #expect(answers[name] == "TypeError", "\(name)") }
      for name in values { #expect(answers[name] == "ValueError", "\(name)") }
      let left = ["Connection", "Keep-Alive"]
      for name in left { #expect(answers[name] == "accepted", "\(name) is left out") }
      for (name, answer) in answers where !(types + values + left).contains(name) {
        #expect(answer == "AssertionError", "\(name) belongs to the connection")
      }
      #expect(answers.count == 26)
    }
  }

  @Test("the client sees the application's own reason phrase, whichever way the body goes")
  func phrases() throws {
    try Python.run { (server) throws in
      for how in ["list", "empty", "write", "iterator", "file"] {
        let reply = try server.get("/phrases?\(how)")
        #expect(reply.status == 299 && reply.reason == "Fine By Me", "\(how): \(reply)")
        #expect(reply.text == (how == "empty" ? "" : "body"))
        // On the same objects as before: nothing of it is left.
        #expect(try server.get("/hello").reason == "OK")
      }
      #expect(try server.get("/phrases?list", method: "HEAD").reason == "Fine By Me")
      let failed = try server.get("/phrases?fails")
      #expect(failed.status == 500 && failed.reason == "Internal Server Error")
    }
  }

  @Test("a second call without exc_info is an error")
  func twice() throws {
    let output = try Python.run { (server) throws in #expect(try server.get("/twice").status == 500) }
    #expect(output.contains("AssertionError: start_response was called a second time without exc_info"))
  }

  @Test("after one that was refused it is the first")
  func twiceAfterRefusal() throws {
    try Python.run { (server) throws in
      #expect(try server.get("/twice-after-refusal").text == "allowed")
      for how in ["large", "reserved"] {
        let reply = try server.get("/page-after-refusal?\(how)")
        #expect(reply.status == 500 && reply.reason == "Mine", "\(how): \(reply)")
        #expect(reply.text == "my own page")
      }
    }
  }

  @Test("Connection and Keep-Alive are left out, with one warning", arguments: GatewayRequest.gateways)
  func connectionFields(gateway: String) throws {
    let output = try Python.run("pep3333", ["--\(gateway)-socket", "127.0.0.1:0"]) { (server) throws in
      for _ in 0..<3 {
        let reply = try server.ask(gateway, "/events")
        #expect(reply.status == 200 && reply.text == "data: 1\n\ndata: 2\n\n", "\(reply)")
        #expect(reply["Content-Type"] == "text/event-stream" && reply["Cache-Control"] == "no-cache")
        #expect(reply["Keep-Alive"] == nil && [nil, "close"].contains(reply["Connection"]))
      }
    }
    #expect(output.components(separatedBy: "sends the header Connection").count == 2)
  }

  @Test("with exc_info a head that has not left is replaced; empty blocks do not send it")
  func replaced() throws {
    try Python.run { (server) throws in
      let reply = try server.get("/empty-then-replaced")
      #expect(reply.status == 503)
      #expect(reply.text == "replaced")
    }
  }

  @Test("with exc_info a head that has left raises that exception again")
  func tooLate() throws {
    let output = try Python.run { (server) throws in
      let reply = try server.get("/too-late")
      #expect(reply.status == 200)
      #expect(reply.text == "sent")
      #expect(!reply.isComplete)
    }
    #expect(output.contains("RuntimeError: b\u{f6}om"))
  }

  @Test("exc_info in which there is no exception is the application's mistake, and nothing more")
  func noException() throws {
    let output = try Python.run { (server) throws in
      for _ in 0..<20 {
        let reply = try server.get("/too-late-without")
        #expect(reply.status == 200 && reply.text == "sent" && !reply.isComplete)
      }
      #expect(try server.get("/too-late").text == "sent")
    }
    #expect(output.components(separatedBy: "told: start_response was called with exc_info").count == 81)
  }

  @Test("start_response may be called in the first iteration")
  func inNext() throws {
    try Python.run { (server) throws in #expect(try server.get("/in-next").text == "late") }
  }

  @Test("a body without start_response is a 500 and a line")
  func never() throws {
    let output = try Python.run { (server) throws in #expect(try server.get("/never").status == 500) }
    #expect(output.contains("before start_response was called"))
  }

  @Test("write sends at once, and its bytes come before those of the iterable")
  func write() throws {
    try Python.run { (server) throws in #expect(try server.get("/writes").text == "one two three") }
  }

  @Test("write beyond Content-Length raises, and the excess is not sent")
  func writeExcess() throws {
    try Python.run { (server) throws in
      let reply = try server.get("/write-excess")
      #expect(reply.text == "abcd")
      #expect(reply.isComplete)
    }
  }

  @Test("a request that fails leaves nothing of its head to the next")
  func nothingIsLeft() throws {
    try Python.run { (server) throws in
      let socket = try server.connect()
      for _ in 0..<3 {
        try socket.send("GET /fails-then-works HTTP/1.1\r\nHost: x\r\n\r\n")
        let failed = try socket.receiveReply()
        #expect(failed.status == 500)
        #expect(failed["X-Left"] == nil)
        try socket.send("GET /hello HTTP/1.1\r\nHost: x\r\n\r\n")
        let reply = try socket.receiveReply()
        #expect(reply.status == 200)
        #expect(reply["X-Left"] == nil)
      }
    }
  }
}
