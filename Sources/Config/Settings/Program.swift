/// The program's name and version. `make release` changes the version here, and in documents that name an
/// image.
public enum Program {
  /// The version, by semver.org.
  public static let version: StaticString = "0.1.0"
  /// SERVER_SOFTWARE and the Server field: the name and the version.
  public static let software: StaticString = "nsgi-server/0.1.0"

  /// The command as people type it here: `nsgi-server` once it is installed, `server` in the source tree.
  public static let command: String = {
    let installed = "nsgi-server"
    return CommandLine.arguments.first?.split(separator: "/").last == installed[...] ? installed : "server"
  }()
}
