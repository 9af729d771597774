/// Paths as text, by bytes, as the system sees them: as a character, a slash followed by a combining mark is
/// not a slash.
public enum Paths {
  private static let slash = UInt8(ascii: "/")

  /// The components of a path.
  public static func components(of path: String) -> [String] {
    path.utf8.split(separator: slash).map { String(Substring($0)) }
  }

  /// The last component of a path.
  public static func name(of path: String) -> String { components(of: path).last ?? path }

  /// What stands before the last slash of a path: the directory that it lies in, empty for the root; "."
  /// without a slash.
  public static func directory(of path: String) -> String {
    path.utf8.lastIndex(of: slash).map { String(path[..<$0]) } ?? "."
  }

  /// The directory that a path lies in, "/" for the root; nil without a slash.
  public static func parent(of path: String) -> String? {
    path.utf8.lastIndex(of: slash).map { $0 == path.startIndex ? "/" : String(path[..<$0]) }
  }
}
