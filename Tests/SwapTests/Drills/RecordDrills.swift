// The record of what serves is what serves: with two applications, with a successor that fails, and with
// signals that come in a storm.
import Foundation
import Support
import Testing

extension Swaps {
  @Suite struct RecordDrills {
    /// A server of two applications, `/` and `/b`, and the path of the second.
    private static func two(
      _ loop: String, _ options: [String], workers: Int = 2
    ) throws -> (server: SupervisedServer, second: String) {
      let folder = try TemporaryFolder()
      let second = folder.file("b.so")
      try SupervisedServer.replace(second, with: try Fixture.good)
      let server = try SupervisedServer(
        Fixture.good, workers: workers, options + ["--mount", "/b=\(second)"], folder: folder,
        environment: ["NSGI_IO": loop])
      return (server, second)
    }

    @Test("a failed swap of one application says nothing about the builds of another", arguments: Drill.loops)
    func otherApp(loop: String) throws {
      let (server, second) = try Self.two(loop, Drill.quick)
      let ledger = try Ledger(server, [.httpFresh, .httpKeepAlive])
      try server.install(try Fixture.better)
      #expect(try server.ctl("swap", "/").exit == 0)
      for bad in ["LOAD_FAILS_IN=1", "LOAD_FAILS"] {
        try SupervisedServer.replace(second, with: try Fixture.ledger(bad))
        let (exit, output) = try server.ctl("swap", "/b")
        #expect(exit == 1 && output.contains("refused: "), "\(output)")
        #expect(try server.ctl("generations", "/").output.contains("/ generation 2 serving"))
        #expect(try server.answering() == "B 2")
        // Its first worker may serve for a moment more, until the one that follows it does.
        _ = try Deadline.usual.wait(for: "the build before", output: { server.log }) {
          try server.get("/b/?id=0").text.hasPrefix("begin A 1") ? true : nil
        }
      }
      let (exit, output) = try server.ctl("rollback", "/")
      #expect(exit == 0 && output.matches(of: /ledger generation 1/).count == 2, "\(output)")
      #expect(try server.answering() == "A 1")
      Drill.expect(try ledger.finish())
      #expect(try server.stop() == .status(0), "\(server.log)")
    }

    @Test(
      "kills are evidence against the build on probation, whichever application was called meanwhile",
      arguments: Drill.loops)
    func killedOnProbation(loop: String) throws {
      let (server, second) = try Self.two(
        loop, ["--swap-soak", "0", "--swap-probation", "600"], workers: 1)
      try SupervisedServer.replace(second, with: try Fixture.better)
      #expect(try server.ctl("swap", "/b").exit == 0)
      for round in 1...2 {
        let stream = try server.server.connect()
        try stream.send("GET /stream?id=\(round) HTTP/1.1\r\nHost: localhost\r\n\r\n")
        _ = try stream.receive(until: "piece 0\n")
        let worker = try #require(try server.status().serving.first)
        kill(worker.pid, SIGKILL)
        try server.wait(for: "the next worker") { $0.serving.contains { $0.pid != worker.pid } }
      }
      try server.waitForLog("generation 2 is taken back: a worker crashed")
      #expect(try server.ctl("generations", "/b").output.contains("/b generation 1 serving"))
      #expect(try server.stop() == .status(0), "\(server.log)")
    }

    @Test(
      "what is said to be taken back is, also during the rollout of another application",
      arguments: Drill.loops)
    func takenBackMeanwhile(loop: String) throws {
      let (server, second) = try Self.two(loop, ["--swap-soak", "6", "--swap-probation", "600"])
      try server.install(try Fixture.ledger("FAILS"))
      // Both of its workers are there before the first answer.
      let quick = try ChildProcess(
        Repository.server, ["ctl", "--control-socket", server.control, "swap", "/"])
      #expect(try quick.wait(Deadline(seconds: 60)) == .status(0), "\(quick.output)")
      try SupervisedServer.replace(second, with: try Fixture.better)
      let asker = try ChildProcess(
        Repository.server, ["ctl", "--control-socket", server.control, "swap", "/b"])
      try server.wait(for: "the first new worker of the other") { status in
        status.serving.contains { $0.generations.sorted() == [2, 2] }
      }
      for _ in 0..<24 { _ = try server.get() }
      #expect(try asker.wait() == .status(1), "\(asker.output)")
      #expect(asker.output.contains("taken back") || asker.output.contains("5xx"), "\(asker.output)")
      try server.wait(for: "the builds before") { status in
        status.serving.count == 2 && status.serving.allSatisfy { $0.generations == [1, 1] }
          && status.generations == [1, 1]
      }
      for _ in 0..<8 { #expect(try server.answering() == "A 1") }
      #expect(try server.get("/b/?id=0").text.hasPrefix("begin A 1"))
      #expect(try server.stop() == .status(0), "\(server.log)")
    }

    @Test(
      "swaps of two applications that are asked for at once come one after the other, and both are told",
      arguments: Drill.loops)
    func atOnce(loop: String) throws {
      let (server, second) = try Self.two(loop, Drill.quick)
      let ledger = try Ledger(server, [.httpFresh, .httpKeepAlive])
      for generation in 2...4 {
        let letter = generation % 2 == 0 ? "B" : "A"
        let build = try Fixture.ledger("LETTER='\(letter)'")
        try server.install(build)
        try SupervisedServer.replace(second, with: build)
        let askers = try ["/", "/b"].map { mount in
          try ChildProcess(Repository.server, ["ctl", "--control-socket", server.control, "swap", mount])
        }
        for asker in askers { #expect(try asker.wait() == .status(0), "\(asker.output)") }
        ledger.expect(generation: generation)
        let status = try server.status()
        let expected = [generation, generation]
        #expect(
          status.generations == expected && status.serving.allSatisfy { $0.generations == expected },
          "\(status.text)")
        for _ in 0..<4 {
          #expect(try server.answering() == "\(letter) \(generation)")
          #expect(try server.get("/b/?id=0").text.hasPrefix("begin \(letter) \(generation)"))
        }
      }
      try ledger.waitForAnswers(20)
      Drill.expect(try ledger.finish(), onlyOf: ["A 1", "B 2", "A 3", "B 4"])
      #expect(try server.stop() == .status(0), "\(server.log)")
    }

    @Test(
      "a successor that fails is tried again, and who is to be replaced serves on", arguments: Drill.loops)
    func successorFails(loop: String) throws {
      let server = try Drill.server(
        try Fixture.ledger("CLOSABLE"), loop, workers: 1,
        ["--max-requests", "60", "--app-option", "closed=DIR/closed"])
      let first = try server.status().workers[0].pid
      try server.folder.write("", to: "closed")
      let ledger = try Ledger(server, [.httpFresh, .httpKeepAlive])
      try server.waitForLog("place 1 waits 200 ms for its next worker")
      try ledger.waitForAnswers(20)
      #expect(try server.status().serving.map(\.pid) == [first])
      try FileManager.default.removeItem(atPath: server.folder.file("closed"))
      try server.wait(for: "a successor") { $0.serving.count == 1 && $0.serving[0].pid != first }
      try ledger.waitForAnswers(20)
      Drill.expect(try ledger.finish())
      #expect(try server.stop() == .status(0), "\(server.log)")
    }

    @Test("a storm of signals is one or two changes", arguments: Drill.loops)
    func storm(loop: String) throws {
      let server = try Drill.server(try Fixture.good, loop, Drill.quick)
      let ledger = try Ledger(server, [.httpFresh, .httpKeepAlive])
      try server.install(try Fixture.better)
      for _ in 0..<15 { server.server.process.send(SIGHUP) }
      try Drill.waitForAll(2, server)
      try server.wait(for: "the last change") { $0.change.isEmpty }
      #expect(server.log.matches(of: /reload: (serving|nothing)/).count <= 3, "\(server.log)")
      Drill.expect(try ledger.finish())
      #expect(try server.stop() == .status(0), "\(server.log)")
    }
  }
}
