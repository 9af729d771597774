// `server ctl history`: who asked for what, how it went, and that it goes on in the master that follows.
import Foundation
import Support
import Testing

extension Swaps {
  @Suite struct ChangeHistoryTests {
    private func history(_ server: SupervisedServer, _ words: [String] = []) throws -> [[String: Any]] {
      let (exit, output) = try server.ctl(["--json", "history"] + words, .usual)
      #expect(exit == 0, "\(output)")
      let parsed = try JSONSerialization.jsonObject(with: Data(output.utf8)) as? [String: Any]
      return try #require(parsed?["answer"] as? [[String: Any]])
    }

    private func causes(_ record: [String: Any]) -> [[String: Any]] {
      record["causes"] as? [[String: Any]] ?? []
    }

    @Test("every change has a record: who, when, from which build to which, how long, how it ended")
    func records() throws {
      let began = Int(Date().timeIntervalSince1970)
      let server = try SupervisedServer(
        Fixture.good, ["--swap-soak", "0.2", "--swap-probation", "0", "--watch"])
      #expect(try server.ctl("history").output.isEmpty)
      #expect(try server.ctl("rollback").exit == 1)
      #expect(try server.ctl("swap").exit == 0)
      try server.install(try Fixture.better)
      try server.wait(for: "the new build") { $0.generations == [2] }
      server.server.process.send(SIGHUP)
      try Deadline.usual.wait(for: "the reload") { try history(server).count == 4 ? () : nil }
      let records = try history(server)
      let told = records.map { "\($0["change"] ?? "") \($0["outcome"] ?? "")" }
      #expect(
        told[0] == "rollback refused" && told[1] == "swap unchanged" && told[2] == "swap done", "\(told)")
      #expect(told[3].hasPrefix("reload "), "\(told)")
      #expect(causes(records[0])[0]["kind"] as? String == "ctl")
      #expect(causes(records[0])[0]["uid"] as? Int == Int(getuid()))
      #expect(causes(records[0])[0]["pid"] as? Int ?? 0 > 0)
      #expect(causes(records[2])[0]["kind"] as? String == "watch")
      #expect(causes(records[2])[0]["detail"] as? String == server.app)
      #expect(causes(records[3])[0]["detail"] as? String == "SIGHUP")
      // The kernel says who has sent it: this process.
      #expect(causes(records[3])[0]["uid"] as? Int == Int(getuid()), "\(records[3])")
      #expect(causes(records[3])[0]["pid"] as? Int == Int(getpid()), "\(records[3])")
      #expect(causes(records[2])[0]["pid"] is NSNull, "a file has no process: \(records[2])")
      for record in records {
        let at = record["at"] as? Int ?? 0
        #expect((began...Int(Date().timeIntervalSince1970)).contains(at), "\(record)")
      }
      let app = try #require((records[2]["apps"] as? [[String: Any]])?.first)
      let (from, to) = (app["from"] as? [String: Any], app["to"] as? [String: Any])
      #expect(from?["generation"] as? Int == 1 && to?["generation"] as? Int == 2, "\(app)")
      #expect(
        (to?["build"] as? String)?.count ?? 0 >= 16 && from?["build"] as? String != to?["build"] as? String)
      let phases = (records[2]["phases"] as? [[String: Any]])?.compactMap { $0["phase"] as? String }
      #expect(phases == ["waiting", "staging", "canary", "rolling"], "\(records[2])")
      let canary = (records[2]["phases"] as? [[String: Any]])?[2]["microseconds"] as? Int ?? 0
      #expect(canary >= 200_000, "the new worker has soaked for 0.2 s")
      #expect(try history(server, ["/"]).count < records.count, "only what changed the application")
      let text = try server.ctl("history").output
      #expect(text.contains("rollback by ctl of user \(getuid()) (pid "), "\(text)")
      #expect(text.contains("by signal SIGHUP of user \(getuid()) (pid \(getpid())): "), "\(text)")
      #expect(
        text.contains("  / generation 1 (build ") && text.contains(" -> generation 2 (build "), "\(text)")
      #expect(try server.stop() == .status(0), "\(server.log)")
    }

    @Test("it goes on across an upgrade, with the upgrade in it")
    func upgrade() throws {
      let server = try SupervisedServer(Fixture.good, ["--swap-soak", "0", "--swap-probation", "0"])
      try server.install(try Fixture.better)
      #expect(try server.ctl("swap").exit == 0)
      let before = try history(server)
      #expect(try server.ctl("upgrade").exit == 0)
      let after = try Deadline.usual.wait(for: "the new master's", output: { server.log }) {
        guard let records = try? history(server), records.count == 2 else { return nil as [[String: Any]]? }
        return records
      }
      #expect(NSArray(array: [after[0]]) == NSArray(array: [before[0]]))
      #expect(
        after[1]["change"] as? String == "upgrade" && after[1]["outcome"] as? String == "done", "\(after[1])")
      let phases = (after[1]["phases"] as? [[String: Any]])?.compactMap { $0["phase"] as? String }
      #expect(phases == ["waiting", "handing_over"])
      let last = try server.status()
      #expect(try server.ctl("stop").exit == 0)
      try Deadline.usual.wait(for: "the end") { ProcessUsage.isAlive(last.pid) ? nil : () }
    }

    @Test("nothing that a path says reaches a terminal as it stands")
    func escaped() throws {
      let folder = try TemporaryFolder()
      let strange = folder.file("touch \u{1b}[2J\u{202e}")
      try "".write(toFile: strange, atomically: false, encoding: .utf8)
      let server = try SupervisedServer(
        Fixture.good, ["--swap-soak", "0", "--touch-reload", strange], folder: folder)
      utimes(strange, nil)
      try Deadline.usual.wait(for: "the reload", output: { server.log }) {
        try history(server).isEmpty ? nil : ()
      }
      let (text, json) = (try server.ctl("history").output, try server.ctl("--json", "history").output)
      for output in [text, json] {
        #expect(!output.contains("\u{1b}") && !output.contains("\u{202e}"), "\(output)")
        #expect(output.contains("touch "), "\(output)")
      }
      #expect(text.contains("\\x1b[2J"), "\(text)")
      #expect(try server.stop() == .status(0), "\(server.log)")
    }
  }
}
