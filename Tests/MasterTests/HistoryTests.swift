// Which builds are kept, and which one a rollback brings back.
import Testing

@testable import Master

@Suite struct HistoryTests {
  private func build(_ generation: Int, _ mount: String = "") -> Build {
    Build(
      mount: mount, source: "/a.so", generation: generation, copy: 1, path: "/g\(generation)/a.so",
      buildID: "",
      name: "a", staged: 0)
  }

  @Test("numbers count up by application, and a build that was not used gives its own back")
  func numbers() {
    var history = History()
    #expect(history.nextGeneration("") == 1)
    #expect(history.nextGeneration("/b") == 1)
    #expect(history.nextGeneration("") == 2)
    history.giveBack("", 2)
    #expect(history.nextGeneration("") == 2)
    history.giveBack("", 1)
    #expect(history.nextGeneration("") == 3)
  }

  @Test("three builds are kept, the youngest serves, and the one before it can be brought back")
  func keepsThree() {
    var history = History()
    for generation in 1...5 { _ = history.commit(build(generation)) }
    #expect(history.builds[""]?.map(\.generation) == [3, 4, 5])
    #expect(history.builds[""]?.map(\.status) == [.retired, .retired, .serving])
    #expect(history.previous("")?.generation == 4)
  }

  @Test("a withdrawn build is never brought back")
  func withdrawn() {
    var history = History()
    for generation in 1...3 { _ = history.commit(build(generation)) }
    _ = history.commit(build(1))
    history.withdraw(build(3), "it crashed")
    #expect(history.previous("")?.generation == 2)
    history.withdraw(build(2), "it crashed too")
    #expect(history.previous("") == nil)
  }

  @Test("withdrawn builds take no place of a good one, and are remembered to a bound")
  func notes() {
    var history = History()
    for generation in 1...3 { _ = history.commit(build(generation)) }
    for generation in 4...12 {
      _ = history.commit(build(generation))
      history.withdraw(build(generation), "it crashed")
      _ = history.commit(build(3))
    }
    let builds = history.builds[""] ?? []
    // The first of them was the fourth, and took the place of the oldest.
    #expect(builds.filter { !$0.status.isWithdrawn }.map(\.generation) == [2, 3])
    #expect(builds.filter(\.status.isWithdrawn).map(\.generation) == [8, 9, 10, 11, 12])
    #expect(history.previous("")?.generation == 2)
  }

  @Test("a build that is committed again stands once, as the serving one")
  func again() {
    var history = History()
    for generation in 1...3 { _ = history.commit(build(generation)) }
    _ = history.commit(build(2))
    #expect(history.builds[""]?.map(\.generation) == [1, 3, 2])
    #expect(history.previous("")?.generation == 3)
  }
}
