import Control
import Testing

@testable import Watch

@Suite struct TopViewTests {
  @Test("what is shown of two looks, two seconds apart")
  func lines() {
    let before = exampleSnapshot()
    var now = before
    now.now += 2
    now.apps[0].tally += tally(500, 20, 7000)
    now.workers[0].tally += tally(500, 20, 7000)
    let lines = TopView().lines(now, since: before, seconds: 2)
    #expect(lines[0] == "nsgi-server 0.1.0  pid 100  up 1 h 2 min  serving  2 respawns")
    #expect(
      lines[1].hasPrefix("10.0 requests/s  p50 ") && lines[1].contains("5xx 10.0/s  under way 1  waiting 3"))
    #expect(lines[2] == "change under way: swap of / is on trial")
    #expect(lines[3] == "zygote ready  pid 90  builds 4  30 MiB")
    #expect(lines.contains { $0.hasPrefix("WORKER  STATE     PID  BUILDS  REQ/S") }, "\(lines)")
    #expect(lines.contains { $0.hasPrefix("     1  serving   101       4   10.0") }, "\(lines)")
    #expect(lines.contains { $0.hasPrefix("   1.5 s  worker 2  GET /slow\\x1b[31m") }, "\(lines)")
    #expect(lines.allSatisfy { $0.utf8.allSatisfy { $0 >= 0x20 && $0 != 0x7f } })
  }

  @Test(
    "a narrow terminal has whole columns only, and long names with both ends", arguments: [40, 60, 80, 120])
  func narrow(columns: Int) {
    var now = exampleSnapshot()
    now.apps[0].name = String(repeating: "long name ", count: 8)
    let wide = TopView().lines(now, since: nil, seconds: 1)
    let lines = TopView().lines(now, since: nil, seconds: 1, columns: columns)
    let heads = lines.filter { $0.hasPrefix("WORKER") || $0.hasPrefix("MOUNT") }
    #expect(heads.count == 2 && lines.count == wide.count)
    for head in heads {
      #expect(head.count <= columns, "\(head)")
      let words = head.split(separator: " ")
      let all = wide.first { $0.hasPrefix(head.prefix(5)) }!.split(separator: " ")
      #expect(words[...] == all.prefix(words.count))
    }
    #expect(lines.contains { $0.contains("long name lo…") } && !wide.contains { $0.contains("…") })
  }

  @Test("without a look before there are no rates")
  func first() {
    let lines = TopView().lines(exampleSnapshot(), since: nil, seconds: 1)
    #expect(lines[1].hasPrefix("- requests/s  p50 -  p99 -  5xx -/s"))
  }

  @Test("another server has no rates from the one before")
  func other() {
    var before = exampleSnapshot()
    before.pid = 7
    let lines = TopView().lines(exampleSnapshot(), since: before, seconds: 1)
    #expect(lines[1].hasPrefix("- requests/s"))
  }

  @Test("sorted, turned round and filtered", arguments: TopView.Order.allCases)
  func order(order: TopView.Order) throws {
    var now = exampleSnapshot()
    now.workers[1].resident *= 2
    now.workers[1].tally += tally(200, 100, 9000)
    var view = TopView()
    view.order = order
    func places() -> [Int] {
      let lines = view.lines(now, since: exampleSnapshot(), seconds: 1)
      return [101, 102].compactMap { pid in lines.firstIndex { $0.contains(" \(pid) ") } }
    }
    let straight = places()
    #expect((straight[0] < straight[1]) == (order == .worker), "\(order)")
    view.isReversed = true
    #expect((places()[0] < places()[1]) != (order == .worker))
    view.filter = "STARTING"
    #expect(places().count == 1)
  }
}
