// Workers whose event loop does not turn, whatever keeps it.
import Foundation
import Support
import Testing

extension Swaps {
  @Suite struct SilentWorkerTests {
    @Test("a worker that is stopped is ended and followed; one that only waits for clients is not")
    func stopped() throws {
      let server = try SupervisedServer(Fixture.good, workers: 2, ["--worker-timeout", "1"])
      // Longer than a worker may be silent: these wait for clients, and answer when they are asked.
      Thread.sleep(forTimeInterval: 5)
      let before = try server.status()
      #expect(before.respawns == 0, "\(server.log)")
      let worker = try #require(before.serving.first)
      kill(worker.pid, SIGSTOP)
      let after = try server.wait(for: "a successor") { $0.respawns == 1 && $0.serving.count == 2 }
      #expect(!after.workers.contains { $0.pid == worker.pid })
      #expect(server.log.contains("(pid \(worker.pid)) has not turned its event loop for"), "\(server.log)")
      #expect(server.log.contains("s (--worker-timeout); it is ended"), "\(server.log)")
      #expect(try server.answering() == "A 1")
      #expect(try server.stop() == .status(0), "\(server.log)")
    }
  }
}
