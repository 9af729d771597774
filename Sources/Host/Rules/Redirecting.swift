import Config
import Wire

/// Sockets of `--http-redirect`: every request is redirected to https, except a certificate authority's.
extension Worker {
  /// The request came in on such a socket.
  func isRedirected(_ exchange: ExchangePointer) -> Bool {
    let connection = exchange.connection
    return connection.gateway.hasSocket && listeners[Int(connection.listener)].spoken == .redirect
  }

  /// Answers with the same address in https, or answers a challenge.
  func sendOn(_ exchange: ExchangePointer) {
    let path = exchange.meta.pathInfo.bytes
    if let directory = settings.redirect.webroot, let token = Self.challenge(path) {
      return answerChallenge(exchange, directory + Self.challenges + token)
    }
    let host = exchange.meta.serverName.bytes
    let target = exchange.meta.requestURI.bytes
    let named = exchange.pointee.variable(named: Text("HTTP_HOST").bytes)
    guard named.n > 0, host.allSatisfy(Ascii.isFieldValue) else {
      return answer(exchange, 400, "the request names no host that it could be sent on to")
    }
    let isPath = target.first == UInt8(ascii: "/") && target.allSatisfy { $0 > 0x20 && $0 < 0x7f }
    let place = isPath ? String(decoding: target, as: UTF8.self) : "/"
    let location = "https://\(String(decoding: host, as: UTF8.self))\(port)\(place)"
    // The method stays the same (RFC 9110 §15.4.9).
    let keepsMethod = !exchange.isHead && !Ascii.equals(exchange.meta.method.bytes, "GET")
    answer(
      exchange, keepsMethod ? 308 : 301, "see Location, which is spoken over TLS",
      lines: "Location: \(location)\r\n")
  }

  /// ":8443"; nothing for the usual port.
  private var port: String {
    let own = listeners.first { $0.spoken == .https && $0.port != 0 }?.port
    let port = settings.redirect.port ?? own ?? 443
    return port == 443 ? "" : ":\(port)"
  }

  private static let challenges = "/.well-known/acme-challenge/"
  /// The most bytes of an answer: a token and a thumbprint take less than two hundred.
  private static let challengeBytes = 4096

  /// The token of a challenge (RFC 8555 §8.3: letters of base64url); nil for any other path.
  private static func challenge(_ path: UnsafeRawBufferPointer) -> String? {
    let rest = path.dropFirst(challenges.utf8.count)
    guard path.starts(with: challenges.utf8), !rest.isEmpty, rest.count <= 255,
      rest.allSatisfy({ Ascii.isToken($0) && !".!#$%&'*+^`|~".utf8.contains($0) })
    else { return nil }
    return String(decoding: rest, as: UTF8.self)
  }

  private func answerChallenge(_ exchange: ExchangePointer, _ path: String) {
    guard exchange.isHead || Ascii.equals(exchange.meta.method.bytes, "GET") else {
      return answer(exchange, 405, "this is a file", lines: "Allow: GET, HEAD\r\n")
    }
    guard let bytes = System.bytes(of: path, most: Self.challengeBytes) else {
      return answer(exchange, 404, "there is no such challenge")
    }
    try? exchange.response.begin(status: 200)
    exchange.response.add("Content-Type", "application/octet-stream")
    exchange.response.add("Cache-Control", "no-store")
    bytes.withUnsafeBytes { encodeWhole(exchange, $0) }
  }
}
