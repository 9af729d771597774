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

  /// Queries that would be options, and some of their words.
  private static let options = [
    "--ini%00+/dev/stdin", "--app+/nonexistent.so", "-L", "--version", "--help", "--cgi+--cgi",
    "--limit-post+0", "--show-config", "--http-socket+127.0.0.1:0", "%2d%2dversion", "check+/x.so", "+", "--",
  ]

  /// The query that becomes arguments: a good one, or a spoilt one; nil leaves what the environment says.
  private func query(_ random: inout SeededRandom) -> String? {
    guard Bool.random(using: &random), let query = Self.options.randomElement(using: &random) else {
      return nil
    }
    guard Bool.random(using: &random) else { return query }
    var mutator = Mutator(random: random)
    let other = Self.options.randomElement(using: &random) ?? query
    let spoilt = mutator.spoil(Array(query.utf8), with: Array(other.utf8))
    random = mutator.random
    return String(decoding: spoilt.prefix { $0 != 0 }, as: UTF8.self)
  }

  /// The status that a process answers with; nil when it has said none.
  private func status(
    _ environment: [String: String], _ words: [String], _ body: Int32
  ) throws -> (text: Substring?, output: String, exit: ChildProcess.Exit) {
    lseek(body, 0, SEEK_SET)
    let process = try ChildProcess(
      Repository.server, ["--cgi", "--app", Repository.app("environ")] + words, environment: environment,
      input: .descriptor(body))
    let exit = try process.wait()
    let output = process.output
    let mark = output.range(of: "Status: ")
    return (mark.map { output[$0.upperBound...].prefix(3) }, output, exit)
  }

  @Test("a CGI process ends with one answer whatever its environment and its query say")
  func cgiProcesses() throws {
    let folder = try TemporaryFolder()
    let body = open(try folder.write("hello world", to: "body"), O_RDONLY | O_CLOEXEC)
    defer { close(body) }
    let deadline = Deadline(seconds: min(Self.seconds, 60) / 4)
    var seed = Self.seed
    repeat {
      seed &+= 1
      var random = SeededRandom(seed)
      var variables = environment(&random)
      if let query = query(&random) { variables["QUERY_STRING"] = query }
      let way = QueryArguments.allCases.randomElement(using: &random) ?? .plain
      let words = way.words(variables["QUERY_STRING"] ?? "")
      let answer = try status(variables, words, body)
      guard case .status = answer.exit else {
        Issue.record("FUZZ_SEED=\(seed &- 1) \(words): \(answer.output.suffix(2000))")
        return
      }
      #expect(answer.text != nil, "FUZZ_SEED=\(seed &- 1) \(words): \(answer.output.suffix(2000))")
      if words.isEmpty { continue }
      // The words of the query change nothing of what is answered.
      let bare = try status(variables, [], body)
      #expect(answer.text == bare.text, "FUZZ_SEED=\(seed &- 1) \(words): \(answer.output.suffix(2000))")
    } while !deadline.isOver
  }
}
