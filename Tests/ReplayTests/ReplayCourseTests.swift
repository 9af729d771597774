// Requests replayed, one after the other: who is asked what, how often, and what is reported.
import Config
import Control
import Testing

@testable import Replay

@Suite struct ReplayCourseTests {
  private let requests = ["/a", "/b", "/c", "/d"].enumerated().map { index, target in
    ReplayRequest(remembered(target, at: UInt64(index)))
  }

  private func course(
    _ usual: TestTarget, _ other: TestTarget, _ new: TestTarget, apps: [Int] = [0],
    _ gate: ReplayGate = ReplayGate(), clock: @escaping () -> UInt64 = { 0 }
  ) -> ReplayCourse {
    ReplayCourse(usual: [usual, other], new: new, apps: apps, gate, clock: clock)
  }

  /// A build that answers each path with its name, other than `body` says.
  private func build(_ body: @escaping (String, Int) -> ReplayAnswer? = { _, _ in nil }) -> TestTarget {
    TestTarget { line, times in body(line, times) ?? answer("this is \(line)") }
  }

  @Test("each of the three is asked everything once, in order, if nothing differs")
  func equal() {
    let (one, other, new) = (build(), build(), build())
    var course = course(one, other, new)
    course.run(requests)
    for target in [one, other, new] { #expect(target.asked == ["GET /a", "GET /b", "GET /c", "GET /d"]) }
    let report = course.reports[0]
    #expect(report.remembered == 4 && report.replayed == 4 && report.skipped == 0)
    #expect(report.differing == 0 && report.noisy == 0 && report.differences.isEmpty)
    #expect(report.microseconds == .init(before: 4000, new: 4000))
    #expect(report.summary == "4 requests replayed, none differs")
  }

  @Test("a wrong status on one path, a wrong body on another, a slow one: each with its request")
  func different() {
    let new = build { line, _ in
      switch line {
      case "GET /a": answer("this is GET /a", status: 500)
      case "GET /b": answer("this was GET /b")
      case "GET /c": answer("this is GET /c", microseconds: 50_000)
      default: nil
      }
    }
    let (one, other) = (build(), build())
    var course = course(one, other, new)
    course.run(requests)
    let report = course.reports[0]
    #expect(report.differing == 3 && report.counts == [.status: 1, .body: 1, .time: 1], "\(report)")
    #expect(report.differences.map(\.request) == ["GET /a", "GET /b", "GET /c"], "\(report)")
    #expect(report.differences.map(\.isWorse) == [true, false, false])
    #expect(report.differences.map(\.kind) == [.status, .body, .time])
    #expect(report.summary == "4 requests replayed, 3 differ (1 status, 1 body, 1 time)")
    // To be sure, all three are asked again, but not about what is equal.
    for target in [one, other, new] {
      #expect(target.asked.count { $0 == "GET /a" } == 3 && target.asked.count { $0 == "GET /d" } == 1)
    }
  }

  @Test("an app that counts its requests is the same as long as all count alike")
  func counters() {
    func counter() -> TestTarget {
      var count = 0
      return TestTarget { _, _ in
        count += 1
        return answer("request \(count)")
      }
    }
    var course = course(counter(), counter(), counter())
    course.run(requests)
    #expect(course.reports[0].differing == 0)
  }

  @Test("what differs once only is told as noise")
  func chance() {
    let new = build { line, times in times == 0 && line == "GET /b" ? answer("a second has passed") : nil }
    var course = course(build(), build(), new)
    course.run(requests)
    #expect(course.reports[0].differing == 0 && course.reports[0].noisy == 1)
  }

  @Test("a build that dies of a request is worse, and is asked nothing more")
  func dies() {
    let new = build { line, _ in line == "GET /b" ? noAnswer("its process died of SIGABRT") : nil }
    var course = course(build(), build(), new)
    course.run(requests)
    let report = course.reports[0]
    #expect(report.replayed == 2 && report.skipped == 2 && report.differing == 1, "\(report)")
    #expect(report.differences.first?.isWorse == true)
    #expect(report.differences.first?.text.contains("died of SIGABRT") == true)
    #expect(new.asked == ["GET /a", "GET /b"])
    let refusal = ReplayGate().refusal(report)
    #expect(refusal?.hasPrefix("GET /b was answered with nothing (its process died") == true, "\(report)")
  }

  @Test("so is one whose process ends while nothing is asked of it, unless those of the others end too")
  func diesBetweenRequests() {
    for isAlone in [true, false] {
      let (other, new) = (build(), build())
      let one = build { line, _ in
        if line == "GET /b" { (new.isAlive, other.isAlive) = (false, isAlone) }
        return nil
      }
      var course = course(one, other, new)
      course.run(requests)
      let report = course.reports[0]
      #expect(report.replayed == 2 && report.skipped == 2, "\(report)")
      #expect(report.differing == (isAlone ? 1 : 0), "\(report)")
      let refusal = ReplayGate().refusal(report)
      #expect((refusal != nil) == isAlone, "\(report)")
      if isAlone { #expect(refusal?.hasPrefix("GET /b is as far as it came") == true, "\(report)") }
    }
  }

  @Test("what the previous build does not answer is left out")
  func unanswered() {
    let other = build { line, _ in line == "GET /b" ? noAnswer("not within 5000 ms") : nil }
    let new = build { line, _ in line == "GET /b" ? answer("anything") : nil }
    var course = course(build(), other, new)
    course.run(requests)
    #expect(course.reports[0].skipped == 1 && course.reports[0].replayed == 3)
    #expect(course.reports[0].differing == 0)
  }

  @Test("it ends when its time is up")
  func time() {
    var now: UInt64 = 0
    let one = build { _, _ in
      now += 15_000_000_000
      return nil
    }
    var course = course(one, build(), build(), clock: { now })
    course.run(requests)
    let report = course.reports[0]
    #expect(report.replayed == 2 && report.skipped == 2 && report.remembered == 4, "\(report)")
  }

  @Test("memory that the new build alone gains is told; for few requests, or little of it, it is not")
  func memory() {
    func run(_ grows: Int, _ others: Int, requests count: Int = 40) -> ReplayReport {
      func target(_ bytes: Int) -> TestTarget {
        let target = build()
        target.memory = { [unowned target] in 50 << 20 + target.asked.count * bytes }
        return target
      }
      var course = course(target(others), target(others), target(grows))
      course.run((0..<count).map { ReplayRequest(remembered("/\($0)", at: UInt64($0))) })
      return course.reports[0]
    }
    let leak = run(1 << 20, 1 << 10)
    #expect(leak.counts == [.memory: 1] && leak.differences[0].request.isEmpty, "\(leak)")
    let words = "30.0 MiB were gained with 40 requests, and 0.0 MiB by the build before"
    #expect(leak.differences[0].text == words)
    #expect(leak.bytes.new == 30 << 20)
    #expect(run(1 << 20, 1 << 20).counts.isEmpty, "so does the build before")
    #expect(run(1 << 18, 1 << 10).counts.isEmpty)
    #expect(run(4 << 20, 1 << 10, requests: 10).counts.isEmpty)
    var gate = ReplayGate()
    #expect(gate.refusal(leak) == nil)
    gate.kinds = [.memory]
    #expect(gate.refusal(leak)?.hasSuffix("(--replay-gate memory)") == true)
  }

  @Test("each application has a report of its own")
  func apps() {
    let mixed = [remembered("/a", app: 3, at: 1), remembered("/b", app: 1, at: 2)].map(ReplayRequest.init)
    let new = build { line, _ in line == "GET /b" ? answer("other") : nil }
    var course = course(build(), build(), new, apps: [1, 3])
    course.run(mixed)
    #expect(course.reports.map(\.differing) == [1, 0] && course.reports.map(\.replayed) == [1, 1])
  }

  @Test("of what is remembered the youngest of each application is replayed, each request once")
  func chosen() {
    let heads =
      (0..<10).map { remembered("/\($0)", at: UInt64($0)) }
      + [
        remembered("/9", at: 5), remembered("/x", app: 1, at: 3), remembered("/y", app: 2, at: 4),
        remembered("/9", at: 20, method: "HEAD"),
      ]
    let chosen = ReplayRequest.chosen(from: heads, apps: [0, 1], most: 3)
    #expect(chosen.map(\.line) == ["GET /x", "GET /8", "GET /9", "HEAD /9"])
    #expect(chosen.map(\.app) == [1, 0, 0, 0] && chosen.map(\.isHead) == [false, false, false, true])
  }

  @Test("a request is sent as SCGI; of variables that are there twice the last one counts, of fields both do")
  func encoded() {
    let head = remembered(
      "/a?b",
      [
        ("X", "1"), ("CONTENT_LENGTH", "7"), ("HTTP_A", "1"), ("X", "2"), ("SCGI", "0"), ("HTTP_A", "2"),
      ])
    let text = String(decoding: ReplayRequest(head).bytes, as: UTF8.self)
      .replacing("\u{0}", with: "|")
    let block =
      "CONTENT_LENGTH|0|SCGI|1|REQUEST_METHOD|GET|REQUEST_URI|/a?b|HTTP_HOST|h|HTTP_A|1|X|2|HTTP_A|2|"
    #expect(text == "\(block.utf8.count):\(block),")
  }

  @Test("heads are read as they were written, and what an application writes among them ends them")
  func heads() {
    let heads = [
      remembered("/a", at: .max), remembered("/b", app: 7), RememberedHead(app: 0, at: 0, block: []),
    ]
    let bytes = heads.flatMap(\.bytes)
    #expect(RememberedHead.all(in: bytes, most: 1000) == heads)
    #expect(RememberedHead.all(in: bytes, most: 10).isEmpty)
    for cut in 1..<bytes.count {
      #expect(RememberedHead.all(in: Array(bytes[..<cut]), most: 1000).count < heads.count, "\(cut)")
    }
    for nonsense in ["\n", "1 2\n", "1 2 x\n", "-1 2 3\nabc", "0 0 99999999999999999999\n", "1 2 3 4\nabcd"] {
      #expect(RememberedHead.all(in: Array(nonsense.utf8), most: 1000).isEmpty, "\(nonsense)")
    }
    let odd = RememberedHead(app: 0, at: 0, block: Array("A\u{0}1\u{0}\u{0}2\u{0}B".utf8))
    #expect(odd.variables.map { String(decoding: $0.name, as: UTF8.self) } == ["A"])
  }
}
