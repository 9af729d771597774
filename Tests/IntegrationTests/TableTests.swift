// Every function of nsgi_host and every hook of nsgi_app, from C, C++, Rust and Swift: four apps
// (Tests/Fixtures/table), the same questions, the same answers. What is used wrongly or too late answers with
// the result that nsgi.h names, and the server goes on.
import Foundation
import Support
import Testing

/// A language, and the app of Tests/Fixtures/table in it.
enum TableApp: String, CaseIterable, CustomTestStringConvertible {
  case c, cpp, rust, swift
  var app: String { Repository.app("table_\(rawValue)") }
  var testDescription: String { rawValue }
}

/// A running server with one of the apps, and what its hooks have written down.
private final class Table {
  let folder: TemporaryFolder
  let server: ServerProcess
  private let socket: RawSocket

  /// One process: what an app remembers of a request is in it.
  init(_ language: TableApp, _ options: String...) throws {
    folder = try TemporaryFolder()
    let file = try folder.write("0123456789", to: "file")
    server = try ServerProcess(
      app: language.app,
      [
        "--no-master", "--http-socket", "127.0.0.1:0", "--mount", "/mounted=\(language.app)",
        "--app-option", "log=\(folder.file("log"))", "--app-option", "file=\(file)",
        "--app-option", "color=red",
      ] + options)
    socket = try server.connect()
  }

  /// Asks on the one connection.
  func get(_ target: String, _ fields: String = "") throws -> Reply {
    try socket.send("GET \(target) HTTP/1.1\r\nHost: h\r\n\(fields)\r\n")
    return try socket.receiveReply()
  }

  /// An interim response, and the final one.
  func hinted(_ request: [UInt8]) throws -> (interim: Reply, final: Reply) {
    try socket.send(request)
    return (try socket.receiveReply(), try socket.receiveReply())
  }

  func post(_ target: String, _ body: [UInt8]) throws -> Reply {
    let fields = "Host: h\r\nContent-Type: x/y\r\nContent-Length: \(body.count)\r\n"
    try socket.send(Array("POST \(target) HTTP/1.1\r\n\(fields)\r\n".utf8) + body)
    return try socket.receiveReply()
  }

  /// What the hooks have written, without the process ids.
  var lines: [String] { Notes(folder.file("log")).all.map(\.what) }

  func waitForLine(_ line: String) throws {
    try Deadline.usual.wait(for: line, output: { self.lines.joined(separator: "\n") }) {
      lines.contains { $0.hasPrefix(line) } ? () : nil
    }
  }

  func stop() throws {
    socket.close()
    #expect(try server.stop() == .status(0), "\(server.process.output)")
  }
}

/// The lines of an app's log, each with the process that wrote it.
private struct Notes {
  let all: [(pid: pid_t, what: String)]

  init(_ path: String) {
    let text = (try? String(contentsOfFile: path, encoding: .utf8)) ?? ""
    all = text.split(separator: "\n").map { line in
      let parts = line.split(separator: " ", maxSplits: 1)
      let what = parts.count == 2 ? parts[1].trimmingCharacters(in: .whitespaces) : ""
      return (pid_t(parts[0]) ?? 0, what)
    }
  }

  func of(_ pid: pid_t) -> [String] { all.filter { $0.pid == pid }.map(\.what) }
}

@Suite struct TableTests {
  @Test("load() and the request: the view, environ, fields, env, read, body", arguments: TableApp.allCases)
  func request(language: TableApp) throws {
    let table = try Table(language)
    #expect(
      try table.get("/boot").text
        == "worker 0 of 1, generation 1, red on nsgi-server, table own, from '' ''")
    #expect(
      try table.get("/request%21?a=1&b").text
        == "GET mount= path=/request! query=a=1&b HTTP/1.1 http address=127.0.0.1 type= length=0 flags=16 "
        + "size whole")
    #expect(
      try table.post("/mounted/request", [1, 2, 3]).text
        == "POST mount=/mounted path=/request query= HTTP/1.1 http address=127.0.0.1 type=x/y length=3 "
        + "flags=18 size whole")
    let fields = "X-Table: one\r\nX-Other: x\r\nX-Table: two\r\n"
    #expect(try table.get("/environ", fields).text == "one, two, doubles 0, again the same")
    #expect(try table.get("/fields", fields).text == "one|two|")
    #expect(try table.get("/env", fields).text == "one, two, absent")
    for size in [0, 1, 1021, 200_000] {
      let body = TestBody.bytes(size)
      let sum = TestBody.checksum(body)
      #expect(try table.post("/read", body).text == "\(size) \(sum), then 0")
      #expect(try table.post("/body", body).text == "\(size) \(sum), result 0, again the same")
    }
    try table.stop()
  }

  @Test(
    "the response: respond, start, write, flush, lend, sendfile; log, extension",
    arguments: TableApp.allCases)
  func response(language: TableApp) throws {
    let table = try Table(language)
    let whole = try table.get("/respond")
    #expect(whole.status == 202 && whole.text == "respond" && whole["x-table"] == "replaced")
    #expect(whole["content-length"] == "7")
    let streamed = try table.get("/stream")
    #expect(streamed.status == 201 && streamed["x-table"] == "streamed" && streamed.isComplete)
    #expect(streamed.text == "one two three 2345789 released 1, results 0")
    #expect(try table.get("/extension").text == "absent")
    #expect(try table.get("/log").text == "table")
    #expect(table.server.process.output.contains("the table's line"), "\(table.server.process.output)")
    #expect(try table.get("/fail").status == 500)
    try table.stop()
  }

  @Test("interim responses, and fields behind the body of request and response", arguments: TableApp.allCases)
  func behind(language: TableApp) throws {
    let table = try Table(language)
    let head = "POST /behind HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\nTE: trailers\r\n\r\n"
    let body = "1\r\nx\r\n0\r\nX-One: 1\r\nHost: no\r\nx-two:\r\n\r\n"
    let (hint, reply) = try table.hinted(Array((head + body).utf8))
    #expect(hint.status == 103 && hint["link"] == "</a>; rel=preload")
    #expect(
      reply.text
        == "x-one=1 x-two= trailers -3 interim 0 interim -3 interim -3 trailers -3 trailers -3 ")
    #expect(reply["trailer"] == "X-Table" && reply["content-length"] == nil && reply.isComplete)
    #expect(reply.trailers.map { "\($0.name): \($0.value)" } == ["X-Table: behind"])
    // Who does not ask for trailers gets none, and a length instead.
    let (_, other) = try table.hinted(Array("GET /behind HTTP/1.1\r\nHost: h\r\n\r\n".utf8))
    #expect(other.trailers.isEmpty && other["trailer"] == nil && other["content-length"] != nil)
    try table.stop()
  }

  @Test("finish, on_ready, and a thread beside the call", arguments: TableApp.allCases)
  func asynchronous(language: TableApp) throws {
    let table = try Table(language)
    func expectFinishedOnce() throws {
      // The second finish() comes after the answer.
      try Deadline.usual.wait(for: "the second finish()") {
        try table.get("/last").text == "finish 0, again -2" ? () : nil
      }
    }
    #expect(try table.get("/later").text == "ready 1, replaced 0, results 0")
    try expectFinishedOnce()
    #expect(try table.get("/early").text == "early")
    try expectFinishedOnce()
    #expect(try table.get("/beside").text == "from a thread")
    try table.stop()
  }

  @Test("misuse answers a result and does nothing", arguments: TableApp.allCases)
  func misuse(language: TableApp) throws {
    let table = try Table(language)
    let reply = try table.get("/misuse")
    #expect(reply.status == 200 && reply.isComplete)
    #expect(
      reply.text == """
        write -3 lend -3 sendfile -3 flush -3 start -3 start -3 start -3 respond -3 respond -3 read -3 \
        read 0 body -3 env 0 on_ready -3 on_ready -3 extension 0 write -3 write 0 lend -3 \
        sendfile -3 sendfile -3 start -3 respond -3 released 2\u{20}
        """)
    #expect(try table.get("/").text == "table")
    try table.stop()
  }

  @Test("a request that is over, or never was, is gone", arguments: TableApp.allCases)
  func late(language: TableApp) throws {
    let table = try Table(language)
    _ = try table.get("/later")
    #expect(
      try table.get("/late").text == """
        environ 0 fields 0 env 0 read -2 body -2 respond -2 start -2 write -2 lend -2 sendfile -2 flush -2 \
        on_ready -2 finish -2 interim -2 trailers -2 request_trailers 0 released 1 , and never the same
        """)
    try table.stop()
  }

  @Test(
    "a client that goes cancels, and its response is gone from the next send on",
    arguments: TableApp.allCases)
  func cancel(language: TableApp) throws {
    let table = try Table(language)
    let client = try table.server.connect()
    try client.send("GET /waiting HTTP/1.1\r\nHost: h\r\n\r\n")
    try table.waitForLine("waiting")
    client.resetOnClose()
    client.close()
    try table.waitForLine("cancelled")
    let cancelled = "cancelled read 0 start 0 respond 0 write -2 flush -2 finish 0 again -2"
    #expect(table.lines.filter { $0.hasPrefix("cancel") } == ["cancel /waiting", cancelled])
    #expect(try table.get("/").text == "table")
    try table.stop()
  }

  @Test("a request whose time is over is answered with 504, and cancelled", arguments: TableApp.allCases)
  func deadline(language: TableApp) throws {
    let table = try Table(language, "--harakiri", "0.2")
    #expect(try table.get("/waiting").status == 504)
    try table.waitForLine("cancelled")
    let cancelled = "cancelled read 0 start -2 respond -2 write -2 flush -2 finish 0 again -2"
    #expect(table.lines.filter { $0.hasPrefix("cancel") } == ["cancel /waiting", cancelled])
    try table.stop()
  }

  @Test("load() that fails is asked for nothing else", arguments: TableApp.allCases)
  func refusal(language: TableApp) throws {
    let folder = try TemporaryFolder()
    let (exit, output) = try ServerProcess.run([
      "--no-master", "--app", language.app, "--app-option", "color=refuse", "--app-option",
      "log=\(folder.file("log"))", "--http-socket", "127.0.0.1:0",
    ])
    #expect(exit == .status(22))
    #expect(output.contains("no such color"), "\(output)")
    #expect(Notes(folder.file("log")).all.map(\.what) == ["load"])
  }

  @Test("a swap: every turn of a life, in its order, and what save() wrote", arguments: TableApp.allCases)
  func life(language: TableApp) throws {
    let folder = try TemporaryFolder()
    let log = folder.file("log")
    let server = try SupervisedServer(
      language.app, workers: 1,
      ["--swap-soak", "0", "--swap-probation", "0", "--app-option", "log=\(log)"])
    let first = try #require(try server.status().serving.first).pid
    #expect(try Curl.get(server.server.url).text == "table")
    // Another build: what stands behind an ELF file is nobody's.
    let next = folder.file("next.so")
    let bytes = try Data(contentsOf: URL(fileURLWithPath: language.app))
    try (bytes + Data("another build".utf8)).write(to: URL(fileURLWithPath: next))
    try server.install(next)
    let (exit, output) = try server.ctl("swap")
    #expect(exit == 0, "\(output)")
    #expect(
      try Curl.get(server.server.url + "/boot").text
        == "worker 0 of 1, generation 2, none on nsgi-server, table own, from '1.2' 'saved by 1'")
    let second = try #require(try server.status().serving.first).pid
    #expect(try server.stop() == .status(0), "\(server.log)")
    let notes = Notes(log)
    for (pid, saves) in [(first, 1), (second, 0)] {
      let lines = notes.of(pid)
      let entered = lines.count { $0 == "enter" }
      #expect(lines.first == "load", "\(lines)")
      #expect(lines.last == "unload", "\(lines)")
      #expect(lines.count { $0 == "save" } == saves, "\(lines)")
      #expect(entered > 0 && lines.count { $0 == "leave" } == entered, "\(lines)")
      let turns = lines.filter { $0 != "enter" && $0 != "leave" && $0 != "save" && $0 != "probe" }
      #expect(turns == ["load", "drain", "unload"], "\(lines)")
      let drained = lines.firstIndex(of: "drain") ?? 0
      #expect(drained > lines.lastIndex(of: "enter") ?? 0, "\(lines)")
    }
    #expect(notes.all.contains { $0.what == "probe" })
  }
}
