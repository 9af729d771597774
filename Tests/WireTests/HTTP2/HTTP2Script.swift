import Foundation
import Support

/// A conversation of HTTP/2 as a text file below Tests/Fixtures/http2: frames of a client, and what the host
/// says between them. Tests/Fixtures/README.md describes it. The frames are written here without the codec's
/// help.
struct HTTP2Script: Sendable, CustomStringConvertible {
  /// What the host does.
  enum Command: Sendable {
    case answer(id: UInt32, status: Int, body: [UInt8])
    case consume(id: UInt32, count: Int)
    case reset(id: UInt32, code: UInt32)
    case goAway(id: UInt32)
    case accept(id: UInt32)
    case tunnel(id: UInt32, bytes: [UInt8])
    case abandon(id: UInt32)
  }

  enum Step: Sendable {
    case bytes([UInt8])
    case command(Command)
  }

  let name: String
  let isValid: Bool
  let steps: [Step]
  let expected: [String]?
  var description: String { name }

  struct Malformed: Error, CustomStringConvertible { let description: String }

  static func all() throws -> [HTTP2Script] { try load("valid") + load("invalid") }

  private static func load(_ kind: String) throws -> [HTTP2Script] {
    let folder = "\(Repository.root)/Tests/Fixtures/http2/\(kind)"
    let files = try FileManager.default.contentsOfDirectory(atPath: folder).sorted()
    return try files.filter { $0.hasSuffix(".txt") }.map { file in
      let name = String(file.dropLast(4))
      let text = try String(contentsOfFile: "\(folder)/\(file)", encoding: .utf8)
      let expectation = try? String(contentsOfFile: "\(folder)/\(name).expect", encoding: .utf8)
      return HTTP2Script(
        name: "http2/\(kind)/\(name)", isValid: kind == "valid", steps: try parse(text),
        expected: expectation?.split(separator: "\n").map(String.init))
    }
  }

  // MARK: Reading

  static func parse(_ text: String) throws -> [Step] {
    var steps: [Step] = []
    var bytes: [UInt8] = []
    var lines = text.split(separator: "\n").filter { !$0.hasPrefix("#") }[...]
    while let line = lines.popFirst() {
      var fields: [Substring] = []
      while let next = lines.first, next.hasPrefix("  ") {
        fields.append(next.dropFirst(2))
        lines.removeFirst()
      }
      if line.hasPrefix("> ") {
        if !bytes.isEmpty { steps.append(.bytes(bytes)) }
        bytes = []
        steps.append(.command(try command(line.dropFirst(2))))
      } else {
        bytes += try message(line, fields)
      }
    }
    if !bytes.isEmpty { steps.append(.bytes(bytes)) }
    return steps
  }

  private static func command(_ line: Substring) throws -> Command {
    let words = line.split(separator: " ", maxSplits: 3).map(String.init)
    guard words.count >= 2, let id = UInt32(words[1]) else { throw Malformed(description: String(line)) }
    switch words[0] {
    case "answer": return .answer(id: id, status: Int(words[2])!, body: try quoted(words[3]))
    case "consume": return .consume(id: id, count: Int(words[2])!)
    case "reset": return .reset(id: id, code: UInt32(words[2])!)
    case "goaway": return .goAway(id: id)
    case "accept": return .accept(id: id)
    case "tunnel":
      let text = line.split(separator: " ", maxSplits: 2)[2]
      return .tunnel(id: id, bytes: try quoted(String(text)))
    case "abandon": return .abandon(id: id)
    default: throw Malformed(description: String(line))
    }
  }

  private static func message(_ line: Substring, _ fields: [Substring]) throws -> [UInt8] {
    if line == "preface" { return HTTP2Bytes.preface }
    if line.hasPrefix("raw ") { return try quoted(String(line.dropFirst(4))) }
    if line.hasPrefix("* ") {
      let words = line.dropFirst(2).split(separator: " ", maxSplits: 1)
      return Array(repeatElement(try message(words[1], fields), count: Int(words[0])!).joined())
    }
    let words = line.split(separator: " ", maxSplits: 3).map(String.init)
    guard words.count >= 3, let id = UInt32(words[1]) else { throw Malformed(description: String(line)) }
    guard let type = types.firstIndex(of: words[0]).map({ UInt8($0) }) ?? UInt8(words[0]) else {
      throw Malformed(description: String(line))
    }
    let rest = words.count > 3 ? words[3] : ""
    return HTTP2Bytes.frame(type, flags(words[2]), id, try payload(type, rest, fields))
  }

  static let types = [
    "DATA", "HEADERS", "PRIORITY", "RST_STREAM", "SETTINGS", "PUSH_PROMISE", "PING", "GOAWAY",
    "WINDOW_UPDATE",
    "CONTINUATION",
  ]

  /// The names of flags, or a number.
  private static func flags(_ text: String) -> UInt8 {
    let known: [String: UInt8] = [
      "-": 0, "END_STREAM": 1, "ACK": 1, "END_HEADERS": 4, "PADDED": 8, "PRIORITY": 32,
    ]
    return text.split(separator: "|").reduce(0) { $0 | (known[String($1)] ?? UInt8($1) ?? 0) }
  }

  private static func payload(_ type: UInt8, _ rest: String, _ fields: [Substring]) throws -> [UInt8] {
    if rest.hasPrefix("\"") { return try quoted(rest) + block(fields) }
    switch types[min(Int(type), types.count - 1)] {
    case "SETTINGS":
      return rest.split(separator: " ").flatMap { setting in
        let parts = setting.split(separator: "=")
        return Array(HTTP2Bytes.number(UInt32(parts[0])!)[2...]) + HTTP2Bytes.number(UInt32(parts[1])!)
      }
    case "WINDOW_UPDATE", "RST_STREAM": return HTTP2Bytes.number(UInt32(rest)!)
    case "PRIORITY": return HTTP2Bytes.number(UInt32(rest)!) + [15]
    case "GOAWAY": return HTTP2Bytes.number(0) + HTTP2Bytes.number(0)
    default: return try block(fields)
    }
  }

  /// Literals without indexing (RFC 7541 §6.2.2).
  private static func block(_ fields: [Substring]) throws -> [UInt8] {
    try fields.flatMap { line -> [UInt8] in
      let colon = line.dropFirst().firstIndex(of: ":")!
      let (name, value) = (try Escapes.bytes(line[..<colon]), try Escapes.bytes(line[colon...].dropFirst(2)))
      return [0] + HTTP2Bytes.string(name) + HTTP2Bytes.string(value)
    }
  }

  private static func quoted(_ text: String) throws -> [UInt8] {
    guard text.hasPrefix("\""), text.hasSuffix("\""), text.count >= 2 else {
      throw Malformed(description: "no quotes: \(text)")
    }
    return try Escapes.bytes(text.dropFirst().dropLast())
  }
}
