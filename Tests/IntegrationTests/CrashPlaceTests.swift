// Where an app crashed, whoever has put a handler of its own before the server's.
import Foundation
import Support
import Testing

@Suite(.disabled(if: Repository.isSanitized, "a sanitizer has handlers of its own"))
struct CrashPlaceTests {
  /// The report of the crash that a request brings about.
  private func report(_ app: String, _ target: String = "/") throws -> String {
    let server = try ServerProcess(app: app, ["--http-socket", "127.0.0.1:0", "-p", "1"])
    try server.connect().send("GET \(target) HTTP/1.1\r\nHost: h\r\n\r\n")
    let log = try server.process.waitForOutput("the end of the worker") {
      $0.contains("died of SIGSEGV") ? $0 : nil
    }
    try server.stop()
    return String(log.split(separator: "server: crash: ", maxSplits: 1).last ?? "")
  }

  @Test("the report names the function and its callers behind a handler without unwind data")
  func forwarded() throws {
    let report = try report(try FixtureApp.path("forwards_signals"))
    #expect(report.hasPrefix("signal 11 in GET /\n"), "\(report)")
    let frames = report.split(separator: "\n").dropFirst()
    #expect(frames.first?.contains("the_broken_function") == true, "\(report)")
    #expect(frames.dropFirst().first?.contains("the_calling_function") == true, "\(report)")
  }

  @Test("a call of a null pointer is told with the function that made it")
  func nowhere() throws {
    let report = try report(try FixtureApp.path("forwards_signals"), "/jump")
    let frames = report.split(separator: "\n").dropFirst()
    #expect(frames.first == "[0x0]", "\(report)")
    #expect(frames.dropFirst().first?.contains("the_broken_function") == true, "\(report)")
  }

  @Test("a stack that is used up is told too, whichever thread's it is")
  func overflow() throws {
    let report = try report(try FixtureApp.path("forwards_signals"), "/deep")
    #expect(report.hasPrefix("signal 11 in GET /deep\n"), "\(report)")
    #expect(report.split(separator: "\n").dropFirst().first?.contains("the_endless_function") == true)
  }

  @Test("a handler that forwards the number alone does not take the report along")
  func numberOnly() throws {
    let report = try report(try FixtureApp.path("forwards_signals", defines: ["NUMBER_ONLY"]))
    #expect(report.hasPrefix("signal 11 in GET /\n"), "\(report)")
    #expect(report.contains("forwards_signals"), "\(report)")
  }

  @Test("without any handler of an app the report begins where the crash was")
  func alone() throws {
    let report = try report(try FixtureApp.path("crashes_in_call"))
    #expect(report.split(separator: "\n").dropFirst().first?.contains("crashes_in_call") == true, "\(report)")
  }
}
