/// The gateway protocols that a listener may speak. Their differences are asked for here, or are the business
/// of `Codec` and `ResponseEncoder`: nothing else in the server tells one from another.
@frozen public enum Gateway: UInt8, Sendable, CaseIterable {
  case http1, scgi, uwsgi, fastcgi, cgi
  /// Spoken on one stream: its connection carries several of these.
  case http2

  /// A connection is a socket with a peer; otherwise it is the standard streams of this process, which
  /// answers one request and ends.
  @inlinable @inline(__always)
  public var hasSocket: Bool { self != .cgi }

  /// Peers are the clients themselves, or proxies in their place: no front end says what protocol its client
  /// speaks.
  @inlinable @inline(__always)
  public var isHTTP: Bool { self == .http1 || self == .http2 }

  /// Peers notice a body that is shorter than announced. (Apache drops the length over SCGI, and trusts the
  /// end of the connection.)
  @inlinable @inline(__always)
  public var heedsLengths: Bool { isHTTP }

  /// Peers keep connections, and no answer can announce that it ends one.
  @inlinable @inline(__always)
  public var keepsWithoutWord: Bool { self == .fastcgi }

  /// Peers are front ends that send a request of the stated length and nothing after it: a peer that has its
  /// answer is not writing any more.
  @inlinable @inline(__always)
  public var endsWithItsLength: Bool { self == .scgi || self == .uwsgi }

  /// X-Sendfile is for this server. On the others it is for the front end, which may know it too.
  @inlinable @inline(__always)
  public var sendsNamedFiles: Bool { isHTTP }

  /// A body of known length goes unchanged; otherwise between records of the protocol.
  @inlinable @inline(__always)
  public var sendsBodiesPlain: Bool { self != .fastcgi && self != .http2 }

  /// An answer may carry lines for the front end's error log (FastCGI §5.3).
  @inlinable @inline(__always)
  public var hasErrorStream: Bool { self == .fastcgi }

  /// A connection may become a tunnel (101), whose bytes front ends pass on both ways; over HTTP/2 a stream
  /// may (extended CONNECT).
  @inlinable @inline(__always)
  public var carriesSockets: Bool {
    switch self {
    case .http1, .scgi, .uwsgi, .http2: true
    case .fastcgi, .cgi: false
    }
  }

  /// Requests have their client's own version of HTTP and Connection field. Front ends keep these to
  /// themselves, and a stream of HTTP/2 has no such field (RFC 9113 §8.2.2).
  @inlinable @inline(__always)
  public var showsConnection: Bool { self == .http1 }

  /// Peers are only those that FCGI_WEB_SERVER_ADDRS names, if it is set (FastCGI §3.2).
  @inlinable @inline(__always)
  public var limitsWebServers: Bool { self == .fastcgi }
}
