import Support
import Testing
import Wire

/// Every SCGI fixture, fed in every way.
@Suite struct SCGIFixtureTests {
  @Test(arguments: try Fixture.all("scgi"))
  func fixture(_ fixture: Fixture) {
    let problems = verify(SCGIRequestReader.self, fixture)
    #expect(problems.isEmpty, "\(problems.joined(separator: "\n"))")
  }

  @Test func everyErrorHasAFixture() throws {
    let lines = try Fixture.all("scgi").compactMap { $0.expected?.last }
    let named = Set(lines.filter { $0.hasPrefix("error ") })
    // 13 cases: adding one to SCGIError asks for a fixture and for this number.
    #expect(named.count == 13, "\(named.sorted())")
  }
}
