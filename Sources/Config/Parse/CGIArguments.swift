// Arguments that are not the operator's. A CGI front end turns a query without `=` into arguments (RFC 3875
// §4.4): read as options, `GET /?--app+/tmp/evil.so` would load a library of the client's choice.
//
// Only the place of an argument tells whose it is, because front ends differ in how they split, decode,
// escape and cut the query: arguments in the first line of the script, or before the script's path, are the
// operator's; those that follow are the client's.

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
  /// followed by the script's path and the script's own arguments (execve(2)).
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

  /// The caller of the server says how many arguments are its own: a client cannot set that variable.
  private static func counted(_ arguments: [String], _ environment: [String: String]) -> [String]? {
    guard let text = environment[EnvironmentReader.argumentCount], let count = Int(text),
      arguments.indices.contains(count - 1)
    else { return nil }
    return Array(arguments[..<count])
  }

  /// Nothing tells whose the arguments are. If the query may be among them, takes nothing that could be an
  /// option: comparing with the query's text proves nothing, as front ends transform it in countless ways.
  private static func unplaced(_ arguments: [String], _ query: String) throws(ConfigError) -> [String] {
    if query.isEmpty || query.utf8.contains(Ascii.equals) { return arguments }
    if isLiteral(query), !holds(arguments, query) { return arguments }
    if arguments.contains(where: { $0.hasPrefix("-") || CommandLineReader.isFile($0) }) {
      throw .queryAsArguments
    }
    return []
  }

  /// A query of letters, digits, `_`, `.` and `+`: no front end has anything to decode, escape or cut in it,
  /// and its words are arguments unchanged, or not at all.
  private static func isLiteral(_ query: String) -> Bool {
    query.utf8.allSatisfy { Ascii.isLetter($0) || Ascii.isDigit($0) || "_.+".utf8.contains($0) }
  }

  /// Whether a word of a literal query is an argument, part of one that has several, or a value after `=`: a
  /// script may pass its arguments on in any place. Some front ends pass on an empty word, as nothing or as a
  /// blank.
  private static func holds(_ arguments: [String], _ query: String) -> Bool {
    if arguments.contains(where: { $0.utf8.allSatisfy { $0 == Ascii.space || $0 == Ascii.plus } }) {
      return true
    }
    let words = Set(query.utf8.split(separator: Ascii.plus).map(Array.init))
    return arguments.contains { argument in
      argument.utf8.split { Ascii.isBlank($0) || $0 == Ascii.plus || $0 == Ascii.equals }
        .contains { words.contains(Array($0)) }
    }
  }

  private static func isScript(_ argument: String, _ script: String, _ launch: Launch) -> Bool {
    argument == script || !argument.hasPrefix("-") && launch.areSame(argument, script)
  }

  private static func wantsValue(_ word: String?) -> Bool {
    guard let word, let option = OptionTable.index(written: word) else { return false }
    return OptionTable.all[option].placeholder != nil
  }
}
