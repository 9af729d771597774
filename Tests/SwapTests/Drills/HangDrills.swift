// Workers that hang where no request is: in load(), save(), drain() and unload(), and stopped from outside.
import Foundation
import Support
import Testing

extension Swaps {
  @Suite struct HangDrills {
    private static let held = ["--app-option", "held=DIR/held"]

    /// Asks for a swap; the process of `server ctl`.
    private static func swap(_ server: SupervisedServer) throws -> ChildProcess {
      try ChildProcess(Repository.server, ["ctl", "--control-socket", server.control, "swap"])
    }

    private static func waitUntilHeld(_ server: SupervisedServer) throws {
      try Deadline.usual.wait(for: "somebody who waits", output: { server.log }) {
        access(server.folder.file("held.here"), F_OK) == 0 ? () : nil
      }
    }

    @Test("while an application saves its state its worker goes on answering", arguments: Drill.loops)
    func saves(loop: String) throws {
      let server = try Drill.server(
        try Fixture.ledger("SAVE_WAITS"), loop, workers: 1, Drill.quick + Self.held)
      let ledger = try Ledger(server, [.httpFresh, .httpKeepAlive, .stream])
      try server.folder.write("", to: "held")
      try server.install(try Fixture.better)
      let asker = try Self.swap(server)
      try Self.waitUntilHeld(server)
      // The only worker that serves is the one that saves.
      try ledger.waitForAnswers(50)
      try FileManager.default.removeItem(atPath: server.folder.file("held"))
      #expect(try asker.wait() == .status(0), "\(asker.output)")
      #expect(try server.answering().hasPrefix("B "))
      Drill.expect(try ledger.finish())
      #expect(try server.stop() == .status(0), "\(server.log)")
    }

    @Test(
      "a worker that hangs in save, drain or unload is followed all the same, and ended",
      arguments: ["SAVE_WAITS", "DRAIN_WAITS", "UNLOAD_WAITS"], Drill.loops)
    func hangsAtTheEnd(place: String, loop: String) throws {
      let server = try Drill.server(
        try Fixture.ledger(place), loop, workers: 1,
        Drill.quick + Self.held + ["--worker-reload-mercy", "1", "--worker-timeout", "2"])
      let old = try server.status().workers[0].pid
      let ledger = try Ledger(server, [.httpFresh, .httpKeepAlive])
      try ledger.waitForAnswers(20)
      try server.folder.write("", to: "held")
      try server.install(try Fixture.better)
      let (exit, output) = try server.ctl("swap")
      #expect(exit == 0, "\(output) \(server.log)")
      try Self.waitUntilHeld(server)
      try Drill.waitForEnd(of: old, server)
      try Drill.waitForAll(2, server, places: 1)
      Drill.expect(try ledger.finish())
      #expect(try server.stop() == .status(0), "\(server.log)")
    }

    @Test(
      "a worker that hangs in load() ends its rollout at --swap-timeout, and is ended", arguments: Drill.loops
    )
    func hangsInLoad(loop: String) throws {
      let server = try Drill.server(try Fixture.good, loop, Drill.quick + ["--swap-timeout", "1"])
      let ledger = try Ledger(server, [.httpFresh, .httpKeepAlive])
      try server.install(try Fixture.ledger("LETTER='B'", "LOAD_HANGS_IN=1"))
      let (exit, output) = try server.ctl("swap")
      #expect(exit == 1 && output.contains("did not become ready in time (--swap-timeout)"), "\(output)")
      try Drill.waitForAll(1, server)
      try server.wait(for: "no other worker") { $0.workers.count == 2 }
      Drill.expect(try ledger.finish())
      try Drill.expectChangesEnd(server)
      #expect(try server.stop() == .status(0), "\(server.log)")
    }

    @Test(
      "a worker that takes another's place and hangs in load() is ended in time, and tried again",
      arguments: Drill.loops)
    func hangsInLoadLater(loop: String) throws {
      let ways: [Ledger.Way] = [.httpFresh, .httpKeepAlive]
      let server = try Drill.server(
        try Fixture.ledger("LOAD_WAITS_IN=0"), loop, Self.held + ["--swap-timeout", "1"])
      try server.folder.write("", to: "held")
      let ledger = try Ledger(server, ways)
      let victim = try #require(try server.status().serving.first { $0.place == 1 })
      kill(victim.pid, SIGKILL)
      // The second one hangs too, and waits longer; the other place serves all the while.
      try server.waitForLog(
        "place 1 waits 200 ms for its next worker: it did not become ready in time (--swap-timeout)")
      try ledger.waitForAnswers(20)
      #expect(try server.status().serving.map(\.place) == [2])
      try FileManager.default.removeItem(atPath: server.folder.file("held"))
      try server.wait(for: "both places") { Set($0.serving.map(\.place)) == [1, 2] }
      try ledger.waitForAnswers(20)
      Drill.expect(try ledger.finish(), lost: ways.count)
      #expect(try server.stop() == .status(0), "\(server.log)")
    }

    @Test(
      "a worker that is stopped with nothing but fast requests is ended, and loses what it has",
      arguments: Drill.loops)
    func stopped(loop: String) throws {
      let server = try Drill.server(try Fixture.good, loop, ["--worker-timeout", "1"])
      let ledger = try Ledger(server, [.httpFresh, .httpFresh, .httpKeepAlive, .httpKeepAlive])
      try ledger.waitForAnswers(50)
      let victim = try server.status().serving[0].pid
      kill(victim, SIGSTOP)
      try Drill.waitForEnd(of: victim, server)
      try server.wait(for: "two workers") { $0.serving.count == 2 }
      try ledger.waitForAnswers(50)
      Drill.expect(try ledger.finish(), lost: 4)
      #expect(try server.stop() == .status(0), "\(server.log)")
    }
  }
}
