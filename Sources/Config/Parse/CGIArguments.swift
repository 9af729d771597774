// Arguments that are not the operator's. A CGI front end turns a query without `=` into arguments (RFC 3875
// §4.4): taken for options, `GET /?--app+/tmp/evil.so` would load a library of the client's choice.
//
// Whose an argument is follows from its place alone, for front ends differ in how they split, decode, escape
// and cut the query: what stands in the first line of the script, or before the script's path, is the
// operator's; what follows is the client's.

enum CGIArguments {
  /// The operator's own arguments.
  static func own(
    _ arguments: [String], _ environment: [String: String], _ launch: Launch
  ) throws(ConfigError) -> [String] {
    let isGateway = environment["GATEWAY_INTERFACE"] != nil
    if case .script(let path) = launch.start {
      return interpreted(arguments, path, isGateway: isGateway)
    }
    guard isGateway, !arguments.isEmpty else { return arguments }
    guard launch.start == .program else { return [] }
    return try executed(arguments, environment, launch)
  }

  /// The server is a script's interpreter: `#!/usr/bin/server --cgi --app x.so` arrives as one argument,
  /// then comes the script's path, then what the script was given (execve(2)).
  private static func interpreted(_ arguments: [String], _ script: String, isGateway: Bool) -> [String] {
    guard let place = arguments.firstIndex(of: script) else { return isGateway ? [] : arguments }
    let line = place == 0 ? "" : arguments[0]
    var words = line.utf8.split(whereSeparator: Ascii.isBlank).map { String(Substring($0)) }
    if wantsValue(words.last) { words.append(script) }
    return isGateway ? words : words + arguments[(place + 1)...]
  }

  /// Something else has executed the server: the front end itself, env(1) for a script, or a program that
  /// the front end runs.
  private static func executed(
    _ arguments: [String], _ environment: [String: String], _ launch: Launch
  ) throws(ConfigError) -> [String] {
    if let own = counted(arguments, environment) { return own }
    let query = environment["QUERY_STRING"] ?? ""
    guard let script = environment["SCRIPT_FILENAME"], !script.isEmpty else {
      return try unplaced(arguments, query)
    }
    // The front end runs the server; or it lets the server run a file, as `cgi.assign` of lighttpd does.
    if launch.isProgram(script) || isScript(arguments[0], script, launch) { return [] }
    switch FrontEndScript(launch.text(script), program: launch.name) {
    case .firstLine:
      guard let place = arguments.firstIndex(where: { isScript($0, script, launch) }) else { return [] }
      let words = arguments[..<place]
      return wantsValue(words.last) ? Array(arguments[...place]) : Array(words)
    case .ownWords: return arguments
    case .mayPassArguments: return try unplaced(arguments, query)
    }
  }

  /// Who runs the server says how many arguments are its own: a client has no variable of that name.
  private static func counted(_ arguments: [String], _ environment: [String: String]) -> [String]? {
    guard let text = environment[EnvironmentReader.argumentCount], let count = Int(text),
      arguments.indices.contains(count - 1)
    else { return nil }
    return Array(arguments[..<count])
  }

  /// Nothing says whose the arguments are. Where the query may be among them, nothing is taken that could be
  /// an option: no comparison with the query's text tells, for what front ends make of it has no end.
  private static func unplaced(_ arguments: [String], _ query: String) throws(ConfigError) -> [String] {
    if query.isEmpty || query.utf8.contains(Ascii.equals) { return arguments }
    if isLiteral(query), !endsWith(query, arguments) { return arguments }
    if arguments.contains(where: { $0.hasPrefix("-") || CommandLineReader.isFile($0) }) {
      throw .queryAsArguments
    }
    return []
  }

  /// A query of letters, digits, `_`, `.` and `+`: no front end has anything to decode, escape or cut in it,
  /// and its words are arguments as they are, or are none.
  private static func isLiteral(_ query: String) -> Bool {
    query.utf8.allSatisfy { Ascii.isLetter($0) || Ascii.isDigit($0) || "_.+".utf8.contains($0) }
  }

  /// Whether the last argument is the end of a literal query from one of its words on, however much of it was
  /// split.
  private static func endsWith(_ query: String, _ arguments: [String]) -> Bool {
    guard let last = arguments.last else { return false }
    if last.isEmpty { return true }
    // Some front ends drop a last empty word, and some hand it over as a blank.
    let (whole, end) = (words(query), words(last))
    return whole == end || end.isEmpty || (whole.hasSuffix(end) && whole.dropLast(end.count).hasSuffix("+"))
  }

  /// A text with `+` for its blanks, and nothing of that kind at its end.
  private static func words(_ text: String) -> String {
    var bytes = text.utf8.map { $0 == Ascii.space ? Ascii.plus : $0 }
    while bytes.last == Ascii.plus { bytes.removeLast() }
    return String(decoding: bytes, as: UTF8.self)
  }

  private static func isScript(_ argument: String, _ script: String, _ launch: Launch) -> Bool {
    argument == script || !argument.hasPrefix("-") && launch.areSame(argument, script)
  }

  private static func wantsValue(_ word: String?) -> Bool {
    guard let word, let option = OptionTable.index(written: word) else { return false }
    return OptionTable.all[option].placeholder != nil
  }
}
