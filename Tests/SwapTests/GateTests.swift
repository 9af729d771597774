// A build that answers, but worse than the one before in the same time: taken back by --swap-gate with the
// figures, and a good one is not.
import Foundation
import Support
import Testing

extension Swaps {
  @Suite struct GateTests {
    /// A build that is worse.
    struct Worse: Sendable, CustomTestStringConvertible {
      let testDescription: String
      let good: [String]
      let bad: [String]
      /// The figure that closes the gate, and words of the reason.
      let figure: String
      let words: [String]
    }

    /// Both builds wait for as long as such an app does; then few workers are not always idle.
    static let builds = [
      Worse(
        testDescription: "ten times slower", good: ["WAITS=6000"], bad: ["WAITS=60000"], figure: "p50",
        words: ["p50 was ", " ms over ", ", against ", "of the build before in the same time"]),
      Worse(
        testDescription: "500 on one of a hundred", good: ["WAITS=500"],
        bad: ["WAITS=500", "FAILS_EVERY=100"],
        figure: "errors", words: [" answers were 5xx (", "against 0 of ", "(0 %)"]),
      Worse(
        testDescription: "a leak of memory", good: ["WAITS=2000"], bad: ["WAITS=2000", "GROWS=128"],
        figure: "rss", words: ["a worker grows by ", " MiB with 1000 requests and holds "]),
      Worse(
        testDescription: "a leak of descriptors", good: ["WAITS=2000"], bad: ["WAITS=2000", "LEAKS=1"],
        figure: "fds", words: ["a worker opens ", " descriptors with 1000 requests and holds "]),
    ]

    private func server(
      _ build: Worse, soak: String, _ gate: String, _ mode: String = "rolling"
    ) throws -> SupervisedServer {
      try SupervisedServer(
        Fixture.ledger(["LETTER='A'"] + build.good),
        [
          "--swap", mode, "--swap-soak", soak, "--swap-probation", "600", "--swap-gate", gate, "--metrics",
          "127.0.0.1:0", "--watch-host", "a", "--max-fd", "4096",
        ])
    }

    private func load(_ server: SupervisedServer) throws -> Ledger {
      let ledger = try Ledger(server, Array(repeating: .httpFresh, count: 6))
      try ledger.waitForAnswers(50)
      return ledger
    }

    @Test(
      "a worse build is refused while it soaks, with its figures and those of the one before",
      arguments: builds, ["rolling", "in-place"])
    func isRefused(build: Worse, mode: String) throws {
      let server = try server(build, soak: "600", "requests=40", mode)
      let ledger = try load(server)
      try server.install(try Fixture.ledger(["LETTER='B'"] + build.bad))
      let (exit, output) = try server.ctl(["swap"], Deadline(seconds: 120))
      let verdict = output.split(separator: "\n").last.map(String.init) ?? ""
      #expect(exit == 1 && verdict.hasPrefix("refused: "), "\(output)")
      for word in build.words + ["(--swap-gate \(build.figure)="] {
        #expect(verdict.contains(word), "\(word): \(output)")
      }
      #expect(verdict.contains("still serving ledger generation 1"), "\(output)")
      let isInPlace = output.contains("one worker serves the new build, and is compared with the others")
      #expect(isInPlace == (mode == "in-place"), "\(output)")
      #expect(server.log.contains("swap refused: ") && server.log.contains("(--swap-gate \(build.figure)="))
      try server.wait(for: "the build before") { $0.serving.allSatisfy { $0.generations == [1] } }
      let history = try server.ctl("history").output
      #expect(
        history.contains("compared: / new: ") && history.contains("(--swap-gate \(build.figure)="),
        "\(history)")
      let metrics = try RawSocket(server.watchAddress("metrics")).ask("/metrics").text
      #expect(metrics.contains("nsgi_swap_gate_refusals_total{figure=\"\(build.figure)\"} 1\n"), "\(metrics)")
      #expect(metrics.contains("nsgi_swap_compared_requests{app=\"/\",build=\"new\"} "), "\(metrics)")
      let report = try ledger.finish()
      let own = report.losses.allSatisfy { $0.kind == .status }
      #expect(own && (build.figure == "errors" || report.losses.isEmpty), "\(report)")
      #expect(try server.answering() == "A 1")
      #expect(try server.stop() == .status(0), "\(server.log)")
    }

    @Test("what leaks slowly is taken back on probation", arguments: builds.suffix(2))
    func slowPoison(build: Worse) throws {
      let server = try server(build, soak: "2", "errors=0,p50=0,p99=0,requests=20")
      let ledger = try load(server)
      // So slowly that the time before the commit shows nothing.
      try server.install(try Fixture.ledger(["LETTER='B'", "POISON_AFTER=6000"] + build.bad))
      let (exit, output) = try server.ctl(["swap"], Deadline(seconds: 120))
      // A machine that is fast may see it before the commit.
      #expect(exit == 0 || output.contains("(--swap-gate \(build.figure)="), "\(output)")
      let status = try server.wait(for: "the build before", Deadline(seconds: 300)) { status in
        status.generations == [1] && status.workers.allSatisfy { $0.generations == [1] }
      }
      #expect(status.last.contains("(--swap-gate \(build.figure)="), "\(status.last)")
      if exit == 0 {
        #expect(server.log.contains("ledger generation 2 is taken back: a worker "), "\(server.log)")
        let history = try server.ctl("history").output
        #expect(history.contains("take back by server: taken back"), "\(history)")
      }
      #expect(try ledger.finish().losses.isEmpty)
      #expect(try server.answering() == "A 1")
      #expect(try server.stop() == .status(0), "\(server.log)")
    }

    @Test("a good build goes live, and what was compared is told", arguments: ["rolling", "in-place"])
    func goesLive(mode: String) throws {
      let server = try server(
        Worse(testDescription: "", good: ["WAITS=2000"], bad: [], figure: "", words: []), soak: "3",
        "requests=20", mode)
      let ledger = try load(server)
      try server.install(try Fixture.ledger("LETTER='B'", "WAITS=2000"))
      let (exit, output) = try server.ctl("swap")
      #expect(exit == 0 && output.contains("compared: / new: "), "\(output)")
      #expect(output.contains("(in place)") == (mode == "in-place"), "\(output)")
      #expect(server.log.contains("compared: / new: "))
      ledger.expect(generation: 2)
      try ledger.waitForAnswers(100)
      let report = try ledger.finish()
      #expect(report.losses.isEmpty && report.duplicates.isEmpty, "\(report)")
      #expect(try server.answering() == "B 2")
      #expect(try server.ctl("status").output.contains("on probation: /"))
      #expect(try server.stop() == .status(0), "\(server.log)")
    }
  }
}
