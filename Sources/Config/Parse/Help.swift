// `--help`, rendered from the option table.

enum Help {
  private static let usage = """
    Usage: \(Program.command) --app PATH --http-socket ADDR [OPTION...]
           \(Program.command) --plugin python3 -w MODULE --http-socket ADDR [OPTION...]
           \(Program.command) --ini FILE [OPTION...]
           \(Program.command) check FILE.so    what is in an application, and is it good
           \(Program.command) new NAME --language c|cpp|go|rust|swift|zig    an application to begin with
    """
  private static let further = """
           server uwsgi.ini        a configuration of uWSGI's: ini, YAML, XML, JSON
           server MODULE:APP -b ADDR -w N [OPTION...]    gunicorn's words
           server migrate FILE     another server's configuration as an ini file for this one
    """
  private static let column = 32
  private static let width = 100

  /// The text for a call without arguments.
  static func short() -> String {
    """
    nsgi-server \(Program.version): an application server for HTTP, SCGI, uwsgi, FastCGI and CGI.

    \(usage)

    For example:
      \(Program.command) --app ./hello_world_app.so --http-socket 127.0.0.1:8080
      \(Program.command) --app ./hello_world_app.so --scgi-socket 127.0.0.1:8081

    \(Program.command) --help lists every option.
    """
  }

  /// Every option under its heading.
  static func long() -> String {
    var lines = [usage, further]
    for group in OptionTable.groups {
      lines += ["", group.title + ":"]
      for option in group.options { lines += rows(of: option) }
    }
    return lines.joined(separator: "\n")
  }

  private static func rows(of option: OptionSpec) -> [String] {
    let names = (option.short.map { ["-\($0)"] } ?? []) + ([option.name] + option.aliases).map { "--" + $0 }
    var head = "  " + names.joined(separator: ", ")
    if let placeholder = option.placeholder {
      if case .optionalValue = option.shape { head += "[=\(placeholder)]" } else { head += " " + placeholder }
    }
    let text = option.help + (option.defaultText.map { " (default: \($0))" } ?? "")
    var rows = wrapped(text, width: width - column).map { String(repeating: " ", count: column) + $0 }
    if head.utf8.count + 2 > column { return [head] + rows }
    rows[0] = head + rows[0].dropFirst(head.utf8.count)
    return rows
  }

  private static func wrapped(_ text: String, width: Int) -> [String] {
    var rows = [""]
    for word in text.split(separator: " ") {
      let last = rows[rows.count - 1]
      if last.isEmpty {
        rows[rows.count - 1] = String(word)
      } else if last.utf8.count + 1 + word.utf8.count <= width {
        rows[rows.count - 1] += " " + word
      } else {
        rows.append(String(word))
      }
    }
    return rows
  }
}
