// HTTP/2 as clients see it: curl, h2load, and PyPI's h2 for what no polite client does.
import Foundation
import Support
import Testing

@Suite struct HTTP2Tests {
  private static let prior = ["--http2-prior-knowledge"]

  private func server(_ app: String, _ options: [String] = []) throws -> ServerProcess {
    try ServerProcess(app: app, ["--no-master", "--http-socket", "127.0.0.1:0"] + options)
  }

  private func stop(_ server: ServerProcess) throws {
    #expect(try server.stop() == .status(0), "\(server.process.output)")
  }

  /// Runs a command of Tests/Fixtures/clients/h2_client.py; what it has said.
  private func client(_ server: ServerProcess, _ command: String, _ words: String...) throws -> String {
    let (exit, output) = try ChildProcess.run(
      try Repository.python("python"), try Self.words(command, server) + words,
      deadline: Deadline(seconds: 60))
    guard exit == .status(0) else {
      throw SupportError.ended(program: "h2_client.py \(command)", exit: exit, output: output)
    }
    return output.trimmingCharacters(in: .whitespacesAndNewlines)
  }

  private static func words(_ command: String, _ server: ServerProcess) throws -> [String] {
    ["\(Repository.root)/Tests/Fixtures/clients/h2_client.py", command, "\(try server.address("http"))"]
  }

  // MARK: Who speaks it

  @Test("by prior knowledge, beside HTTP/1.1 on one socket", arguments: ["--http-socket", "--socket"])
  func priorKnowledge(option: String) throws {
    let server = try ServerProcess(
      ["--no-master", option, "127.0.0.1:0"])
    let address = try server.address(option == "--socket" ? "recognised" : "http")
    let report = try EnvironReport(try Curl.get("http://\(address)/where?x=1", Self.prior))
    #expect(report["SERVER_PROTOCOL"] == "HTTP/2" && report["REQUEST_SCHEME"] == "http")
    #expect(report["HTTP_HOST"] == "\(address)" && report["QUERY_STRING"] == "x=1")
    #expect(report["SERVER_NAME"] == "127.0.0.1" && report["HTTPS"] == nil)
    // The second asks for an upgrade, which is no more (RFC 9113 §3.1).
    for option in ["--http1.1", "--http2"] {
      let other = try EnvironReport(try Curl.get("http://\(address)/", [option]))
      #expect(other["SERVER_PROTOCOL"] == "HTTP/1.1")
    }
    try stop(server)
  }

  @Test("over TLS to who asks for it, and to nobody when it is off", arguments: ["on", "off"])
  func overTLS(word: String) throws {
    let certificates = try Certificates()
    try certificates.make("a", hosts: "DNS:a.test")
    let server = try ServerProcess(
      ["--no-master", "--https-socket", certificates.socket("a"), "--http2", word])
    let (url, trust) = certificates.curl("a.test", try server.address("https"))
    let report = try EnvironReport(try Curl.get(url + "/", trust + ["--http2"]))
    #expect(report["SERVER_PROTOCOL"] == (word == "on" ? "HTTP/2" : "HTTP/1.1"))
    #expect(report["HTTPS"] == "on" && report["SSL_PROTOCOL"] == "TLSv1.3")
    let older = try EnvironReport(try Curl.get(url + "/", trust + ["--http1.1"]))
    #expect(older["SERVER_PROTOCOL"] == "HTTP/1.1")
    try stop(server)
  }

  @Test("a preface is another version where it is off")
  func off() throws {
    let server = try server(Repository.app("environ"), ["--http2", "off"])
    let socket = try server.connect()
    try socket.send(HTTP2Bytes.preface)
    #expect(try socket.receiveReply().status == 505)
    try stop(server)
  }

  @Test("an answer that others go before is not late")
  func starved() throws {
    let server = try server(try FixtureApp.path("whole"), ["--write-timeout", "1"])
    let said = try client(server, "starved", "/whole?16000000", "/whole?400000")
    #expect(said.hasSuffix(" {} 16000000 400000"), "\(said)")
    // Else it was not held up.
    #expect(!said.hasPrefix("0 ") && !said.hasPrefix("1 "), "\(said)")
    try stop(server)
  }

  @Test("an application is not late whose answer others go before")
  func starvedCall() throws {
    let server = try server(try FixtureApp.path("pressure"), ["--write-timeout", "1"])
    let said = try client(server, "starved", "/down?24000000", "/down?3000000", "wide")
    #expect(said.hasSuffix(" {} 24000000 3000000"), "\(said)")
    #expect(!said.hasPrefix("0 ") && !said.hasPrefix("1 "), "\(said)")
    try stop(server)
  }

  /// Beginnings of frames: of a header, of HEADERS and PING without their payload, of DATA for no stream.
  private static let halves: [[UInt8]] = [
    [0], [0, 0, 40, 1, 4, 0, 0, 0], [0, 0, 40, 1, 4, 0, 0, 0, 1], [0, 0, 40, 1, 4, 0, 0, 0, 1, 0x82, 0x86],
    [0, 0, 8, 6, 0, 0, 0, 0, 0, 1, 2],
  ]
  private static let greeting = HTTP2Bytes.preface + HTTP2Bytes.frame(HTTP2Bytes.settings, 0, 0, [])

  @Test("half a frame has the time of a head, however slowly it comes", arguments: halves)
  func halfFrame(bytes: [UInt8]) throws {
    let server = try server(Repository.app("environ"), ["--header-timeout", "1"])
    let (silent, slow) = (try server.connect(), try server.connect())
    try silent.send(Self.greeting + bytes)
    try slow.send(Self.greeting)
    for byte in bytes {
      try? slow.send([byte])
      usleep(200_000)
    }
    #expect(try silent.receiveToItsEnd().bytes.count > 0)
    _ = try slow.receiveToItsEnd()
    try stop(server)
  }

  @Test("half a frame does not hold up a stop", arguments: halves)
  func halfFrameAtStop(bytes: [UInt8]) throws {
    let server = try server(Repository.app("environ"), ["--header-timeout", "300"])
    let socket = try server.connect()
    try socket.send(Self.greeting + bytes)
    usleep(100_000)
    try stop(server)
    _ = try socket.receiveToItsEnd()
  }

  @Test("a request whose method begins like the preface is HTTP/1.1's")
  func notAPreface() throws {
    let server = try server(Repository.app("environ"))
    let socket = try server.connect()
    for piece in ["P", "R", "OPFIND / HTTP/1.1\r\nHost: x\r\n\r\n"] { try socket.send(piece) }
    #expect(try EnvironReport(try socket.receiveReply())["REQUEST_METHOD"] == "PROPFIND")
    try stop(server)
  }

  // MARK: What is said

  @Test("answers of every kind are what they are over HTTP/1.1")
  func answers() throws {
    let server = try server(try FixtureApp.path("conformance"))
    let paths = [
      "/ok", "/empty", "/pieces", "/flushed", "/no-content", "/not-modified", "/fail", "/redirect",
      "/cookies",
      "/exact", "/dated", "/status/404", "/big", "/crlf", "/connection", "/transfer-encoding",
    ]
    for path in paths {
      let one = try Curl.get(try server.url + path, Self.prior)
      let other = try Curl.get(try server.url + path, ["--http1.1"])
      #expect(one.status == other.status && one.body == other.body, "\(path)")
      for name in ["content-type", "location", "set-cookie"] { #expect(one[name] == other[name], "\(path)") }
      #expect(one["transfer-encoding"] == nil && one["connection"] == nil, "\(path)")
    }
    // What the app says of the connection is misuse over either (nsgi.h).
    #expect(try Curl.get(try server.url + "/connection", Self.prior).text == "result -3")
    let head = try Curl.get(try server.url + "/ok", Self.prior + ["-I"])
    #expect(head.status == 200 && head["content-length"] == "2")
    // An answer that is cut is told from a whole one.
    #expect(throws: (any Error).self) { try Curl.get(try server.url + "/too-short", Self.prior) }
    try stop(server)
  }

  @Test("long bodies go in and come out as they are", .timeLimit(.minutes(5)))
  func large() throws {
    let server = try server(try FixtureApp.path("conformance"), ["--limit-post", "\(200 << 20)"])
    let body = TestBody.bytes(40 << 20)
    for expect in ["", "100-continue"] {
      let reply = try Curl.post(
        try server.url + "/echo", body, Self.prior + ["-H", "Expect: \(expect)"],
        deadline: Deadline(seconds: 120))
      #expect(reply.body == Array("POST \(body.count) ".utf8) + body)
    }
    try stop(server)
  }

  @Test("the window of a stream grows when much comes before a PING is answered")
  func growingWindow() throws {
    let server = try server(try FixtureApp.path("conformance"))
    let client = try HTTP2Client(server.connect())
    client.answersPings = false
    let (body, first) = (TestBody.bytes(1 << 20), 256 * 1024)
    let id = try client.post("/echo", length: body.count)
    // Half of a window is given back at a time: the second half comes with a PING.
    try client.upload(id, Array(body[..<400_000]))
    _ = try client.answer(id, until: { _ in !client.pings.isEmpty })
    #expect(client.window(id) <= first)
    try client.upload(id, Array(body[400_000..<600_000]))
    try client.answerPings()
    _ = try client.answer(id, until: { _ in client.window(id) > first })
    #expect(client.window(id) > first && client.window(id) <= 2 * first)
    try client.upload(id, Array(body[600_000...]), ends: true)
    let answer = try client.answer(id)
    #expect(answer.ending == .whole && answer.body == Array("POST \(body.count) ".utf8) + body)
    client.socket.close()
    try stop(server)
  }

  @Test("a body goes to an app that reads it while it comes, and trailers end it")
  func streams() throws {
    let server = try server(try FixtureApp.path("streams"))
    let length = try client(server, "upload", "/late", "3000000")
    #expect(
      length.hasPrefix("200 ") && length.contains("3000000 ") && length.contains(", then 0"), "\(length)")
    #expect(try client(server, "upload", "/whole", "3000000").contains("3000000, then 0"))
    #expect(try client(server, "upload", "/ignored", "500").contains("ignored"))
    #expect(try client(server, "trailers", "/late").hasPrefix("200 5 "))
    try stop(server)
  }

  @Test("a file leaves as it is, whole and in part")
  func files() throws {
    let folder = try TemporaryFolder()
    let body = TestBody.bytes(3 << 20)
    try Data(body).write(to: URL(fileURLWithPath: folder.file("file.bin")))
    let server = try server(Repository.app("environ"), ["--static-map", "/files=\(folder.path)"])
    #expect(try Curl.get(try server.url + "/files/file.bin", Self.prior).body == body)
    let part = try Curl.get(try server.url + "/files/file.bin", Self.prior + ["-r", "100-299999"])
    #expect(part.status == 206 && part.body == Array(body[100...299_999]))
    try stop(server)
  }

  // MARK: Long heads

  /// Servers of an app with and without TLS, and what the client is to be told of each.
  private func doors(_ app: String) throws -> [(server: ServerProcess, address: Address, authority: String)] {
    let certificates = try Certificates()
    try certificates.make("a", hosts: "DNS:a.test")
    let plain = try server(app)
    let sealed = try ServerProcess(app: app, ["--no-master", "--https-socket", certificates.socket("a")])
    let kept = sealed.folder.file("authority.pem")
    try FileManager.default.copyItem(atPath: certificates.authority, toPath: kept)
    return [(plain, try plain.address("http"), ""), (sealed, try sealed.address("https"), kept)]
  }

  private func ask(_ door: (server: ServerProcess, address: Address, authority: String), _ words: [String])
    throws -> String
  {
    let (exit, output) = try ChildProcess.run(
      try Repository.python("python"),
      ["\(Repository.root)/Tests/Fixtures/clients/h2_client.py", words[0], "\(door.address)"] + words[1...],
      environment: ["H2_AUTHORITY": door.authority], deadline: Deadline(seconds: 60))
    guard exit == .status(0) else {
      throw SupportError.ended(program: "h2_client.py \(words[0])", exit: exit, output: output)
    }
    return output.trimmingCharacters(in: .whitespacesAndNewlines)
  }

  @Test("heads of answers that take several frames come whole, also among others, over TLS and without")
  func longHeads() throws {
    for door in try doors(try FixtureApp.path("conformance")) {
      let sizes = ["40", "16000", "16384", "20000", "33000", "60000"]
      #expect(try ask(door, ["heads"] + sizes) == "\(4 * 3 * sizes.count) whole")
      for size in [16_384, 33_000, 60_000] {
        let trust =
          door.authority.isEmpty
          ? Self.prior
          : ["--http2", "--cacert", door.authority, "--resolve", "a.test:\(door.address.port):127.0.0.1"]
        let url = door.authority.isEmpty ? "http://\(door.address)" : "https://a.test:\(door.address.port)"
        for path in ["head", "bare-head"] {
          let reply = try Curl.get("\(url)/\(path)/\(size)", trust)
          #expect(reply["x-long-d"] == String(repeating: "d", count: size / 4) && reply.status == 200)
          #expect(reply.text == (path == "head" ? "behind it" : ""))
        }
      }
      try stop(door.server)
    }
  }

  @Test("requests with long heads arrive whole, and one that is too long is answered alone")
  func longRequests() throws {
    for door in try doors(Repository.app("environ")) {
      let said = try ask(door, ["requests", "800", "16000", "17000", "40000", "60000", "80000", "24000"])
      #expect(
        said == "800 200 True, 16000 200 True, 17000 200 True, 40000 200 True, 60000 200 True, "
          + "80000 431 False, 24000 200 True")
      try stop(door.server)
    }
  }

  // MARK: Many at once

  @Test("a hundred streams at once, also of slow calls", arguments: ["ok", "late"])
  func many(path: String) throws {
    let app = path == "ok" ? "conformance" : "streams"
    let server = try server(try FixtureApp.path(app))
    let said = try client(server, "hundred", "/\(path)")
    #expect(said.hasPrefix("100 ['200'] "), "\(said)")
    // A client without a table has to be told that none is used.
    let table = "--header-table-size=\(path == "ok" ? 0 : 4096)"
    let url = try server.url + "/\(path == "ok" ? path : "ignored")"
    let load = [table, "-n", "5000", "-c", "5", "-m", "100", url]
    let (exit, output) = try ChildProcess.run(
      try Program.h2load.path(), load, deadline: Deadline(seconds: 120))
    #expect(exit == .status(0) && output.contains("5000 succeeded, 0 failed, 0 errored"), "\(output)")
    try stop(server)
  }

  @Test("a stream whose window is used up waits alone; one that is never opened ends")
  func windows() throws {
    let server = try server(try FixtureApp.path("pressure"), ["--write-timeout", "2"])
    #expect(try client(server, "stalled", "/down?3000000", "/x") == "1000 200 3000000 0")
    #expect(try client(server, "never", "/down?3000000", "/x") == "2 200")
    try stop(server)
  }

  @Test("an app that does not read stops its client, and then has all")
  func backpressure() throws {
    let server = try server(try FixtureApp.path("pressure"))
    let gate = server.folder.file("gate")
    let opener = try ChildProcess("/bin/sh", ["-c", "sleep 2; : >\(gate)"])
    let said = try client(server, "backpressure", "/up?\(gate)").split(separator: " ")
    _ = try opener.wait()
    let sent = try #require(said.first.flatMap { Int($0) })
    #expect(sent < 1 << 20 && said.dropFirst() == ["200", "\(sent + 1),", "then", "0"], "\(said)")
    try stop(server)
  }

  @Test("bodies that nobody reads hold up no other upload")
  func uploads() throws {
    let server = try server(try FixtureApp.path("pressure"), ["--threads", "32"])
    let (shut, open) = (server.folder.file("shut"), server.folder.file("open"))
    try "".write(toFile: open, atomically: true, encoding: .utf8)
    let said = try client(server, "uploads", "/up?\(shut)", "/up?\(open)")
    #expect(said == "16 200 6000000, then 0 {}", "\(said)")
    try "".write(toFile: shut, atomically: true, encoding: .utf8)
    try stop(server)
  }

  @Test("a client takes one request back, and the others go on")
  func cancel() throws {
    let server = try server(try FixtureApp.path("pressure"))
    #expect(try client(server, "cancel", "/hold", "/x") == "200 /x False")
    #expect(try Curl.get(try server.url + "/release", Self.prior).text == "releasing")
    try stop(server)
  }

  @Test("PINGs whose answers leave are none that wait, however much stands behind them")
  func pings() throws {
    let server = try server(try FixtureApp.path("whole"))
    #expect(try client(server, "pings", "/whole?100000000") == "True 200 100000000 {} []")
    try stop(server)
  }

  @Test("who finds no room is not to blame, however often it asks again")
  func refused() throws {
    let server = try server(try FixtureApp.path("pressure"), ["--max-connections", "2"])
    // REFUSED_STREAM (RFC 9113 §7).
    #expect(try client(server, "refused", "/hold", "/x") == "1200 [7] {} []")
    #expect(try Curl.get(try server.url + "/release", ["--http1.1"]).text == "releasing")
    try stop(server)
  }

  // MARK: Ends

  @Test(
    "a flood costs its sender the connection, and nobody else",
    arguments: ["reset", "faults", "ping", "settings", "empty", "continuation", "priority"])
  func flood(kind: String) throws {
    let server = try server(try FixtureApp.path("streams"))
    // ENHANCE_YOUR_CALM (RFC 9113 §7).
    #expect(try client(server, "flood", kind) == "11")
    #expect(try Curl.get(try server.url + "/ignored", Self.prior).text == "ignored")
    #expect(server.process.output.components(separatedBy: "HTTP/2 flood of ").count == 2)
    try stop(server)
  }

  @Test("who stops says goodbye twice, and answers what was asked")
  func leaving() throws {
    let server = try server(try FixtureApp.path("pressure"))
    let gate = server.folder.file("gate")
    let client = try ChildProcess(
      try Repository.python("python"), try Self.words("leaving", server) + ["/up?\(gate)"])
    _ = try client.waitForOutput("the request") { $0.contains("asked") ? true : nil }
    server.process.send(SIGTERM)
    try "".write(toFile: gate, atomically: true, encoding: .utf8)
    #expect(try client.wait() == .status(0), "\(client.output)")
    #expect(client.output.contains("200 0, then 0 [(2147483647, 0), (1, 0)]"), "\(client.output)")
    #expect(try server.process.wait() == .status(0))
  }
}
