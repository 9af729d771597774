// A message as a text file below Tests/Fixtures, with the events that it must give in a file beside it.
import Foundation

/// One fixture: NAME.txt and NAME.expect. The format is described in Tests/Fixtures/README.md.
public struct Fixture: Sendable, CustomStringConvertible {
  /// Path without its extension, below Tests/Fixtures: `http1/valid/get`.
  public let name: String
  /// Whether the message is one that must be accepted.
  public let isValid: Bool
  /// The message.
  public let input: [UInt8]
  /// The lines of NAME.expect; nil when there is no such file.
  public let expected: [String]?

  public var description: String { name }

  /// All fixtures of a protocol, sorted by name; `valid` ones before `invalid` ones.
  public static func all(_ protocolName: String) throws -> [Fixture] {
    try load(protocolName, "valid") + load(protocolName, "invalid")
  }

  private static func load(_ protocolName: String, _ kind: String) throws -> [Fixture] {
    let folder = "\(Repository.root)/Tests/Fixtures/\(protocolName)/\(kind)"
    let files = try FileManager.default.contentsOfDirectory(atPath: folder).sorted()
    return try files.filter { $0.hasSuffix(".txt") }.map { file in
      let name = String(file.dropLast(4))
      let text = try String(contentsOfFile: "\(folder)/\(file)", encoding: .utf8)
      let expectation = try? String(contentsOfFile: "\(folder)/\(name).expect", encoding: .utf8)
      return Fixture(
        name: "\(protocolName)/\(kind)/\(name)", isValid: kind == "valid", input: try message(text),
        expected: expectation?.split(separator: "\n").map(String.init))
    }
  }

  /// The bytes of a fixture's text: comment lines at the top, then the escaped message.
  static func message(_ text: String) throws(Escapes.Malformed) -> [UInt8] {
    var lines = text.split(separator: "\n", omittingEmptySubsequences: false)[...]
    lines = lines.drop { $0.hasPrefix("#") }
    return try Escapes.bytes(lines.joined(separator: "\n"))
  }
}
