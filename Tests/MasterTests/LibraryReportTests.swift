// Which files processes have loaded, as they tell it: what is told from what, and how much of it.
import Control
import Testing

@Suite struct LibraryReportTests {
  private let one = LibraryReport([("/a/x.so.1", "1:2:3"), ("/b/y y.so", "4:5:6")])

  @Test("a report is read as it was written")
  func roundTrip() {
    #expect(LibraryReport(Message(.loaded, one.fields)) == one)
    #expect(WorkerReport(Message(.loaded, one.fields).bytes, apps: 0) == .loaded(one))
    let place = Message.Field("app", "2")
    #expect(JobReport(Message(.loaded, [place] + one.fields).bytes, apps: [2]) == .loaded(app: 2, one))
    #expect(JobReport(Message(.loaded, [place] + one.fields).bytes, apps: [0]) == nil)
  }

  @Test("what another process has otherwise, or not, is a difference; only the former is a replacement")
  func differences() {
    let other = LibraryReport([("/a/x.so.1", "1:2:4"), ("/c/z.so", "7:8:9")])
    #expect(one.differences(from: other) == ["/a/x.so.1", "/b/y y.so"])
    #expect(one.replacements(in: other) == ["/a/x.so.1"])
    #expect(one.differences(from: one).isEmpty)
  }

  @Test("only what can be a library is watched, whatever a process says that it has loaded")
  func watchable() {
    let long = "/" + String(repeating: "x", count: LibraryReport.mostBytes) + ".so"
    let odd = [
      "/var/log/syslog", "relative.so", "/a/../etc/x.so", "/a/./x.so", "/a//x.so", "/x.so/", "/x.so.d/passwd",
      "", "/", "further libraries", long,
    ]
    let report = Message(.loaded, odd.map { .init("library", "1:2:3 \($0)") } + one.fields)
    #expect(LibraryReport(report).watchable == ["/a/x.so.1", "/b/y y.so"])
  }

  @Test("any number of libraries fits a packet, and none of them gets lost")
  func bounds() {
    for length in [4, 400, 4000] {
      let path = "/" + String(repeating: "x", count: length)
      var list = (0..<2000).map { ("\(path)\($0).so", "1:\($0):2") }
      let report = LibraryReport(list)
      let bytes = Message(.loaded, report.fields).bytes
      #expect(bytes.count <= Message.packetBytes)
      #expect(LibraryReport(Message(.loaded, report.fields)) == report)
      list[1999].1 = "another"
      #expect(LibraryReport(list).differences(from: report).count == 1)
    }
  }
}
