// What is remembered of changes: who asked, when, from which build to which, how long each step took, how it
// ended; and that it crosses to another master.
import Config
import Control
import Testing

@testable import Master

@Suite struct JournalTests {
  private let client = ChangeRecord.Cause(user: 1000, process: 4711)

  private func server(workers: Int = 2) -> Script {
    var script = Script(workers: workers)
    script.settle()
    return script
  }

  @Test("a swap is remembered with who asked, the builds, and how long each step took")
  func swap() throws {
    var script = server()
    script.take(.asked(.swap(mount: nil, file: nil), by: 1, cause: client), after: 4)
    let at = Int64(script.now / 1_000_000_000)
    script.bring([script.build()])
    script.ready(script.loading[0])
    script.soak()
    script.settle()
    let record = try #require(script.releases.journal.records.last)
    #expect(record.change == "swap" && record.end == .done && record.at == at)
    #expect(record.causes == [client] && record.text == "serving a generation 2")
    #expect(record.moves == [.init(mount: "", from: .init(1, ""), to: .init(2, ""))])
    #expect(record.steps.map(\.name) == ["waiting", "staging", "canary", "rolling"])
    let times = record.steps.map(\.microseconds)
    #expect(times[0] == 0 && times[1] == 100_000 && times[2] == 1_010_000 && times[3] > 0, "\(times)")
  }

  @Test("a refusal says why, and what waited how long it waited")
  func refused() throws {
    var script = server()
    script.swap([script.build()], by: 1)
    script.take(.asked(.swap(mount: nil, file: nil), by: nil, cause: .init(.watch, "/a.so")), after: 0.5)
    script.take(.asked(.swap(mount: nil, file: nil), by: 3, cause: client), after: 0.5)
    script.die(script.loading[0], .exited(22), requests: 0)
    let first = try #require(script.releases.journal.records.last)
    #expect(first.end == .refused && first.text.hasPrefix("it died; still serving a generation 1"))
    #expect(first.moves.map(\.to.generation) == [2])
    script.take(.staged(ticket: try #require(script.staged), .failed("no ELF")), after: 0.25)
    let second = try #require(script.releases.journal.records.last)
    #expect(second.causes == [.init(.watch, "/a.so"), client], "both had asked for the same")
    #expect(second.end == .refused && second.text.hasPrefix("no ELF") && second.moves.isEmpty)
    #expect(second.steps.map(\.name) == ["waiting", "staging"])
    #expect(second.steps[0].microseconds == 510_000 && second.steps[1].microseconds == 250_000)
  }

  @Test("what the server takes back has a record of its own, and so has what was under way")
  func takenBack() {
    var script = Script(workers: 2) { $0.supervision.probationSeconds = 60 }
    script.settle()
    script.roll(script.build(), by: 1)
    script.take(.asked(.swap(mount: nil, file: nil), by: 2))
    script.take(.evidence(release: script.releases.current!.number, "5 of 5 answers were 5xx"))
    let ends = script.releases.journal.records.map { "\($0.change) \($0.end.rawValue)" }
    #expect(
      ends == ["swap done", "take back taken_back", "swap refused"]
        || ends == [
          "swap done", "swap refused", "take back taken_back",
        ], "\(ends)")
    let back = script.releases.journal.records.first { $0.end == .takenBack }
    #expect(back?.moves == [.init(mount: "", from: .init(2, ""), to: .init(1, ""))])
    #expect(back?.text == "5 of 5 answers were 5xx" && back?.causes == [.init(.server)])
  }

  @Test("no more than the bound are kept, the last ones")
  func bound() {
    var script = server(workers: 1)
    for index in 0..<(Limits.changesKept + 5) {
      script.take(.asked(.rollback(mount: nil), by: index), after: 1)
    }
    let records = script.releases.journal.records
    #expect(records.count == Limits.changesKept && script.releases.journal.added == Limits.changesKept + 5)
    #expect(records[0].at == records[1].at - 1)
  }

  @Test("records cross to the next master as they are, whatever is in them")
  func crossing() throws {
    let strange = "a \u{1b}[2J=%20\n\"x\" ü"
    var signal = ChangeRecord.Cause(.signal, "SIGHUP")
    #expect(signal.words == "signal SIGHUP")
    (signal.user, signal.process) = (0, 1)
    #expect(signal.words == "signal SIGHUP of user 0 (pid 1)")
    var records = [
      ChangeRecord(
        change: "swap", at: 1_800_000_000, causes: [client, .init(.touch, "/srv/\(strange)"), signal],
        moves: [
          .init(mount: "/\(strange)", from: .init(1, ""), to: .init(2, "3f2a")),
          .init(mount: "", from: .init(), to: .init(1, "77")),
        ],
        steps: [.init("staging", microseconds: 1_234_567)], end: .refused, text: strange)
    ]
    records.append(
      ChangeRecord(change: "take back", at: 0, causes: [], moves: [], steps: [], end: .takenBack, text: ""))
    var orders = Orders(.master)
    orders.bequest.changes = records
    let message = try #require(Message(orders.message.bytes))
    #expect(try #require(Orders(message)).bequest.changes == records)
    for line in ["", "changed", "changed change=swap end=maybe", "other change=swap end=done"] {
      #expect(ChangeRecord(line: line) == nil)
    }
    let shown = records[0].lines("2027-01-15T08:00:00Z")
    #expect(shown[0].hasPrefix("2027-01-15T08:00:00Z swap by ctl of user 1000 (pid 4711), touch /srv/a"))
    #expect(shown.contains { $0.contains("generation 1 -> generation 2 (build 3f2a)") })
    #expect(shown.contains("  staging 1.234 s") && shown.contains("  / nothing -> generation 1 (build 77)"))
    let json = records[0].json("").description
    #expect(json.contains("\"uid\":1000,\"pid\":4711") && !json.contains("\u{1b}"))
  }

  @Test("an old record that says too much is cut")
  func cut() {
    let record = ChangeRecord(
      change: "swap", at: 0,
      causes: Array(repeating: .init(.watch, String(repeating: "p", count: 999)), count: 99),
      moves: Array(repeating: .init(mount: "", from: .init(), to: .init()), count: 99), steps: [], end: .done,
      text: String(repeating: "x", count: 9999))
    #expect(record.causes.count == ChangeRecord.mostCauses && record.moves.count == ChangeRecord.mostMoves)
    #expect(record.text.utf8.count == ChangeRecord.textBytes)
    #expect(record.causes[0].detail.utf8.count == ChangeRecord.detailBytes)
  }
}
