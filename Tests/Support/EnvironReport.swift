// What apps/environ answers: every variable it got, sorted, an empty line, and the body it read.
import Foundation

/// One report of apps/environ.
public struct EnvironReport: Sendable {
  /// The variables by name.
  public var variables: [String: String] = [:]
  /// Bytes that the app read from the body.
  public var bodyLength = -1
  /// The app's checksum of them, as it prints it.
  public var bodyChecksum = ""

  /// The value of a variable; nil when the app did not get it.
  public subscript(name: String) -> String? { variables[name] }

  /// Reads a reply of the app.
  public init(_ reply: Reply) throws(SupportError) {
    guard reply.status == 200 else { throw .malformedReply("status \(reply.status): \(reply.text)") }
    for line in reply.text.split(separator: "\n", omittingEmptySubsequences: false) {
      if let equals = line.firstIndex(of: "="), bodyLength < 0 {
        variables[String(line[..<equals])] = String(line[line.index(after: equals)...])
      } else if line.hasPrefix("body ") {
        let words = line.split(separator: " ")
        guard words.count >= 2, let length = Int(words[1]) else { throw .malformedReply(String(line)) }
        bodyLength = length
        bodyChecksum = words.count > 2 ? String(words[2]) : ""
      }
    }
    guard bodyLength >= 0 else { throw .malformedReply("no body line in: \(reply.text)") }
  }
}
