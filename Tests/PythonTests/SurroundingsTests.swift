// What Python applications do beside answering: threads of C code, programs, signals.
import Foundation
import Support
import Testing

@Suite struct SurroundingsTests {
  @Test("threads that Python has not made may call into it")
  func nativeThreads() throws {
    try Python.run("surroundings") { (server) throws in
      for _ in 0..<20 { #expect(try server.get("/native-threads").text == "[[1, 2, 3, 4], true]") }
    }
  }

  @Test("programs of the application run, end, and can be ended")
  func programs() throws {
    try Python.run("surroundings") { (server) throws in
      #expect(try server.get("/child").text == "[\"out\\n\", 3, -15]")
    }
  }

  @Test("signals are the server's: handlers of the application are not called", arguments: [SIGTERM, SIGINT])
  func signals(signal: Int32) throws {
    let server = try Python.serve("surroundings")
    #expect(try server.get("/native-threads").status == 200)
    #expect(try server.stop(signal) == .status(0), "\(server.process.output)")
  }

  @Test("the interpreter is free while the server waits for a slow client")
  func slowClient() throws {
    try Python.run("pep3333", ["--threads", "2"]) { (server) throws in
      // More than the server's own buffer and the socket's: the application is inside write().
      let slow = try server.connect(receiveBuffer: 4096)
      try slow.send(GatewayRequest.bytes("http", "/paced-large?12000000-write"))
      _ = try slow.receive(until: "\r\n\r\n")
      for _ in 0..<50 { #expect(try server.get("/hello").text == "Hello World!\n") }
      #expect(try server.get("/go").text == "gone")
      #expect(try slow.receiveAll().count > 12_000_000)
    }
  }
}
