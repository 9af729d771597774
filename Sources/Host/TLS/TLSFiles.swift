import Config
import Control
import Wire

/// Certificates and keys, including those for signatures, read as the user that starts the server; the
/// processes that serve get their contents.
public enum TLSFiles {
  /// The files that the sockets of a configuration need.
  public static func read(_ settings: Settings) throws(ServerFailure) -> [HandedFile] {
    var files: [HandedFile] = []
    for path in settings.tlsFiles + [settings.supervision.appKey].compactMap({ $0 }) {
      do throws(SystemError) {
        let bytes = try System.contents(of: path, most: HandedFile.mostBytes)
        let isText = !settings.tls.responses.contains(path)
        let text = isText ? String(decoding: bytes, as: UTF8.self) : digits(bytes)
        files.append(HandedFile(path: path, text: text))
      } catch {
        throw ServerFailure(
          "\(role(of: path, settings)) \(path) cannot be read (\(error.reason)); correct its path or its "
            + "permissions")
      }
    }
    guard files.bytes <= HandedFile.mostBytes else {
      throw ServerFailure(
        "certificates and keys come to more than \(HandedFile.mostBytes >> 20) MiB; shorten them"
      )
    }
    return files
  }

  private static func role(of path: String, _ settings: Settings) -> String {
    let identities = settings.tlsListeners.flatMap { settings.tlsIdentities(of: $0) }
    if identities.contains(where: { $0.certificate == path }) { return "the certificate" }
    if identities.contains(where: { $0.key == path }) { return "the key" }
    if path == settings.supervision.appKey { return "the key of --app-key" }
    if settings.tls.responses.contains(path) { return "the OCSP response" }
    if path == settings.tls.revocations { return "the revocation list" }
    return path == settings.tls.passwordFile
      ? "the file of --tls-key-password-file" : "the file of client authorities"
  }

  /// Bytes in hexadecimal digits: the contents are handed over as text.
  private static func digits(_ bytes: [UInt8]) -> String {
    let digits = Array("0123456789abcdef".utf8)
    return String(decoding: bytes.flatMap { [digits[Int($0 >> 4)], digits[Int($0 & 15)]] }, as: UTF8.self)
  }

  /// The bytes that digits stand for.
  static func bytes(_ digits: String) -> [UInt8] {
    let values = digits.utf8.compactMap { Ascii.hex($0) }
    return stride(from: 0, to: values.count & ~1, by: 2).map { values[$0] << 4 | values[$0 + 1] }
  }
}
