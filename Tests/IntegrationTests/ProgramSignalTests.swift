// Programs that an app starts find no signal blocked and none ignored, whoever has started the server, and
// whenever the app starts them.
import Foundation
import Support
import Testing

@Suite struct ProgramSignalTests {
  private static let places: Set<String> = {
    let places: Set = ["constructor", "load", "thread-of-load", "call", "thread-of-call", "unload"]
    return Repository.isThreadSanitized ? places : places.union(["atexit", "destructor"])
  }()

  /// What env(1) does to the server: signals blocked and ignored as a careless launcher leaves them.
  private static let launcher = ["--ignore-signal=CHLD,USR2,PIPE", "--block-signal=TERM,USR1,ALRM"]

  /// glibc's own signals, 32 and 33, are none that a program could miss.
  private func expectClean(_ file: String) throws {
    let lines = try String(contentsOfFile: file, encoding: .utf8).split(separator: "\n")
    var seen: Set<String> = []
    for line in lines {
      let words = line.split(separator: " ").map(String.init)
      try #require(words.count == 4, "\(line)")
      seen.insert(words[0])
      for mask in words[2...] { #expect(UInt64(mask, radix: 16)! & 0x7fff_ffff == 0, "\(line)") }
    }
    #expect(seen == Self.places)
    #expect(lines.count >= Self.places.count * 4, "\(lines)")
  }

  @Test(
    "in a server",
    arguments: [["--no-master"], ["--no-master", "--threads", "1"], ["--master", "-p", "1"]],
    ["epoll", "auto"])
  func server(role: [String], io: String) throws {
    let folder = try TemporaryFolder()
    let socket = folder.file("http.sock")
    let process = try ChildProcess(
      "/usr/bin/env",
      Self.launcher + [
        "OUT=\(folder.file("out"))", Repository.server, "--app", try FixtureApp.path("starts_programs"),
        "--http-socket", socket, "--io", io,
      ] + role)
    _ = try process.waitForOutput("the ready line") { $0.contains("ready") ? () : nil }
    let client = try RawSocket(.unix(path: socket))
    try client.send(GatewayRequest.bytes("http", "/"))
    #expect(try client.receiveReply().text == "done", "\(process.output)")
    #expect(try process.stop(SIGTERM) == .status(0), "\(process.output)")
    try expectClean(folder.file("out"))
  }

  @Test("in a CGI program")
  func cgi() throws {
    let folder = try TemporaryFolder()
    let variables = [
      "OUT=\(folder.file("out"))", "GATEWAY_INTERFACE=CGI/1.1", "REQUEST_METHOD=GET", "SCRIPT_NAME=/x",
      "SERVER_PROTOCOL=HTTP/1.1", "NSGI_APP=\(try FixtureApp.path("starts_programs"))",
    ]
    let (exit, output) = try ChildProcess.run(
      "/usr/bin/env", Self.launcher + variables + [Repository.server])
    #expect(exit == .status(0) && output.contains("done"), "\(output)")
    try expectClean(folder.file("out"))
  }
}
