/// Why a file that a configuration names cannot be read: the system refuses it, or its contents are broken.
public struct UnreadableFile: Error, Equatable, CustomStringConvertible {
  /// Where in the file it is broken, from 1; nil if it is not about a line.
  public let line: Int?
  /// What is wrong, without a full stop, such as the system's words.
  public let problem: String
  /// What to do about it; nil if the path or its permissions should be checked.
  public let fix: String?

  /// An error from the reader of a file.
  public init(line: Int? = nil, _ problem: String, fix: String? = nil) {
    (self.line, self.problem, self.fix) = (line, problem, fix)
  }

  /// Reads one sentence as `config_reader` prints it: `line 3: what is wrong; what to do`.
  public init(printed sentence: String) {
    var rest = sentence[...]
    var line: Int?
    if rest.hasPrefix("line "), let (number, words) = rest.dropFirst(5).cut(at: Ascii.colon),
      let found = Int(number)
    {
      (line, rest) = (found, words.trimmed)
    }
    let halves = rest.cut(at: UInt8(ascii: ";"))
    self.init(
      line: line, String((halves?.0 ?? rest).trimmed),
      fix: halves.map { String($0.1.trimmed) } ?? (line == nil ? nil : "correct that line"))
  }

  /// Both halves, with the line before them.
  public var description: String {
    (line.map { "line \($0): " } ?? "") + problem + (fix.map { "; \($0)" } ?? "")
  }
}
