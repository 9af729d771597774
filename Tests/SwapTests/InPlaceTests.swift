// Swaps in the workers that are there: what is left of replaced generations, and state that crosses.
import Foundation
import Support
import Testing

extension Swaps {
  @Suite struct InPlaceTests {
    @Test("eight replaced generations may stay in a worker; then a new worker takes over")
    func leftOvers() throws {
      let builds = try ["1", "2"].map { try FixtureApp.path("pinned", defines: ["BUILD=\"\($0)\""]) }
      let server = try SupervisedServer(
        builds[0], workers: 1, ["--swap", "in-place", "--swap-soak", "0", "--swap-probation", "0"])
      let first = try server.status().workers[0].pid
      var pids: [pid_t] = []
      for round in 1...10 {
        try server.install(builds[round % 2])
        let (exit, output) = try server.ctl("swap")
        #expect(exit == 0, "\(output)")
        #expect(output.contains("worker by worker") == (round == 9), "\(round): \(output)")
        #expect(output.contains("(in place)") == (round != 9), "\(round): \(output)")
        let serving = try #require(try server.status().serving.first).pid
        pids.append(serving)
      }
      #expect(pids[..<8].allSatisfy { $0 == first } && pids[8] != first && pids[9] == pids[8], "\(pids)")
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
  }
}
