// The script that a CGI front end runs, by its text: whether it stands among the arguments of the server,
// and whether it can pass its own arguments on.

/// What a script says of the arguments that the server gets from it.
enum FrontEndScript: Equatable {
  /// Its first line runs the server through env(1): the script's path stands behind the operator's words.
  case firstLine
  /// It runs the server with words of its own, all of them the operator's.
  case ownWords
  /// It speaks of its arguments, and may pass them on.
  case passesArguments
  /// It is no script, or cannot be read.
  case unknown

  /// - Parameter program: the name by which the server was executed.
  init(_ text: String?, program: String) {
    guard let text, text.hasPrefix("#!") else {
      self = .unknown
      return
    }
    let line = text.utf8.prefix { $0 != UInt8(ascii: "\n") }
    if Self.command(Substring(line).dropFirst(2)) == program {
      self = .firstLine
    } else {
      self = Self.speaksOfArguments(text) ? .passesArguments : .ownWords
    }
  }

  /// What env(1) runs in a first line: the first word that is neither an option nor a variable. Nil for
  /// another interpreter.
  private static func command(_ line: Substring) -> String? {
    var words = line.utf8.split(whereSeparator: Ascii.isBlank).map(Substring.init)[...]
    guard let interpreter = words.popFirst(), fileName(interpreter) == "env" else { return nil }
    while let word = words.popFirst() {
      let word = word.hasPrefix("-S") ? word.dropFirst(2) : word
      if word.isEmpty || word.hasPrefix("-") || word.utf8.contains(Ascii.equals) { continue }
      return fileName(word)
    }
    return nil
  }

  private static func fileName(_ path: Substring) -> String {
    path.utf8.lastIndex(of: Ascii.slash).map { String(path[path.utf8.index(after: $0)...]) } ?? String(path)
  }

  /// `$@`, `$*`, `$1`, `${1…` of a shell; argv of other languages. Lines of comment do not count.
  private static func speaksOfArguments(_ text: String) -> Bool {
    for line in text.utf8.split(separator: UInt8(ascii: "\n")) {
      let line = Substring(line).trimmed
      if line.hasPrefix("#") { continue }
      if line.lowercased().holds("argv") { return true }
      var bytes = line.utf8[...]
      while let dollar = bytes.firstIndex(of: UInt8(ascii: "$")) {
        bytes = bytes[bytes.index(after: dollar)...]
        let name = bytes.first == UInt8(ascii: "{") ? bytes.dropFirst().first : bytes.first
        if let name, "@*!".utf8.contains(name) || Ascii.isDigit(name) && name != Ascii.zero { return true }
      }
    }
    return false
  }
}
