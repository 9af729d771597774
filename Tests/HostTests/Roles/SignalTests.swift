// Signals to the whole process: apps bring threads of their own, and calls that do not return.
import Foundation
import Support
import Testing

@Suite struct SignalTests {
  private func server(_ options: String...) throws -> ServerProcess {
    try ServerProcess(app: try FixtureApp.path("host_calls"), ["--http-socket", "127.0.0.1:0"] + options)
  }

  @Test("a thread of the app does not take the signal", arguments: [SIGTERM, SIGINT])
  func threadOfTheApp(signal: Int32) throws {
    let server = try server("--app-option", "thread=yes")
    let socket = try server.connect()
    try socket.send("GET /ok HTTP/1.1\r\nHost: h\r\n\r\n")
    #expect(try socket.receiveReply().status == 200)
    #expect(try server.stop(signal) == .status(0))
  }

  @Test("a call that does not return holds neither the second signal up nor the time for a graceful end")
  func callThatStays() throws {
    for (options, signals) in [([], 2), (["--worker-reload-mercy", "0.5"], 1)] {
      let server = try ServerProcess(
        app: try FixtureApp.path("host_calls"), ["--http-socket", "127.0.0.1:0"] + options)
      let socket = try server.connect()
      try socket.send("GET /sleep?120000 HTTP/1.1\r\nHost: h\r\n\r\n")
      // Another answer shows that the call was taken off the loop.
      let other = try server.connect()
      try other.send("GET /ok HTTP/1.1\r\nHost: h\r\n\r\n")
      #expect(try other.receiveReply().text == "/ok")
      let address = try server.address("http")
      for _ in 0..<signals {
        server.process.send(SIGTERM)
        try Deadline.usual.wait(for: "the listening socket to close", output: { server.process.output }) {
          (try? RawSocket(address)) == nil ? () : nil
        }
      }
      _ = try server.process.wait()
    }
  }
}
