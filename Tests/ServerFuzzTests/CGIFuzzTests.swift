// Environments and bodies made by chance for CGI, where a process serves each request: it ends in time, with
// one answer, and never by a signal.
import Foundation
import Support
import Testing

extension ServerFuzzTests {
  /// The meta-variables of a request, some of them spoilt.
  private func environment(_ random: inout SeededRandom) -> [String: String] {
    var variables = [
      // Whoever runs it so says that all of its arguments are its own.
      "NSGI_ARGUMENTS": "3", "GATEWAY_INTERFACE": "CGI/1.1", "REQUEST_METHOD": "POST", "SCRIPT_NAME": "/x",
      "PATH_INFO": "/a/b",
      "QUERY_STRING": "c=d", "SERVER_PROTOCOL": "HTTP/1.1", "SERVER_NAME": "h", "SERVER_PORT": "80",
      "REMOTE_ADDR": "192.0.2.1", "CONTENT_LENGTH": "5", "HTTP_HOST": "h", "REQUEST_URI": "/x/a/b?c=d",
    ]
    for _ in 0..<Int.random(in: 0...3, using: &random) {
      let names = variables.keys.sorted().filter { $0 != "NSGI_ARGUMENTS" }
      guard let name = names.randomElement(using: &random) else { continue }
      var mutator = Mutator(random: random)
      let value = mutator.spoil(Array((variables[name] ?? "").utf8), with: Array("0123456789".utf8))
      random = mutator.random
      variables[name] = String(decoding: value.prefix { $0 != 0 }, as: UTF8.self)
    }
    return variables
  }

  @Test("a CGI process ends with one answer whatever its environment says")
  func cgiProcesses() throws {
    let folder = try TemporaryFolder()
    let body = open(try folder.write("hello world", to: "body"), O_RDONLY | O_CLOEXEC)
    defer { close(body) }
    let deadline = Deadline(seconds: min(Self.seconds, 60) / 4)
    var seed = Self.seed
    repeat {
      seed &+= 1
      var random = SeededRandom(seed)
      lseek(body, 0, SEEK_SET)
      let process = try ChildProcess(
        Repository.server, ["--cgi", "--app", Repository.app("environ")], environment: environment(&random),
        input: .descriptor(body))
      guard case .status = try process.wait() else {
        Issue.record("FUZZ_SEED=\(seed - 1): \(process.output.suffix(2000))")
        return
      }
      #expect(process.output.contains("Status: "), "FUZZ_SEED=\(seed - 1): \(process.output.suffix(2000))")
    } while !deadline.isOver
  }
}
