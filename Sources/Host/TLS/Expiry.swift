import CLinux
import Config
import Control
import Wire

/// Certificates expire, and somebody has to be told in time: at the start, after a reload, and whenever
/// tickets get another key.
extension Worker {
  /// Shows when the first certificate expires; one worker logs which ones expire soon.
  func lookAtCertificates() {
    lookAtStaples()
    let all = acceptor.presented.identities.flatMap(\.ends)
    let ends = all.filter { $0.path != settings.tls.revocations }
    guard let first = ends.map(\.at).min() else { return }
    board?[.certificateEnd].value = UInt64(max(0, first))
    guard supervisor.map({ $0.seat == 0 }) ?? true else { return }
    let now = clinux_realtime_s()
    if let list = all.first(where: { $0.path == settings.tls.revocations }) { sayEnd(of: list, now) }
    var told: Set<String> = []
    for (path, at) in ends where at < now + Worker.expiryNotice && told.insert(path).inserted {
      let days = max(0, at - now) / 86_400
      log.warning(
        "the certificate \(path) ends on \(Self.date(at)), in \(days) days; renew it, and then: "
          + "server ctl tls-reload"
      )
    }
  }

  /// After a revocation list has expired, OpenSSL accepts no client certificate: nothing shows any more which
  /// ones are revoked.
  private func sayEnd(of list: (path: String, at: Int64), _ now: Int64) {
    guard list.at < now + Worker.listNotice else { return }
    log.warning(
      "the revocation list \(list.path) \(list.at <= now ? "has expired" : "ends") on \(Self.date(list.at)): "
        + "clients with certificates are refused from then on; get a newer one, and then: "
        + "server ctl tls-reload")
  }

  /// Leader: logs which OCSP responses are no longer presented, and notes when the next one expires.
  func lookAtStaples() {
    let now = clinux_realtime_s()
    let ends = acceptor.presented.identities.flatMap(\.staples)
    acceptor.presented.stapleEnd = ends.map(\.at).filter { $0 > now }.min() ?? .max
    guard supervisor.map({ $0.seat == 0 }) ?? true else { return }
    var told: Set<String> = []
    for (path, at) in ends where at <= now && told.insert(path).inserted {
      log.warning(
        "the OCSP response \(path) has expired on \(Self.date(at)) and is not presented; get another, "
          + "and then: server ctl tls-reload")
    }
  }

  /// Seconds before a certificate expires at which the log begins to mention it: 14 days.
  private static let expiryNotice: Int64 = 14 * 86_400

  /// The same for a revocation list, which may be renewed as often as daily: 6 hours.
  private static let listNotice: Int64 = 6 * 3600

  private static func date(_ seconds: Int64) -> String {
    var text = ByteBuffer()
    text.append(date: seconds)
    return String(decoding: text.bytes, as: UTF8.self)
  }
}
