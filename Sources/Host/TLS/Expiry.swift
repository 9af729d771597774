import CLinux
import Config
import Control
import Wire

/// Certificates end, and somebody has to be told in time: at the start, after a reload, and as often as
/// tickets get another key.
extension Worker {
  /// Shows when the first certificate ends; one worker says which ones do so soon.
  func lookAtCertificates() {
    let ends = identities.flatMap(\.ends)
    guard let first = ends.map(\.at).min() else { return }
    board?[.certificateEnd].value = UInt64(max(0, first))
    guard supervisor.map({ $0.seat == 0 }) ?? true else { return }
    let now = clinux_realtime_s()
    var told: Set<String> = []
    for (path, at) in ends where at < now + Worker.expiryNotice && told.insert(path).inserted {
      let days = max(0, at - now) / 86_400
      log.warning(
        "the certificate \(path) ends on \(Self.date(at)), in \(days) days; renew it, and then: "
          + "server ctl reload"
      )
    }
  }

  /// Seconds before the end of a certificate at which the log begins to speak of it: 14 days.
  private static let expiryNotice: Int64 = 14 * 86_400

  private static func date(_ seconds: Int64) -> String {
    var text = ByteBuffer()
    text.append(date: seconds)
    return String(decoding: text.bytes, as: UTF8.self)
  }
}
