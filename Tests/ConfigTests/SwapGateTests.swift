// The factors of `--swap-gate`, and what is wrong with others.
import Testing

@testable import Config

@Suite struct SwapGateTests {
  @Test("what is not named keeps its default, and 0 takes a figure out")
  func factors() throws {
    #expect(try SwapGate(parsing: "on") == SwapGate())
    let gate = try SwapGate(parsing: "p99=1.5,fds=0,requests=1000")
    #expect(gate.factor(.p99) == 1.5 && gate.factor(.fds) == nil && gate.requests == 1000)
    #expect(gate.factor(.errors) == 2 && gate.factor(.p50) == 3 && gate.factor(.rss) == 2)
    #expect(SwapGate.Figure.allCases.allSatisfy { SwapGate().factor($0) != nil })
  }

  @Test(
    "a figure that nobody knows, a factor below 1 and too few requests are refused by name",
    arguments: [
      ("p98=2", "\"p98=2\" is not known"), ("errors", "the value is empty"),
      ("errors=", "the value is empty"),
      ("errors=2,,p99=3", "\"\" is not known"), ("errors=two", "\"two\" is not a number"),
      ("errors=0.5", "0.5 is not between 1 and 1000"), ("rss=1e9", "\"1e9\" is not a number"),
      ("requests=19", "19 is not between 20 and 1000000"), ("", "\"\" is not known"),
    ])
  func refused(text: String, problem: String) {
    #expect { try SwapGate(parsing: text) } throws: { ($0 as? ValueError)?.problem == problem }
  }
}
