// Handlers of signals, and the clock, while workers are replaced.
import Foundation
import Support
import Testing

@Suite struct UWSGIReloadTests {
  private func replaceWorkers(_ site: ModuleServer, _ before: [Int: pid_t]) throws -> Set<pid_t> {
    kill(site.server.process.pid, SIGHUP)
    return try Deadline.usual.wait(for: "new workers alone", output: { site.log }) {
      let after = Set(try site.pids().values)
      return after.isDisjoint(with: before.values) ? after : nil
    }
  }

  @Test("a reload waits for the handler that runs; what waits goes to new workers", arguments: hostings)
  func reload(_ hosting: [String]) throws {
    let site = try ModuleServer(hosting)
    let before = try site.pids()
    for _ in 0..<6 { _ = try site.ask("/signal/46") }
    let holder = try site.wait(for: "patient")[0].pid
    let after = try replaceWorkers(site, before)
    // The clock is with a new worker although an old one is still there.
    _ = try Deadline.usual.wait(for: "a timer of a new worker", output: { site.log }) {
      site.marks("timer").contains { after.contains($0.pid) } ? true : nil
    }
    #expect(ProcessUsage.isAlive(holder), "\(site.log)")
    #expect(site.marks("patient").count == 1 && site.marks("released-one").isEmpty)
    try site.folder.write("", to: "marks/released")
    let ended = try site.wait(for: "released-one", 6)
    #expect(ended[0].pid == holder && ended.dropFirst().allSatisfy { after.contains($0.pid) }, "\(ended)")
    #expect(site.marks("patient").map(\.pid) == ended.map(\.pid))
    try site.stop()
    #expect(site.marks("exit").contains { $0.pid == holder })
  }

  @Test("a handler that does not end is cut off with the mercy, with a line")
  func mercy() throws {
    let site = try ModuleServer(["--worker-reload-mercy", "1"])
    let before = try site.pids()
    _ = try site.ask("/signal/46")
    let holder = try site.wait(for: "patient")[0].pid
    _ = try replaceWorkers(site, before)
    try Deadline.usual.wait(for: "its end", output: { site.log }) {
      ProcessUsage.isAlive(holder) ? nil : ()
    }
    #expect(site.log.contains("the handler of signal 46 is cut off"), "\(site.log)")
    #expect(site.marks("released-one").isEmpty)
    try site.stop()
  }

  static let hostings = [[String](), ["--lazy-apps"], ["--embed"]]
}
