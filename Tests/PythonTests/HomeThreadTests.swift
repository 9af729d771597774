// `--threads 1`: everything of an application on the thread that imported it.
import Foundation
import Support
import Synchronization
import Testing

@Suite struct HomeThreadTests {
  @Test(
    "with one thread every call is made by the thread that imported the application",
    arguments: ["epoll", "auto"], [["--no-master"], ["-p", "1", "--master"]])
  func oneThread(io: String, options: [String]) throws {
    let server = try ServerProcess(
      app: nil,
      options + [
        "--plugin", "python3", "--pythonpath", Python.folder, "-w", "at_home", "--threads", "1", "--io", io,
        "-L", "--http-socket", "127.0.0.1:0",
      ])
    let right = Atomic<Int>(0)
    // Slow calls leave the loop: others lead, and must not call.
    DispatchQueue.concurrentPerform(iterations: 4) { client in
      for turn in 0..<10 {
        let target = (client + turn) % 3 == 0 ? "/slow" : "/quick"
        if (try? server.connect().ask(target).text) == "1 1" { right.add(1, ordering: .relaxed) }
      }
    }
    #expect(right.load(ordering: .relaxed) == 40, "\(server.process.output)")
    // Connections that are kept, with requests one behind the other.
    let socket = try server.connect()
    for _ in 0..<20 {
      try socket.send("GET /slow HTTP/1.1\r\nHost: x\r\n\r\nGET /quick HTTP/1.1\r\nHost: x\r\n\r\n")
      for _ in 0..<2 { #expect(try socket.receiveReply().text == "1 1") }
    }
    #expect(try server.stop() == .status(0), "\(server.process.output)")
    #expect(server.process.output.contains("visits 80"), "\(server.process.output)")
  }

  @Test("two applications share the one thread, and a call that never returns does not keep the process")
  func twoApplications() throws {
    let server = try ServerProcess(
      app: nil,
      [
        "--no-master", "--plugin", "python3", "--pythonpath", Python.folder, "--mount", "/a=at_home",
        "--mount", "/b=at_home:application", "--threads", "1", "-L", "--http-socket", "127.0.0.1:0",
      ])
    for target in ["/a/slow", "/b/slow", "/a/quick", "/b/quick"] {
      #expect(try server.get(target).text == "1 1", "\(server.process.output)")
    }
    #expect(try server.stop() == .status(0), "\(server.process.output)")
    let stuck = try ServerProcess(
      app: try FixtureApp.path("late"),
      [
        "--no-master", "--threads", "1", "--worker-reload-mercy", "0.5", "-L", "--http-socket", "127.0.0.1:0",
      ])
    let socket = try stuck.connect()
    try socket.send("GET /sleep HTTP/1.1\r\nHost: x\r\n\r\n")
    _ = socket
    #expect(try stuck.stop() == .status(0), "\(stuck.process.output)")
  }
}
