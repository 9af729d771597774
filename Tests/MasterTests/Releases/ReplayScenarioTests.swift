// Replays, step by step: when there is one, what it decides, and how it ends otherwise.
import Config
import Control
import Testing

@testable import Master

@Suite struct ReplayScenarioTests {
  private func script(
    _ requests: Int = 200, mounts: [String] = [""], gate: [ReplayReport.Kind] = [],
    _ adjust: (inout Settings) -> Void = { _ in }
  ) -> Script {
    var script = Script(workers: 2, mounts: mounts) { settings in
      settings.supervision.replay.requests = requests
      settings.supervision.replay.gate.kinds = Set(gate)
      adjust(&settings)
    }
    script.settle()
    return script
  }

  /// The replay that the last event has begun.
  private func replay(_ script: Script) -> (ticket: Int, generations: [Int], requests: Int)? {
    for action in script.actions {
      if case .replay(let ticket, _, let fresh, let requests) = action {
        return (ticket, fresh.map(\.generation), requests)
      }
    }
    return nil
  }

  private func report(_ differences: ReplayReport.Difference..., mount: String = "") -> ReplayReport {
    var report = ReplayReport()
    (report.mount, report.replayed, report.from, report.to) = (mount, 200, 1, 2)
    for difference in differences { report.add(difference) }
    report.differing = differences.count
    return report
  }

  private static let body = ReplayReport.Difference(.body, request: "GET /a", text: "byte 3")
  private static let status = ReplayReport.Difference(
    .status, isWorse: true, request: "GET /b", text: "was answered with 500")

  @Test("a build is replayed to before its first worker starts, and goes live if nothing is worse")
  func goesLive() throws {
    var script = script()
    script.swap([script.build()], by: 1)
    let order = try #require(replay(script))
    #expect(order.generations == [2] && order.requests == 200)
    #expect(script.loading.isEmpty && script.releases.changeText == "replaying requests")
    #expect(script.did { if case .alarm(.change(order.ticket), _) = $0 { true } else { false } })
    script.take(.replayed(ticket: order.ticket, .compared([report(Self.body)])), after: 2)
    #expect(script.loading.count == 1 && script.outcome(1) == "0 answers")
    script.ready(script.loading[0])
    script.soak()
    script.settle()
    #expect(script.outcome(1).hasPrefix("done") && script.running == [[2], [2]])
    let record = try #require(script.releases.journal.records.last)
    #expect(record.steps.map(\.name) == ["waiting", "staging", "replaying", "canary", "rolling"])
    #expect(record.steps[2].microseconds == 2_000_000)
    #expect(record.figures == "/ 200 requests replayed, 1 differs (1 body)", "\(record.figures)")
    let kept = try #require(script.releases.replays[""])
    #expect(kept.verdict == "accepted" && kept.at > 0 && kept.differences == [Self.body])
  }

  @Test("a worse class of status refuses it, other differences do if the gate names them")
  func refused() throws {
    for (differences, gate, words) in [
      ([Self.status], [], "replayed to /: GET /b was answered with 500; see ctl diff"),
      ([Self.body], [.body], "replayed to /: GET /a body: byte 3 (--replay-gate body); see ctl diff"),
      ([Self.body, Self.status], [.fields], "replayed to /: GET /b was answered with 500; see ctl diff"),
    ] as [([ReplayReport.Difference], [ReplayReport.Kind], String)] {
      var script = script(gate: gate)
      script.swap([script.build()], by: 1)
      var found = report()
      for difference in differences { found.add(difference) }
      script.take(.replayed(ticket: try #require(replay(script)).ticket, .compared([found])))
      #expect(
        script.outcome(1) == "refused: \(words); still serving a generation 1", "\(script.outcome(1))")
      #expect(script.loading.isEmpty && script.running == [[1], [1]])
      #expect(script.releases.replays[""]?.verdict.hasPrefix("refused: GET /") == true)
      #expect(script.releases.journal.records.last?.moves.map(\.to.generation) == [2])
      // The next change begins from the serving build.
      script.swap([script.build()], by: 2)
      script.take(.replayed(ticket: try #require(replay(script)).ticket, .compared([report()])))
      script.ready(script.loading[0])
      script.soak()
      script.settle()
      #expect(script.outcome(2).hasPrefix("done") && script.running == [[3], [3]])
    }
  }

  @Test("where there is nothing to compare it goes live, with a line; what nobody knows refuses it")
  func unknown() throws {
    var script = script()
    script.swap([script.build()], by: 1)
    script.take(
      .replayed(ticket: try #require(replay(script)).ticket, .skipped("the workers remember nothing")))
    #expect(script.logged.contains("nothing was replayed: the workers remember nothing"))
    script.ready(script.loading[0])
    script.soak()
    script.settle()
    #expect(script.outcome(1).hasPrefix("done"))
    // Nor does the record keep quiet about it.
    let record = script.releases.journal.records.last
    #expect(record?.figures == "nothing was replayed: the workers remember nothing")
    script.swap([script.build()], by: 2)
    script.take(.replayed(ticket: try #require(replay(script)).ticket, .failed("it does not start")))
    #expect(script.outcome(2).hasPrefix("refused: it does not start; still serving a generation 2"))
    #expect(script.releases.replays.isEmpty)
  }

  @Test("the words of a change come before the options, and no builds, no rollback, no old build: no replay")
  func wanted() throws {
    func asked(_ replay: Int?, _ requests: Int) throws -> Int? {
      var script = self.script(requests)
      let build = script.build()
      script.take(.asked(.swap(mount: nil, file: nil, replay: replay), by: 1))
      script.bring([build])
      return self.replay(script)?.requests
    }
    #expect(try asked(nil, 0) == nil && asked(0, 200) == nil && asked(7, 0) == 7 && asked(7, 200) == 7)
    #expect(try asked(nil, 200) == 200)
    var script = self.script()
    script.swap([script.build()], by: 1)
    script.take(.replayed(ticket: try #require(replay(script)).ticket, .compared([report()])))
    script.ready(script.loading[0])
    script.soak()
    script.settle()
    script.take(.asked(.rollback(mount: nil), by: 2))
    #expect(replay(script) == nil)
    script.settle()
    #expect(script.outcome(2).hasPrefix("done"))
    script.reload(by: 3) { $0.limits.backlog = 7 }
    #expect(script.outcome(3).hasPrefix("done"), "other options alone: \(script.outcome(3))")
    var other = self.script()
    other.swap([other.build("/new")], by: 1)
    #expect(replay(other) == nil, "nothing served there")
  }

  @Test("in place too it comes first")
  func inPlace() throws {
    var script = script { $0.supervision.swap = .inPlace }
    script.releases.current!.builds[0].isUnloadable = true
    script.swap([script.build(unloadable: true)], by: 1)
    let ticket = try #require(replay(script)).ticket
    #expect(!script.did { if case .swap = $0 { true } else { false } })
    script.take(.replayed(ticket: ticket, .compared([report()])))
    #expect(script.did { if case .swap = $0 { true } else { false } })
    for id in script.serving { script.take(.swapped(id, app: 0, generation: 2)) }
    #expect(script.outcome(1).hasPrefix("done") && script.running == [[2], [2]], "\(script.outcome(1))")
  }

  @Test("its time is bounded, a stop ends it, and what comes late or for another change is not heard")
  func ends() throws {
    var script = script()
    script.swap([script.build()], by: 1)
    let ticket = try #require(replay(script)).ticket
    script.take(.replayed(ticket: ticket + 1, .failed("another one's")))
    #expect(script.outcome(1) == "0 answers")
    script.take(.alarm(.change(ticket)), after: 200)
    #expect(script.outcome(1).hasPrefix("refused: the replay did not end in time (--swap-timeout)"))
    #expect(script.did { if case .abandonReplay(ticket: ticket) = $0 { true } else { false } })
    script.take(.replayed(ticket: ticket, .compared([report()])))
    #expect(script.loading.isEmpty && script.outcome(1).hasPrefix("refused"))
    script.swap([script.build()], by: 2)
    let next = try #require(replay(script)).ticket
    script.take(.asked(.swap(mount: nil, file: nil), by: 3))
    script.take(.stop(code: 0))
    #expect(script.did { if case .abandonReplay(ticket: next) = $0 { true } else { false } })
    #expect(script.outcome(2) == "refused: the server stops" && script.outcome(3) == script.outcome(2))
  }

  @Test("a build on probation that is taken back takes the replay of its follower along")
  func takenBack() throws {
    var script = script(0) { $0.supervision.probationSeconds = 60 }
    script.roll(script.build(), by: 1)
    script.take(.asked(.swap(mount: nil, file: nil, replay: 5), by: 2))
    script.bring([script.build()])
    let ticket = try #require(replay(script)).ticket
    script.die(script.serving[0], in: 0)
    #expect(script.outcome(2).contains("which it follows, is taken back"), "\(script.outcome(2))")
    #expect(script.did { if case .abandonReplay(ticket: ticket) = $0 { true } else { false } })
    script.settle()
    #expect(script.running == [[1], [1]])
  }
}
