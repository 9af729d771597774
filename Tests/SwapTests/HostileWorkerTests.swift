// An app that turns against the master of its worker: the worker is its own, the server goes on.
import Foundation
import Support
import Testing

extension Swaps {
  @Suite struct HostileWorkerTests {
    private func server() throws -> SupervisedServer {
      try SupervisedServer(try FixtureApp.path("hostile"), workers: 2)
    }

    /// The same master serves with two workers, and ends well.
    private func goesOn(_ server: SupervisedServer) throws {
      try server.wait(for: "two workers") { $0.pid == server.pid && $0.serving.count == 2 }
      #expect(try server.get("/hello").text == "done")
      #expect(try server.ctl("status").exit == 0)
      #expect(try server.stop() == .status(0), "\(server.log)")
    }

    /// `server top` shows what the workers say.
    private func looks(_ server: SupervisedServer) throws {
      let (exit, output) = try ChildProcess.run(
        Repository.server, ["top", "--control-socket", server.control, "--batch", "--count", "1"])
      #expect(exit == .status(0) && output.contains(" serving "), "\(output) \(server.log)")
    }

    @Test(
      "whatever a worker says, the master goes on",
      arguments: ["/numbers", "/noise", "/descriptors", "/long", "/page"])
    func says(path: String) throws {
      let server = try server()
      let before = try #require(ProcessUsage(server.pid)).descriptors
      for _ in 0..<3 { _ = try? server.get(path) }
      #expect(try server.ctl("--json", "status").exit == 0, "\(server.log)")
      #expect(try server.ctl("status").exit == 0, "\(server.log)")
      try looks(server)
      if path == "/numbers" || path == "/long" { try server.waitForLog("said what no worker says") }
      let after = try #require(ProcessUsage(server.pid)).descriptors
      #expect(after < before + 20, "\(before) and \(after) descriptors")
      try goesOn(server)
    }

    @Test("a worker that says it runs what it was never given has not started, and there are no more for it")
    func liesReady() throws {
      let folder = try TemporaryFolder()
      let server = try SupervisedServer(
        try FixtureApp.path("hostile"), workers: 2, ["--app-option", "lie=DIR/lie"], folder: folder)
      try folder.write("", to: "lie")
      kill(try #require(try server.status().serving.first?.pid), SIGKILL)
      try server.waitForLog("waits 400 ms for its next worker: it says that it runs other builds than it was")
      #expect(server.log.matches(of: /waits [0-9]+ ms/).count < 20)
      let status = try server.status()
      #expect(status.serving.count == 1 && status.workers.count <= 3, "\(status.text)")
      unlink(folder.file("lie"))
      try goesOn(server)
    }

    @Test("workers that say they make more calls at once than can be added up end no master")
    func boasts() throws {
      let folder = try TemporaryFolder()
      try folder.write("", to: "boast")
      let server = try SupervisedServer(
        try FixtureApp.path("hostile"), workers: 2, ["--app-option", "boast=DIR/boast"], folder: folder)
      try server.waitForLog("said what no worker says")
      // A look sums up what both say.
      try looks(server)
      try goesOn(server)
    }

    @Test("a worker that says it has swapped, and was not asked to, stays what it is")
    func liesSwapped() throws {
      let server = try server()
      let workers = try server.status().workers
      for _ in 0..<20 { _ = try server.get("/swapped") }
      #expect(try server.status().workers == workers && server.log.contains("died") == false)
      try goesOn(server)
    }

    @Test("a worker that floods its master is ended, and says what wrote there")
    func floods() throws {
      let server = try server()
      _ = try? server.get("/flood")
      try server.waitForLog("said more than 4096 things within a second and is ended")
      try goesOn(server)
    }

    @Test("the page cannot be cut under the master")
    func cuts() throws {
      let server = try server()
      let answer = try server.get("/cut").text
      // Only root may open the page by its mapping at all.
      #expect(answer.hasSuffix("cut -1"), "\(answer)")
      if geteuid() == 0 { #expect(answer == "open 1 cut -1") }
      try goesOn(server)
    }

    @Test(
      "a crash in a slot that is none is told without it", arguments: ["/crash-nowhere", "/crash-beyond"])
    func crashesNowhere(path: String) throws {
      let server = try server()
      _ = try? server.get(path)
      try server.waitForLog("died of SIGKILL")
      try goesOn(server)
    }

    @Test("what a worker leaves as its request forges no line and commands no terminal")
    func forges() throws {
      let server = try server()
      _ = try? server.get("/crash-text")
      try server.waitForLog("died of SIGKILL")
      let shown = #"while serving GET  /x\nforged: \x1b[2J\xc2\x9b"#
      let status = try server.wait(for: "two workers") { $0.serving.count == 2 }
      #expect(status.crashes.first?.contains("GET  /x\nforged: \u{1b}[2J") == true, "\(status.crashes)")
      let json = try server.ctl("--json", "status").output
      #expect(json.contains(#"/x\nforged: \u001b[2J\u009b"#), "\(json)")
      for text in [server.log, try server.ctl("status").output, json] {
        #expect(text == json || text.contains(shown), "\(text)")
        #expect(!text.contains("\u{1b}") && !text.contains("\u{9b}"), "\(text)")
      }
      try goesOn(server)
    }
  }
}
