import Support
import Testing
import Wire

/// Every HTTP/1.1 fixture, fed in every way.
@Suite struct HTTP1FixtureTests {
  @Test(arguments: try Fixture.all("http1"))
  func fixture(_ fixture: Fixture) {
    let problems = verify(HTTP1RequestReader.self, fixture)
    #expect(problems.isEmpty, "\(problems.joined(separator: "\n"))")
  }

  @Test func everyErrorHasAFixture() throws {
    let lines = try Fixture.all("http1").compactMap { $0.expected?.last }
    let named = Set(lines.filter { $0.hasPrefix("error ") })
    // 38 cases: adding one to HTTP1Error asks for a fixture and for this number.
    #expect(named.count == 38, "\(named.sorted())")
  }
}
