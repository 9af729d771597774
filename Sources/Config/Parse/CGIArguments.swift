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
    let query = environment["QUERY_STRING"] ?? ""
    let hasWords = !query.isEmpty && !query.utf8.contains(Ascii.equals)
    guard let script = environment["SCRIPT_FILENAME"], !script.isEmpty else {
      return hasWords ? try unlike(query, arguments) : arguments
    }
    // The front end runs the server; or it lets the server run a file, as `cgi.assign` of lighttpd does.
    if launch.isProgram(script) || isScript(arguments[0], script, launch) { return [] }
    switch FrontEndScript(launch.text(script), program: launch.name) {
    case .firstLine:
      guard let place = arguments.firstIndex(where: { isScript($0, script, launch) }) else { return [] }
      let words = arguments[..<place]
      return wantsValue(words.last) ? Array(arguments[...place]) : Array(words)
    case .ownWords: return arguments
    case .passesArguments:
      if hasWords { throw .queryAsArguments }
      return arguments
    case .unknown: return hasWords ? try unlike(query, arguments) : arguments
    }
  }

  /// Nothing says whose the arguments are: none that may be made of the query is an option.
  private static func unlike(_ query: String, _ arguments: [String]) throws(ConfigError) -> [String] {
    let options = arguments.filter { $0.hasPrefix("-") || CommandLineReader.isFile($0) }
    if options.contains(where: { QueryLikeness.mayBe($0, madeOf: query) }) { throw .queryAsArguments }
    return options.isEmpty ? [] : arguments
  }

  private static func isScript(_ argument: String, _ script: String, _ launch: Launch) -> Bool {
    argument == script || !argument.hasPrefix("-") && launch.areSame(argument, script)
  }

  private static func wantsValue(_ word: String?) -> Bool {
    guard let word, let option = OptionTable.index(written: word) else { return false }
    return OptionTable.all[option].placeholder != nil
  }
}

/// Whether a word may come from a query, however a front end has split, decoded, escaped or cut it.
private enum QueryLikeness {
  /// Whether the word's bytes stand in the query in their order, with others between them.
  static func mayBe(_ word: String, madeOf query: String) -> Bool {
    var form = Array(query.utf8)
    let bytes = word.utf8.filter { $0 != UInt8(ascii: "\\") && !Ascii.isBlank($0) }
    for _ in 0..<3 {
      if holds(form, bytes) { return true }
      form = PercentText.decoded(form)
    }
    return holds(form, bytes)
  }

  private static func holds(_ form: [UInt8], _ bytes: [UInt8]) -> Bool {
    var rest = bytes[...]
    for byte in form where byte == rest.first { rest.removeFirst() }
    return rest.isEmpty
  }
}
