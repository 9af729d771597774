/// A line of what a master tells programs: a word, then named values, separated by spaces. The values are
/// percent words.
public struct Record: Equatable, Sendable {
  /// What the line is about.
  public let kind: String
  /// The values, in order.
  public private(set) var fields: [(name: String, value: String)]

  /// A line about something.
  public init(_ kind: String, _ fields: [(String, String)] = []) {
    (self.kind, self.fields) = (kind, fields.map { (name: $0.0, value: $0.1) })
  }

  /// Reads a line; a field without `=` has an empty value.
  public init(line: some StringProtocol) {
    let words = line.split(separator: " ")
    self.init(words.first.map { String($0) } ?? "")
    for word in words.dropFirst() {
      let parts = word.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
      fields.append((String(parts[0]), parts.count > 1 ? PercentWord.decoded(parts[1]) : ""))
    }
  }

  /// The first value of a name; empty if there is none.
  public subscript(name: String) -> String { fields.first { $0.name == name }?.value ?? "" }

  /// A value as a number; 0 for anything else.
  public func number(_ name: String) -> Int { Int(self[name]) ?? 0 }

  /// A value as numbers separated by commas.
  public func numbers(_ name: String) -> [UInt64] {
    self[name].split(separator: ",").map { UInt64($0) ?? 0 }
  }

  /// The line, without its end.
  public var line: String {
    fields.reduce(into: kind) { $0 += " \($1.name)=\(PercentWord.encoded($1.value))" }
  }

  public static func == (left: Record, right: Record) -> Bool { left.line == right.line }
}
