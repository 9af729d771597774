// apps/tiny_host, a second host of NSGI that was written from docs/NSGI.md: the example apps run under it,
// and answer as they do under this server. Where the two differ, one of them, or the text, is wrong.
import Foundation
import Support
import Testing

/// One request of CGI, and the app that it is for.
struct CGICase: Sendable, CustomTestStringConvertible {
  var app: String
  var method = "GET"
  var path = "/"
  var query = ""
  var body = ""
  var options: [String] = []
  /// How much of the body is announced, if not its length.
  var announced: Int?
  var status = 200

  var testDescription: String { "\(app) \(method) \(path)" }

  /// What a web server sets.
  var environment: [String] {
    [
      "GATEWAY_INTERFACE=CGI/1.1", "REQUEST_METHOD=\(method)", "SCRIPT_NAME=/cgi", "PATH_INFO=\(path)",
      "QUERY_STRING=\(query)", "SERVER_PROTOCOL=HTTP/1.1", "SERVER_NAME=localhost", "SERVER_PORT=80",
      "SERVER_SOFTWARE=a/1", "REMOTE_ADDR=203.0.113.9", "REQUEST_URI=/cgi\(path)", "HTTP_HOST=localhost",
      "HTTP_X_COLOR=blue", "HTTP_PROXY=http://evil", "CONTENT_TYPE=text/plain", "REQUEST_SCHEME=http",
    ] + (body.isEmpty && announced == nil ? [] : ["CONTENT_LENGTH=\(announced ?? body.utf8.count)"])
  }

  static let all: [CGICase] = [
    CGICase(app: "hello_world_app"), CGICase(app: "hello_rust"), CGICase(app: "hello_swift"),
    CGICase(app: "hello_world_app", method: "HEAD"), CGICase(app: "hello_rust", method: "HEAD"),
    CGICase(app: "environ", path: "/a b/c", query: "x=1%20y"),
    CGICase(app: "environ", method: "POST", body: "a body\u{1}\n"),
    CGICase(app: "echo", method: "POST", path: "/x", body: String(repeating: "0123456789", count: 30_000)),
    CGICase(app: "upload", method: "PUT", path: "/one", body: "to a file", options: ["dir=DIR"], status: 201),
    CGICase(app: "upload", method: "PUT", path: "/a/b", body: "x", options: ["dir=DIR"], status: 400),
    CGICase(app: "files", path: "/README.md", options: ["root=apps/files"]),
    CGICase(app: "files", path: "/nothing", options: ["root=apps/files"], status: 404),
    CGICase(app: "sse", query: "n=3", options: ["interval-ms=5"]),
    CGICase(app: "kit_cpp", path: "/stream", status: 201), CGICase(app: "kit_rust", path: "/later"),
    CGICase(app: "kit_swift", path: "/later"), CGICase(app: "kit_swift", path: "/redirect", status: 303),
    // Neither host carries trailers: this one is of version 1.0, and CGI has no place for them.
    CGICase(app: "kit_cpp", method: "POST", path: "/trailers", body: "ab"),
    CGICase(app: "kit_rust", method: "POST", path: "/trailers", body: "ab"),
    CGICase(app: "kit_swift", method: "POST", path: "/trailers", body: "ab"),
    CGICase(app: "misbehaving", path: "/early-return", status: 500),
    CGICase(app: "misbehaving", path: "/no-start", status: 500),
    CGICase(app: "misbehaving", path: "/crlf-header", status: 500),
    CGICase(app: "misbehaving", path: "/connection-header", status: 500),
    CGICase(app: "misbehaving", path: "/bad-status", status: 500),
    CGICase(app: "misbehaving", path: "/two-starts"), CGICase(app: "misbehaving", path: "/too-long"),
    CGICase(app: "misbehaving", path: "/double-respond"),
    CGICase(app: "misbehaving", path: "/exception", status: 500),
  ]
}

@Suite struct TinyHostTests {
  /// What a program answers on its standard output, as a CGI program.
  private func answer(
    _ program: String, _ arguments: [String], _ one: CGICase, in folder: TemporaryFolder
  ) throws -> (status: Int?, body: String, exit: ChildProcess.Exit) {
    let body = try folder.write(one.body, to: "body")
    let words = ["-c", "exec env -i \"$@\" <'\(body)' 2>/dev/null", "sh"] + one.environment + [program]
    let (exit, output) = try ChildProcess.run("/bin/sh", words + arguments, directory: Repository.root)
    let head = output.range(of: "\r\n\r\n") ?? output.range(of: "\n\n")
    let status = output.hasPrefix("Status: ") ? Int(output.dropFirst(8).prefix(3)) : nil
    return (status, head.map { String(output[$0.upperBound...]) } ?? "", exit)
  }

  @Test("an app answers as it does under the server", arguments: CGICase.all)
  func sameAnswer(one: CGICase) throws {
    let folder = try TemporaryFolder()
    try folder.folder("1")
    try folder.folder("2")
    func options(_ number: Int) -> [String] {
      one.options.map { $0.replacingOccurrences(of: "DIR", with: folder.file("\(number)")) }
    }
    let library = Repository.app(one.app)
    let tiny = try answer(
      String(library.dropLast("\(one.app).so".count)) + "tiny_host", [library] + options(1), one, in: folder)
    let words = options(2).flatMap { ["--app-option", $0] }
    let own = try answer(Repository.server, ["--cgi", "--app", library] + words, one, in: folder)
    #expect(tiny.status == one.status)
    #expect(own.status == one.status)
    // A host words its own error pages.
    if one.status < 500 { #expect(tiny.body == own.body) }
    #expect([.status(0), .status(1)].contains(tiny.exit))
  }

  @Test("a body that breaks off, a response that is too short: the host says that it has failed")
  func breaks() throws {
    let folder = try TemporaryFolder()
    let host = String(Repository.app("x").dropLast(4)) + "tiny_host"
    let options = ["dir=\(folder.path)"]
    var one = CGICase(
      app: "upload", method: "PUT", path: "/half", body: "half", options: options, announced: 9)
    #expect(try answer(host, [Repository.app(one.app)] + one.options, one, in: folder).exit == .status(1))
    #expect(!FileManager.default.fileExists(atPath: folder.file("half")))
    one = CGICase(app: "misbehaving", path: "/too-short")
    #expect(try answer(host, [Repository.app(one.app)], one, in: folder).exit == .status(1))
    let (exit, output) = try ChildProcess.run(host, ["/nothing.so"])
    #expect(exit == .status(1) && output.hasPrefix("tiny_host: /nothing.so: "), "\(output)")
  }

  @Test("it has three hundred lines, but for blank ones and comments")
  func size() throws {
    let text = try Repository.text("apps/tiny_host/tiny_host.c")
    let code = text.replacing(/\/\*(?s:.*?)\*\//, with: "").split(separator: "\n")
    #expect(code.count { $0.contains { !$0.isWhitespace } } <= 300)
  }

  @Test(
    "nsgi.h leaves its prototypes out where a language writes its own",
    arguments: [("#define NSGI_NO_PROTOTYPES", true), ("", false)])
  func prototypes(line: String, isGood: Bool) throws {
    let folder = try TemporaryFolder()
    // As Go and Nim write them: without const.
    let source = """
      \(line)
      #include <nsgi.h>
      extern int application(nsgi_environ *environ, nsgi_start_response start_response);
      extern nsgi_app *nsgi_entry(nsgi_host *host);
      """
    let file = try folder.write(source + "\n", to: "own.c")
    let flags = ["-fsyntax-only", "-I", "\(Repository.root)/Sources/CNSGI/include", file]
    let (exit, output) = try ChildProcess.run("/usr/bin/gcc", flags)
    #expect((exit == .status(0)) == isGood, "\(output)")
    #expect(isGood || output.contains("conflicting types"), "\(output)")
  }
}
