import Testing
import Wire

/// The rules on content, framing and persistence, row by row.
@Suite struct ResponsePlanTests {
  private func plan(
    _ gateway: Gateway = .http1, status: Int = 200, isHead: Bool = false, minorVersion: UInt8 = 1,
    persists: Bool = true, declared: Int64 = -1, known: Int64 = -1
  ) -> ResponsePlan {
    ResponsePlan(
      .init(
        gateway: gateway, isHead: isHead, minorVersion: minorVersion, persists: persists, status: status,
        declaredLength: declared, knownLength: known))
  }

  @Test func lengthOfTheApp() {
    let plan = plan(declared: 5)
    #expect(plan.framing == .length(5) && plan.contentLength == 5 && plan.persists)
  }

  @Test func lengthThatTheHostKnows() {
    #expect(plan(known: 0).framing == .length(0))
    #expect(plan(known: 7).contentLength == 7)
    #expect(plan(declared: 5, known: 7).contentLength == 5, "the app's word counts")
  }

  @Test func unknownLengthOverHTTP() {
    let current = plan()
    #expect(current.framing == .chunked && current.contentLength == -1 && current.persists)
    let old = plan(minorVersion: 0)
    #expect(old.framing == .untilClose && old.contentLength == -1 && !old.persists)
  }

  @Test func oldClientsKeepAConnectionWhenTheLengthIsKnown() {
    #expect(plan(minorVersion: 0, known: 1).persists)
    #expect(!plan(persists: false, known: 1).persists)
    #expect(!plan(persists: false).persists)
  }

  @Test(arguments: [100, 103, 199, 204])
  func statusesWithoutContent(_ status: Int) {
    let plan = plan(status: status, declared: 5, known: 5)
    #expect(plan.framing == .none && plan.contentLength == -1 && plan.persists)
  }

  @Test func notModified() {
    #expect(plan(status: 304, known: 0) == plan(status: 304))
    #expect(plan(status: 304).framing == .none && plan(status: 304).contentLength == -1)
    #expect(plan(status: 304, declared: 9).contentLength == 9)
  }

  @Test func headRequests() {
    #expect(plan(isHead: true).framing == .none && plan(isHead: true).contentLength == -1)
    #expect(plan(isHead: true, declared: 9).contentLength == 9)
    #expect(plan(isHead: true, known: 0).contentLength == -1, "no content written is not a length of 0")
    #expect(plan(minorVersion: 0).persists == false && plan(isHead: true, minorVersion: 0).persists)
  }

  @Test(arguments: [Gateway.scgi, .uwsgi, .cgi])
  func oneRequestAConnection(_ gateway: Gateway) {
    #expect(plan(gateway).framing == .untilClose && !plan(gateway).persists)
    let known = plan(gateway, known: 3)
    #expect(known.framing == .length(3) && known.contentLength == 3 && !known.persists)
  }

  @Test func records() {
    let unknown = plan(.fastcgi)
    #expect(unknown.framing == .records && unknown.contentLength == -1 && unknown.persists)
    #expect(plan(.fastcgi, known: 3).framing == .records && plan(.fastcgi, known: 3).contentLength == 3)
    #expect(plan(.fastcgi, isHead: true).framing == .records)
    #expect(!plan(.fastcgi, persists: false).persists)
  }
}
