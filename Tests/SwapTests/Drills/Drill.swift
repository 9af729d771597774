import Foundation
import Support
import Testing

/// What drills share: each is run on both event loops, under a ledger that accounts for every answer.
enum Drill {
  static let loops = ["epoll", "auto"]

  /// A server on one of the loops; `DIR/` in options is its folder.
  static func server(
    _ library: String, _ loop: String, workers: Int = 2, _ options: [String] = []
  ) throws -> SupervisedServer {
    try SupervisedServer(library, workers: workers, options, environment: ["NSGI_IO": loop])
  }

  /// Clients of HTTP of each kind that a change could hurt.
  static let ways: [Ledger.Way] = [.httpFresh, .httpKeepAlive, .stream, .upload]

  /// Options without soak and probation.
  static let quick = ["--swap-soak", "0", "--swap-probation", "0"]

  /// Whoever lost an answer lost it with a process that ended: nothing was answered twice, wrongly, cut
  /// without a closed connection, or by a build that was replaced.
  static func expect(
    _ report: Ledger.Report, lost most: Int = 0, sourceLocation: SourceLocation = #_sourceLocation
  ) {
    let others = report.losses.filter { ![.reset, .unanswered, .truncated].contains($0.kind) }
    #expect(others.isEmpty, "\(report)", sourceLocation: sourceLocation)
    #expect(report.losses.count <= most, "\(report)", sourceLocation: sourceLocation)
    #expect(
      report.duplicates.isEmpty && report.unserved.isEmpty, "\(report)", sourceLocation: sourceLocation)
  }

  /// Nothing was lost at all, and every answer came from one of these builds ("A 1", letter and generation).
  /// `after`: what only who came after the end of the server has met.
  static func expect(
    _ report: Ledger.Report, onlyOf builds: Set<String>, after: Set<Ledger.Loss.Kind> = [],
    sourceLocation: SourceLocation = #_sourceLocation
  ) {
    let lost = report.losses.filter { !after.contains($0.kind) }
    #expect(lost.isEmpty, "\(report)", sourceLocation: sourceLocation)
    #expect(
      report.duplicates.isEmpty && report.unserved.isEmpty, "\(report)", sourceLocation: sourceLocation)
    #expect(
      report.answered > 0 && builds.isSuperset(of: report.generations.keys), "\(report.generations)",
      sourceLocation: sourceLocation)
  }

  /// What status says of each worker is what the worker itself answers.
  static func expectTruth(
    _ server: SupervisedServer, sourceLocation: SourceLocation = #_sourceLocation
  ) throws {
    let status = try server.status()
    for _ in 0..<8 * status.serving.count {
      let words = try server.get("/who?id=0").text.split(whereSeparator: \.isWhitespace)
      let (pid, generation) = (words[words.firstIndex(of: "pid")! + 1], words[2])
      let worker = status.serving.first { "\($0.pid)" == pid }
      let said = worker.map { $0.generations.map { "\($0)" } }
      #expect(said == ["\(generation)"], "\(words) \(status.text)", sourceLocation: sourceLocation)
    }
  }

  /// Every place runs this generation, and the record says so.
  static func waitForAll(_ generation: Int, _ server: SupervisedServer, places: Int = 2) throws {
    try server.wait(for: "generation \(generation) everywhere") { status in
      status.generations == [generation] && Set(status.serving.map(\.place)).count == places
        && status.serving.allSatisfy { $0.generations == [generation] }
    }
    try expectTruth(server)
    #expect(try server.ctl("generations").output.contains("generation \(generation) serving"))
  }

  /// Every kind of change that is asked for now has an end.
  static func expectChangesEnd(_ server: SupervisedServer) throws {
    for words in [["swap"], ["rollback"], ["reload"], ["upgrade", "/bin/false"]] {
      let (exit, output) = try server.ctl(words, .usual)
      #expect(exit == 0 || exit == 1 && output.contains("refused: "), "\(words): \(output)")
    }
  }

  /// Processes that a process has started and that have not ended.
  static func children(of pid: pid_t) throws -> [pid_t] {
    let (_, output) = try ChildProcess.run("/bin/ps", ["-o", "pid=", "--ppid", "\(pid)"])
    return output.split(whereSeparator: \.isWhitespace).compactMap { pid_t($0) }
  }

  static func waitForEnd(of pid: pid_t, _ server: SupervisedServer) throws {
    try Deadline.usual.wait(for: "the end of \(pid)", output: { server.log }) {
      ProcessUsage.isAlive(pid) ? nil : ()
    }
  }
}
