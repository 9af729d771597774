// What a configuration can query about the machine that it is read on.

/// The machine's answers; the command fills them in, tests make them up.
public struct Surroundings: Sendable {
  /// The machine's name, for `%h` and `if-hostname`.
  public var hostName: @Sendable () -> String = { "localhost" }
  /// Processors that the process may use, for `%k`.
  public var processors: @Sendable () -> Int = { 1 }
  /// Microseconds since 1970, for `%t` and `%T`.
  public var microseconds: @Sendable () -> Int64 = { 0 }
  /// Number of the file on its file system, for `%i`; 0 if it does not exist.
  public var inode: @Sendable (String) -> UInt64 = { _ in 0 }
  /// User and group of the process as numbers and names, for `%u`, `%U`, `%g` and `%G`.
  public var identity: @Sendable () -> (user: (UInt32, String), group: (UInt32, String)) = {
    ((0, "root"), (0, "root"))
  }
  /// Whether a path names a directory, for `if-dir` and `if-exists`.
  public var isDirectory: @Sendable (String) -> Bool = { _ in false }
  /// Whether a path names a pipe, which only `--ini` may read.
  public var isPipe: @Sendable (String) -> Bool = { _ in false }
  /// Names that match a shell pattern, for `for-glob`.
  public var glob: @Sendable (String) -> [String] = { [$0] }
  /// Converts a file of another format into this server's own lines (`ConfigFormat`); shows the description
  /// of its error.
  public var convert: @Sendable (ConfigFormat, String) throws -> String = { format, _ in
    throw NoConverter(format: format)
  }

  /// Answers of a machine that has nothing.
  public init() {}
}

/// Formats of configuration files.
public enum ConfigFormat: String, Sendable, Equatable, CaseIterable {
  case ini, yaml, xml, json
  /// The JSON of NGINX Unit, of which `server migrate` reads every value by its path.
  case unit

  /// The format of a file by its extension; nil for any other.
  init?(ending path: some StringProtocol) {
    let text = Substring(path)
    guard let dot = text.utf8.lastIndex(of: Ascii.dot) else { return nil }
    switch String(text[text.utf8.index(after: dot)...]) {
    case "ini": self = .ini
    case "yaml", "yml": self = .yaml
    case "xml": self = .xml
    case "json", "js": self = .json
    default: return nil
    }
  }
}

private struct NoConverter: Error, CustomStringConvertible {
  let format: ConfigFormat
  var description: String { "nothing here reads \(format.rawValue)" }
}
