// Signatures, requests and their answers, from Tests/Fixtures/ffi/golden: a new case is a line there, a new
// file is found by itself. `$name` in an answer stands for a handle, and for the same one in what follows.
import Foundation
import Support
import Testing

@testable import FFICore

/// One file of cases.
struct GoldenFile: CustomTestStringConvertible, Sendable {
  struct Case {
    var request = Incoming(method: "", path: "")
    var fields: [String: String] = [:]
    var status = ""
    var answerFields: [String] = []
    var answer = ""
    var line = 0
  }

  let path: String
  var options: [(key: String, value: String)] = []
  var cases: [Case] = []

  var testDescription: String { (path as NSString).lastPathComponent }

  static let all = Repository.files(under: "Tests/Fixtures/ffi/golden", suffixes: [".txt"]).map {
    GoldenFile(path: $0)
  }

  init(path: String) { self.path = path }

  /// Reads the file: options, then `>` lines of a request and `<` lines of its answer.
  /// `copy` names the copy of the library that it works with: a copy counts for itself.
  func read(copy: String) throws -> GoldenFile {
    var file = self
    let library = try Sample.library(["-g0"], "\(copy)-\(testDescription)")
    var wasAnswer = true
    for (number, line) in try Repository.text(path).components(separatedBy: "\n").enumerated() {
      let mark = line.first
      let text = String(line.dropFirst(min(2, line.count)))
      switch mark {
      case ">":
        if wasAnswer { file.cases.append(Case(line: number + 1)) }
        file.cases[file.cases.count - 1].take(request: text, line == ">")
      case "<": file.cases[file.cases.count - 1].take(answer: text)
      case nil, "#": continue
      default:
        let words = line.split(separator: " ", maxSplits: 1).map(String.init)
        file.options.append((words[0], words[1].replacingOccurrences(of: "SAMPLE", with: library)))
        continue
      }
      wasAnswer = mark == "<"
    }
    return file
  }
}

extension GoldenFile.Case {
  mutating func take(request text: String, _ isBlank: Bool) {
    if request.method.isEmpty {
      let words = text.split(separator: " ", maxSplits: 1).map(String.init)
      request.method = words[0]
      let parts = words[1].split(separator: "?", maxSplits: 1).map(String.init)
      request.path = parts[0]
      request.query = parts.count > 1 ? Array(parts[1].utf8) : []
    } else if isBlank {
      fields[""] = ""
    } else if fields[""] != nil {
      request.body = Array(text.utf8)
    } else {
      let parts = text.components(separatedBy: ": ")
      fields[parts[0].lowercased()] = parts[1]
      if parts[0] == "Content-Type" { request.contentType = parts[1] }
      if parts[0] == "Accept" { request.accept = parts[1] }
    }
  }

  mutating func take(answer text: String) {
    if status.isEmpty {
      status = text
    } else if text.hasPrefix("Allow: ") {
      answerFields.append(text)
    } else {
      answer = text
    }
  }
}

@Suite struct GoldenTests {
  @Test("the files are found")
  func filesAreFound() { #expect(GoldenFile.all.count >= 8) }

  @Test("signatures, requests and answers", arguments: GoldenFile.all)
  func golden(file: GoldenFile) throws {
    let file = try file.read(copy: "golden")
    let declarations = try Declarations(file.options)
    var libraries = Libraries()
    let app = try FFIApp(declarations.endpoints, entry: declarations.entry) { try libraries.resolve($0) }
    var names: [String: String] = [:]
    for item in file.cases {
      var request = item.request
      request.query = Array(Self.filled(String(decoding: request.query, as: UTF8.self), names).utf8)
      request.body = Array(Self.filled(String(decoding: request.body, as: UTF8.self), names).utf8)
      let answer = app.answer(request) { name in
        name.hasPrefix("HTTP_") ? item.fields[Self.field(name)].map { Array($0.utf8) } : nil
      }
      let place = "\(file.path):\(item.line)"
      #expect("\(answer.status) \(answer.type)" == item.status, "\(place)")
      let allow = answer.fields.filter { $0.name == "Allow" }.map { "\($0.name): \($0.value)" }
      #expect(allow == item.answerFields, "\(place)")
      let body = String(decoding: answer.body, as: UTF8.self)
      if item.answer != "*" { #expect(Self.learned(body, item.answer, &names) == item.answer, "\(place)") }
    }
    app.handles.removeAll()
  }

  private static func field(_ variable: String) -> String {
    variable.dropFirst(5).lowercased().replacingOccurrences(of: "_", with: "-")
  }

  private static func filled(_ text: String, _ names: [String: String]) -> String {
    names.reduce(text) { $0.replacingOccurrences(of: $1.key, with: $1.value) }
  }

  /// The body with its handle called by the name that the answer gives it.
  private static func learned(_ body: String, _ wanted: String, _ names: inout [String: String]) -> String {
    guard let name = wanted.firstMatch(of: /\$[a-z]+/)?.output,
      let id = body.firstMatch(of: /[0-9a-f]{32}/)?.output
    else { return body }
    names[String(name)] = String(id)
    return body.replacingOccurrences(of: id, with: name)
  }
}
