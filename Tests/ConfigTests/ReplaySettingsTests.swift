// Which differences refuse a build: the words of `--replay-gate`, and what is wrong with others.
import Testing

@testable import Config

@Suite struct ReplaySettingsTests {
  @Test("kinds are named one by one or all at once, some with a factor")
  func kinds() throws {
    func kinds(_ text: String) throws -> [String] {
      try ReplayGate(parsing: text).kinds.map(\.rawValue).sorted()
    }
    #expect(try kinds("off").isEmpty && kinds("body") == ["body"])
    #expect(try kinds("all") == ["body", "fields", "memory", "status", "time"])
    #expect(try kinds("all,time=10").count == 5 && ReplayGate(parsing: "all,time=10").time == 10)
    let gate = try ReplayGate(parsing: "fields,time=1.5,memory=4")
    #expect(gate.kinds.count == 3 && gate.time == 1.5 && gate.memory == 4)
    #expect(try ReplayGate(parsing: "time").time == 3 && ReplayGate(parsing: "memory=0").memory == 2)
  }

  @Test(
    "a kind that nobody knows, and a factor that makes no sense, are refused by name",
    arguments: [
      ("colour", "\"colour\" is not known"), ("", "\"\" is not known"), ("body,,time", "\"\" is not known"),
      ("body=2", "\"body=2\" is not known"), ("time=0.5", "0.5 is not between 1 and 1000"),
      ("time=fast", "\"fast\" is not a number"), ("off,body", "\"off\" is not known"),
    ])
  func refused(text: String, problem: String) {
    #expect { try ReplayGate(parsing: text) } throws: { ($0 as? ValueError)?.problem == problem }
  }

  @Test("the number of requests is bounded, development replays none, and the variable for apps is no option")
  func options() throws {
    #expect(try settings("--swap-replay 10000").supervision.replay.requests == 10_000)
    #expect(complaint("--swap-replay 10001 --app a.so").contains("10001"))
    #expect(try settings("--swap-replay 5 --debug").supervision.replay.requests == 0)
    let told = try settings("", environment: ["NSGI_REPLAY": "1"])
    #expect(told.warnings.isEmpty && told.supervision.replay.requests == 0)
    #expect(try settings("", environment: ["NSGI_SWAP_REPLAY": "7"]).supervision.replay.requests == 7)
  }
}
