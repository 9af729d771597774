// The two functions of an app that no request needs: nsgi_entry, which may refuse a host, and extension(),
// which this server asks for nothing yet. From each language's app of Tests/Fixtures/table.
import CNSGI
import Support
import Testing

@testable import Host

@Suite struct AppTableTests {
  private static let apps = ["c", "cpp", "rust", "swift"].map { "table_\($0)" }

  @Test("what an app offers beyond its table, by name", arguments: apps)
  func extensions(app: String) throws {
    let bench = try LoaderBench()
    let generation = try bench.load(Repository.app(app))
    guard case .full(let table) = generation.form else { throw LoaderBench.Loaded(path: app) }
    let offered = try #require(table.extension)
    #expect(offered("table/2") == nil)
    let found = try #require(offered("table/1"))
    #expect(String(cString: found.assumingMemoryBound(to: CChar.self)) == "the table's own")
    #expect(generation.name == "table")
    #expect(table.version.map { String(cString: $0) } == "1.2")
  }

  @Test("an app refuses a host of another major", arguments: apps)
  func refusesHost(app: String) throws {
    let bench = try LoaderBench(host: BareHost(major: 2))
    let error = try bench.refusal(Repository.app(app))
    #expect(error.description.contains("refuses this server"), "\(error)")
  }
}
