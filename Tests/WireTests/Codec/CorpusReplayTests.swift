// The checked-in inputs of the fuzz targets, run again.
import Support
import Testing
import Wire

/// What the fuzz targets of the gateways have found, run again; no randomness.
@Suite struct CorpusReplayTests {
  private func replay(_ target: String, _ verify: ([UInt8]) -> [String]) throws {
    let problems = try FuzzCorpus.problems(target, verify)
    #expect(problems.isEmpty, "\(problems.prefix(3).joined(separator: "\n"))")
  }

  @Test func http1() throws {
    try replay("http1") { verifyInvariants(HTTP1RequestReader.self, $0, limits: .fuzzing) }
  }

  @Test func scgi() throws {
    try replay("scgi") { verifyInvariants(SCGIRequestReader.self, $0, limits: .fuzzing) }
  }

  @Test func fastcgi() throws {
    try replay("fastcgi") { verifyInvariants(FastCGIRequestReader.self, $0, limits: .fuzzing) }
  }

  @Test func arguments() throws { try replay("arguments", verifyArguments) }

  @Test func uwsgi() throws {
    try replay("uwsgi") { verifyInvariants(UWSGIRequestReader.self, $0, limits: .fuzzing) }
  }

  @Test func proxy() throws { try replay("proxy", verifyBeginning) }

  @Test func cgi() throws { try replay("cgi") { verifyEnvironment($0) + verifyQueryArguments($0) } }

  @Test func http2() throws {
    try replay("http2", verifySession)
    // With limits so small, fixtures that keep the others break these.
    for script in try HTTP2Script.all() {
      let bytes = script.steps.flatMap { step -> [UInt8] in
        if case .bytes(let bytes) = step { bytes } else { [] }
      }
      // One byte of a long one at a time takes its time, and shows nothing more.
      #expect(verifySession(Array(bytes.prefix(5_000))) == [], "\(script.name)")
    }
  }

  @Test func hpack() throws { try replay("hpack", verifyFieldBlocks) }

  @Test func websocket() throws {
    try replay("websocket", verifyFrames)
    for fixture in try Fixture.all("websocket") {
      #expect(verifyFrames(Array(fixture.input.prefix(5_000))) == [], "\(fixture.name)")
    }
  }
}
