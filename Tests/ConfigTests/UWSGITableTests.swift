import Foundation
import Testing

@testable import Config

/// The table of uWSGI's options: whole, true to what the server does, and the source of its page.
@Suite struct UWSGITableTests {
  static let root = URL(fileURLWithPath: #filePath).deletingLastPathComponent()
    .deletingLastPathComponent()
    .deletingLastPathComponent().path
  static let names = UWSGITable.rows.flatMap { row in
    row.names.split(separator: " ").map { (row: row, name: UWSGIName($0)) }
  }

  @Test func everyNameLeadsToItsRow() {
    for (row, name) in Self.names {
      let found = UWSGITable.find(name.text)
      #expect(found?.0.names == row.names && found?.1.text == name.text && found?.1.value == name.value)
    }
    for word in ["", "=", "htt", "http ", "supported", "uwsgi", "no-such-option"] {
      #expect(UWSGITable.find(word) == nil, "\(word)")
    }
  }

  @Test func everyRowIsReadAndEveryNameIsThereOnce() {
    let lines = PackageResources.options_tsv.split(separator: 0x0a)
    #expect(UWSGITable.rows.count == lines.count && lines.count > 150)
    #expect(Set(Self.names.map(\.name.text)).count == Self.names.count)
    for row in UWSGITable.rows {
      #expect(!row.meaning.isEmpty && !row.instead.isEmpty, "\(row.names)")
    }
  }

  /// The names as the program itself and the sources of 2.0.31 and 2.1 have them, with what they take.
  @Test func noNameOfUWSGIIsMissing() throws {
    let path = "\(Self.root)/Tests/Fixtures/uwsgi-options/names.txt"
    let wanted = try String(contentsOfFile: path, encoding: .utf8).split(separator: "\n")
    #expect(wanted.count > 1300)
    let marks: [UWSGIName.Value: String] = [.none: "", .optional: "?", .required: "="]
    #expect(
      Set(Self.names.map { "\($0.name.text)\(marks[$0.name.value] ?? "")" })
        == Set(wanted.map(String.init)))
  }

  @Test(arguments: names.indices) func doesWhatItsClassSays(_ index: Int) {
    let (row, name) = Self.names[index]
    let key = String(name.text)
    if BlockKind(key: key) != nil || BlockKind.isEnd(key)
      || ["set", "set-ph", "set-placeholder"].contains(key)
    {
      #expect(row.category == .supported, "\(key)")
      return
    }
    let option = OptionTable.index(named: key)
    let value: String? = name.value == .none ? nil : Self.values[key] ?? "1"
    let entry = Entry(key: key, value: value, origin: .environment, dialect: .uwsgi)
    var translator = Translator(referenced: [])
    translator.take(entry)
    switch row.category {
    case .supported:
      #expect(!translator.options.isEmpty || Self.isAction(option), "\(key) is not supported")
      #expect(translator.findings.problems.isEmpty, "\(key)")
    case .accepted:
      #expect(
        translator.accepted == [key] && translator.findings.losses.isEmpty
          && translator.options.isEmpty)
    case .warned:
      #expect(
        translator.findings.losses.count == 1 && translator.findings.problems.isEmpty, "\(key)")
      #expect(
        option == nil || Self.others.contains(key),
        "\(key) is an option here by now: it is supported")
    case .refused:
      #expect(translator.findings.problems.count == 1, "\(key)")
      #expect(
        option == nil || Self.others.contains(key),
        "\(key) is an option here by now: it is supported")
    }
  }

  /// Options of this server's that have uWSGI's names and not its meaning.
  private static let others = ["cgi", "check-static-docroot", "log-format", "logformat"]

  private static func isAction(_ index: Int?) -> Bool {
    guard let index else { return false }
    if case .action = OptionTable.all[index].shape { return true }
    return false
  }

  /// Values that say something of options whose values decide.
  private static let values = [
    "http-keepalive": "30", "cron": "1 1 1 1 1 x", "unique-cron": "1 1 1 1 1 x",
    "cron2": "minute=1 x", "smart-attach-daemon": "/p x", "smart-attach-daemon2": "/p x",
    "attach-daemon2": "cmd=x", "logger": "file:/l", "req-logger": "file:/l", "logger-req": "file:/l",
    "log-socket": "127.0.0.1:9", "env": "A=B", "ienv": "A=B", "add-header": "X-A: b",
    "response-route-status": "404 last:",
  ].merging(rules("route") + rules("response-route")) { $1 }

  private static func rules(_ name: String) -> [(String, String)] {
    let tests = [
      (name + "-run", "last:"), (name + "-if", "empty:x last:"), (name + "-if-not", "empty:x last:"),
    ]
    let parts = ["", "-host", "-uri", "-qs", "-referer", "-user-agent", "-remote-addr", "-remote-user"]
    return tests + parts.map { (name + $0, "^/x last:") }
  }

  @Test func thePageIsMadeOfTheTable() throws {
    let path = "\(Self.root)/docs/UWSGI_OPTIONS.md"
    let page = UWSGIPage.text
    if ProcessInfo.processInfo.environment["UPDATE_DOCS"] != nil {
      try page.write(toFile: path, atomically: true, encoding: .utf8)
    }
    #expect(
      try String(contentsOfFile: path, encoding: .utf8) == page,
      "make it anew: UPDATE_DOCS=1 swift test --filter UWSGITableTests")
  }
}

/// `docs/UWSGI_OPTIONS.md`.
enum UWSGIPage {
  private static let titles: [(UWSGIClass, String, String)] = [
    (.supported, "Supported", "They have an effect here."),
    (
      .accepted, "Accepted",
      "They are always so here, or there is nothing that they could change: one line at the start names "
        + "all of them."
    ),
    (
      .warned, "Warned",
      "Something is lost, and the server starts: a line for each says what, and what to use. With "
        + "`strict` it does not start."
    ),
    (
      .refused, "Refused",
      "Security or data would suffer, or something would not be served: the server does not start, and "
        + "says what to write."
    ),
  ]

  static var text: String {
    let rows = UWSGITable.rows
    var parts = [
      """
      # Options of uWSGI

      Every option of uWSGI 2.0 and 2.1, and what this server makes of it in a `[uwsgi]` section, a `UWSGI_*`
      variable or on the command line. [UWSGI](UWSGI.md) has the language of the files. This page is made from
      `Sources/Config/UWSGI/options.tsv`, as are the server's messages.
      """
    ]
    for (category, title, sentence) in titles {
      let rows = rows.filter { $0.category == category }
      let count = rows.reduce(0) { $0 + $1.names.split(separator: " ").count }
      parts.append(
        "## \(title) (\(count))\n\n\(sentence)\n\n| options | uWSGI | here |\n|---|---|---|")
      let lines = rows.map { row in
        let names = row.names.split(separator: " ").map { "`\(UWSGIName($0).text)`" }.joined(
          separator: " ")
        return "| \(names) | \(row.meaning) | \(row.instead) |"
      }
      parts[parts.count - 1] += "\n" + lines.joined(separator: "\n")
    }
    return parts.joined(separator: "\n\n") + "\n"
  }
}
