// What must hold for the arguments that a CGI front end makes of any query.
import Config

/// Takes `input` for the words of a query, with NUL between them, and reads them behind each form that a CGI
/// program can have. Returns what is wrong; empty if all is well.
public func verifyArguments(_ input: [UInt8]) -> [String] {
  let words = input.split(separator: 0, omittingEmptySubsequences: false)
    .map { String(decoding: $0, as: UTF8.self) }
  return verifyArguments(words, of: words.joined(separator: "+"))
}

private func verifyArguments(_ words: [String], of query: String) -> [String] {
  ProgramForm.all.flatMap { $0.problems(words, query) } + ProgramForm.wrapped(words, query)
}

/// How a front end makes arguments of a query.
public enum QueryArguments: CaseIterable, Sendable {
  /// As the words are.
  case plain
  /// Percent-decoded (RFC 3875 §4.4); a NUL ends its word, as in any argument.
  case decoded
  /// Decoded, with a backslash before what a shell would act on, as Apache's mod_cgi does.
  case escaped

  /// The words of a query; none of one with `=`.
  public func words(_ query: String) -> [String] {
    guard !query.isEmpty, !query.utf8.contains(UInt8(ascii: "=")) else { return [] }
    let plus = UInt8(ascii: "+")
    return query.utf8.split(separator: plus, omittingEmptySubsequences: false).map { word -> String in
      if self == .plain { return String(decoding: word, as: UTF8.self) }
      let bytes = Self.decode(Array(word)).prefix { $0 != 0 }
      guard self == .escaped else { return String(decoding: bytes, as: UTF8.self) }
      let signs = Array("&;`'\"|*?~<>^()[]{}$\\\n".utf8)
      return String(
        decoding: bytes.flatMap { signs.contains($0) ? [UInt8(ascii: "\\"), $0] : [$0] }, as: UTF8.self)
    }
  }

  private static func decode(_ word: [UInt8]) -> [UInt8] {
    var (bytes, position): ([UInt8], Int) = ([], 0)
    while position < word.count {
      let digits = String(decoding: word[position...].dropFirst().prefix(2), as: UTF8.self)
      if word[position] == UInt8(ascii: "%"), digits.utf8.count == 2, let byte = UInt8(digits, radix: 16) {
        bytes.append(byte)
        position += 3
      } else {
        bytes.append(word[position])
        position += 1
      }
    }
    return bytes
  }
}

/// Takes the query out of the environment that `input` begins with (`verifyEnvironment`), makes arguments of
/// it in each way that front ends do, and reads them as `verifyArguments` does. Returns what is wrong; empty
/// if all is well.
public func verifyQueryArguments(_ input: [UInt8]) -> [String] {
  let border = input.firstRange(of: [0, 0])?.lowerBound ?? input.count
  let name = "QUERY_STRING="
  let variable = input[..<border].split(separator: 0).first { $0.starts(with: name.utf8) }
  let query = String(decoding: (variable ?? []).dropFirst(name.utf8.count), as: UTF8.self)
  return QueryArguments.allCases.flatMap { way in
    verifyArguments(way.words(query), of: query).map { "\(way): \($0)" }
  }
}

/// How the server comes to be run, and what stands before the front end's words.
private struct ProgramForm {
  static let script = "/www/app.cgi"
  var start = Launch.Start.program
  var text = ""
  var before: [String] = []
  var own: [String] = []
  var isProgram = false

  static let all = [
    ProgramForm(isProgram: true),
    ProgramForm(
      start: .script(path: script), text: "#!/opt/server --cgi -L\n", before: ["--cgi -L", script],
      own: ["--cgi", "-L"]),
    ProgramForm(start: .script(path: script), text: "#!/opt/server\n", before: [script]),
    ProgramForm(
      text: "#!/usr/bin/env -S server --plugin python3 --wsgi-file\n",
      before: ["--plugin", "python3", "--wsgi-file", script],
      own: ["--plugin", "python3", "--wsgi-file", script]),
    ProgramForm(text: "#!/usr/bin/env -S server -L\n", before: ["-L", script], own: ["-L"]),
    ProgramForm(before: [script]),
  ]

  func read(_ arguments: [String], _ query: String) throws(ConfigError) -> [String] {
    let (text, isProgram) = (text, isProgram)
    return try Settings.operatorArguments(
      arguments,
      environment: [
        "GATEWAY_INTERFACE": "CGI/1.1", "QUERY_STRING": query, "SCRIPT_FILENAME": Self.script,
      ],
      launch: Launch(
        start: start, name: "server", isProgram: { _ in isProgram }, areSame: { $0 == $1 },
        text: { _ in text }))
  }

  /// Whatever follows is the client's.
  func problems(_ words: [String], _ query: String) -> [String] {
    let result = try? read(before + words, query)
    return result == own ? [] : ["\(before) and \(words) gave \(result ?? ["a refusal"]), not \(own)"]
  }

  /// A program that runs the server with words of its own, and one that passes its arguments on.
  static func wrapped(_ words: [String], _ query: String) -> [String] {
    let own = ["--cgi", "--limit-post", "10"]
    var problems: [String] = []
    let closed = ProgramForm(text: "#!/bin/sh\nexec server --cgi --limit-post 10\n")
    if (try? closed.read(own, query)) != own { problems.append("\(query) took something away") }
    let open = ProgramForm(text: "#!/bin/sh\nexec server --cgi --limit-post 10 \"$@\"\n")
    guard !query.isEmpty, !query.utf8.contains(UInt8(ascii: "=")) else { return problems }
    if let result = try? open.read(own + words, query) { problems.append("\(query) gave \(result)") }
    let early = ProgramForm(text: "#!/bin/sh\nexec server \"$@\" --cgi --limit-post 10\n")
    // A first word that names the script looks like a front end that lets the server run it, which has no
    // options: nothing is taken then, and there is no application.
    if let result = try? early.read(words + own, query), !result.isEmpty {
      problems.append("\(query) first gave \(result)")
    }
    let bare = ProgramForm(text: "")
    let hasOption = words.contains { $0.utf8.first == UInt8(ascii: "-") }
    if let result = try? bare.read(own + words, query), hasOption {
      problems.append("\(words) gave \(result)")
    }
    return problems
  }
}
