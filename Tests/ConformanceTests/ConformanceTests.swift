// The table of Table.swift, run over every front door.
import Support
import Testing

@Suite struct ConformanceTests {
  private func check(_ row: Row) throws {
    let apps = [try FixtureApp.path("conformance"), "/plain=\(try FixtureApp.path("plain"))"]
    let options = Door.allCases.flatMap(\.options)
    let server = try ServerProcess(app: apps[0], ["--app", apps[1]] + options)
    for door in Door.allCases {
      let expected = row.except[door]?.expected ?? row.expected
      do {
        for problem in expected.problems(try door.reply(to: row.call, server, apps: apps)) {
          Issue.record("\(row.name) over \(door): \(problem)")
        }
      } catch {
        Issue.record("\(row.name) over \(door): \(error)\n\(server.process.output)")
      }
    }
    #expect(try server.stop() == .status(0), "\(server.process.output)")
  }

  @Test("heads", arguments: Row.heads) func heads(row: Row) throws { try check(row) }
  @Test("bodies", arguments: Row.bodies) func bodies(row: Row) throws { try check(row) }
  @Test("misuse stays inside", arguments: Row.misuse) func misuse(row: Row) throws { try check(row) }
  @Test("the plain form", arguments: Row.plainForm) func plainForm(row: Row) throws { try check(row) }

  @Test("a row that differs says why")
  func exceptionsAreExplained() {
    for row in Row.heads + Row.bodies + Row.misuse + Row.plainForm {
      for (door, exception) in row.except { #expect(!exception.why.isEmpty, "\(row.name) over \(door)") }
    }
  }
}
