import Control

/// A key of a configuration with its value and its line, in the section that it stands in: what the server
/// reads of any format (`ConfigText` in Sources/Config).
struct Record {
  let section: String
  let line: Int
  /// Empty for a section that has no keys.
  let key: String
  /// Nil for a key without a value.
  let value: String?

  /// The record as a line: fields between tabs, with tabs, ends of lines and backslashes escaped.
  var text: String {
    TabbedLine.encoded([section, "\(line)", key] + (value.map { [$0] } ?? []))
  }
}

/// Why a file is no configuration: what is wrong, after the number of the line.
struct Malformed: Error, CustomStringConvertible {
  let description: String

  init(line: Int, _ sentence: String) { description = "line \(line): \(sentence)" }
}
