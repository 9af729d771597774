// What a replay reports to the master: as fields and back, within bounds, and as shown.
import Control
import Foundation
import Testing

@Suite struct ReplayReportTests {
  private var report: ReplayReport {
    var report = ReplayReport()
    (report.remembered, report.replayed, report.skipped) = (210, 200, 10)
    (report.differing, report.noisy) = (2, 40)
    (report.microseconds, report.bytes) = (.init(before: 812_345, new: 790_000), .init(before: 5, new: -9))
    report.add(.init(.body, request: "GET /a?b", text: "byte 3: \"a\" became \"b\"\nand more"))
    report.add(.init(.status, isWorse: true, request: "GET /c", text: "was answered with 500"))
    return report
  }

  private func read(_ fields: [Message.Field]) -> ReplayReport? { ReplayReport(Message(.replayed, fields)) }

  @Test("it is read as it was written")
  func fields() {
    #expect(read(report.fields) == report)
    #expect(read(ReplayReport().fields) == ReplayReport())
    let packet = Message(.replayed, [.init("app", "2")] + report.fields).bytes
    #expect(JobReport(packet, apps: [2]) == .replayed(app: 2, report))
    #expect(JobReport(packet, apps: [0]) == nil)
    let none = Message(.unreplayed, [.init("reason", "no")]).bytes
    #expect(JobReport(none, apps: []) == .unreplayed(reason: "no"))
  }

  @Test("what no child reports is no report")
  func nonsense() {
    for (name, value) in [
      ("replayed", "-1"), ("replayed", "1000001"), ("differing", "x"), ("time", "1"), ("time", "1 x"),
      ("memory", "9223372036854775807 0"), ("count", "3"), ("count", "-1 body"), ("count", "1 colour"),
      ("kind", "colour"), ("worse", "1"), ("text", "one more"),
    ] {
      let fields = [Message.Field(name, value)] + report.fields
      #expect(read(fields) == nil, "\(name) \(value)")
    }
    var many = report.fields
    let parts = ["kind", "worse", "request", "text"]
    for _ in 0..<30 { many += report.fields.filter { parts.contains($0.name) } }
    #expect(read(many) == nil)
  }

  @Test("no more than some differences are kept, worse ones before others, and texts are cut")
  func bounds() {
    var report = ReplayReport()
    for number in 0..<40 {
      report.add(.init(.body, request: "GET /\(number)", text: String(repeating: "x", count: 5000)))
    }
    report.add(.init(.status, isWorse: true, request: String(repeating: "y", count: 5000), text: "a"))
    report.add(.init(.status, isWorse: true, request: "GET /z", text: "b"))
    #expect(report.differences.count == ReplayReport.mostDifferences)
    #expect(report.differences.prefix(3).map(\.text.count) == [1, 1, ReplayReport.textBytes])
    #expect(report.differences[0].request.count == ReplayReport.requestBytes)
    #expect(report.differences[1].request == "GET /z")
    #expect(report.counts == [.body: 40, .status: 2])
    #expect(Message(.replayed, report.fields).bytes.count < Message.packetBytes)
    #expect(report.lines("").last == "  differences that are not shown: 22")
  }

  @Test("of each kind one is kept, whatever the number of others: a gate that names it finds it")
  func kinds() {
    var report = ReplayReport()
    for number in 0..<40 { report.add(.init(.fields, request: "GET /\(number)", text: "a")) }
    report.add(.init(.body, request: "GET /late", text: "b"))
    report.add(.init(.memory, request: "", text: "c"))
    #expect(report.differences.count == ReplayReport.mostDifferences)
    #expect(report.differences.suffix(2).map(\.kind) == [.body, .memory])
    for _ in 0..<40 { report.add(.init(.status, isWorse: true, request: "GET /w", text: "d")) }
    #expect(report.differences.count == ReplayReport.mostDifferences)
    #expect(report.differences.suffix(3).map(\.kind) == [.fields, .body, .memory])
    #expect(report.differences.prefix(17).allSatisfy(\.isWorse) && report.counts[.status] == 40)
    #expect(read(report.fields) == report)
  }

  @Test("it is shown with the worst first, and for programs")
  func shown() throws {
    var report = self.report
    (report.mount, report.from, report.to, report.at, report.verdict) = ("/shop", 3, 4, 7, "accepted")
    #expect(
      report.lines("noon") == [
        "noon /shop generation 3 -> generation 4: 200 requests replayed, 2 differ (1 status, 1 body), "
          + "40 by noise alone, 10 not compared",
        "  accepted",
        "  time 812.3 ms before, 790.0 ms new; memory gained 0.0 MiB before, 0.0 MiB new",
        "  GET /c (worse)", "    status: was answered with 500", "  GET /a?b",
        "    body: byte 3: \"a\" became \"b\"", "    and more",
      ])
    let parsed = try JSONSerialization.jsonObject(with: Data(report.json("noon").description.utf8))
    let object = try #require(parsed as? [String: Any])
    #expect(object["mount"] as? String == "/shop" && object["replayed"] as? Int == 200)
    let differences = try #require(object["differences"] as? [[String: Any]])
    #expect(differences[0]["worse"] as? Bool == true && differences[0]["request"] as? String == "GET /c")
    #expect((object["counts"] as? [String: Int])?["body"] == 1)
  }
}
