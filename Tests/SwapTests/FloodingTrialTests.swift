// A build under trial that says to the master what is not its own to say: nothing of it is kept.
import Foundation
import Support
import Testing

extension Swaps {
  @Suite struct FloodingTrialTests {
    @Test("three hundred megabytes that claim to be a configuration stay nowhere")
    func heavy() throws {
      let server = try SupervisedServer(Fixture.good, workers: 1)
      let before = try #require(ProcessUsage(server.pid)).resident
      try server.install(try FixtureApp.path("floods_trial", defines: ["HEAVY"]))
      let (_, output) = try server.ctl(["swap"], Deadline(seconds: 120))
      let after = try #require(ProcessUsage(server.pid)).resident
      #expect(after < before + 32 * 1024, "\(before) KiB, then \(after): \(output)")
      #expect(try server.ctl("status").exit == 0)
      #expect(try server.get().status == 200)
      #expect(try server.stop() == .status(0), "\(server.log)")
    }

    @Test("a trial that never stops talking is ended, and what it would replace goes on")
    func light() throws {
      let server = try SupervisedServer(Fixture.good, workers: 1)
      try server.install(try FixtureApp.path("floods_trial"))
      let (exit, output) = try server.ctl(["swap"], Deadline(seconds: 120))
      #expect(exit == 1 && output.contains("said more than 4096 things within a second"), "\(output)")
      #expect(try server.answering() == "A 1")
      #expect(try server.stop() == .status(0), "\(server.log)")
    }
  }
}
