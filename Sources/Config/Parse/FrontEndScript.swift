// The script that a CGI front end runs, judged by its text: whether its path is among the arguments of the
// server, and whether it can pass on its own arguments.

/// What a script tells about the arguments that the server gets from it.
enum FrontEndScript: Equatable {
  /// Its first line runs the server through env(1): the script's path follows the operator's words.
  case firstLine
  /// A shell script that runs the server with words of its own, all of them the operator's.
  case ownWords
  /// It may pass its arguments on: it mentions them, or hands over to another file; or it is in a language
  /// not known here, or not a script at all.
  case mayPassArguments

  /// Shells in which a script reaches its arguments by the words below, and by no others.
  private static let shells: Set<Substring> = ["sh", "bash", "dash", "ash", "ksh", "mksh"]

  /// - Parameter program: the name by which the server was executed.
  init(_ text: String?, program: String) {
    guard let text, text.hasPrefix("#!") else {
      self = .mayPassArguments
      return
    }
    let line = Substring(text.utf8.prefix { $0 != UInt8(ascii: "\n") }).dropFirst(2)
    let words = line.utf8.split(whereSeparator: Ascii.isBlank).map(Substring.init)
    let command = Self.command(words)
    if words.count > 1, Self.fileName(words[0]) == "env", command == program {
      self = .firstLine
    } else if let command, Self.shells.contains(Substring(command)), !Self.passesArguments(text) {
      self = .ownWords
    } else {
      self = .mayPassArguments
    }
  }

  /// The program that a first line runs, without directories; after env(1) the first word that is neither an
  /// option nor a variable.
  private static func command(_ words: [Substring]) -> String? {
    guard let interpreter = words.first else { return nil }
    guard fileName(interpreter) == "env" else { return fileName(interpreter) }
    for word in words.dropFirst() {
      let word = word.hasPrefix("-S") ? word.dropFirst(2) : word
      if word.isEmpty || word.hasPrefix("-") || word.utf8.contains(Ascii.equals) { continue }
      return fileName(word)
    }
    return nil
  }

  private static func fileName(_ path: Substring) -> String {
    path.utf8.lastIndex(of: Ascii.slash).map { String(path[path.utf8.index(after: $0)...]) } ?? String(path)
  }

  // MARK: Shell scripts

  /// Whether a script mentions its arguments, or hands over to another file or text, which could do so.
  /// Comment lines do not count.
  private static func passesArguments(_ text: String) -> Bool {
    text.utf8.split(separator: UInt8(ascii: "\n")).contains { line in
      let line = Substring(line).trimmed
      return !line.hasPrefix("#") && (namesArguments(line) || letsOthersGoOn(line))
    }
  }

  /// `$@`, `$*`, `$1`, `${1…`; bash's BASH_ARGV, and embedded programs (`sys.argv`).
  private static func namesArguments(_ line: Substring) -> Bool {
    if line.lowercased().holds("argv") || line.holds("cmdline") { return true }
    var bytes = line.utf8[...]
    while let dollar = bytes.firstIndex(of: UInt8(ascii: "$")) {
      bytes = bytes[bytes.index(after: dollar)...]
      let name = bytes.first == UInt8(ascii: "{") ? bytes.dropFirst().first : bytes.first
      if let name, "@*!".utf8.contains(name) || Ascii.isDigit(name) && name != Ascii.zero { return true }
    }
    return false
  }

  /// Words in front of a command.
  private static let before: Set<Substring> = [
    "then", "do", "else", "elif", "if", "while", "until", "!", "exec", "command", "builtin",
  ]

  /// `. FILE`, `source FILE`, `eval`; `getopts`, and the loop over arguments that has no `in`.
  private static func letsOthersGoOn(_ line: Substring) -> Bool {
    line.utf8.split { ";&|(){}`".utf8.contains($0) }.contains { command in
      let words = command.split { Ascii.isBlank($0) || $0 == UInt8(ascii: "\"") || $0 == UInt8(ascii: "'") }
        .map(Substring.init).drop { before.contains($0) || $0.utf8.contains(Ascii.equals) }
      switch words.first {
      case ".", "source", "eval", "getopts": return true
      case "for", "select": return words.count < 3 || words[words.startIndex + 2] != "in"
      default: return false
      }
    }
  }
}
