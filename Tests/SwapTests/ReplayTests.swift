// Requests that were remembered are replayed to copies of both builds before anybody meets the new one: a
// worse one is refused with the reason, one that differs by noise goes live.
import Foundation
import Support
import Synchronization
import Testing

extension Swaps {
  @Suite struct ReplayTests {
    private static let paths = ["/plain", "/json", "/page", "/field", "/status", "/slow", "/crash"]

    private func build(_ defines: String...) throws -> String {
      try FixtureApp.path("replayed", defines: defines)
    }

    private func server(
      _ mode: String, _ options: [String] = [], _ first: String? = nil
    ) throws -> SupervisedServer {
      try SupervisedServer(
        try first ?? build(),
        ["--swap", mode, "--swap-soak", "0", "--swap-probation", "0", "--swap-replay", "50"] + options)
    }

    /// Asks for each path, so that it is remembered.
    private func ask(_ server: SupervisedServer, _ paths: [String] = Self.paths) throws {
      for path in paths { #expect(try server.get(path).status == 200, "\(path)") }
    }

    private func swap(
      _ server: SupervisedServer, _ library: String, _ words: [String] = []
    ) throws -> (exit: Int32, output: String) {
      try server.install(library)
      return try server.ctl(["swap"] + words, Deadline(seconds: 120))
    }

    /// The last report of the application.
    private func report(_ server: SupervisedServer) throws -> [String: Any] {
      let (exit, output) = try server.ctl("--json", "diff")
      #expect(exit == 0, "\(output)")
      let parsed = try JSONSerialization.jsonObject(with: Data(output.utf8)) as? [String: Any]
      return try #require((parsed?["answer"] as? [[String: Any]])?.first, "\(output)")
    }

    private func differences(_ report: [String: Any]) -> [String] {
      (report["differences"] as? [[String: Any]] ?? []).map {
        "\($0["kind"] ?? "") \($0["request"] ?? "")"
      }.sorted()
    }

    /// A build that is worse.
    struct Worse: Sendable, CustomTestStringConvertible {
      let testDescription: String
      let defines: [String]
      /// What the gate names; empty: what is refused without one.
      let gate: String
      /// Words of the reason.
      let words: String
    }

    static let worse = [
      Worse(
        testDescription: "500 on one path", defines: ["FAILS"], gate: "",
        words: "replayed to /: GET /status was answered with 500, and with 200 by the build before"),
      Worse(
        testDescription: "404 on one path", defines: ["MISSING"], gate: "",
        words: "replayed to /: GET /status was answered with 404, and with 200 by the build before"),
      Worse(
        testDescription: "a crash on one path", defines: ["CRASHES"], gate: "",
        words: "replayed to /: GET /crash was answered with nothing (its process died of SIGABRT)"),
      Worse(
        testDescription: "a wrong body", defines: ["PRICE=13"], gate: "body",
        words: " body: byte 10: \"It costs 12.\\n\" became \"It costs 13.\\n\" (--replay-gate body)"),
      Worse(
        testDescription: "another field", defines: ["FIELD=\"b\""], gate: "fields,time",
        words: " fields: x-field: \"a\" became \"b\" (--replay-gate fields)"),
      Worse(
        testDescription: "slow on one path", defines: ["SLOW=200000"], gate: "time=2",
        words: "GET /slow time: took "),
    ]

    @Test(
      "a worse build is refused before anybody meets it, with the request and what differs",
      arguments: worse, ["rolling", "in-place"])
    func isRefused(build: Worse, mode: String) throws {
      let gate = build.gate.isEmpty ? [] : ["--replay-gate", build.gate]
      let server = try server(mode, gate)
      try ask(server)
      let worse = try FixtureApp.path("replayed", defines: build.defines)
      let (exit, output) = try swap(server, worse)
      let verdict = output.split(separator: "\n").last.map(String.init) ?? ""
      #expect(exit == 1 && verdict.hasPrefix("refused: "), "\(output)")
      #expect(verdict.contains(build.words), "\(output)")
      #expect(verdict.contains("see ctl diff; still serving replayed generation 1"), "\(output)")
      #expect(output.contains("replays requests, with the network and the databases"), "\(output)")
      #expect(server.log.contains("swap refused: ") && server.log.contains("see ctl diff"))
      let status = try server.status()
      #expect(status.generations == [1] && status.serving.allSatisfy { $0.generations == [1] })
      #expect(status.respawns == 0 && status.crashes.isEmpty, "\(status.text)")
      let report = try report(server)
      #expect(report["from"] as? Int == 1 && report["to"] as? Int == 2, "\(report)")
      #expect((report["verdict"] as? String)?.hasPrefix("refused: ") == true, "\(report)")
      #expect((report["replayed"] as? Int ?? 0) >= 5, "\(report)")
      let history = try server.ctl("history").output
      #expect(history.contains("replaying ") && history.contains("compared: / "), "\(history)")
      #expect(try server.get("/status").status == 200)
      #expect(try server.stop() == .status(0), "\(server.log)")
    }

    @Test(
      "a good build whose answers differ by noise goes live through every gate",
      arguments: ["rolling", "in-place"])
    func noise(mode: String) throws {
      let server = try server(mode, ["--replay-gate", "all,time=1000"])
      try ask(server)
      try ask(server, ["/count", "/count?again", "/gzip"])
      // Another build: it has another symbol, and answers the same.
      let (exit, output) = try swap(server, try build("SLOW=1"))
      #expect(exit == 0 && output.contains("none differs"), "\(output)")
      #expect(output.contains("(in place)") == (mode == "in-place"), "\(output)")
      let report = try report(server)
      #expect(report["replayed"] as? Int == 10 && report["remembered"] as? Int == 10, "\(report)")
      #expect(report["noisy"] as? Int == 4, "json, page, field, gzip: \(report)")
      #expect(report["verdict"] as? String == "accepted", "\(report)")
      #expect(try server.status().generations == [2])
      #expect(try server.stop() == .status(0), "\(server.log)")
    }

    @Test("without a gate differences are told, and the build goes live")
    func told() throws {
      let server = try server("rolling")
      #expect(try server.ctl("diff").output.contains("nothing was replayed yet; see --swap-replay"))
      try ask(server)
      let (exit, output) = try swap(server, try build("PRICE=13"))
      #expect(exit == 0 && output.contains("replay: / 7 requests replayed, 7 differ (7 body)"), "\(output)")
      #expect(server.log.contains("replay: / 7 requests replayed, 7 differ (7 body)"))
      let report = try report(server)
      #expect(differences(report) == Self.paths.map { "body GET \($0)" }.sorted(), "\(report)")
      let text = try server.ctl("diff", "/").output
      #expect(text.contains("$.items[0].price: 12 became 13"), "\(text)")
      #expect(text.contains("/ generation 1 -> generation 2: 7 requests replayed"), "\(text)")
      #expect(try server.ctl("diff", "/nowhere").exit == 1)
      #expect(try server.get("/plain").text == "It costs 13.\n")
      #expect(try server.stop() == .status(0), "\(server.log)")
    }

    @Test("an app is told that it is only tried, in both copies of the old build and in the new one")
    func isTold() throws {
      let server = try server("rolling")
      try ask(server)
      #expect(try swap(server, try build("SLOW=1")).exit == 0)
      let told = server.log.components(separatedBy: "only tried: NSGI_REPLAY=1 server.replay=1").count - 1
      #expect(told == 3, "\(server.log)")
      #expect(try server.stop() == .status(0), "\(server.log)")
    }

    @Test("requests with credentials are not remembered, unless that is asked for")
    func credentials() throws {
      for option in [false, true] {
        let server = try server("rolling", option ? ["--replay-credentials"] : [])
        for field in ["Cookie: a=1", "Authorization: Basic eDp5"] {
          let socket = try server.server.connect()
          try socket.send("GET /plain?\(field.count) HTTP/1.1\r\nHost: h\r\n\(field)\r\n\r\n")
          #expect(try socket.receiveReply().status == 200)
        }
        try ask(server, ["/status"])
        #expect(try swap(server, try build("SLOW=1")).exit == 0)
        #expect(try report(server)["remembered"] as? Int == (option ? 3 : 1))
        #expect(try server.stop() == .status(0), "\(server.log)")
      }
    }

    @Test("ctl says how many; where nothing is remembered yet, it is gathered first")
    func gathered() throws {
      let server = try SupervisedServer(
        try build(), ["--swap-soak", "0", "--swap-probation", "0"])
      try ask(server)
      // Nothing is remembered, and nothing replayed.
      let (exit, plain) = try swap(server, try build("SLOW=1"))
      #expect(exit == 0 && !plain.contains("replays requests"), "\(plain)")
      let isOver = Atomic<Bool>(false)
      let callers = DispatchGroup()
      DispatchQueue.global().async(group: callers) {
        while !isOver.load(ordering: .relaxed) {
          for path in Self.paths { _ = try? server.get(path) }
        }
      }
      // Each of two workers has met each path by then.
      let (refusal, output) = try swap(server, try build("FAILS"), ["--replay", "\(2 * Self.paths.count)"])
      isOver.store(true, ordering: .relaxed)
      callers.wait()
      #expect(refusal == 1 && output.contains("GET /status was answered with 500"), "\(output)")
      #expect(output.contains("the workers remember requests from now on"), "\(output)")
      let (wrong, words) = try server.ctl("swap", "--replay", "many")
      #expect(wrong == 1 && words.contains("--replay takes a number of requests"), "\(words)")
      #expect(try server.ctl("status", "--replay", "1").exit == 1)
      let (last, none) = try swap(server, try build(), ["--replay", "0"])
      #expect(last == 0 && !none.contains("replays requests"), "\(none)")
      #expect(try server.stop() == .status(0), "\(server.log)")
    }

    @Test("a build of which there can be only one process is not compared, and goes live")
    func single() throws {
      let server = try server("rolling", [], try build("FAILS_IN_REPLAY"))
      try ask(server)
      let (exit, output) = try swap(server, try build("PRICE=13"))
      #expect(exit == 0, "\(output)")
      #expect(
        output.contains("nothing was replayed: another copy of the serving build does not start: "),
        "\(output)")
      #expect(output.contains("there is one already"), "\(output)")
      #expect(try server.ctl("diff").output.contains("nothing was replayed yet"))
      // The new one alone is at fault if only it fails. Its workers have remembered nothing yet.
      try ask(server)
      let (refused, words) = try swap(server, try build("PRICE=14", "FAILS_IN_REPLAY"))
      #expect(refused == 1 && words.contains("a copy of it to replay requests to does not start"), "\(words)")
      #expect(try server.get("/plain").text == "It costs 13.\n")
      #expect(try server.stop() == .status(0), "\(server.log)")
    }

    @Test("of several apps the one with a new build is given its own requests, and has its own report")
    func several() throws {
      let folder = try TemporaryFolder()
      let second = folder.file("b.so")
      try SupervisedServer.replace(second, with: try build())
      let server = try SupervisedServer(
        try build(),
        [
          "--swap-soak", "0", "--swap-probation", "0", "--swap-replay", "50", "--mount", "/b=\(second)",
        ], folder: folder)
      try ask(server, ["/plain", "/status", "/b/status"])
      try SupervisedServer.replace(second, with: try build("FAILS"))
      let (exit, output) = try server.ctl(["swap"], Deadline(seconds: 120))
      #expect(exit == 1, "\(output)")
      #expect(output.contains("replayed to /b: GET /b/status was answered with 500"), "\(output)")
      let report = try report(server)
      #expect(report["mount"] as? String == "/b" && report["remembered"] as? Int == 1, "\(report)")
      #expect(try server.ctl("diff", "/").output.contains("nothing was replayed yet"))
      #expect(try server.get("/b/status").status == 200)
      #expect(try server.stop() == .status(0), "\(server.log)")
    }

    @Test("an app in Swift is loaded twice more, and compared like any other")
    func inSwift() throws {
      let server = try server("rolling", [], Repository.app("hello_swift"))
      try ask(server, ["/"])
      let (exit, output) = try swap(server, Repository.app("hello_world_app"))
      #expect(exit == 0 && output.contains("replay: / 1 request replayed, "), "\(output)")
      #expect(try server.stop() == .status(0), "\(server.log)")
    }

    @Test("what is remembered is bounded, and so is the memory of a worker")
    func bounded() throws {
      let server = try SupervisedServer(
        try build(), workers: 1, ["--swap-soak", "0", "--swap-probation", "0", "--swap-replay", "10000"])
      try ask(server)
      let pid = try server.status().workers[0].pid
      let before = try #require(ProcessUsage(pid)).resident
      let socket = try server.server.connect()
      let long = String(repeating: "x", count: 20_000)
      for number in 0..<2000 {
        try socket.send("GET /plain?\(number) HTTP/1.1\r\nHost: h\r\nX-Long: \(long)\r\n\r\n")
        #expect(try socket.receiveReply().status == 200)
      }
      let after = try #require(ProcessUsage(pid)).resident
      // 40 MB were sent, 4 MiB are kept.
      #expect(after < before + 20 * 1024, "\(before) KiB, then \(after)")
      #expect(try swap(server, try build("SLOW=1")).exit == 0)
      #expect((try report(server)["remembered"] as? Int ?? 0) < 250)
      #expect(try server.stop() == .status(0), "\(server.log)")
    }

    @Test("an upgrade, a stop and a rollback while there are replays, and no process is left behind")
    func others() throws {
      let server = try server("rolling")
      try ask(server)
      #expect(try swap(server, try build("SLOW=1")).exit == 0)
      #expect(try server.ctl("rollback").exit == 0)
      #expect(try server.ctl("upgrade").exit == 0)
      try ask(server)
      let (exit, output) = try swap(server, try build("FAILS"))
      #expect(exit == 1 && output.contains("GET /status was answered with 500"), "\(output)")
      let status = try server.status()
      #expect(status.serving.count == 2)
      #expect(try server.ctl("stop").exit == 0)
      try Deadline.usual.wait(for: "the end") { ProcessUsage.isAlive(status.pid) ? nil : () }
    }
  }
}
