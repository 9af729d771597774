// `server top` in a real terminal (tmux): it fits, heeds its keys, and writes nothing to the terminal that an
// application has made up.
import Foundation
import Support
import Testing

@Suite struct TopScreenTests {
  /// A terminal of a size with one program in it, of a tmux of its own.
  private final class Screen {
    private let folder: TemporaryFolder
    private var socket: String { folder.file("tmux") }

    init(columns: Int, rows: Int, _ command: String) throws {
      folder = try TemporaryFolder()
      _ = try run([
        "-f", "/dev/null", "new-session", "-d", "-s", "top", "-x", "\(columns)", "-y", "\(rows)",
        "env TERM=screen \(command); sleep 1000",
      ])
      _ = try run(["pipe-pane", "-t", "top", "cat >\(folder.file("raw"))"])
    }

    deinit { _ = try? run(["kill-server"]) }

    private func run(_ words: [String]) throws -> String {
      let program = "/usr/bin/tmux"
      guard access(program, X_OK) == 0 else {
        throw SupportError.ended(
          program: "\(program) (scripts/install.sh test)", exit: .status(127), output: "")
      }
      // UTF-8 whatever the tests' own locale is; and not inside another tmux.
      let (exit, output) = try ChildProcess.run(
        "/usr/bin/env", ["-u", "TMUX", "LC_ALL=C.UTF-8", program, "-u", "-S", socket] + words)
      guard exit == .status(0) else {
        throw SupportError.ended(program: "tmux \(words)", exit: exit, output: output)
      }
      return output
    }

    /// The lines that are seen now.
    func lines() throws -> [String] {
      try run(["capture-pane", "-p", "-t", "top"]).split(separator: "\n", omittingEmptySubsequences: false)
        .map(String.init)
    }

    func type(_ keys: String...) throws { _ = try run(["send-keys", "-t", "top"] + keys) }

    /// Waits until the screen is as `isReached` wants it.
    @discardableResult
    func wait(for what: String, _ isReached: ([String]) -> Bool) throws -> [String] {
      var last: [String] = []
      return try Deadline.usual.wait(for: what, output: { last.joined(separator: "\n") }) {
        last = try lines()
        return isReached(last) ? last : nil
      }
    }

    /// What the program has written to the terminal.
    func raw() -> [UInt8] { Array(FileManager.default.contents(atPath: folder.file("raw")) ?? Data()) }
  }

  private func server() throws -> SupervisedServer {
    try SupervisedServer(try FixtureApp.path("named"), workers: 3)
  }

  private func top(_ server: SupervisedServer, _ columns: Int, _ rows: Int) throws -> Screen {
    let screen = try Screen(
      columns: columns, rows: rows,
      "\(Repository.server) top --control-socket \(server.control) --delay 0.2")
    try screen.wait(for: "the workers") { lines in lines.contains { $0.hasPrefix("WORKER") } }
    return screen
  }

  /// Rows of workers that are seen, by their pids.
  private func pids(_ lines: [String], of server: SupervisedServer) throws -> [pid_t] {
    let known = Set(try server.status().workers.map(\.pid))
    // The last line has the filter, which may be a number too.
    return lines.filter { !$0.hasPrefix("sorted by ") }.compactMap { line in
      line.split(separator: " ").compactMap { pid_t($0) }.first { known.contains($0) }
    }
  }

  @Test("it fits, with whole columns", arguments: [(80, 24), (200, 60)])
  func fits(size: (columns: Int, rows: Int)) throws {
    let server = try server()
    for _ in 0..<5 { #expect(try server.get().status == 200) }
    let screen = try top(server, size.columns, size.rows)
    let lines = try screen.wait(for: "three workers") { lines in
      ((try? pids(lines, of: server)) ?? []).count == 3
    }
    #expect(lines.count <= size.rows + 1 && lines.allSatisfy { $0.count <= size.columns })
    #expect(lines[0].hasPrefix("nsgi-server ") && lines[1].contains(" requests/s  p50 "))
    let last = try #require(lines.last { !$0.isEmpty })
    #expect(last.hasPrefix("sorted by worker  |  q quit  s sort  r reverse  f filter  arrows scroll"))
    let heads = try #require(lines.first { $0.hasPrefix("WORKER") }).split(separator: " ")
    let all = "WORKER STATE PID BUILDS REQ/S P50 P99 BUSY CONN MEMORY UP RESPAWNS".split(separator: " ")
    #expect(size.columns == 200 ? heads == all : heads[...] == all.prefix(heads.count) && heads.count > 8)
    // The name as text.
    #expect(lines.contains { $0.contains("evil\\x1b[31m") }, "\(lines)")
    try screen.type("q")
    try screen.wait(for: "the end") { lines in !lines.contains { $0.hasPrefix("WORKER") } }
  }

  @Test("keys sort, turn round, filter and scroll")
  func keys() throws {
    let server = try server()
    let screen = try top(server, 80, 24)
    let before = try pids(
      try screen.wait(for: "three") { ((try? pids($0, of: server)) ?? []).count == 3 }, of: server)
    try screen.type("r")
    let turned = try screen.wait(for: "reversed") { lines in
      lines.contains { $0.hasPrefix("sorted by worker, reversed") }
    }
    #expect(try pids(turned, of: server) == before.reversed())
    for order in ["requests", "latency", "memory", "busy", "worker"] {
      try screen.type("s")
      try screen.wait(for: order) { lines in lines.contains { $0.hasPrefix("sorted by \(order), reversed") } }
    }
    try screen.type("f", "\(before[1])", "Enter")
    let filtered = try screen.wait(for: "the filter") { lines in
      lines.contains { $0.contains("filter: \(before[1])  |") }
    }
    #expect(try pids(filtered, of: server) == [before[1]])
    try screen.type("f", "Escape")
    try screen.wait(for: "all") { ((try? pids($0, of: server)) ?? []).count == 3 }
    // There is more than eight rows show.
    let low = try top(server, 80, 8)
    try low.type("Down", "Down", "j")
    try low.wait(for: "scrolled away") { !$0[0].hasPrefix("nsgi-server ") }
    try low.type("k", "Up", "k")
    try low.wait(for: "back") { $0[0].hasPrefix("nsgi-server ") }
  }

  @Test("the terminal gets no control sequence but the program's own")
  func controls() throws {
    let server = try server()
    // A path that is under way is shown, too.
    let socket = try server.server.connect()
    try socket.send("GET /x%1b[5m HTTP/1.1\r\nHost: x\r\n\r\n")
    let screen = try top(server, 200, 60)
    try Deadline.usual.wait(for: "some looks") { screen.raw().count > 20_000 ? true : nil }
    var text = String(decoding: screen.raw(), as: UTF8.self)
    for own in ["?1049h", "?25l", "?7l", "H", "K", "J"] {
      text = text.replacingOccurrences(of: "\u{1b}[\(own)", with: "")
    }
    let controls = text.unicodeScalars.filter {
      ($0.value < 0x20 || (0x7f..<0xa0).contains($0.value)) && $0 != "\r" && $0 != "\n"
    }
    // What is cut at the end of the file may be a part of one.
    #expect(controls.count <= 1, "\(controls)")
    #expect(text.contains("evil\\x1b[31mred\\x1b[2J\\r\\n\\x07\\xc2\\x9b5m"))
  }
}
