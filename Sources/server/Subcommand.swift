import Check
import Config
import Host

/// The subcommands: what `server` does when its first argument is no option.
enum Subcommand: String, CaseIterable {
  case check
  case ctl
  case migrate
  case new
  case top

  var usage: String {
    switch self {
    case .check: CheckCommand.usage
    case .ctl: CtlCommand.usage
    case .migrate: MigrateCommand.usage
    case .new: NewCommand.usage
    case .top: TopCommand.usage
    }
  }

  private func run(_ arguments: [String], _ environment: [String: String]) -> Int32 {
    switch self {
    case .check: CheckCommand.run(arguments)
    case .ctl: CtlCommand.run(arguments)
    case .migrate: MigrateCommand.run(arguments, environment: environment)
    case .new: NewCommand.run(arguments)
    case .top: TopCommand.run(arguments)
    }
  }

  /// Runs the subcommand that the first argument names; the exit code, or nil when it names none. A CGI
  /// program has none: its arguments can be the client's (RFC 3875 §4.4).
  static func run(_ arguments: [String], environment: [String: String]) -> Int32? {
    guard let first = arguments.first, environment["GATEWAY_INTERFACE"] == nil else { return nil }
    if first == "help", arguments.count == 2, let command = Subcommand(rawValue: arguments[1]) {
      print(command.usage)
      return 0
    }
    let rest = Array(arguments.dropFirst())
    if first == CheckChild.role {
      CheckChild.run(rest)
      return 0
    }
    return Subcommand(rawValue: first)?.run(rest, environment)
  }
}

/// What is wrong with the words behind a subcommand: one sentence with the fix.
struct UsageError: Error, CustomStringConvertible {
  let description: String

  init(_ description: String) { self.description = description }
}

/// The words behind a subcommand, one by one; `--name=value` counts as `--name value`.
struct Words {
  /// A word, and what stood behind its equals sign.
  struct Word {
    let name: String
    let value: String?
  }

  private var rest: ArraySlice<String>
  private let command: String

  init(_ arguments: [String], command: String) {
    rest = arguments[...]
    self.command = command
  }

  /// The next word; nil at the end.
  mutating func next() throws(UsageError) -> Word? {
    guard let text = rest.popFirst() else { return nil }
    guard text.hasPrefix("--"), let equals = text.firstIndex(of: "=") else {
      return Word(name: text, value: nil)
    }
    return Word(name: String(text[..<equals]), value: String(text[text.index(after: equals)...]))
  }

  /// The value of an option.
  mutating func value(of word: Word, _ placeholder: String) throws(UsageError) -> String {
    if let value = word.value { return value }
    guard let next = rest.popFirst() else {
      throw UsageError("\(word.name): the value is missing; write \(word.name) \(placeholder)")
    }
    return next
  }

  /// An option without a value.
  func flag(_ word: Word, _ set: () -> Void) throws(UsageError) {
    guard word.value == nil else { throw UsageError("\(word.name) takes no value; write it alone") }
    set()
  }

  /// An option that is none.
  func unknown(_ name: String) -> UsageError {
    UsageError("`\(name)` is not an option of \(command); see \(Program.command) \(command) --help")
  }
}
