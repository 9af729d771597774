// Swaps in the workers that are there: what is left of replaced generations, and state that crosses.
import Foundation
import Support
import Synchronization
import Testing

extension Swaps {
  @Suite struct InPlaceTests {
    @Test("eight replaced generations may stay in a worker; then a new worker takes over")
    func leftOvers() throws {
      let builds = try ["A", "B"].map { try Fixture.ledger("LETTER='\($0)'", "PINS") }
      let server = try SupervisedServer(
        builds[0], workers: 1, ["--swap", "in-place", "--swap-soak", "0", "--swap-probation", "0"])
      let ledger = try Ledger(server, Drill.ways)
      let first = try server.status().workers[0].pid
      var pids: [pid_t] = []
      for round in 1...10 {
        try server.install(builds[round % 2])
        try ledger.waitForAnswers(20)
        let (exit, output) = try server.ctl("swap")
        ledger.expect(generation: round + 1)
        #expect(exit == 0, "\(output)")
        #expect(output.contains("worker by worker") == (round == 9), "\(round): \(output)")
        #expect(output.contains("(in place)") == (round != 9), "\(round): \(output)")
        let serving = try #require(try server.status().serving.first).pid
        pids.append(serving)
      }
      try ledger.waitForAnswers(20)
      let answered = Set((0...10).map { "\($0 % 2 == 0 ? "A" : "B") \($0 + 1)" })
      Drill.expect(try ledger.finish(), onlyOf: answered)
      #expect(pids[..<8].allSatisfy { $0 == first } && pids[8] != first && pids[9] == pids[8], "\(pids)")
      #expect(try server.stop() == .status(0), "\(server.log)")
    }

    @Test("an in-place swap reaches a worker that starts while it goes on")
    func reachesAll() throws {
      let server = try SupervisedServer(
        Fixture.good, workers: 3, ["--swap", "in-place", "--swap-soak", "0", "--swap-probation", "0"])
      let ledger = try Ledger(server, Drill.ways)
      for round in 0..<4 {
        try ledger.waitForAnswers(20)
        let (build, letter) = round % 2 == 0 ? (try Fixture.better, "B") : (try Fixture.good, "A")
        try server.install(build)
        let victim = try #require(try server.status().serving.randomElement()).pid
        kill(victim, SIGKILL)
        let (exit, output) = try server.ctl("swap")
        ledger.expect(generation: round + 2)
        #expect(exit == 0, "\(output)")
        let status = try server.wait(for: "all places") { $0.serving.count >= 3 && $0.change.isEmpty }
        #expect(
          status.serving.allSatisfy { $0.generations == [round + 2] } && status.generations == [round + 2],
          "\(status.text)")
        for _ in 0..<9 { #expect(try server.answering() == "\(letter) \(round + 2)") }
      }
      // A worker that is killed takes what its clients have asked along, one request each at most.
      let report = try ledger.finish()
      Drill.expect(report, lost: 4 * Drill.ways.count)
      #expect(Set(["A 1", "B 2", "A 3", "B 4", "A 5"]).isSuperset(of: report.generations.keys), "\(report)")
      #expect(try server.stop() == .status(0), "\(server.log)")
    }

    @Test("in place too, a build that answers 500 is taken back, however much the one before had answered")
    func fails() throws {
      let server = try SupervisedServer(
        Fixture.good, workers: 1, ["--swap", "in-place", "--swap-soak", "0", "--swap-probation", "60"])
      for _ in 0..<100 { #expect(try server.get().status == 200) }
      try server.install(try Fixture.ledger("FAILS"))
      #expect(try server.ctl("swap").output.contains("(in place)"))
      for _ in 0..<6 { #expect(try server.get().status == 500) }
      try server.wait(for: "the build before") { status in
        status.last.contains("6 of 6 answers were 5xx") && status.serving.contains { $0.generations == [1] }
      }
      #expect(try server.answering() == "A 1")
      #expect(try server.stop() == .status(0), "\(server.log)")
    }

    @Test("the example counter goes on counting after a swap", arguments: ["in-place", "rolling"])
    func state(mode: String) throws {
      let folder = try TemporaryFolder()
      func build(_ number: Int) throws -> String {
        let library = folder.file("counter\(number).so")
        let (exit, output) = try ChildProcess.run(
          "/usr/bin/cc",
          [
            "-O1", "-fPIC", "-shared", "-fvisibility=hidden", "-DBUILD=\"\(number)\"",
            "-I\(Repository.root)/Sources/CNSGI/include", "\(Repository.root)/apps/counter/counter.c", "-o",
            library,
          ])
        try #require(exit == .status(0), "\(output)")
        return library
      }
      let server = try SupervisedServer(
        try build(1), workers: 1, ["--swap", mode, "--swap-soak", "0", "--swap-probation", "0"])
      let url = try server.server.url
      for count in 1...3 { #expect(try Curl.get(url).text == "\(count) answered, by build 1\n") }
      let next = try build(2)
      try server.install(next)
      let (exit, output) = try server.ctl("swap")
      #expect(exit == 0 && output.contains("(in place)") == (mode == "in-place"), "\(output)")
      for count in 4...6 { #expect(try Curl.get(url).text == "\(count) answered, by build 2\n") }
      #expect(try server.ctl("rollback").exit == 0)
      #expect(try Curl.get(url).text == "7 answered, by build 1\n")
      #expect(try server.stop() == .status(0), "\(server.log)")
    }

    @Test(
      "with one thread a build is loaded, called and unloaded on that one", arguments: ["epoll", "auto"],
      ["in-place", "rolling"])
    func oneThread(io: String, mode: String) throws {
      let builds = try ["1", "2"].map { try FixtureApp.path("at_home", defines: ["BUILD=\"\($0)\""]) }
      let server = try SupervisedServer(
        builds[0], workers: 1,
        ["--swap", mode, "--swap-soak", "0", "--swap-probation", "0", "--threads", "1", "--io", io])
      let url = try server.server.url
      let isOver = Atomic<Bool>(false)
      // Calls that leave the loop and calls that do not, all the while.
      let callers = DispatchGroup()
      for path in ["/slow", "/quick"] {
        DispatchQueue.global().async(group: callers) {
          while !isOver.load(ordering: .relaxed) {
            let text = try? Curl.get(url + path).text
            #expect(text?.hasSuffix("home 0") == true, "\(path): \(text ?? "none")")
          }
        }
      }
      for round in 1...4 {
        let build = builds[round % 2]
        try server.install(build)
        let (exit, output) = try server.ctl("swap")
        #expect(exit == 0 && output.contains("(in place)") == (mode == "in-place"), "\(output)")
        #expect(try Curl.get(url + "/slow").text == "\(round % 2 + 1) home 0", "\(server.log)")
      }
      isOver.store(true, ordering: .relaxed)
      callers.wait()
      try Deadline.usual.wait(for: "the replaced builds to end") {
        server.log.components(separatedBy: "unloaded").count > 4 ? () : nil
      }
      #expect(try server.stop() == .status(0), "\(server.log)")
      #expect(!server.log.contains("on another thread"), "\(server.log)")
    }
  }
}
