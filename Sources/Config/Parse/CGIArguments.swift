// Arguments that are not the operator's. A CGI front end turns a query without `=` into arguments (RFC 3875
// §4.4): taken for options, `GET /?--app+/tmp/evil.so` would load a library of the client's choice.

enum CGIArguments {
  /// The operator's own arguments.
  static func own(_ arguments: [String], _ environment: [String: String]) throws(ConfigError) -> [String] {
    let isGateway = environment["GATEWAY_INTERFACE"] != nil
    if let words = interpreterLine(arguments) { return isGateway ? words : words + arguments.dropFirst(2) }
    return isGateway ? withoutScript(try withoutQuery(arguments, environment), environment) : arguments
  }

  private static func withoutQuery(
    _ arguments: [String], _ environment: [String: String]
  ) throws(ConfigError) -> [String] {
    guard let query = environment["QUERY_STRING"], !query.isEmpty, !query.utf8.contains(Ascii.equals) else {
      return arguments
    }
    let words = query.utf8.split(separator: UInt8(ascii: "+"), omittingEmptySubsequences: false).map(decoded)
    if arguments.suffix(words.count).map(bare) == words { return arguments.dropLast(words.count) }
    if arguments.contains(where: { $0.hasPrefix("-") && words.contains(bare($0)) }) {
      throw .queryAsArguments
    }
    return arguments
  }

  /// `cgi.assign` of lighttpd hands over the path of the file that was asked for.
  private static func withoutScript(_ arguments: [String], _ environment: [String: String]) -> [String] {
    guard let script = arguments.last, script == environment["SCRIPT_FILENAME"] else { return arguments }
    let option = arguments.dropLast().last.flatMap { OptionTable.index(written: $0) }
    let isValue = option.map { OptionTable.all[$0].placeholder != nil } ?? false
    return isValue ? arguments : arguments.dropLast()
  }

  /// `#!/usr/bin/server --cgi --app x.so` arrives as one argument, followed by the script's path
  /// (execve(2)). The words of the first; nil when there is no such line.
  private static func interpreterLine(_ arguments: [String]) -> [String]? {
    guard arguments.count >= 2, arguments[0].hasPrefix("-"), !arguments[1].hasPrefix("-") else { return nil }
    let words = arguments[0].split(whereSeparator: { $0 == " " || $0 == "\t" }).map(String.init)
    let isOneValue = words[0].utf8.contains(Ascii.equals) && !words.dropFirst().contains { $0.hasPrefix("-") }
    return words.count > 1 && !isOneValue ? words : nil
  }

  /// Percent-decoded; a broken escape stands for itself.
  private static func decoded(_ word: Substring.UTF8View) -> String {
    var bytes: [UInt8] = []
    var rest = word
    while let byte = rest.popFirst() {
      if byte == Ascii.percent, let value = UInt8(Substring(rest.prefix(2)), radix: 16), rest.count >= 2 {
        rest.removeFirst(2)
        bytes.append(value)
      } else {
        bytes.append(byte)
      }
    }
    return bare(String(decoding: bytes, as: UTF8.self))
  }

  /// Without the backslashes that Apache puts before characters of the shell.
  private static func bare(_ text: String) -> String {
    String(decoding: text.utf8.filter { $0 != UInt8(ascii: "\\") }, as: UTF8.self)
  }
}
