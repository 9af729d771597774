// The checked-in inputs of the fuzz targets, run again.
import Support
import Testing
import Wire

/// What the fuzz targets of the gateways have found, run again; no randomness.
@Suite struct CorpusReplayTests {
  private func replay(_ target: String, _ verify: ([UInt8]) -> [String]) throws {
    #expect(try FuzzCorpus.problems(target, verify) == [])
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

  @Test func cgi() throws { try replay("cgi") { verifyEnvironment($0) } }
}
