/// What a peer got wrong, whichever protocol it spoke.
@frozen public enum CodecError: GatewayError {
  case http1(HTTP1Error)
  case scgi(SCGIError)
  case uwsgi(UWSGIError)
  case fastcgi(FastCGIError)
  case cgi(CGIError)
  case http2(HTTP2Error)

  public var status: Int {
    switch self {
    case .http1(let error): error.status
    case .scgi(let error): error.status
    case .uwsgi(let error): error.status
    case .fastcgi(let error): error.status
    case .cgi(let error): error.status
    case .http2(let error): error.status
    }
  }

  public var description: String {
    switch self {
    case .http1(let error): error.description
    case .scgi(let error): error.description
    case .uwsgi(let error): error.description
    case .fastcgi(let error): error.description
    case .cgi(let error): error.description
    case .http2(let error): error.description
    }
  }

  /// The protocol in which to answer a peer that spoke another protocol than the socket's, if it can be
  /// recognised, so that the sender understands the answer: `description`, which names the socket's protocol.
  public var spoken: Gateway? {
    switch self {
    case .scgi(.spokenHTTP), .uwsgi(.spokenHTTP), .fastcgi(.spokenHTTP): .http1
    case .uwsgi(.spokenSCGI): .scgi
    default: nil
    }
  }
}
