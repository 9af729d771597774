// What must hold for the arguments that a CGI front end makes of any query.
import Config

/// Takes `input` for the words of a query, with NUL between them, and reads them behind each form that a CGI
/// program can have. Returns what is wrong; empty if all is well.
public func verifyArguments(_ input: [UInt8]) -> [String] {
  let words = input.split(separator: 0, omittingEmptySubsequences: false)
    .map { String(decoding: $0, as: UTF8.self) }
  let query = words.joined(separator: "+")
  return ProgramForm.all.flatMap { $0.problems(words, query) } + ProgramForm.wrapped(words, query)
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
    guard !query.isEmpty, !query.contains("=") else { return problems }
    if let result = try? open.read(own + words, query) { problems.append("\(query) gave \(result)") }
    let bare = ProgramForm(text: "")
    if let result = try? bare.read(own + words, query), words.contains(where: { $0.hasPrefix("-") }) {
      problems.append("\(words) gave \(result)")
    }
    return problems
  }
}
