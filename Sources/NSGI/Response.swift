import CNSGI

/// What an application answers.
public struct Response: Sendable {
  /// The body.
  public enum Body: Sendable {
    case empty
    case text(String)
    case bytes([UInt8])
    /// Sent already, through `Request.start`.
    case streamed
  }

  /// Status code, 200 to 599.
  public var status: Int
  /// Content-Type; nil for none.
  public var type: String?
  /// Further header fields. Content-Length and those of the connection are the server's.
  public var headers: Headers
  /// What the client gets, unless method or status forbid it.
  public var body: Body

  /// A response of any kind; the functions below make the usual ones.
  public init(status: Int = 200, type: String? = nil, headers: Headers = [:], body: Body = .empty) {
    (self.status, self.type, self.headers, self.body) = (status, type, headers, body)
  }

  /// Plain text.
  public static func text(_ text: String, status: Int = 200, headers: Headers = [:]) -> Response {
    Response(status: status, type: "text/plain; charset=utf-8", headers: headers, body: .text(text))
  }

  /// A page.
  public static func html(_ page: String, status: Int = 200, headers: Headers = [:]) -> Response {
    Response(status: status, type: "text/html; charset=utf-8", headers: headers, body: .text(page))
  }

  /// A JSON document, as text.
  public static func json(_ document: String, status: Int = 200, headers: Headers = [:]) -> Response {
    Response(status: status, type: "application/json", headers: headers, body: .text(document))
  }

  /// Bytes of any type.
  public static func bytes(
    _ bytes: [UInt8], type: String = "application/octet-stream", status: Int = 200, headers: Headers = [:]
  ) -> Response {
    Response(status: status, type: type, headers: headers, body: .bytes(bytes))
  }

  /// Sends the client elsewhere: 303 unless another status is given (307 and 308 keep method and body).
  public static func redirect(to location: String, status: Int = 303) -> Response {
    Response(status: status, headers: ["Location": location])
  }

  /// A status, with plain text if given.
  public static func status(_ status: Int, _ text: String = "") -> Response {
    text.isEmpty ? Response(status: status) : .text(text, status: status)
  }

  /// The end of a response that went through `Request.start`.
  public static func streamed(_ stream: ResponseStream) -> Response { Response(body: .streamed) }

  /// The end of a response that went through `AsyncRequest.start`.
  public static func streamed(_ stream: AsyncResponseStream) -> Response { Response(body: .streamed) }

  /// Hands it to the server; an nsgi_result.
  func send(to host: HostTable, _ id: nsgi_id) -> Int32 {
    switch body {
    case .empty: return send(to: host, id, UnsafeRawBufferPointer(start: nil, count: 0))
    case .text(var text): return text.withUTF8 { send(to: host, id, UnsafeRawBufferPointer($0)) }
    case .bytes(let bytes): return bytes.withUnsafeBytes { send(to: host, id, $0) }
    case .streamed: return NSGI_OK.rawValue
    }
  }

  private func send(to host: HostTable, _ id: nsgi_id, _ bytes: UnsafeRawBufferPointer) -> Int32 {
    headers.withPairs(type: type) { pairs in
      host.pointee.respond(
        id, Int32(clamping: status), pairs.baseAddress, pairs.count, bytes.baseAddress, bytes.count)
    }
  }
}
