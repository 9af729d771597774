// One plain request in the words of each protocol, for tests that are about connections and not about
// codecs.

/// The bytes of a request to `/target` with a body, as a client of a gateway sends them.
public enum GatewayRequest {
  /// The protocols that are spoken on sockets, by the names of their options.
  public static let gateways = ["http", "scgi", "uwsgi", "fastcgi"]

  /// The bytes of one request over `gateway`, after which the client expects the connection to end, unless
  /// it `keepsConnection` (FastCGI). `extra` takes the place of variables, or adds some; HTTP has none.
  public static func bytes(
    _ gateway: String, _ target: String, body: [UInt8] = [], keepsConnection: Bool = false,
    extra: [String: String] = [:]
  ) -> [UInt8] {
    let parts = target.split(separator: "?", maxSplits: 1)
    var variables: [(name: String, value: String)] = [
      ("REQUEST_METHOD", body.isEmpty ? "GET" : "POST"), ("REQUEST_URI", target),
      ("SCRIPT_NAME", ""), ("PATH_INFO", String(parts[0])),
      ("QUERY_STRING", parts.count > 1 ? String(parts[1]) : ""), ("SERVER_PROTOCOL", "HTTP/1.1"),
      ("SERVER_NAME", "localhost"), ("SERVER_PORT", "80"), ("REMOTE_ADDR", "192.0.2.1"),
    ]
    variables = variables.filter { extra[$0.name] == nil } + extra.map { (name: $0.key, value: $0.value) }
    switch gateway {
    case "scgi", "uwsgi", "fastcgi":
      return bytes(gateway, variables: variables, body: body, keepsConnection: keepsConnection)
    default:
      let length = body.isEmpty ? "" : "Content-Length: \(body.count)\r\n"
      let method = body.isEmpty ? "GET" : "POST"
      let head = "\(method) \(target) HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\(length)\r\n"
      return Array(head.utf8) + body
    }
  }

  /// The bytes of a request of these variables over SCGI, uwsgi or FastCGI; CONTENT_LENGTH is the body's, if
  /// `statesLength`.
  public static func bytes(
    _ gateway: String, variables: [(name: String, value: String)], body: [UInt8] = [],
    statesLength: Bool = true, keepsConnection: Bool = false
  ) -> [UInt8] {
    let length = statesLength ? [(name: "CONTENT_LENGTH", value: "\(body.count)")] : []
    switch gateway {
    case "scgi":
      var request = SCGIRequest()
      request.variables = variables
      request.body = body
      return request.bytes
    case "uwsgi": return UWSGIClientRequest(variables: variables + length, body: body).bytes
    default:
      var request = FastCGIClientRequest(params: variables + length, body: body)
      request.keepsConnection = keepsConnection
      return request.bytes
    }
  }

  /// The reply in what came back.
  public static func reply(_ gateway: String, _ bytes: [UInt8]) throws -> Reply {
    guard gateway == "fastcgi" else { return try Reply(gateway: bytes) }
    var rest = bytes[...]
    return try FastCGIReply(&rest).reply
  }
}

extension RawSocket {
  /// Sends one HTTP request, the connection's last, and reads the reply by its framing.
  public func ask(_ target: String) throws -> Reply {
    try send(GatewayRequest.bytes("http", target))
    return try receiveLastReply()
  }

  /// Sends one request over `gateway` and reads its reply up to the end of the connection.
  public func exchange(_ gateway: String, _ target: String, body: [UInt8] = []) throws -> Reply {
    try send(GatewayRequest.bytes(gateway, target, body: body))
    return try GatewayRequest.reply(gateway, try receiveAll())
  }
}
