// The checked-in inputs of the fuzz targets, run again.
import Foundation
import Support
import Testing
import Wire

/// What the fuzz targets of the gateways have found, run again; no randomness.
@Suite struct CorpusReplayTests {
  /// The files below Tests/Fuzz/corpus/`target`; a target without any is an error.
  private func corpus(_ target: String) throws -> [(name: String, bytes: [UInt8])] {
    let folder = "\(Repository.root)/Tests/Fuzz/corpus/\(target)"
    let names = try FileManager.default.contentsOfDirectory(atPath: folder).sorted()
    try #require(!names.isEmpty, "\(folder) is empty")
    return try names.map { name in
      (name, Array(try #require(FileManager.default.contents(atPath: "\(folder)/\(name)"))))
    }
  }

  private func replay(_ target: String, _ verify: ([UInt8]) -> [String]) throws {
    for (name, bytes) in try corpus(target) {
      let problems = verify(bytes)
      #expect(problems.isEmpty, "Tests/Fuzz/corpus/\(target)/\(name): \(problems.joined(separator: "\n"))")
    }
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
