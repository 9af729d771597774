// The server says once, at its start, in how many processes and threads each application runs.
import Foundation
import Support
import Testing

@Suite struct SpreadTests {
  private func lines(_ output: String) -> [String] {
    output.split(separator: "\n").map(String.init).filter { $0.hasPrefix("server: app ") }
  }

  private var plain: String { get throws { try FixtureApp.path("plain") } }

  @Test("one process says it for each app", arguments: [["--no-master"], ["-p", "1"]])
  func one(master: [String]) throws {
    let server = try ServerProcess(
      app: Repository.app("environ"),
      master + ["--http-socket", "127.0.0.1:0", "--threads", "5", "--mount", "/plain=\(try plain)"])
    #expect(
      lines(server.process.output) == [
        "server: app environ at /: 1 process, up to 5 threads",
        "server: app plain at /plain: 1 process, 1 thread",
      ])
    #expect(try server.stop() == .status(0), "\(server.process.output)")
  }

  @Test("a master says it once for all workers, and not again when one is replaced")
  func several() throws {
    let server = try ServerProcess(
      app: Repository.app("environ"),
      ["-p", "3", "--http-socket", "127.0.0.1:0", "--threads", "5", "--max-requests", "1"])
    let wanted = ["server: app environ at /: 3 processes, up to 5 threads each"]
    #expect(lines(server.process.output) == wanted)
    #expect(try server.connect().exchange("http", "/").status == 200)
    _ = try server.process.waitForOutput("a new worker") { $0.contains("is replaced: ") ? true : nil }
    #expect(lines(server.process.output) == wanted, "\(server.process.output)")
    #expect(try server.stop() == .status(0), "\(server.process.output)")
  }
}
