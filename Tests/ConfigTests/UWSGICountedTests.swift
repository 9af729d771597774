import Foundation
import Testing

@testable import Config

/// The options that configurations in public repositories have, by what becomes of them. Whoever moves one
/// into another class changes what becomes of files that somebody has.
@Suite struct UWSGICountedTests {
  static let counted: [(category: UWSGIClass, names: String)] = [
    (
      .supported,
      """
      master processes workers module chdir socket threads buffer-size wsgi-file max-requests uid gid
      chmod-socket
      chown-socket http harakiri callable home virtualenv venv http-socket pidfile logto env plugin pythonpath
      disable-logging listen log-format reload-on-rss worker-reload-mercy post-buffering daemonize
      max-worker-lifetime py-autoreload reload-mercy socket-timeout protocol mount ini log-5xx log-4xx
      touch-reload show-config cpu-affinity max-fd umask uwsgi-socket lazy-apps strict static-map stats
      http-timeout http-keepalive logger req-logger auto-procname procname-prefix-spaced offload-threads
      cheaper
      gevent attach-daemon add-header master-fifo log-maxsize limit-as cache2 static-expires
      static-gzip-all
      check-static route route-if log-encoder log-route log-x-forwarded-for https cron unique-cron
      yaml include
      inherit http-websockets touch-chain-reload endif if-env if-not-env if-file
      """
    ),
    (
      .accepted,
      """
      vacuum enable-threads die-on-term single-interpreter need-app thunder-lock no-orphans memory-report
      ignore-sigpipe ignore-write-errors disable-write-exception harakiri-verbose log-master http-auto-chunked
      py-call-osafterfork no-defer-accept honour-stdin no-default-app master-as-root wsgi-disable-file-wrapper
      wsgi-env-behaviour manage-script-name print
      """
    ),
    (
      .warned,
      """
      hook-master-start vhost emperor subscribe-to alarm-segfault spooler mule
      harakiri-graceful-timeout http-enable-proxy-protocol
      """
    ),
  ]

  @Test("each is in the table, in its class, and none is refused", arguments: counted.indices)
  func classes(_ row: Int) {
    for name in Self.counted[row].names.split(whereSeparator: \.isWhitespace) {
      #expect(UWSGITable.find(name)?.0.category == Self.counted[row].category, "\(name)")
    }
  }

  /// What becomes of a line, as an operator meets it.
  enum Fate: String { case taken, accepted, told, refused }

  /// A line of `counted.tsv`: in how many of 100 repositories an option is, what is to become of it, and the
  /// lines of a file with a value of the kind that it has there.
  struct Row: Sendable {
    let repositories: Int
    let fate: Fate
    let name: String
    let lines: String

    init?(_ line: Substring) {
      let fields = line.split(separator: "\t", maxSplits: 3).map(String.init)
      guard fields.count == 4, let count = Int(fields[0]), let fate = Fate(rawValue: fields[1]) else {
        return nil
      }
      (repositories, self.fate, name) = (count, fate, fields[2])
      lines = "\(name) = \(fields[3].replacingOccurrences(of: "\\n", with: "\n"))\n"
    }

    /// The errors of a file with these lines, or the warnings of one that starts.
    var said: (errors: [String], warnings: [String]) {
      do {
        let settings = try UWSGIFileTests.read(
          "processes = 4\nthreads = 2\n" + lines, environment: ["HOME": "/root"],
          files: ["/etc/app/base.ini": "[uwsgi]\nmax-requests = 5\n"])
        return ([], settings.warnings)
      } catch let error as ConfigError {
        return (error.all.map(\.description), [])
      } catch { return (["\(error)"], []) }
    }

    /// The warnings that quote its line.
    func quoting(_ warnings: [String]) -> [String] {
      warnings.filter { $0.contains("`\(name) = ") || $0.contains("`\(name)`") }
    }
  }

  static let text: String? = try? String(
    contentsOfFile: "\(UWSGITableTests.root)/Tests/Fixtures/uwsgi-options/counted.tsv", encoding: .utf8)
  static let rows = (text ?? "").split(separator: "\n").compactMap(Row.init)

  @Test("a line as files have it is taken, named among those without meaning, told of, or refused with words")
  func lines() {
    #expect(Self.rows.count == (Self.text ?? "").split(separator: "\n").count && Self.rows.count > 100)
    for row in Self.rows {
      let (errors, warnings) = row.said
      let told = row.quoting(warnings).filter { !$0.contains("is taken for") }
      let accepted = warnings.filter {
        $0.hasPrefix("always so here, or without meaning: ") && $0.contains(row.name)
      }
      switch row.fate {
      case .taken:
        #expect(errors.isEmpty && told.isEmpty && accepted.isEmpty, "\(row.lines)\(errors)\(warnings)")
      case .accepted:
        #expect(errors.isEmpty && told.isEmpty && accepted.count == 1, "\(row.lines)\(errors)\(warnings)")
      case .told:
        #expect(errors.isEmpty && told.count == 1, "\(row.lines)\(errors)\(warnings)")
      case .refused:
        #expect(!errors.isEmpty && errors.allSatisfy { $0.contains("; ") }, "\(row.lines)\(errors)")
      }
    }
  }

  /// A bound from above: each repository with an option that stops a start is taken for another one. Some 90
  /// options more are in one repository each, and are in the table's classes as all names are.
  @Test("of 124 such files, 105 or more start unchanged")
  func starts() {
    let stopped = Self.rows.filter { !$0.said.errors.isEmpty }.reduce(0) { $0 + $1.repositories }
    let names = UWSGITableTests.names
    let refused = names.filter { $0.row.category == .refused }.count
    let rare = (90 * refused + names.count - 1) / names.count
    #expect(124 - stopped - rare >= 105, "\(stopped) by counted options, \(rare) by rare ones")
  }
}
