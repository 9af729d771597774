// A complaint about a signature: what is wrong, why, and where.

/// A signature that cannot be accepted.
struct SignatureError: Error, Equatable, CustomStringConvertible {
  /// Plain English, with the fix.
  var reason: String
  /// Where, counted from 1.
  var column: Int
  /// The line of a signature file, from 1; nil on the command line.
  var line: Int?
  /// The signature file, or how the text was given.
  var source = "call"

  init(_ reason: String, column: Int) { (self.reason, self.column) = (reason, column) }

  var description: String {
    if let line { return "\(source):\(line):\(column): \(reason)" }
    return "\(source), column \(column): \(reason)"
  }
}
