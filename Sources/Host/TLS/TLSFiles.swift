import Config
import Control

/// Certificates and keys, read as the user that the server is started as; those who serve get their contents.
public enum TLSFiles {
  /// The files that the sockets of a configuration need.
  public static func read(_ settings: Settings) throws(ServerFailure) -> [HandedFile] {
    var files: [HandedFile] = []
    for path in settings.tlsFiles {
      do throws(SystemError) {
        files.append(HandedFile(path: path, text: try System.text(of: path, most: HandedFile.mostBytes)))
      } catch {
        throw ServerFailure(
          "\(role(of: path, settings)) \(path) cannot be read (\(error.reason)); correct its path or its "
            + "permissions")
      }
    }
    guard files.bytes <= HandedFile.mostBytes else {
      throw ServerFailure(
        "certificates and keys come to more than \(HandedFile.mostBytes >> 20) MiB; shorten them")
    }
    return files
  }

  private static func role(of path: String, _ settings: Settings) -> String {
    let identities = settings.tlsListeners.flatMap { settings.tlsIdentities(of: $0) }
    if identities.contains(where: { $0.certificate == path }) { return "the certificate" }
    if identities.contains(where: { $0.key == path }) { return "the key" }
    return path == settings.tls.passwordFile
      ? "the file of --tls-key-password-file" : "the file of client authorities"
  }
}
